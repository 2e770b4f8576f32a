#include "security/kernel/image_reader.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/seccomp.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cloister {
namespace {

/// Compiled once: it is the same for every child.
const Result<std::string>& filter() {
    static const auto out = compiled(image_seccomp());
    return out;
}

} // namespace

Result<> ImageReader::start() {
    const auto& rules = filter();
    if (!rules) return std::unexpected(rules.error());
    std::array<int, 2> pair{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) < 0)
        return failed("make", "a socket pair", Layer::none);
    socket_ = Fd(pair[0]);
    const Fd theirs(pair[1]);
    spawned_ = TRY(spawn({.program = program_,
                          .argv = {"cloister-image"},
                          .env = {},
                          .fds = {theirs.n()},
                          .namespaces = ::geteuid() == 0 ? image_namespaces : 0}));
    return send(*rules, -1);
}

Result<> ImageReader::send(std::string_view text, int image) {
    iovec what{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &what;
    message.msg_iovlen = 1;
    if (image >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        auto* const passed = CMSG_FIRSTHDR(&message);
        passed->cmsg_level = SOL_SOCKET;
        passed->cmsg_type = SCM_RIGHTS;
        passed->cmsg_len = CMSG_LEN(sizeof image);
        std::memcpy(CMSG_DATA(passed), &image, sizeof image);
    }
    if (::sendmsg(socket_.n(), &message, MSG_NOSIGNAL) < 0)
        return failed("speak to", "the image reader", Layer::none);
    return {};
}

Result<std::string> ImageReader::receive(const std::string& name) {
    const auto deadline = std::chrono::steady_clock::now() + patience_;
    pollfd ready{socket_.n(), POLLIN, 0};
    int count = 0;
    do {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        count = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    } while (count < 0 && errno == EINTR);
    if (count == 0)
        return fail(Code::operation_timeout, tr("reading the header of image '{0}' takes too long", name));
    std::string out(longest_image_answer + 1, '\0');
    // recv, not recvmsg: descriptors that a taken-over child would send are dropped by the kernel.
    const auto got = ::recv(socket_.n(), out.data(), out.size(), 0);
    if (got > 0) {
        out.resize(static_cast<std::size_t>(got));
        return out;
    }
    const auto ended = wait_exit(spawned_.pidfd, std::chrono::seconds(1)).value_or(ExitStatus{});
    return fail(Code::operation_failed, tr("the reader of image '{0}' ended with status {1}, signal {2}",
                                           name, ended.code, ended.signal));
}

Result<ImageHeader> ImageReader::read(int image, std::string_view format, const std::string& name) {
    if (!format.empty() && !is_image_format(format))
        return fail(Code::config_unsupported, tr("unknown format '{0}' of image '{1}'", format, name));
    if (!socket_)
        if (auto started = start(); !started) {
            stop();
            return std::unexpected(std::move(started).error());
        }
    auto answer = [&]() -> Result<std::string> {
        TRY(send(format.empty() ? "?" : format, image));
        return receive(name);
    }();
    // One that died, or hangs, is no good for the next image.
    if (!answer) {
        stop();
        return std::unexpected(std::move(answer).error());
    }
    return image_answer(*answer, name, format);
}

void ImageReader::stop() {
    socket_.close();
    if (!spawned_.pidfd) return;
    // It has nothing to finish, and may be anything by now.
    (void)send_signal(spawned_.pidfd, SIGKILL);
    (void)wait_exit(spawned_.pidfd,
                    std::chrono::seconds(5)); // longer only for a disk that hangs in the kernel
    spawned_ = {};
}

} // namespace cloister
