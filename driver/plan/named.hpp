/// What a client's XML names of the host, told from the text alone and before anything is made of it. Pure.
#pragma once

#include "conf/text/xml_node.hpp"
#include "driver/facts/host_facts.hpp"
#include "security/plan.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cloister {

struct NamedThings {
    std::vector<std::string> paths{};    ///< absolute, once each; the emulator's is not among them
    std::vector<std::string> relative{}; ///< what should be a path and is relative
    std::vector<std::pair<std::string, std::string>> volumes{}; ///< of storage pools: pool, volume
    std::optional<std::string> emulator{};                      ///< <emulator>
    std::vector<std::string> labels{}; ///< owners as <seclabel>s write them: "USER:GROUP"
    bool unlabelled = false;           ///< a <seclabel type='none'>: the guest stays what the daemon is
    bool passthrough = false;          ///< elements of a foreign namespace: arguments for QEMU, grants
    bool operator==(const NamedThings&) const = default;
};

/// Of a domain or of one device. Whatever looks like a path of the host counts, also where nothing would be
/// made of it: texts and attributes that begin with '/', but for those which are the guest's or nobody's
/// (titles, metadata, targets, names of network storage).
NamedThings named(const xml::Node& root);

/// Whether an owner ("+0:kvm") has root's name or number in it.
bool names_root(std::string_view label);

/// What has to be within `allowed` when that is started: the paths, the volumes' as their pools tell them,
/// and what the images stand on. `facts`: about all of it.
Bounds bounds(const NamedThings& what, const HostFacts& facts, const std::vector<std::string>& allowed);

} // namespace cloister
