/// The daemon's side of cloister-logd: starts it when it does not run, finds one that outlived an earlier
/// daemon, and hands it each guest's output. Calls block: run them on a worker. Safe from several threads.
#pragma once

#include "conf/base/result.hpp"
#include "driver/logd_wire.hpp"
#include "security/kernel/fd.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace cloister {

class GuestLogs {
public:
    struct Setup {
        std::string program{};                     ///< cloister-logd
        std::string folder{};                      ///< root's alone; its socket is logd-sock in there
        std::uint64_t max_size = 0;                ///< bytes of a log before it is rotated
        unsigned backups = 0;                      ///< NAME.log.0 is the newest
        std::chrono::milliseconds patience{10000}; ///< for each answer
    };
    explicit GuestLogs(Setup setup) : setup_(std::move(setup)) {}

    /// What guest `name` gets as standard output and error: never full for a reader that is slow, but lossy.
    /// `path`: its log, made when absent, 0600 and the daemon's user's. Errors: system; operation_timeout
    /// when cloister-logd does not answer.
    Result<Fd> open(const std::string& name, const std::string& path);
    /// Returns when all that a guest has said by now is in its log. A cloister-logd that is not there has
    /// nothing to write.
    Result<> drain(const std::string& name);
    /// The same at the guest's end; backups that were never needed go.
    void finish(const std::string& name, const std::string& path);

private:
    enum class Purpose { open, drain };
    Result<> exchange(logd::Request request, const std::vector<int>& descriptors, Purpose purpose);
    Result<> connect(bool may_start);
    Result<> start();

    Setup setup_;
    std::mutex one_;
    Fd connection_{};
};

} // namespace cloister
