/// What QEMU answers when it is asked about a guest that starts, and what of it the live definition says.
/// Pure.
#pragma once

#include "conf/domain/domain.hpp"
#include "driver/guest.hpp"

#include <boost/json/fwd.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

/// query-chardev: "charserial0" -> "/dev/pts/3" for every chardev on a pseudo terminal.
std::map<std::string, std::string> ptys_in(const boost::json::value& chardevs);
/// query-cpus-fast.
std::vector<VcpuThread> vcpus_in(const boost::json::value& cpus);
/// query-iothreads: number ("iothread1" is 1) -> thread.
std::map<std::uint32_t, pid_t> iothreads_in(const boost::json::value& iothreads);
/// query-balloon, in bytes; absent when it does not say.
std::optional<std::uint64_t> balloon_size(const boost::json::value& answer);

/// The pseudo terminals that QEMU chose, where the live definition names them; channels begin disconnected.
Domain with_ptys(Domain domain, const std::map<std::string, std::string>& ptys);
/// The vsock addresses that the kernel had free, in the order of the devices.
Domain with_cids(Domain domain, const std::vector<std::uint32_t>& cids);
/// The size that the balloon is to have, in bytes; absent when that is the whole memory, or there is none.
std::optional<std::int64_t> balloon_target(const Domain& domain);

} // namespace cloister
