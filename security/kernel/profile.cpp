#include "conf/base/tr.hpp"
#include "security/kernel/process.hpp"
#include "security/kernel/run.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cloister {
namespace {

using namespace std::chrono_literals;

constexpr const char* parser = "/usr/sbin/apparmor_parser";
constexpr const char* loaded = "/sys/kernel/security/apparmor/.remove";

/// A memory file with `text` in it, to be read from its start.
Result<Fd> memory_file(const std::string& text) {
    Fd out(::memfd_create("cloister-profile", MFD_CLOEXEC));
    if (!out) return failed("make", "a memory file", Layer::apparmor);
    if (::write(out.n(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::lseek(out.n(), 0, SEEK_SET) != 0)
        return failed("write", "a memory file", Layer::apparmor);
    return out;
}

std::string said(const Fd& file) {
    std::array<char, 4096> text{};
    const auto size = ::pread(file.n(), text.data(), text.size(), 0);
    std::string out(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

std::unexpected<Error> refused(std::string sentence) {
    auto out = fail(Code::operation_failed, std::move(sentence));
    out.error().layer = Layer::apparmor;
    return out;
}

} // namespace

Result<> run(const LoadProfile& op) {
    if (::access(parser, X_OK) < 0)
        return refused(tr("the AppArmor profile '{0}' cannot be loaded: '{1}' is missing (package apparmor)",
                          op.name, parser));
    const auto text = TRY(memory_file(op.text)), words = TRY(memory_file(""));
    const auto child = TRY(spawn({.program = parser,
                                  .argv = {"apparmor_parser", "--replace", "--skip-cache"},
                                  .env = {"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                                  .fds = {text.n(), words.n(), words.n()}}));
    const auto ended = wait_exit(child.pidfd, 30s);
    if (!ended) {
        (void)send_signal(child.pidfd, SIGKILL);
        (void)wait_exit(child.pidfd, 5s); // what does not end even so is no help to wait for
        return refused(tr("loading the AppArmor profile '{0}' takes too long", op.name));
    }
    if (ended->code == 0 && ended->signal == 0) return {};
    return refused(tr("the AppArmor profile '{0}' cannot be loaded: {1}", op.name, said(words)));
}

/// Needs no parser: the kernel takes the name.
Result<> run(const RemoveProfile& op) {
    const Fd file(::open(loaded, O_WRONLY | O_CLOEXEC));
    if (!file && errno == ENOENT) return {}; // booted without AppArmor since
    if (!file) return failed("open", loaded, Layer::apparmor);
    if (::write(file.n(), op.name.data(), op.name.size()) < 0 && errno != ENOENT)
        return failed("remove the AppArmor profile", op.name, Layer::apparmor);
    return {};
}

} // namespace cloister
