#include "security/kernel/apply.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "security/kernel/owners.hpp"
#include "security/kernel/run.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister {

Result<> apply(const Op& op, Opened& opened, OwnerBook& owners) {
    auto done = std::visit(
        [&](const auto& o) -> Result<> {
            if constexpr (requires { run(o, opened); })
                return run(o, opened);
            else if constexpr (requires { run(o, owners); })
                return run(o, owners);
            else
                return run(o);
        },
        op);
    if (!done) return std::unexpected(std::move(done).error().during(printed(op)));
    return done;
}

Result<> apply(const Op& op) {
    Opened opened;
    OwnerBook nobody;
    return apply(op, opened, nobody);
}

std::unexpected<Error> failed(std::string_view verb, std::string_view path, Layer layer,
                              std::source_location where) {
    const int number = errno;
    return std::unexpected(system_error(number, tr("cannot {0} '{1}'", verb, path), layer, where));
}

std::pair<std::string, std::string> split(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

std::string fd_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

std::optional<std::string> read_file(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return std::nullopt;
    std::string out;
    char buffer[16384];
    for (;;) {
        const auto got = ::read(file.n(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) return out;
        out.append(buffer, static_cast<std::size_t>(got));
    }
}

Result<> write_file(const std::string& path, std::string_view value, Layer layer) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return failed("open", path, layer);
    if (::write(file.n(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
        return failed("write '" + std::string(value) + "' to", path, layer);
    return {};
}

} // namespace cloister
