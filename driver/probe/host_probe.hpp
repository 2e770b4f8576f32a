/// Looking at the host: the facts that planning asks about. Blocking: for a worker thread. Reads, changes
/// nothing.
#pragma once

#include "conf/base/result.hpp"
#include "conf/settings/qemu_conf.hpp"
#include "driver/facts/firmware.hpp"
#include "driver/facts/host_facts.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// A path that the definition names. With a `format` ("raw", "qcow2" …) it is a disk image whose chain is
/// read, and that has to be there; without one it is only looked at, and may be absent.
struct PathQuestion {
    std::string path{};
    std::string format{};
    bool alone = false; ///< what the image stands on is known already
    bool operator==(const PathQuestion&) const = default;
};
struct HostQuestions {
    std::vector<PathQuestion> paths{};
    std::vector<std::string> owners{}; ///< "USER:GROUP" of <seclabel model='dac'> and label overrides
    bool devices = false; ///< the guest is given devices of the host: USB, PCI, SCSI are looked through
    /// Somebody other than root named the images: they and what they stand on may lead nowhere else
    /// (allowed_paths), and of what is elsewhere not even is told whether it is there. Absent: root did.
    std::optional<std::vector<std::string>> within{};
};

/// Errors: system "Cannot access storage file …" for an image that is not there; config_unsupported for a
/// chain with a protocol; operation_invalid for a loop, a chain of more than 200, or a format that an image
/// does not record; operation_denied for what backing_chain_paths does not allow, access_denied for what is
/// not within `within`; invalid_arg for an owner that nobody knows. `image_reader`: the path of
/// cloister-image.
Result<HostFacts> host_facts(const QemuConf& conf, const HostQuestions& questions,
                             const std::string& image_reader);

/// Numbers of a user and a group, as qemu.conf and <seclabel> write them: a name, a number, or "+N", which is
/// never a name. The groups are those that the user is a member of, `group` first. Errors: invalid_arg.
Result<Ids> ids_of(std::string_view user, std::string_view group);
/// The same for "USER:GROUP" or "USER" (then the user's own group).
Result<Ids> ids_of(std::string_view owner);

/// Whether AppArmor is in force.
bool apparmor_enabled();
/// Whether a process with these ids may open the KVM device for reading and writing, by mode and ACL.
bool kvm_usable(const Ids& ids);

/// The descriptors that are installed, merged; what is wrong with some of them.
MergedFirmware installed_firmware();

} // namespace cloister
