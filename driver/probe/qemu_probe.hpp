/// Asking a QEMU binary what it can do: launched confined and stopped, asked over QMP, the answer kept in
/// memory and on disk for as long as the binary and the host stay the same.
#pragma once

#include "conf/base/result.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/op/call.hpp"

#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>
#include <string>

namespace cloister {

struct ProbeSetup {
    std::string cache{};          ///< folder of the answers; made when absent
    std::string runtime{};        ///< folder for the monitors' sockets
    std::string helper{};         ///< cloister-confine
    std::optional<Ids> runs_as{}; ///< who the probed QEMU is; absent: what the daemon is
    bool try_kvm = true;          ///< false: the emulator's user may not open /dev/kvm
};

/// Reactor thread only.
class QemuProbe {
    struct State;

public:
    /// `workers` outlives it.
    QemuProbe(boost::asio::thread_pool& workers, ProbeSetup setup);
    ~QemuProbe();
    QemuProbe(const QemuProbe&) = delete;
    QemuProbe& operator=(const QemuProbe&) = delete;

    /// What the binary at `path` can do. Callers that come while it is being asked share the answer; a
    /// failure is not kept. Errors: system "Cannot check QEMU binary PATH: …" or "… is not executable",
    /// internal when it cannot be started or does not answer like QEMU, with what it printed.
    Task<Result<std::shared_ptr<const QemuCaps>>> probe(std::string path);

private:
    std::shared_ptr<State> state_;
};

} // namespace cloister
