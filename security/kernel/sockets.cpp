#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/selinux.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace cloister {
namespace {
/// linux/vhost.h, which no C++ compiler accepts: VHOST_VSOCK_SET_GUEST_CID.
constexpr unsigned long set_guest_cid = _IOW(0xAF, 0x60, std::uint64_t);
} // namespace

Result<> run(const BindSocket& op, Opened& opened) {
    const auto [folder_name, name] = split(op.path);
    if (auto made = make_parents(op.path); !made) return made;
    const Fd folder(::open(folder_name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return failed("open", folder_name, Layer::none);
    auto labelled = std::optional(TRY(SocketLabel::set(op.socket_label)));
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener) return failed("make a socket for", op.path, Layer::none);
    labelled.reset();
    if (::unlinkat(folder.n(), name.c_str(), 0) < 0 && errno != ENOENT)
        return failed("replace", op.path, Layer::none);

    // Through the open folder: the path itself may be longer than a socket's name can be.
    const auto short_path = fd_path(folder.n()) + "/" + name;
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (short_path.size() >= sizeof address.sun_path)
        return fail(Code::internal, tr("the name of socket '{0}' is too long", op.path));
    short_path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener.n(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
        return failed("bind", op.path, Layer::none);
    const Fd node(::openat(folder.n(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!node) return failed("open", op.path, Layer::none);
    if (::fchownat(node.n(), "", op.owner.uid, op.owner.gid, AT_EMPTY_PATH) < 0)
        return failed("change the owner of", op.path, Layer::dac);
    if (::chmod(fd_path(node.n()).c_str(), op.mode) < 0)
        return failed("change the mode of", op.path, Layer::dac);
    if (!op.label.empty()) TRY(set_label(node, op.path, op.label));
    // Last: nobody can connect before it listens.
    if (::listen(listener.n(), 16) < 0) return failed("listen on", op.path, Layer::none);
    opened[op.symbol] = std::move(listener);
    return {};
}

Result<> run(const OpenFile& op, Opened& opened) {
    if (op.create)
        if (auto made = make_parents(op.path); !made) return made;
    const int flags = (op.write ? (op.append ? O_WRONLY | O_APPEND : O_RDWR) : O_RDONLY) |
                      (op.create ? O_CREAT : 0) | (op.truncate ? O_TRUNC : 0) | O_CLOEXEC | O_NOCTTY;
    bool fresh = false; // what is there already has the label of its grant
    Fd file;
    if (!op.label.empty()) {
        file = Fd(::open(op.path.c_str(), flags | O_EXCL, 0600));
        fresh = static_cast<bool>(file);
    }
    if (!file) file = Fd(::open(op.path.c_str(), flags, 0600));
    if (fresh) TRY(set_label(file, op.path, op.label));
    if (!file) {
        if (op.optional && (errno == ENOENT || errno == ENXIO || errno == ENODEV)) return {};
        return failed("open", op.path, Layer::none);
    }
    opened[op.symbol] = std::move(file);
    return {};
}

Result<> run(const OpenVsock& op, Opened& opened) {
    Fd vsock(::open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC));
    if (!vsock) return failed("open", "/dev/vhost-vsock", Layer::none);
    const std::uint64_t cid = op.cid;
    if (::ioctl(vsock.n(), set_guest_cid, &cid) < 0)
        return failed("take the vsock address " + std::to_string(cid) + " on", "/dev/vhost-vsock",
                      Layer::none);
    opened[op.symbol] = std::move(vsock);
    return {};
}

} // namespace cloister
