/// SELinux as the kernel and the files of its policy have it: the only user of libselinux. Without SELinux
/// nothing is found and nothing is changed. Blocking: for worker threads.
#pragma once

#include "conf/base/result.hpp"
#include "security/denial.hpp"
#include "security/kernel/fd.hpp"
#include "security/selinux.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cloister {

bool selinux_enabled();
/// Absent: no SELinux. Errors: system when the policy has no contexts for guests, or hides them.
Result<std::optional<SelinuxPolicy>> selinux_policy();

/// Without translation, to the letter. Absent: no label.
std::optional<std::string> label_of(const Fd& file);
std::optional<std::string> label_of(const std::string& path); ///< of a symlink its own
/// What the policy's file contexts say of a file of this type (st_mode) at `path`; absent: nothing.
std::optional<std::string> default_label(const std::string& path, std::uint32_t mode);

/// By descriptor, O_PATH too. A file system without labels, or mounted read-only, is left as it is, as
/// libvirt does: the policy's booleans decide there. `name`: for the error.
Result<> set_label(const Fd& file, const std::string& name, const std::string& label);

/// What a process with this context may do at `path`, as the host has it: asked of the policy, not tried.
/// `type`: S_IFMT of what is there.
LabelFacts label_facts(const std::string& path, std::uint32_t type, const std::string& context);

/// While it lives, sockets that this thread makes have this label; empty: the policy's.
class SocketLabel {
public:
    /// Errors: system when the policy does not let us.
    static Result<SocketLabel> set(const std::string& label);
    SocketLabel(SocketLabel&& other) noexcept;
    SocketLabel& operator=(SocketLabel&&) = delete;
    ~SocketLabel();

private:
    explicit SocketLabel(bool active) : active_(active) {}
    bool active_ = false;
};

} // namespace cloister
