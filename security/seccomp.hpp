/// Our own syscall filter as data: what no QEMU and none of its libraries has any business calling. It is
/// there from before exec and stays for life; QEMU's own -sandbox comes on top. Pure; compiled in
/// kernel/seccomp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cloister {

enum class SeccompAction {
    kill,      ///< the whole process, SIGSYS
    refuse,    ///< EPERM: callers are known to cope
    not_there, ///< ENOSYS: makes libraries fall back to a call whose arguments can be judged
    allow,     ///< only where everything else is killed
};
/// Denied when argument `index` has any bit of `mask` set.
struct SeccompArgument {
    unsigned index = 0;
    std::uint64_t mask = 0;
    bool operator==(const SeccompArgument&) const = default;
};
struct SeccompRule {
    std::string syscall{};
    SeccompAction action = SeccompAction::kill;
    std::optional<SeccompArgument> argument{};
    std::string why{};
    bool operator==(const SeccompRule&) const = default;
};
/// Foreign architectures (i386 and x32 on x86_64) are killed.
struct SeccompPolicy {
    std::vector<SeccompRule> rules{};
    SeccompAction otherwise = SeccompAction::allow; ///< what no rule names
    bool operator==(const SeccompPolicy&) const = default;
};

SeccompPolicy guest_seccomp();
/// For the child that reads images: what it needs to receive a descriptor, read it and answer.
SeccompPolicy image_seccomp();

} // namespace cloister
