#include "driver/agent.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/guest.hpp"
#include "driver/qmp/wire.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>

namespace cloister {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr auto done = asio::as_tuple(asio::use_awaitable);
/// How long the agent may take to say that it listens; also the patience of -1.
constexpr std::chrono::seconds sync_patience = 5s;
constexpr std::size_t deepest = 64;

std::unexpected<Error> refusal(Code code, std::string message) {
    auto error = fail(code, std::move(message));
    error.error().domain = ErrorDomain::qemu;
    return error;
}
std::unexpected<Error> unresponsive() {
    return refusal(Code::agent_unresponsive, tr("Guest agent not available for now"));
}

const Channel* agent_channel(const Domain& domain) {
    for (const auto* channel : devices_of<Channel>(domain))
        if (const auto* port = channel->target ? std::get_if<VirtioChannel>(&channel->target->kind) : nullptr)
            if (port->name == "org.qemu.guest_agent.0") return channel;
    return nullptr;
}

/// The host's end, where QEMU listens.
Result<std::string> socket_of(const Domain& domain) {
    const auto* channel = agent_channel(domain);
    const auto* how = channel ? std::get_if<UnixChardev>(&channel->chardev.how) : nullptr;
    if (!how || !how->source || !how->source->path)
        return refusal(Code::internal, tr("the guest agent's channel is not a UNIX socket"));
    return *how->source->path;
}

/// One connection with the agent. The timer closes it: then every wait ends.
struct Talk {
    explicit Talk(const asio::any_io_executor& on) : socket(on), limit(on) {}
    asio::local::stream_protocol::socket socket;
    asio::steady_timer limit;
    qmp::LineReader lines{};
    bool late = false;

