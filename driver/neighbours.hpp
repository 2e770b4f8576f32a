/// What other daemons of this host know: virtual networks and storage pools.
#pragma once

#include "conf/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

namespace cloister {

class Driver;
struct Domain;    // conf/domain/domain.hpp
struct HostFacts; // driver/facts/host_facts.hpp

/// Asks them. The daemon implements it, as the driver itself, not as a client.
class Neighbours {
public:
    virtual ~Neighbours() = default;
    /// The XML of a network that is active. Errors: no_network, operation_invalid when it is not active; what
    /// its daemon says; no_support when there is none.
    virtual boost::asio::awaitable<Result<std::string>> network(std::string name) = 0;
    /// The XML of a volume in a pool that is active. Errors: no_storage_pool, no_storage_vol, likewise.
    virtual boost::asio::awaitable<Result<std::string>> volume(std::string pool, std::string name) = 0;
};

/// Before start(): who is asked. Without it nobody is.
void use_neighbours(Driver& driver, std::shared_ptr<Neighbours> neighbours);

/// The bridges of the networks that the domain's interfaces name, and where its disks' volumes are: for
/// HostFacts::networks and ::volumes. Errors: as Neighbours; config_unsupported for a network without a
/// bridge.
boost::asio::awaitable<Result<HostFacts>> known_to_neighbours(Driver& driver,
                                                              std::shared_ptr<const Domain> domain);

/// Where a volume is. Errors: as Neighbours; no_support without one; config_unsupported.
boost::asio::awaitable<Result<std::string>> path_of_volume(Driver& driver, std::string pool,
                                                           std::string name);

} // namespace cloister
