#include "daemon/dbus/polkit.hpp"

#include "conf/base/tr.hpp"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <systemd/sd-bus.h>

namespace cloister::polkit {
namespace {

constexpr const char *service = "org.freedesktop.PolicyKit1", *path = "/org/freedesktop/PolicyKit1/Authority",
                     *interface = "org.freedesktop.PolicyKit1.Authority";
constexpr std::chrono::milliseconds at_once{10'000}, by_a_person{300'000};

int append(sd_bus_message* m, const ProcessSubject& who) {
    return ::sd_bus_message_append(m, "(sa{sv})", "unix-process", 3, "pid", "u", who.pid, "start-time", "t",
                                   who.start_time, "uid", "i", static_cast<std::int32_t>(who.uid));
}
int append(sd_bus_message* m, const NameSubject& who) {
    return ::sd_bus_message_append(m, "(sa{sv})", "system-bus-name", 1, "name", "s", who.name.c_str());
}

int append(sd_bus_message* m, const Details& details) {
    int done = ::sd_bus_message_open_container(m, 'a', "{ss}");
    for (const auto& [key, value] : details)
        if (done >= 0) done = ::sd_bus_message_append(m, "{ss}", key.c_str(), value.c_str());
    return done < 0 ? done : ::sd_bus_message_close_container(m);
}

/// A name for this question among all of this connection, so that it can be taken back.
std::string next_id() {
    static std::uint64_t last = 0; // reactor thread only
    return "cloister-" + std::to_string(++last);
}

void take_back(dbus::Bus& bus, const std::string& id) {
    const auto request = bus.method(service, path, interface, "CancelCheckAuthorization");
    if (!request) return; // polkit forgets the questions of whoever has left the bus
    if (::sd_bus_message_append(request->raw(), "s", id.c_str()) >= 0) (void)bus.send(*request); // likewise
}

Result<Verdict> verdict_of(const dbus::Message& reply) {
    int authorized = 0, challenge = 0;
    if (::sd_bus_message_enter_container(reply.raw(), 'r', "bba{ss}") < 0 ||
        ::sd_bus_message_read(reply.raw(), "bb", &authorized, &challenge) < 0)
        return fail(Code::dbus_service, tr("polkit's answer is not understood"));
    return authorized ? Verdict::authorized : challenge ? Verdict::challenge : Verdict::refused;
}

} // namespace

Result<std::uint64_t> start_time(std::uint32_t pid) {
    const auto name = "/proc/" + std::to_string(pid) + "/stat";
    errno = 0;
    std::ifstream in(name);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    // The name in parentheses may hold anything: the fields are counted from the last one.
    auto at = text.rfind(')');
    constexpr int from_name_to_start_time = 20;
    for (int field = 0; field < from_name_to_start_time && at != text.npos; ++field)
        at = text.find(' ', at + 1);
    std::uint64_t ticks = 0;
    if (at == text.npos ||
        std::from_chars(text.data() + at + 1, text.data() + text.size(), ticks).ec != std::errc())
        return std::unexpected(system_error(errno ? errno : ESRCH, tr("cannot read '{0}'", name)));
    return ticks;
}

dbus::Task<Result<Verdict>> check_authorization(std::shared_ptr<dbus::Bus> bus, Subject subject,
                                                std::string action, Details details,
                                                Interaction interaction) {
    auto request = bus->method(service, path, interface, "CheckAuthorization");
    if (!request && request.error().code == Code::no_connect) co_return Verdict::no_service;
    if (!request) co_return std::unexpected(std::move(request).error());
    const auto m = request->raw();
    const auto id = next_id();
    const std::uint32_t flags = interaction == Interaction::allowed ? 1 : 0;
    int done = std::visit([m](const auto& who) { return append(m, who); }, subject);
    if (done >= 0) done = ::sd_bus_message_append(m, "s", action.c_str());
    if (done >= 0) done = append(m, details);
    if (done >= 0) done = ::sd_bus_message_append(m, "us", flags, id.c_str());
    if (done < 0) co_return std::unexpected(system_error(-done, tr("cannot ask polkit")));

    const auto patience = interaction == Interaction::allowed ? by_a_person : at_once;
    const auto reply = co_await bus->call(*std::move(request), patience);
    if (reply) co_return verdict_of(*reply);
    const auto code = reply.error().code;
    if (code == Code::no_server || code == Code::no_connect) co_return Verdict::no_service;
    if (code == Code::operation_timeout || code == Code::operation_aborted) take_back(*bus, id);
    co_return std::unexpected(reply.error());
}

} // namespace cloister::polkit
