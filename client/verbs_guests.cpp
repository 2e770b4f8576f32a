/// All guests of a host at once, when it boots and shuts down: what cloister-guests.service runs.
#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/base/uuid.hpp"
#include "conf/call/connect.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/domain_define.hpp"
#include "conf/call/event.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <unistd.h>

namespace cloister::client {
namespace {

using Clock = std::chrono::steady_clock;

/// The service's settings come in the environment, as systemd reads its file.
std::string setting(const char* name, std::string otherwise) {
    const char* given = std::getenv(name);
    return given && *given ? given : std::move(otherwise);
}
Result<unsigned> count(const char* name, const char* otherwise) {
    return number(setting(name, otherwise), name);
}
Result<bool> wanted(const char* name, std::string_view yes) {
    const auto value = setting(name, std::string(yes));
    if (value == yes) return true;
    if (value == "ignore") return false;
    return fail(Code::invalid_arg, tr("{0} is '{1}': it takes '{2}' or 'ignore'", name, value, yes));
}

std::string list_file(const Given& given) { return given.value("file", "/var/lib/cloister/guests"); }

Result<std::vector<call::DomainHandle>> running(Connection& c) {
    constexpr std::uint32_t active = 1;
    auto out = TRY(c.call<call::ConnectListAllDomainsOut>(
        "CONNECT_LIST_ALL_DOMAINS", call::ConnectListAllDomainsIn{.need_results = 1, .flags = active}));
    auto domains = std::move(out.domains.items);
    std::ranges::sort(domains, {}, &call::DomainHandle::id); // in the order in which they were started
    return domains;
}

/// Written whole or not at all, and on disk before the first guest is asked: a host can lose its power while
/// it waits.
Result<> write_list(const std::string& path, const std::vector<call::DomainHandle>& guests) {
    std::string text;
    for (const auto& guest : guests) text += printed(Uuid{guest.uuid}) + "\n";
    const auto fresh = path + ".new";
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool written = fd >= 0 &&
                         ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                         ::fsync(fd) == 0;
    const int number = errno;
    if (fd >= 0) ::close(fd);
    if (!written || ::rename(fresh.c_str(), path.c_str()) != 0)
        return std::unexpected(system_error(written ? errno : number, tr("cannot write '{0}'", path)));
    return {};
}

void complain(const call::DomainHandle& guest, const std::string& what) {
    std::cerr << tr("guest '{0}': {1}", guest.name.value, what) << std::endl;
}

/// Guests that are being shut down, and those that have not been asked yet.
struct ShuttingDown {
    std::deque<call::DomainHandle> waiting{};
    std::vector<call::DomainHandle> asked{}, left{};

    void ask(Connection& c, std::size_t at_once) {
        while (asked.size() < at_once && !waiting.empty()) {
            auto guest = std::move(waiting.front());
            waiting.pop_front();
            const auto state =
                c.call<call::DomainGetStateOut>("DOMAIN_GET_STATE", call::DomainGetStateIn{.dom = guest});
            constexpr std::int32_t paused = 3;
            if (state && state->state == paused) {
                complain(guest, tr("it is paused and cannot hear the power button: it ends with the host"));
                left.push_back(std::move(guest));
                continue;
            }
            std::cout << tr("shutting down guest '{0}'", guest.name.value) << std::endl;
            if (const auto done = c.order("DOMAIN_SHUTDOWN", call::DomainShutdownIn{.dom = guest}); !done) {
                complain(guest, full_text(done.error()));
                left.push_back(std::move(guest));
                continue;
            }
            asked.push_back(std::move(guest));
        }
    }
    void ended(const call::DomainHandle& guest) {
        const auto same = [&](const call::DomainHandle& other) { return other.uuid == guest.uuid; };
        if (std::erase_if(asked, same))
            std::cout << tr("guest '{0}' has ended", guest.name.value) << std::endl;
        std::erase_if(waiting, same);
        std::erase_if(left, same);
    }
};

Result<Answer> stop(Session& session, const Given& given) {
    if (!TRY(wanted("ON_SHUTDOWN", "shutdown"))) return Answer{Done{tr("guests end with the host")}};
    const auto at_once = std::max(TRY(count("PARALLEL_SHUTDOWN", "8")), 1u);
    const auto limit = TRY(count("SHUTDOWN_TIMEOUT", "300"));
    auto& c = *TRY(session.connection());
    constexpr std::int32_t lifecycle = 0, stopped = 5, crashed = 8;
    // Before the list: a guest that ends in between is missed by neither.
    (void)TRY(c.call<call::ConnectDomainEventCallbackRegisterAnyOut>(
        "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
        call::ConnectDomainEventCallbackRegisterAnyIn{.event_id = lifecycle}));
    auto guests = TRY(running(c));
    TRY(write_list(list_file(given), guests));
    if (guests.empty()) return Answer{Done{tr("no guest runs")}};
    ShuttingDown all{.waiting = {guests.rbegin(), guests.rend()}};
    const auto end = Clock::now() + std::chrono::seconds(limit);
    for (all.ask(c, at_once); !all.asked.empty(); all.ask(c, at_once)) {
        const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        if (limit && remaining.count() <= 0) break;
        const auto frame = TRY(c.event(limit ? remaining : std::chrono::milliseconds(60000)));
        if (!frame) continue;
        const auto message = xdr::decode<call::DomainEventCallbackLifecycleMsg>(frame->body);
        if (message && (message->msg.event == stopped || message->msg.event == crashed))
            all.ended(message->msg.dom);
    }
    for (const auto& guest : all.asked)
        complain(guest, tr("it did not power off in time: it ends with the host"));
    for (const auto& guest : all.waiting) complain(guest, tr("the time is over: it ends with the host"));
    const auto remaining = all.asked.size() + all.waiting.size() + all.left.size();
    if (remaining > 0) return fail(Code::operation_timeout, tr("{0} guests still run", remaining));
    return Answer{Done{tr("all guests have ended")}};
}

Result<Answer> start(Session& session, const Given& given) {
    if (!TRY(wanted("ON_BOOT", "start"))) return Answer{Done{tr("only guests marked autostart are started")}};
    const auto path = list_file(given);
    std::ifstream file(path);
    if (!file) return Answer{Done{tr("no guest was running")}};
    auto& c = *TRY(session.connection());
    unsigned failed = 0, started = 0;
    for (std::string line; std::getline(file, line);) {
        const auto guest = session.domain(line);
        if (!guest) { // undefined meanwhile, or transient
            std::cerr << tr("guest {0}: {1}", line, full_text(guest.error())) << std::endl;
            continue;
        }
        if (guest->id >= 0) continue; // it is marked autostart
        if (const auto done = c.order("DOMAIN_CREATE", call::DomainCreateIn{.dom = *guest}); !done) {
            complain(*guest, full_text(done.error()));
            ++failed;
        } else
            ++started;
    }
    std::error_code error;
    if (!std::filesystem::remove(path, error) && error)
        return std::unexpected(system_error(error.value(), tr("cannot remove '{0}'", path)));
    if (failed > 0) return fail(Code::operation_failed, tr("{0} guests were not started", failed));
    return Answer{Done{tr("guests started: {0}", started)}};
}

constexpr Arg args[] = {{"file", Takes::option, tr_later("where the list of running guests is kept")}};
constexpr std::array table{
    Verb{"guests-start", tr_later("start the guests that ran when the host was shut down"), args, start},
    Verb{"guests-stop", tr_later("shut all guests down, in order and within a limit"), args, stop},
};

} // namespace

std::span<const Verb> guests_verbs() { return table; }

} // namespace cloister::client
