#include "daemon/rpc/listener.hpp"

#include "conf/base/tr.hpp"
#include "daemon/dbus/polkit.hpp"
#include "driver/log.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace cloister::rpc {
namespace {

Result<sockaddr_un> address(const std::string& path) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    if (path.size() >= sizeof out.sun_path)
        return fail(Code::config_unsupported, tr("the socket path '{0}' is too long", path));
    path.copy(out.sun_path, path.size());
    return out;
}

Result<gid_t> group_id(const std::string& name) {
    std::array<char, 16'384> buffer;
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
        return fail(Code::config_unsupported, tr("there is no group '{0}' for the socket", name));
    return found->gr_gid;
}

mode_t mode_bits(const std::string& octal) {
    return static_cast<mode_t>(std::strtoul(octal.c_str(), nullptr, 8)) & 0777;
}

bool somebody_answers(const sockaddr_un& where) {
    const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return ::connect(probe.n(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 ||
           errno == EAGAIN;
}

std::uint64_t inode(const std::string& path) {
    struct stat found{};
    return ::lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

} // namespace

Result<Listening> listen_at(const std::string& path, const std::string& mode,
                            const std::optional<std::string>& group, bool read_only, unsigned backlog) {
    const auto where = TRY(address(path));
    if (somebody_answers(where))
        return fail(Code::operation_invalid, tr("somebody else listens on '{0}'", path));
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return std::unexpected(system_error(errno, tr("cannot make a socket")));
    if (::unlink(path.c_str()) < 0 && errno != ENOENT)
        return std::unexpected(system_error(errno, tr("cannot remove the old socket '{0}'", path)));
    // The umask of the daemon is 077: until the mode is set nobody but root gets in.
    if (::bind(fd.n(), reinterpret_cast<const sockaddr*>(&where), sizeof where) < 0)
        return std::unexpected(system_error(errno, tr("cannot bind the socket '{0}'", path)));
    if (group) {
        const auto gid = TRY(group_id(*group));
        if (::chown(path.c_str(), static_cast<uid_t>(-1), gid) < 0)
            return std::unexpected(system_error(errno, tr("cannot give the socket '{0}' to a group", path)));
    }
    if (::chmod(path.c_str(), mode_bits(mode)) < 0)
        return std::unexpected(system_error(errno, tr("cannot set the mode of the socket '{0}'", path)));
    if (::listen(fd.n(), static_cast<int>(backlog)) < 0)
        return std::unexpected(system_error(errno, tr("cannot listen on '{0}'", path)));
    return Listening{std::move(fd), path, read_only, true};
}

Result<> check_modes(std::span<const Listening> sockets, const DaemonConf& conf) {
    for (const auto& socket : sockets) {
        // What clients open is the file, whose mode is not the socket's own.
        const Fd file(::open(socket.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat found{};
        if (!file || ::fstat(file.n(), &found) < 0)
            return std::unexpected(system_error(errno, tr("cannot look at the socket '{0}'", socket.path)));
        const auto wanted = mode_bits(socket.read_only ? conf.unix_sock_ro_perms : conf.rw_perms());
        const auto mode = found.st_mode & 07777;
        if (!S_ISSOCK(found.st_mode) || (found.st_uid != 0 && found.st_uid != ::geteuid()))
            return fail(Code::operation_invalid,
                        tr("'{0}' is not a socket of this daemon's user", socket.path));
        if ((mode & ~wanted) != 0)
            return fail(Code::operation_invalid,
                        tr("the socket '{0}' has mode {1:#o}, which is wider than the {2:#o} of the settings",
                           socket.path, mode, wanted));
    }
    return {};
}

std::vector<Listening> handed_over() {
    std::vector<Listening> out;
    const int count = ::sd_listen_fds(1);
    for (int i = 0; i < count; ++i) {
        Fd fd(SD_LISTEN_FDS_START + i);
        if (::sd_is_socket_unix(fd.n(), SOCK_STREAM, 1, nullptr, 0) <= 0) continue;
        sockaddr_un where{};
        socklen_t size = sizeof where - 1;
        if (::getsockname(fd.n(), reinterpret_cast<sockaddr*>(&where), &size) < 0) continue;
        (void)::fcntl(fd.n(), F_SETFL, O_NONBLOCK); // a socket always takes this flag
        const std::string path(static_cast<const char*>(where.sun_path));
        out.push_back({std::move(fd), path, path.ends_with("-ro"), false});
    }
    return out;
}

Result<std::vector<Listening>> sockets(const DaemonConf& conf, std::vector<std::string>& warnings) {
    struct Name {
        std::string folder, name;
        bool must;
    };
    std::vector<Name> names{{conf.unix_sock_dir, "cloister-sock", true}};
    if (conf.listen_libvirt_names)
        for (auto name : {"virtqemud-sock", "libvirt-sock"}) names.push_back({"/run/libvirt", name, false});
    std::vector<Listening> out;
    for (const auto& [folder, name, must] : names) {
        std::error_code error;
        if (std::filesystem::create_directories(folder, error))
            std::filesystem::permissions(folder, std::filesystem::perms(0755), error);
        if (error)
            return std::unexpected(system_error(error.value(), tr("cannot make the folder '{0}'", folder)));
        const auto path = folder + "/" + name;
        // Both or none: clients take one of a pair for the sign that the other is there, too.
        auto both = listen_at(path, conf.rw_perms(), conf.unix_sock_group, false, conf.max_queued_clients);
        auto looks = both ? listen_at(path + "-ro", conf.unix_sock_ro_perms, conf.unix_sock_group, true,
                                      conf.max_queued_clients)
                          : Result<Listening>(std::unexpected(both.error()));
        if (looks) {
            out.push_back(*std::move(both));
            out.push_back(*std::move(looks));
            continue;
        }
        if (both) ::unlink(path.c_str());
        if (must) return std::unexpected(looks.error());
        warnings.push_back(full_text(looks.error()));
    }
    return out;
}

Acceptor::Acceptor(boost::asio::any_io_executor on, Listening listening)
    : socket_(on, listening.fd.release()), later_(on), path_(std::move(listening.path)),
      read_only_(listening.read_only), ours_(listening.ours), inode_(inode(path_)) {}

void Acceptor::start(OnClient client) {
    on_client_ = std::move(client);
    wait();
}

void Acceptor::wait() {
    if (waiting_ || paused_ || !socket_.is_open()) return;
    waiting_ = true;
    socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                           self->waiting_ = false;
                           if (!error && self->socket_.is_open()) self->accept_some();
                       });
}

void Acceptor::accept_some() {
    for (int i = 0; i < 64 && !paused_ && socket_.is_open(); ++i) {
        Fd client(::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!client) {
            if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) break;
            log(LogLevel::warning, "cannot accept a client: " + std::string(std::strerror(errno)));
            waiting_ = true; // the queue stays readable: without a pause this would spin
            later_.expires_after(std::chrono::seconds(1));
            later_.async_wait([self = shared_from_this()](boost::system::error_code) {
                self->waiting_ = false;
                self->wait();
            });
            return;
        }
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(client.n(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) continue;
        // Now: later the pid may be somebody else's. Root's is never asked about.
        std::uint64_t started = 0;
        if (peer.uid != 0) // 0 when it has gone already: polkit will not find it either
            started = polkit::start_time(static_cast<std::uint32_t>(peer.pid)).value_or(0);
        on_client_(std::move(client), Caller{.uid = peer.uid,
                                             .gid = peer.gid,
                                             .pid = peer.pid,
                                             .read_only = read_only_,
                                             .start_time = started});
    }
    wait();
}

void Acceptor::pause() { paused_ = true; }
void Acceptor::resume() {
    paused_ = false;
    wait();
}

void Acceptor::stop() {
    boost::system::error_code ignored; // nothing could be done about it
    socket_.close(ignored);
    later_.cancel();
    on_client_ = {};
    if (ours_ && inode(path_) == inode_) ::unlink(path_.c_str());
}

} // namespace cloister::rpc
