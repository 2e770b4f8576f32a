#include "conf/call/foreign.hpp"
#include "conf/call/procedure.hpp"

#include <algorithm>

namespace cloister::call {
namespace {

constexpr Need explains[] = {{"connect", "write"}};
constexpr Need reads_domain[] = {{"domain", "read"}};

constexpr Procedure cloister[] = {
    {1, "EXPLAIN", "cloisterExplain", explains},
    {2, "CONFINEMENT", "cloisterConfinement", reads_domain},
    {3, "IMPORT_CHECK", "cloisterImportCheck", explains},
};

} // namespace

std::span<const Procedure> cloister_procedures() { return cloister; }

const Foreign* find_foreign(std::int32_t number) {
    const auto all = foreign_procedures();
    const auto found = std::ranges::lower_bound(all, number, {}, &Foreign::number);
    return found != all.end() && found->number == number ? &*found : nullptr;
}

const Procedure* find_procedure(std::uint32_t program, std::int32_t number) {
    const auto all = program == remote_program     ? remote_procedures()
                     : program == qemu_program     ? qemu_procedures()
                     : program == cloister_program ? cloister_procedures()
                                                   : std::span<const Procedure>();
    const auto found = std::ranges::lower_bound(all, number, {}, &Procedure::number);
    return found != all.end() && found->number == number ? &*found : nullptr;
}

} // namespace cloister::call
