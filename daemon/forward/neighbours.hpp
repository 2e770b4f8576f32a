/// The driver's own questions to libvirt's other daemons, over a connection for each: seldom asked, and
/// always as root.
#pragma once

#include "daemon/forward/forwarder.hpp"
#include "driver/neighbours.hpp"

#include <memory>

namespace cloister::forward {

std::shared_ptr<Neighbours> neighbours(boost::asio::any_io_executor on,
                                       std::shared_ptr<const Neighbourhood> where);

} // namespace cloister::forward
