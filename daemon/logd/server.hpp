/// The one loop of cloister-logd: the daemon's requests and the guests' pipes.
#pragma once

#include "daemon/logd/guest_log.hpp"
#include "driver/logd_wire.hpp"
#include "security/kernel/fd.hpp"

#include <cstdint>
#include <vector>

namespace cloister::logd {

class Server {
public:
    /// `listening`: a SOCK_SEQPACKET socket. Only processes of `peer` may speak.
    Server(Fd listening, std::uint32_t peer) : listening_(std::move(listening)), peer_(peer) {}
    /// Until there is neither a daemon connected nor a guest that could write: a daemon's end leaves it
    /// alone, and after the last guest it needs nobody to end it.
    void run();

private:
    void accept_one();
    bool serve(const Fd& daemon);
    int answered(const Request& request, std::vector<Fd> descriptors);
    int opened(const Request& request, std::vector<Fd> descriptors);
    void look_at_guests(const std::vector<int>& ready);

    Fd listening_;
    std::uint32_t peer_;
    std::vector<Fd> daemons_{};
    std::vector<GuestLog> guests_{};
    bool greeted_ = false; ///< somebody has connected since the start
};

} // namespace cloister::logd
