#include "daemon/dbus/files.hpp"

#include "conf/base/tr.hpp"

#include <cerrno>
#include <fcntl.h>
#include <systemd/sd-bus.h>

namespace cloister::dbus {

Result<std::vector<Fd>> read_files(Message& call) {
    std::vector<Fd> out;
    Reader from(call);
    if (from.enter('a', "h")) {
        while (from.more()) {
            int fd = -1;
            from.basic('h', &fd);
            if (!from.complaint().empty()) break;
            // The message's own descriptors are closed with it.
            Fd own(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
            if (!own) return std::unexpected(system_error(errno, tr("cannot take over a descriptor")));
            out.push_back(std::move(own));
        }
        from.leave();
    }
    if (!from.complaint().empty()) return fail(Code::invalid_arg, from.complaint());
    return out;
}

Result<> write_file(Message& reply, const std::vector<Fd>& files) {
    if (files.empty()) return fail(Code::internal, tr("the answer has no descriptor"));
    const int fd = files.front().n();
    if (const int done = ::sd_bus_message_append_basic(reply.raw(), 'h', &fd); done < 0)
        return std::unexpected(system_error(-done, tr("cannot pass on a descriptor")));
    return {};
}

} // namespace cloister::dbus
