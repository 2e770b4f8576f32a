#include "security/kernel/helper.hpp"

#include "conf/base/tr.hpp"
#include "security/handshake.hpp"
#include "security/kernel/run.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cloister {
namespace {

/// Sealed: what the helper will read is what was written, whoever else gets hold of it.
Result<Fd> script_file(const Script& script) {
    Fd file(::memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) return failed("make", "a memory file", Layer::none);
    const auto bytes = encode(script);
    for (std::size_t at = 0; at < bytes.size();) {
        const auto written = ::write(file.n(), bytes.data() + at, bytes.size() - at);
        if (written < 0 && errno != EINTR) return failed("write", "the script", Layer::none);
        if (written > 0) at += static_cast<std::size_t>(written);
    }
    if (::fcntl(file.n(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return failed("seal", "the script", Layer::none);
    return file;
}

Error refusal(std::string_view bytes, const std::string& program) {
    handshake::Refusal said{};
    if (bytes.size() != sizeof said)
        return {.code = Code::internal, .message = tr("the launch helper gave an unknown answer")};
    std::memcpy(&said, bytes.data(), sizeof said);
    said.doing.back() = '\0';
    auto error =
        system_error(said.number, tr("cannot {0} for '{1}'", said.doing.data(), program),
                     said.layer <= static_cast<std::uint8_t>(Layer::limits) ? static_cast<Layer>(said.layer)
                                                                            : Layer::none);
    return error;
}

} // namespace

Result<ConfinedProcess> ConfinedProcess::spawn(const Script& script, Request request) {
    const auto file = TRY(script_file(script));
    std::array<int, 2> pair{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) < 0)
        return failed("make", "a socket pair", Layer::none);
    ConfinedProcess out;
    out.control_ = Fd(pair[0]);
    const Fd theirs(pair[1]);
    out.patience_ = request.patience;
    out.program_ = script.program;
    const auto control = request.fds.size();
    request.fds.push_back(theirs.n());
    request.fds.push_back(file.n());
    std::vector<std::string> argv{"cloister-confine", std::to_string(control), std::to_string(control + 1)};
    if (request.looks_in) {
        const bool there = *request.looks_in != own_namespace;
        if (there) request.fds.push_back(*request.looks_in);
        argv.push_back(there ? std::to_string(control + 2) : "-1");
    }
    out.spawned_ = TRY(cloister::spawn({.program = request.helper,
                                        .argv = std::move(argv),
                                        .env = {},
                                        .fds = std::move(request.fds),
                                        .groups = std::move(request.groups),
                                        .cgroup_v2 = std::move(request.cgroup_v2)}));
    return out;
}

Result<> ConfinedProcess::say(char word) {
    if (::send(control_.n(), &word, 1, MSG_NOSIGNAL) != 1)
        return failed("speak to", "the launch helper", Layer::none);
    return {};
}

Result<std::string> ConfinedProcess::answer() {
    pollfd ready{control_.n(), POLLIN, 0};
    int count = 0;
    do count = ::poll(&ready, 1, static_cast<int>(patience_.count()));
    while (count < 0 && errno == EINTR);
    if (count == 0) return fail(Code::operation_timeout, tr("the launch helper does not answer"));
    static_assert(sizeof(Tried) < sizeof(handshake::Refusal)); // so that their sizes tell them apart
    std::array<char, sizeof(handshake::Refusal)> bytes{};
    const auto got = ::recv(control_.n(), bytes.data(), bytes.size(), 0);
    if (got < 0) return failed("hear from", "the launch helper", Layer::none);
    return std::string(bytes.data(), static_cast<std::size_t>(got));
}

Result<> ConfinedProcess::go() {
    if (auto said = say(handshake::go); !said) return said;
    const auto got = TRY(answer());
    if (got.size() == 1 && got[0] == handshake::ready) return {};
    if (got.empty()) return fail(Code::operation_failed, tr("the launch helper died"));
    return std::unexpected(refusal(got, program_));
}

Result<std::vector<Tried>> ConfinedProcess::look(std::size_t count) {
    TRY(say(handshake::go));
    std::vector<Tried> out;
    while (out.size() < count) {
        const auto got = TRY(answer());
        if (got.empty()) return fail(Code::operation_failed, tr("the launch helper died"));
        if (got.size() != sizeof(Tried)) return std::unexpected(refusal(got, "looking at paths"));
        std::memcpy(&out.emplace_back(), got.data(), sizeof(Tried));
    }
    return out;
}

Result<> ConfinedProcess::exec() {
    if (auto said = say(handshake::exec); !said) return said;
    const auto got = TRY(answer());
    if (!got.empty()) return std::unexpected(refusal(got, program_));
    // The end of the socket: exec'd. A signal may have ended the helper just before or the program just
    // after, and nothing tells which; the one who waits for the program's answer learns of its end, and of
    // the signal.
    return {};
}

} // namespace cloister