    void give_up_at(std::chrono::steady_clock::time_point when, const std::shared_ptr<Talk>& self) {
        limit.expires_at(when);
        std::function<void(boost::system::error_code)> end =
            [weak = std::weak_ptr(self)](boost::system::error_code why) {
                const auto talk = weak.lock();
                if (why || !talk) return;
                talk->late = true;
                boost::system::error_code ignored;
                talk->socket.close(ignored);
            };
        limit.async_wait(std::move(end));
    }
};
using TalkPointer = std::shared_ptr<Talk>;

/// The next JSON object of the agent; what is none was meant for somebody before us, and is skipped.
asio::awaitable<Result<json::object>> next_answer(TalkPointer talk) {
    std::array<char, 65536> bytes{};
    for (;;) {
        while (auto line = talk->lines.next()) {
            if (line->starts_with('\xff')) line->erase(0, 1);
            boost::system::error_code bad;
            json::parse_options options;
            options.max_depth = deepest;
            auto parsed = json::parse(*line, bad, {}, options);
            if (!bad && parsed.is_object()) co_return std::move(parsed.get_object());
        }
        const auto [error, count] = co_await talk->socket.async_read_some(asio::buffer(bytes), done);
        if (talk->late) co_return unresponsive();
        if (error) co_return refusal(Code::agent_unresponsive, tr("QEMU guest agent is not connected"));
        CO_CHECK(talk->lines.feed({bytes.data(), count}));
    }
}

asio::awaitable<Result<>> say(TalkPointer talk, std::string text) {
    text += '\n';
    const auto [error, count] = co_await asio::async_write(talk->socket, asio::buffer(text), done);
    if (talk->late) co_return unresponsive();
    if (error) co_return refusal(Code::agent_unresponsive, tr("QEMU guest agent is not connected"));
    co_return Result<>{};
}

/// Throws away what is left of an earlier conversation: everything before the agent repeats our number.
asio::awaitable<Result<>> synchronise(TalkPointer talk) {
    const std::int64_t number = std::chrono::steady_clock::now().time_since_epoch().count() & 0x7fffffff;
    json::object command{{"execute", "guest-sync"}, {"arguments", json::object{{"id", number}}}};
    CO_CHECK(co_await say(talk, json::serialize(command)));
    for (;;) {
        CO_TRY(answer, co_await next_answer(talk));
        const auto* returned = answer.if_contains("return");
        if (returned && returned->is_int64() && returned->get_int64() == number) co_return Result<>{};
    }
}

/// The agent is one conversation: whoever comes second waits.
class Turn {
public:
    explicit Turn(std::shared_ptr<Guest> guest) : guest_(std::move(guest)), run_(guest_->run) {
        guest_->running->agent_busy = true;
    }
    ~Turn() {
        if (guest_->run != run_ || !guest_->running) return;
        guest_->running->agent_busy = false;
        guest_->changed();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    std::shared_ptr<Guest> guest_;
    std::uint64_t run_;
};

std::chrono::steady_clock::time_point until(AgentPatience patience) {
    const auto now = std::chrono::steady_clock::now();
    if (patience.seconds == -2) return now + 24h * 365;
    if (patience.seconds == -1) return now + sync_patience;
    return now + std::chrono::seconds(std::max(0, patience.seconds));
}

/// One command and its answer. The guest's end closes the socket.
asio::awaitable<Result<json::object>> answered(std::shared_ptr<Guest> guest, std::string text,
                                               AgentPatience patience) {
    CO_CHECK(need_agent(*guest));
    const auto run = guest->run;
    std::function<bool()> free = [guest, run] {
        return guest->run != run || !guest->running || !guest->running->agent_busy;
    };
    if (!co_await guest->wait_until(std::move(free), 30s))
        co_return refusal(Code::operation_timeout, tr("another call is waiting for the guest agent"));
    if (guest->run != run || !guest->running)
        co_return refusal(Code::operation_failed, tr("guest unexpectedly quit"));
    const Turn turn(guest);
    CO_TRY(path, socket_of(*guest->live));
    constexpr std::size_t longest = 107; // what a socket's address can hold
    if (path.size() > longest)
        co_return refusal(Code::internal, tr("the path '{0}' is too long for a socket", path));
    const auto on = co_await asio::this_coro::executor;
    const auto talk = std::make_shared<Talk>(on);
    talk->give_up_at(std::chrono::steady_clock::now() + sync_patience, talk);
    const asio::local::stream_protocol::endpoint where(path);
    const auto [error] = co_await talk->socket.async_connect(where, done);
    if (error) co_return std::unexpected(system_error(error.value(), tr("cannot connect to '{0}'", path)));
    CO_CHECK(co_await synchronise(talk));
    talk->give_up_at(until(patience), talk);
    CO_CHECK(co_await say(talk, std::move(text)));
    co_return co_await next_answer(talk);
}

/// The agent's refusal as ours.
std::unexpected<Error> refused(const json::object& answer, const std::string& command) {
    const auto* error = answer.if_contains("error");
    const auto* members = error ? error->if_object() : nullptr;
    const auto* text = members ? members->if_contains("desc") : nullptr;
    const auto words = text && text->is_string() ? std::string(text->get_string()) : tr("it gave no reason");
    return refusal(Code::internal, tr("unable to execute QEMU agent command '{0}': {1}", command, words));
}

std::string name_in(const json::object& command) {
    const auto* name = command.if_contains("execute");
    return name && name->is_string() ? std::string(name->get_string()) : std::string();
}

} // namespace

bool has_agent_channel(const Domain& domain) { return agent_channel(domain) != nullptr; }

Result<> need_agent(const Guest& guest) {
    if (!guest.running || !guest.live || guest.running->stopping)
        return refusal(Code::operation_invalid, tr("domain is not running"));
    const auto* channel = agent_channel(*guest.live);
    if (!channel) return refusal(Code::argument_unsupported, tr("QEMU guest agent is not configured"));
    const auto& port = std::get<VirtioChannel>(channel->target->kind);
    if (port.state != ChannelState::connected)
        return refusal(Code::agent_unresponsive, tr("QEMU guest agent is not connected"));
    return {};
}

asio::awaitable<Result<json::value>> ask_agent(std::shared_ptr<Guest> guest, std::string command,
                                               json::object arguments,
                                               std::optional<AgentPatience> patience) {
    json::object whole{{"execute", command}};
    if (!arguments.empty()) whole["arguments"] = std::move(arguments);
    const auto how_long = patience.value_or(AgentPatience{guest->agent_timeout});
    auto text = json::serialize(whole);
    CO_TRY(answer, co_await answered(guest, std::move(text), how_long));
    const auto* returned = answer.if_contains("return");
    if (!returned) co_return refused(answer, command);
    co_return *returned;
}

asio::awaitable<Result<std::string>> ask_agent_raw(std::shared_ptr<Guest> guest, std::string text,
                                                   AgentPatience patience) {
    CO_CHECK(need_agent(*guest)); // before the text is judged, as clients expect
    boost::system::error_code bad;
    json::parse_options options;
    options.max_depth = deepest;
    const auto parsed = json::parse(text, bad, {}, options);
    if (bad || !parsed.is_object())
        co_return refusal(Code::invalid_arg, tr("cannot parse the agent command as JSON"));
    auto line = json::serialize(parsed); // one line, whatever the caller wrote
    CO_TRY(answer, co_await answered(guest, std::move(line), patience));
    if (!answer.contains("return")) co_return refused(answer, name_in(parsed.get_object()));
    co_return json::serialize(answer);
}

} // namespace cloister
