#include "daemon/acl/by_polkit.hpp"

#include "conf/base/tr.hpp"
#include "daemon/dbus/polkit.hpp"

namespace cloister::acl {
namespace {

Task<Result<Verdict>> answered(std::shared_ptr<dbus::Bus> bus, Question question) {
    if (question.who.start_time == 0) // its pid may be anybody's by now
        co_return fail(Code::auth_unavailable, tr("the process {0} has gone", question.who.pid));
    polkit::ProcessSubject who;
    who.pid = static_cast<std::uint32_t>(question.who.pid);
    who.start_time = question.who.start_time;
    who.uid = question.who.uid;
    const auto interaction = question.interactive ? polkit::Interaction::allowed : polkit::Interaction::none;
    polkit::Subject subject = who;
    auto verdict =
        co_await polkit::check_authorization(std::move(bus), std::move(subject), std::move(question.action),
                                             std::move(question.details), interaction);
    CO_CHECK(verdict);
    switch (*verdict) {
    case polkit::Verdict::authorized: co_return Verdict::yes;
    case polkit::Verdict::refused: co_return Verdict::no;
    case polkit::Verdict::challenge: co_return Verdict::needs_agent;
    case polkit::Verdict::no_service: break;
    }
    co_return fail(Code::auth_unavailable, tr("polkit is not there"));
}

} // namespace

Authority by_polkit(std::shared_ptr<dbus::Bus> bus) {
    return [bus = std::move(bus)](Question question) { return answered(bus, std::move(question)); };
}

} // namespace cloister::acl
