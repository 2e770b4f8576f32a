/// Whoever keeps the host's list of virtual machines: systemd-machined, as the driver sees it. The daemon
/// implements it on the message bus.
#pragma once

#include "conf/base/uuid.hpp"
#include "driver/op/call.hpp"

#include <cstdint>
#include <string>

namespace cloister {

struct Machine {
    std::string name{}; ///< unique on the host, letters that a host name may have: "qemu-1-a"
    Uuid uuid{};
    std::int32_t pid = 0;
    std::string slice{}; ///< "machine.slice"
};

class Machines {
public:
    virtual ~Machines() = default;
    /// Whether there is one. False, too, where the bus does not answer in time: guests then have plain
    /// groups.
    virtual Task<bool> here() = 0;
    /// Makes a scope around the process, which goes with it. Completes when the process is in it.
    /// Errors: what the other side says; operation_timeout.
    virtual Task<Result<>> make(Machine machine) = 0;
};

} // namespace cloister
