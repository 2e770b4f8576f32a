#include "security/denial.hpp"

#include "conf/base/tr.hpp"
#include "security/qemu_sandbox.hpp"
#include "security/seccomp.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace cloister {
namespace {

constexpr std::uint32_t type_mask = 0170000, char_device = 0020000, block_device = 0060000;

bool is_device(const Tried& what) { return what.type == char_device || what.type == block_device; }

bool listed(const DeathFacts& facts, const Tried& device, bool write) {
    const auto type = device.type == block_device ? NodeType::block_device : NodeType::char_device;
    return std::ranges::any_of(facts.rules, [&](const DeviceRule& rule) {
        return rule.type == type && (!rule.major || *rule.major == device.major) &&
               (!rule.minor || *rule.minor == device.minor) && (write ? rule.write : rule.read);
    });
}

std::string mode_text(std::uint32_t mode) { return fmt::format("{:04o}", mode); }

/// "; it was named by qemu:arg 4"
std::string named_by(const PathFacts& path) {
    return path.why.empty() ? std::string() : tr("; it was named by {0}", path.why);
}
std::string device_text(const Tried& device) {
    return fmt::format("{} {}:{}", device.type == block_device ? "b" : "c", device.major, device.minor);
}

Denial not_there(const DeathFacts& facts, const PathFacts& path) {
    if (path.host.error == ENOENT || path.host.error == ENOTDIR)
        return {Layer::none,
                tr("{0}: does not exist on the host either, so no layer of the confinement refused "
                   "it{1}",
                   path.path, named_by(path))};
    if (facts.private_dev && path.path.starts_with("/dev/"))
        return {
            Layer::mountns,
            tr("{0}: not in the guest's /dev (mount namespace){1}; to grant it, name it in a device of the "
               "definition, or to every guest in cgroup_device_acl of qemu.conf",
               path.path, named_by(path))};
    return {Layer::mountns, tr("{0}: exists on the host, but not in the guest's mount namespace{1}",
                               path.path, named_by(path))};
}

/// The first folder on the way that the guest may not search.
Denial stuck(const DeathFacts& facts, const PathFacts& path) {
    const auto& way = *path.guest;
    return {Layer::dac,
            tr("{0}: user {1} may not search the folder '{2}' on the way (DAC: it belongs to {3}:{4}, "
               "mode {5}){6}",
               path.path, facts.uid, path.path.substr(0, way.stuck), way.uid, way.gid, mode_text(way.mode),
               named_by(path))};
}

Denial not_permitted(const DeathFacts& facts, const PathFacts& path, bool write) {
    const auto& found = *path.guest;
    if (is_device(found) && facts.device_acl && !listed(facts, found, write)) {
        if (write && listed(facts, found, false))
            return {Layer::cgroup,
                    tr("{0}: device {1} is on the guest's device list (cgroup) for reading only{2}",
                       path.path, device_text(found), named_by(path))};
        return {Layer::cgroup,
                tr("{0}: device {1} is not on the guest's device list (cgroup){2}; to grant it, name it in a "
                   "device of the definition, or to every guest in cgroup_device_acl of qemu.conf",
                   path.path, device_text(found), named_by(path))};
    }
    if (is_device(found) && facts.device_acl)
        return {Layer::cgroup, tr("{0}: refused though device {1} is on the guest's own device list: a group "
                                  "above it in the host's control groups may not have it (a guess){2}",
                                  path.path, device_text(found), named_by(path))};
    if (found.immutable != 0)
        return {Layer::none,
                tr("{0}: the file is immutable or append-only (chattr), which no user may write{1}",
                   path.path, named_by(path))};
    return {Layer::none,
            tr("{0}: the kernel says 'Operation not permitted', and no layer of ours is known to "
               "(a guess: another security module){1}",
               path.path, named_by(path))};
}

/// Whether the mode alone would let `uid` in as owner or as others. Groups are not looked at: then it is
/// unsure.
bool mode_allows(const DeathFacts& facts, const Tried& found, bool write) {
    const auto bit = write ? 2U : 4U;
    if (found.uid == facts.uid) return (found.mode & (bit << 6)) != 0;
    return (found.mode & bit) != 0;
}

/// SELinux, with the label found and the label needed. Absent: it is not in force, or allows everything.
std::optional<Denial> by_label(const DeathFacts& facts, const PathFacts& path) {
    const auto& seen = path.selinux;
    if (facts.context.empty() || path.said != EACCES) return std::nullopt;
    if (!seen.folder.empty())
        return Denial{
            Layer::selinux,
            tr("{0}: refused by SELinux: QEMU runs as {1} and may not search the folder '{2}' on the "
               "way, which is labelled {3}{4}",
               path.path, facts.context, seen.folder, seen.folder_label, named_by(path))};
    if (seen.label.empty()) return std::nullopt;
    const bool asked = seen.may_read && seen.may_write;
    if (asked && *seen.may_read && *seen.may_write) return std::nullopt;
    const auto sure = asked ? std::string() : tr(" (a guess: the policy could not be asked)");
    if (asked && *seen.may_read)
        return Denial{
            Layer::selinux,
            tr("{0}: writing was refused by SELinux: QEMU runs as {1}, and the file is labelled {2}; "
               "it needs {3}, or {4} when guests share it{5}{6}",
               path.path, facts.context, seen.label, facts.image_context, facts.shared_context, sure,
               named_by(path))};
    return Denial{
        Layer::selinux,
        tr("{0}: refused by SELinux: QEMU runs as {1}, and the file is labelled {2}; it needs {3}, or "
           "{4} when guests share it, or {5} to be only read{6}{7}",
           path.path, facts.context, seen.label, facts.image_context, facts.shared_context,
           facts.content_context, sure, named_by(path))};
}

std::optional<Denial> by_profile(const DeathFacts& facts, const PathFacts& path) {
    if (facts.profile.empty() || (path.said != EACCES && !path.apparmor_said_no)) return std::nullopt;
    if (path.apparmor_said_no)
        return Denial{
            Layer::apparmor,
            tr("{0}: refused by AppArmor: the profile '{1}' has no rule that allows it{2}; to grant "
               "it, name it in a device of the definition",
               path.path, facts.profile, named_by(path))};
    return Denial{Layer::apparmor,
                  tr("{0}: refused by AppArmor (a guess: owner and mode would let user {1} in, "
                     "and the profile '{2}' allows only what was granted){3}",
                     path.path, facts.uid, facts.profile, named_by(path))};
}

Denial no_access(const DeathFacts& facts, const PathFacts& path, bool write) {
    const auto& found = *path.guest;
    if (found.has_acl == 0 && mode_allows(facts, found, write)) {
        if (auto denial = by_label(facts, path)) return *denial;
        if (auto denial = by_profile(facts, path)) return *denial;
    }
    if (found.has_acl == 0 && mode_allows(facts, found, write))
        return {Layer::selinux,
                tr("{0}: user {1} would be let in by owner and mode ({2}:{3}, {4}), so a security module "
                   "refused it (a guess: SELinux or AppArmor){5}",
                   path.path, facts.uid, found.uid, found.gid, mode_text(found.mode), named_by(path))};
    const auto what = write ? tr("may not write it") : tr("may not read it");
    return {Layer::dac, tr("{0}: user {1} {2} (DAC: it belongs to {3}:{4}, mode {5}{6}){7}", path.path,
                           facts.uid, what, found.uid, found.gid, mode_text(found.mode),
                           found.has_acl != 0 ? tr(", with an access list") : std::string(), named_by(path))};
}

Denial read_only(const PathFacts& path) {
    if (path.host.read_only != 0)
        return {Layer::none, tr("{0}: its file system is mounted read-only on the host, so no layer of the "
                                "confinement refused writing{1}",
                                path.path, named_by(path))};
    return {Layer::mountns,
            tr("{0}: mounted read-only in the guest's mount namespace{1}", path.path, named_by(path))};
}

/// What is in the way of this path, as the guest was told when it was tried again.
std::optional<Denial> replayed(const DeathFacts& facts, const PathFacts& path) {
    const auto& found = *path.guest;
    if (found.error == ENOENT || found.error == ENOTDIR) return not_there(facts, path);
    if (found.error == EACCES) return stuck(facts, path);
    if (found.error != 0) return std::nullopt;
    for (const bool write : {false, true}) {
        const int error = write ? found.write_error : found.read_error;
        // What may be read is refused for writing only if QEMU was refused something.
        if (error == EPERM) return not_permitted(facts, path, write);
        if (error == EACCES) return no_access(facts, path, write);
        if (error == EROFS) return read_only(path);
    }
    if (is_device(found) && found.no_devices != 0)
        return Denial{Layer::mountns,
                      tr("{0}: a device node on a file system that is mounted without devices "
                         "(nodev){1}",
                         path.path, named_by(path))};
    if (auto denial = by_label(facts, path)) return denial;
    if (auto denial = by_profile(facts, path)) return denial;
    if (path.said == EACCES) // access(2) found nothing: what only open(2) asks is left
        return Denial{Layer::landlock,
                      tr("{0}: owner, mode and device list would let user {1} in, so what judges "
                         "an open refused it (a guess: Landlock or another security module){2}",
                         path.path, facts.uid, named_by(path))};
    return std::nullopt;
}

/// Without the guest's own view only the message and the host are left.
std::optional<Denial> supposed(const DeathFacts& facts, const PathFacts& path) {
    if (path.said == ENOENT && path.host.error == ENOENT) return not_there(facts, path);
    const auto guess = [&](Layer layer, std::string_view name) {
        return Denial{layer, tr("{0}: probably refused by {1} (a guess: the guest's view of it is gone){2}",
                                path.path, name, named_by(path))};
    };
    if (auto denial = by_label(facts, path)) return denial;
    if (auto denial = by_profile(facts, path)) return denial;
    if (path.said == ENOENT) return guess(Layer::mountns, tr("the mount namespace"));
    if (path.said == EPERM && is_device(path.host) && !listed(facts, path.host, false))
        return guess(Layer::cgroup, tr("the device list (cgroup)"));
    if (path.said == EACCES) return guess(Layer::dac, tr("owner and mode (DAC)"));
    if (path.said == EROFS) return read_only(path);
    return std::nullopt;
}

bool agrees(const PathFacts& path) {
    const auto& found = *path.guest;
    const bool nodev = path.said == EACCES && found.no_devices != 0; // which access(2) does not look at
    return nodev || path.said == EACCES || path.said == found.error || path.said == found.read_error ||
           path.said == found.write_error;
}

const SeccompRule* own_rule(const std::vector<SeccompRule>& rules, std::string_view call) {
    const auto at = std::ranges::find_if(rules, [&](const SeccompRule& rule) {
        return rule.action == SeccompAction::kill && rule.syscall == call;
    });
    return at == rules.end() ? nullptr : &*at;
}

Denial killed_by_filter(const DeathFacts& facts) {
    if (!facts.syscall) {
        if (facts.spawns.empty())
            return {Layer::seccomp,
                    tr("a seccomp filter killed QEMU (SIGSYS); the kernel's log does not tell for "
                       "which system call")};
        return {Layer::seccomp,
                tr("a seccomp filter killed QEMU (SIGSYS), probably for running a program, which {0} asks "
                   "for and "
                   "-sandbox spawn=deny forbids (a guess: the kernel's log does not tell the system call)",
                   facts.spawns)};
    }
    const auto policy = guest_seccomp();
    if (const auto* rule = own_rule(policy.rules, *facts.syscall))
        return {Layer::seccomp, tr("a seccomp filter killed QEMU (SIGSYS) for the system call '{0}': "
                                   "cloister's own filter forbids "
                                   "it, because it {1}",
                                   *facts.syscall, rule->why)};
    const auto word = sandbox_word(*facts.syscall);
    if (word.empty() || !facts.qemu_seccomp)
        return {Layer::seccomp,
                tr("a seccomp filter killed QEMU (SIGSYS) for the system call '{0}'", *facts.syscall)};
    auto text =
        tr("a seccomp filter killed QEMU (SIGSYS) for the system call '{0}', which QEMU's own -sandbox {1} "
           "forbids",
           *facts.syscall, word);
    if (word == "spawn=deny" && !facts.spawns.empty())
        text += tr("; {0} asks QEMU to run a program", facts.spawns);
    return {Layer::seccomp, std::move(text)};
}

} // namespace

