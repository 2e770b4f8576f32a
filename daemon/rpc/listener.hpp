/// Listening sockets: made by us, or handed over by systemd. Source: facts/protocol.md 12.
#pragma once

#include "conf/settings/daemon_conf.hpp"
#include "driver/op/call.hpp"
#include "security/kernel/fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cloister::rpc {

/// A socket that listens already.
struct Listening {
    Fd fd{};
    std::string path{};
    bool read_only = false;
    bool ours = false; ///< its file goes when we go
};

/// Binds and listens; a dead daemon's socket file is replaced, a living one's is not.
/// `mode` in octal ("0777"), `group` a name or nothing. Errors: system; operation_invalid when it is in use.
Result<Listening> listen_at(const std::string& path, const std::string& mode,
                            const std::optional<std::string>& group, bool read_only, unsigned backlog);
/// Whether every socket's file is ours and no more open to others than the settings say.
/// Errors: operation_invalid; system.
Result<> check_modes(std::span<const Listening> sockets, const DaemonConf& conf);
/// What systemd passed (LISTEN_FDS of this process); those whose path ends in "-ro" are read-only. Takes the
/// variables out of the environment.
std::vector<Listening> handed_over();
/// Every socket of a configuration: "cloister-sock" and "cloister-sock-ro" in its folder, which is made when
/// it is missing, and libvirt's names when they are asked for and nobody else listens there (then `warnings`
/// says so).
Result<std::vector<Listening>> sockets(const DaemonConf& conf, std::vector<std::string>& warnings);

/// Accepts connections while it is let. Reactor thread only.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
public:
    using OnClient = std::function<void(Fd socket, Caller caller)>;
    Acceptor(boost::asio::any_io_executor on, Listening listening);
    void start(OnClient client);
    /// Clients wait in the kernel's queue meanwhile.
    void pause();
    void resume();
    /// Closes the socket and removes its file when it is ours.
    void stop();

private:
    void wait();
    void accept_some();

    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer later_;
    std::string path_;
    bool read_only_, ours_;
    bool paused_ = false, waiting_ = false;
    std::uint64_t inode_ = 0;
    OnClient on_client_{};
};

} // namespace cloister::rpc
