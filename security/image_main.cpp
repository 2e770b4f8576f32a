/// cloister-image: reads the headers of disk images, which guests and strangers have written. Started by the
/// daemon with one descriptor, a socket; the first message is the syscall filter, each further one the name
/// of a format and the descriptor of an image. It answers each with one line of JSON, and has nothing else.
#include "security/image/header.hpp"
#include "security/image/sandbox.hpp"

#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// Not on the stack or the heap: there from the beginning, whatever the limits are.
char bytes[cloister::image_header_bytes];

struct Request {
    int image = -1;
    std::string_view text{}; ///< valid until the next one
};

/// Ends the process at the end of the socket, and at what no daemon sends.
Request next() {
    static char text[4096];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec where{text, sizeof text};
    msghdr message{};
    message.msg_iov = &where;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto got = ::recvmsg(cloister::image_socket, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) ::_exit(got == 0 ? 0 : 2);
    Request out{.text = {text, static_cast<std::size_t>(got)}};
    if (const auto* passed = CMSG_FIRSTHDR(&message); passed && passed->cmsg_type == SCM_RIGHTS)
        std::memcpy(&out.image, CMSG_DATA(passed), sizeof out.image);
    return out;
}

/// As much of the beginning as there is.
std::string_view read_beginning(int image) {
    std::size_t have = 0;
    while (have < sizeof bytes) {
        const auto n = ::pread(image, bytes + have, sizeof bytes - have, static_cast<off_t>(have));
        if (n < 0) ::_exit(3);
        if (n == 0) break;
        have += static_cast<std::size_t>(n);
    }
    return {bytes, have};
}

void answer(std::string_view text) {
    if (::write(cloister::image_socket, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        ::_exit(4);
}

} // namespace

int main() {
    cloister::enter_image_sandbox(next().text);
    for (;;) {
        const auto request = next();
        if (request.image < 0) return 5;
        const auto beginning = read_beginning(request.image);
        ::close(request.image);
        if (request.text == "?") // what it looks like, and no further
            answer(
                printed(cloister::ImageHeader{.format = std::string(cloister::detected_format(beginning))}));
        else
            answer(printed(cloister::image_header(beginning, request.text)));
    }
}
