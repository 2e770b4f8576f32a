/// The command line of cloisterd.
#pragma once

#include "conf/base/result.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace cloister {

struct Options {
    std::optional<std::string> config{}, qemu_conf{}, state_root{}, socket_dir{};
    std::optional<std::chrono::seconds> timeout{};
    std::optional<std::string> fault{}; ///< of tests: see driver/steps.hpp; not in the usage
    bool check_config = false, version = false, help = false, verbose = false;
    bool operator==(const Options&) const = default;
};

/// Errors: invalid_arg with the argument.
Result<Options> read_options(int argc, char** argv);
std::string usage();

} // namespace cloister
