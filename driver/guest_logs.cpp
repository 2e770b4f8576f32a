#include "driver/guest_logs.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace cloister {
namespace {

constexpr std::string_view socket_name = "logd-sock";
constexpr std::chrono::milliseconds most_for_words{1000}; ///< the end of a guest waits no longer for its log

std::unexpected<Error> unreachable(int number) {
    return std::unexpected(system_error(
        number,
        tr("cloister-logd, which keeps the guests' logs, cannot be reached (qemu.conf stdio_handler = "
           "\"file\" does without it)")));
}

/// By way of a descriptor of the folder: an address has room for 107 bytes only.
sockaddr_un address_in(const Fd& folder) {
    sockaddr_un out{.sun_family = AF_UNIX, .sun_path = {}};
    const auto path = fmt::format("/proc/self/fd/{}/{}", folder.n(), socket_name);
    path.copy(out.sun_path, sizeof out.sun_path - 1);
    return out;
}

Result<> sent(const Fd& to, const logd::Request& request, const std::vector<int>& descriptors) {
    iovec bytes{const_cast<logd::Request*>(&request), sizeof request};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * (2 + logd::most_backups))> control{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        const auto size = descriptors.size() * sizeof(int);
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(size);
        auto* const part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(part), descriptors.data(), size);
    }
    // Never waits: there is one request at a time, and room for more than one.
    if (::sendmsg(to.n(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return unreachable(errno);
    return {};
}

Result<logd::Answer> answer_from(const Fd& connection, std::chrono::milliseconds patience) {
    logd::Answer out{};
    pollfd ready{connection.n(), POLLIN, 0};
    int count = 0;
    do count = ::poll(&ready, 1, static_cast<int>(patience.count()));
    while (count < 0 && errno == EINTR);
    if (count == 0)
        return fail(Code::operation_timeout,
                    tr("cloister-logd, which keeps the guests' logs, does not answer"));
    const auto size = ::recv(connection.n(), &out, sizeof out, MSG_DONTWAIT);
    if (size < 0) return unreachable(errno);
    if (size != sizeof out) return unreachable(ECONNRESET);
    return out;
}

Result<Fd> opened(const std::string& path, int flags) {
    // Root's and 0600: who reads or writes it has only what is handed over.
    Fd out(::open(path.c_str(), flags | O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
                  0600));
    if (!out) return std::unexpected(system_error(errno, tr("cannot open '{0}'", path)));
    struct stat found{};
    if (::fstat(out.n(), &found) < 0 || !S_ISREG(found.st_mode))
        return fail(Code::operation_failed, tr("'{0}' is no regular file: no log can be kept there", path));
    return out;
}

std::string backup(const std::string& path, std::size_t number) { return fmt::format("{}.{}", path, number); }

} // namespace

Result<> GuestLogs::start() {
    const Fd folder(::open(setup_.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return std::unexpected(system_error(errno, tr("cannot open '{0}'", setup_.folder)));
    const Fd listening(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listening) return unreachable(errno);
    (void)::unlinkat(folder.n(), socket_name.data(), 0); // of one that has ended; nobody listens there
    const auto address = address_in(folder);
    if (::bind(listening.n(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(listening.n(), 8) < 0)
        return unreachable(errno);
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return unreachable(errno);
    const int complaints = ::fcntl(STDERR_FILENO, F_GETFD) < 0 ? null.n() : STDERR_FILENO;
    auto spawned = spawn({.program = setup_.program,
                          .argv = {"cloister-logd", "3"},
                          .env = {},
                          .fds = {null.n(), null.n(), complaints, listening.n()}});
    if (!spawned) return std::unexpected(std::move(spawned).error().during("starting cloister-logd"));
    return {};
}

Result<> GuestLogs::connect(bool may_start) {
    for (int tries = 0;; ++tries) {
        const Fd folder(::open(setup_.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!folder) return std::unexpected(system_error(errno, tr("cannot open '{0}'", setup_.folder)));
        // Non-blocking: a logger that hangs takes no more callers at some time, and would keep us.
        Fd to(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!to) return unreachable(errno);
        const auto address = address_in(folder);
        if (::connect(to.n(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            connection_ = std::move(to);
            return {};
        }
        if ((errno != ENOENT && errno != ECONNREFUSED) || !may_start || tries > 0) return unreachable(errno);
        TRY(start());
    }
}

Result<> GuestLogs::exchange(logd::Request request, const std::vector<int>& descriptors, Purpose purpose) {
    const bool may_start = purpose == Purpose::open;
    const auto patience = may_start ? setup_.patience : std::min(setup_.patience, most_for_words);
    const std::lock_guard alone(one_);
    for (int tries = 0;; ++tries) {
        const bool fresh = !connection_;
        if (fresh) TRY(connect(may_start));
        auto done = sent(connection_, request, descriptors);
        auto answer =
            done ? answer_from(connection_, patience) : Result<logd::Answer>(std::unexpected(done.error()));
        if (answer && answer->error == 0) return {};
        if (answer && answer->error == EPROTONOSUPPORT)
            return fail(
                Code::operation_failed,
                tr("a cloister-logd of another version runs: it ends with the last guest whose log it "
                   "keeps"));
        if (answer)
            return std::unexpected(system_error(answer->error, tr("cloister-logd did not take the log")));
        connection_ = {}; // an answer that comes too late must not be taken for the next one's
        // One that ended meanwhile (the last guest went while nobody was connected): once more, afresh.
        if (answer.error().code == Code::operation_timeout || tries > 1)
            return std::unexpected(answer.error());
    }
}

Result<Fd> GuestLogs::open(const std::string& name, const std::string& path) {
    logd::Request request{.word = logd::Word::open, .max_size = setup_.max_size};
    request.backups = static_cast<std::uint32_t>(std::min<std::size_t>(setup_.backups, logd::most_backups));
    name.copy(request.name.data(), request.name.size() - 1);
    std::array<int, 2> ends{-1, -1};
    // Neither side waits for the other: a guest whose output nobody takes loses it, and runs on.
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0)
        return std::unexpected(system_error(errno, tr("cannot make a pipe for the output of '{0}'", name)));
    const Fd theirs(ends[0]);
    Fd ours(ends[1]);
    std::vector<Fd> files;
    files.push_back(TRY(opened(path, O_APPEND)));
    for (std::size_t i = 0; i < request.backups; ++i) files.push_back(TRY(opened(backup(path, i), 0)));
    std::vector<int> descriptors{theirs.n()};
    for (const auto& file : files) descriptors.push_back(file.n());
    TRY(exchange(request, descriptors, Purpose::open));
    return ours;
}

Result<> GuestLogs::drain(const std::string& name) {
    logd::Request request{.word = logd::Word::drain};
    name.copy(request.name.data(), request.name.size() - 1);
    return exchange(request, {}, Purpose::drain);
}

void GuestLogs::finish(const std::string& name, const std::string& path) {
    (void)drain(name); // what it kept back is all that is lost
    for (std::size_t i = 0; i < std::min<std::size_t>(setup_.backups, logd::most_backups); ++i) {
        struct stat found{};
        if (::lstat(backup(path, i).c_str(), &found) == 0 && S_ISREG(found.st_mode) && found.st_size == 0)
            (void)::unlink(backup(path, i).c_str()); // an empty file is only clutter
    }
}

} // namespace cloister
