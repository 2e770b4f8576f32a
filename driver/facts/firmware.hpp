/// Firmware descriptors: one JSON file each, in folders that override each other. Pure.
/// Source: QEMU's docs/interop/firmware.json (7.2); facts/behaviour.md D.7.
#pragma once

#include "conf/base/result.hpp"
#include "driver/facts/host_facts.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// The descriptor in `json`, which came from the file `path`. Errors: internal when it is none.
Result<Firmware> firmware_from(std::string_view path, std::string_view json);

/// One folder: file name -> content. Only names that end in ".json" count, none that begin with a dot.
struct FirmwareFolder {
    std::string path{};
    std::map<std::string, std::string> files{};
};
struct MergedFirmware {
    std::vector<Firmware> firmware{};    ///< sorted by file name
    std::vector<std::string> warnings{}; ///< of files that are no descriptors; they are left out
};
/// `folders` in rising precedence: a file replaces the one of the same name in an earlier folder, an empty
/// file removes it.
MergedFirmware merged_firmware(const std::vector<FirmwareFolder>& folders);

} // namespace cloister