std::vector<Denial> denials(const DeathFacts& facts) {
    std::vector<Denial> out;
    if (facts.known && facts.signal == SIGSYS) {
        out.push_back(killed_by_filter(facts));
        out.back().what = facts.syscall.value_or("");
        return out;
    }
    if (facts.known && facts.signal != 0)
        out.push_back({Layer::none, tr("signal {0} ended QEMU", facts.signal)});
    if (facts.known && facts.signal == 0 && facts.code == 0) return out;
    std::vector<Denial> guesses;
    for (const auto& path : facts.paths) {
        auto denial = path.guest ? replayed(facts, path) : supposed(facts, path);
        if (!denial) continue;
        denial->what = path.path;
        if (!path.guest || (path.said != 0 && agrees(path))) {
            out.push_back(std::move(*denial));
        } else if (path.said == 0 && !facts.named) {
            // QEMU named nothing: what it could not have opened is a suspect, no more.
            denial->sentence = tr("a guess, because QEMU names no path: {0}", denial->sentence);
            guesses.push_back(std::move(*denial));
        }
    }
    const bool sure = std::ranges::any_of(out, [](const Denial& one) { return one.layer != Layer::none; });
    if (!sure && !guesses.empty()) out.push_back(std::move(guesses.front()));
    return out;
}

} // namespace cloister
