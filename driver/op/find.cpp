#include "driver/op/find.hpp"

#include "conf/base/tr.hpp"
#include "driver/qmp/client.hpp"

namespace cloister {

call::DomainHandle handle(const Guest& guest) {
    return {.name = {guest.name}, .uuid = guest.uuid.bytes, .id = guest.id()};
}

Result<GuestPointer> find(const Call& call, const call::DomainHandle& domain) {
    return call.driver->registry().find(Uuid{domain.uuid}, domain.name.value);
}

std::unexpected<Error> refuse(Code code, std::string message, ErrorDomain domain) {
    auto refusal = fail(code, std::move(message));
    refusal.error().domain = domain;
    return refusal;
}

Result<> check_flags(std::uint32_t flags, std::uint32_t known, std::string_view function) {
    if ((flags & ~known) == 0) return {};
    auto refusal =
        fail(Code::invalid_arg, tr("unsupported flags (0x{0:x}) in function {1}", flags & ~known, function));
    refusal.error().bare = true;
    return refusal;
}

Result<> need_running(const Guest& guest) {
    if (guest.active() && !guest.running->stopping) return {};
    return refuse(Code::operation_invalid, tr("domain is not running"), ErrorDomain::domain);
}

Result<std::shared_ptr<Monitor>> need_monitor(const Guest& guest) {
    TRY(need_running(guest));
    if (guest.running->starting)
        return refuse(Code::operation_invalid, tr("domain '{0}' is still being started", guest.name));
    if (!guest.running->monitor)
        return refuse(
            Code::operation_invalid,
            tr("domain '{0}' runs, but its monitor could not be reached: only destroying it is possible",
               guest.name));
    return guest.running->monitor;
}

Result<Affect> affect(const Guest& guest, std::uint32_t flags) {
    const bool live = flags & affect_live, config = flags & affect_config;
    if (live) TRY(need_running(guest));
    if (config && !guest.persistent)
        return refuse(Code::operation_invalid, tr("transient domains do not have any persistent config"),
                      ErrorDomain::domain);
    if (!live && !config) return Affect{.live = guest.active(), .config = !guest.active()};
    return Affect{.live = live, .config = config};
}

Task<Result<Jobs::Turn>> change(GuestPointer guest, std::string who) {
    auto turn = co_await guest->jobs.turn(std::move(who));
    if (turn && guest->removed)
        co_return fail(Code::no_domain,
                       tr("no domain with matching uuid '{0}' ({1})", printed(guest->uuid), guest->name));
    co_return turn;
}

} // namespace cloister
