/// cloister-logd: reads what guests say on their standard output and error, and writes it into their logs,
/// escaped, bounded and rotated. Started by cloisterd with the number of a listening socket; outlives it.
///
///     session, signals   a terminal's or a service's end of the daemon is not ours
///     user               before the filter: looking it up opens files
///     sandbox            from here on nothing can be opened
///     loop               until neither a daemon nor a guest is left
#include "daemon/logd/sandbox.hpp"
#include "daemon/logd/server.hpp"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace {

bool listens(int number) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

} // namespace

int main(int argc, char** argv) {
    using namespace cloister;
    const std::string_view word = argc == 2 ? argv[1] : "";
    int number = -1;
    const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (wrong != std::errc{} || end != word.data() + word.size() || !listens(number)) {
        std::fputs("usage: cloister-logd DESCRIPTOR\nIt is started by cloisterd, with a listening socket.\n",
                   stderr);
        return 2;
    }
    (void)::setsid(); // fails only where it leads a session already
    for (const int signal : {SIGHUP, SIGINT, SIGPIPE, SIGTTOU}) std::signal(signal, SIG_IGN);
    if (::chdir("/") < 0) return 1;
    const auto peer = ::geteuid();
    const auto who = logd::who_to_be();
    if (!who.warning.empty()) std::fprintf(stderr, "cloister-logd: %s\n", who.warning.c_str());
    // Whoever reads the daemon's standard error waits for its end, and is not to wait for ours.
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    Fd complain(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (!null || ::dup2(null.n(), standard) < 0) return 1;
    if (const auto done = logd::enter_sandbox(who); !done) {
        const auto text = "cloister-logd: " + full_text(done.error()) + "\n";
        (void)!::write(complain.n(), text.data(), text.size()); // nobody left to tell
        return 1;
    }
    complain = {};
    logd::Server(Fd(number), peer).run();
    return 0;
}
