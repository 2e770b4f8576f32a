/// Our own RPC program: what libvirt's protocol has no procedure for. Described in
/// data/docs/cloister-protocol.md. The order of the members is the order on the wire; numbers are never
/// reused.
#pragma once

#include "conf/call/common.hpp"
#include "conf/call/procedure.hpp"

namespace cloister::call {

/// Which form an answer has.
enum class Format : std::int32_t { text = 0, json = 1, argv = 2 };

/// 1 EXPLAIN: what a start would do, without doing it. Exactly one of `xml` and `dom` is present.
struct ExplainIn {
    std::optional<Text<>> xml{};
    std::optional<DomainHandle> dom{};
    std::int32_t format = 0; ///< Format
    std::uint32_t flags = 0; ///< none yet: must be 0
    bool operator==(const ExplainIn&) const = default;
};
struct ExplainOut {
    Text<> text{};
    bool operator==(const ExplainOut&) const = default;
};

/// 2 CONFINEMENT: layer by layer, what was planned for a running domain and what the kernel says it has.
struct ConfinementIn {
    DomainHandle dom{};
    std::int32_t format = 0; ///< Format: text or json
    std::uint32_t flags = 0; ///< none yet: must be 0
    bool operator==(const ConfinementIn&) const = default;
};
struct ConfinementOut {
    Text<> text{};
    std::int32_t as_planned = 0; ///< 1: everything planned was found
    bool operator==(const ConfinementOut&) const = default;
};

/// 3 IMPORT_CHECK: what a definition would lose when it is taken over from libvirt. Changes nothing.
struct ImportCheckIn {
    Text<> xml{};
    std::uint32_t flags = 0; ///< none yet: must be 0
    bool operator==(const ImportCheckIn&) const = default;
};
struct ImportCheckOut {
    Text<> name{};
    List<Text<>, 1024> lost{};        ///< a sentence each; empty: nothing
    List<Text<>, 1024> unplannable{}; ///< what a start would refuse, with the element's name and line
    bool operator==(const ImportCheckOut&) const = default;
};

} // namespace cloister::call
