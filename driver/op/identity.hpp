/// Which domain a call is about, told from its arguments before anything expensive is done with them.
#pragma once

#include "conf/call/common.hpp"
#include "driver/op/call.hpp"
#include "driver/registry.hpp"

#include <concepts>
#include <optional>
#include <string>

namespace cloister {

struct Guest; // driver/guest.hpp

/// What of a call's arguments says it. At most one is set; nothing: the call is about no domain.
struct Mentioned {
    std::optional<Uuid> uuid{};
    std::string name{}; ///< beside `uuid`: what the caller believes it is called
    std::optional<int> id{};
    const std::string* xml = nullptr; ///< a definition; lives as long as the arguments
};

/// Out of any arguments: a handle of a domain, or of a snapshot or checkpoint of one, else a name, uuid or
/// id, else a definition.
template <class In> Mentioned mentioned(const In& in) {
    Mentioned out;
    const auto handle = [&](const call::DomainHandle& domain) {
        out.uuid = Uuid{domain.uuid};
        out.name = domain.name.value;
    };
    if constexpr (requires { handle(in.dom); })
        handle(in.dom);
    else if constexpr (requires { handle(*in.dom); }) {
        if (in.dom) handle(*in.dom);
    } else if constexpr (requires { handle(in.snap.dom); })
        handle(in.snap.dom);
    else if constexpr (requires { handle(in.snapshot.dom); })
        handle(in.snapshot.dom);
    else if constexpr (requires { handle(in.checkpoint.dom); })
        handle(in.checkpoint.dom);
    else if constexpr (requires { Uuid{in.uuid}; })
        out.uuid = Uuid{in.uuid};
    else if constexpr (requires {
                           { in.name.value } -> std::same_as<const std::string&>;
                       })
        out.name = in.name.value;
    else if constexpr (requires {
                           { in.id } -> std::same_as<const std::int32_t&>;
                       })
        out.id = in.id;
    else if constexpr (requires {
                           { in.xml_desc.value } -> std::same_as<const std::string&>;
                       })
        out.xml = &in.xml_desc.value;
    else if constexpr (requires {
                           { in.xml.value } -> std::same_as<const std::string&>;
                       })
        out.xml = &in.xml.value;
    return out;
}

/// The domain that is meant: one that is known, or the one that a definition would make. Of a definition only
/// the name and the uuid are read. Errors: no_domain; xml, no_name when the definition cannot be read so far.
Result<DomainIdentity> identity(Driver& driver, const Mentioned& mentioned);
DomainIdentity identity(const Guest& guest);

/// Name and uuid of a definition, read up to the place where both are known.
/// Errors: xml_detail, xml, no_name.
Result<DomainIdentity> identity_in(std::string_view definition);

/// Whether a definition, read whole, is about the domain that the caller's permission was asked for, when it
/// was asked for one. Errors: access_denied.
Result<> as_asked(const Call& call, const std::string& name, const std::optional<Uuid>& uuid);

/// Those of `all` for which the caller has the permission: what the protocol calls the filter of a list.
Task<Registry::All> visible(Call call, Registry::All all, Permission what = {"domain", "getattr"});

} // namespace cloister
