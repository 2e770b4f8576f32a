#include "daemon/acl/by_polkit.hpp"

#include "conf/base/tr.hpp"
#include "daemon/dbus/polkit.hpp"

namespace cloister::acl {
namespace {

Task<Result<Verdict>> answered(std::shared_ptr<dbus::Bus> bus, polkit::Subject subject, Question question) {
    const auto interaction = question.interactive ? polkit::Interaction::allowed : polkit::Interaction::none;
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

Task<Result<Verdict>> answered_about_process(std::shared_ptr<dbus::Bus> bus, Question question) {
    if (question.who.start_time == 0) // its pid may be anybody's by now
        co_return fail(Code::auth_unavailable, tr("the process {0} has gone", question.who.pid));
    polkit::ProcessSubject who;
    who.pid = static_cast<std::uint32_t>(question.who.pid);
    who.start_time = question.who.start_time;
    who.uid = question.who.uid;
    polkit::Subject subject = who;
    co_return co_await answered(std::move(bus), std::move(subject), std::move(question));
}

} // namespace

Authority by_polkit(std::shared_ptr<dbus::Bus> bus) {
    return [bus = std::move(bus)](Question question) {
        return answered_about_process(bus, std::move(question));
    };
}

Authority by_polkit(std::shared_ptr<dbus::Bus> bus, std::string sender) {
    return [bus = std::move(bus), sender = std::move(sender)](Question question) {
        polkit::Subject subject = polkit::NameSubject{sender};
        return answered(bus, std::move(subject), std::move(question));
    };
}

} // namespace cloister::acl
