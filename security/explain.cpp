#include "security/explain.hpp"

#include "conf/base/overload.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

namespace cloister {
namespace {

namespace json = boost::json;

std::string_view text(Access access) { return access == Access::read ? "read" : "read-write"; }
std::string_view text(Sharing sharing) { return sharing == Sharing::shared ? "shared" : "exclusive"; }
std::string_view text(Kind kind) {
    switch (kind) {
    case Kind::unknown: return "unknown";
    case Kind::file: return "file";
    case Kind::block_device: return "block device";
    case Kind::char_device: return "character device";
    case Kind::directory: return "directory";
    case Kind::socket: return "socket";
    case Kind::fifo: return "fifo";
    }
    return "unknown";
}
std::string_view yes_no(bool yes) { return yes ? "on" : "off"; }
std::string octal(std::uint32_t mode) {
    std::string out;
    for (int shift = 9; shift >= 0; shift -= 3) out += static_cast<char>('0' + ((mode >> shift) & 7U));
    return out;
}
std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
    return out;
}

/// As a shell would need it, so that the line can be run.
std::string quoted(const std::string& word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}
std::string line_of(const QemuItem& item) {
    std::string out;
    for (const auto& word : words(item))
        out += (out.empty() ? "" : " ") + quoted(with_readable_symbols(word));
    return out;
}

std::string described(const Descriptor& descriptor) {
    return std::visit(
        overload{
            [](const ListenSocket& s) {
                return "listening socket " + s.path + (s.guest_owned ? ", the guest's" : ", root's");
            },
            [](const TapDevice& t) {
                return "tap " + t.name + (t.bridge ? " on bridge " + *t.bridge : std::string()) +
                       (t.persistent ? ", the administrator's" : "");
            },
            [](const OpenedFile& f) { return "opened " + f.path + " (" + std::string(text(f.access)) + ")"; },
            [](const VhostVsock& v) {
                return "vsock, cid " +
                       (v.cid != 0 ? std::to_string(v.cid) : std::string("the first free one"));
            }},
        descriptor.what);
}

/// Lines of "what | why", the second column aligned as far as the first ones are short.
class Lines {
public:
    explicit Lines(std::string title) : out_("\n" + std::move(title) + "\n") {}
    void add(const std::string& what, const std::string& why = {}) {
        constexpr std::size_t column = 72;
        out_ += "  " + what;
        if (!why.empty())
            out_ += std::string(what.size() < column ? column - what.size() : 1, ' ') + "# " + why;
        out_ += "\n";
        any_ = true;
    }
    std::string text() const { return any_ ? out_ : std::string(); }

private:
    std::string out_;
    bool any_ = false;
};

std::string command_part(const LaunchPlan& plan) {
    Lines lines("command line");
    lines.add(plan.emulator, "emulator");
    for (const auto& item : plan.items) lines.add(line_of(item), item.why);
    Lines environment("environment");
    for (const auto& variable : plan.env)
        environment.add(variable.name + "=" + quoted(variable.value), variable.why);
    Lines said("said to QEMU's monitor before it runs");
    for (const auto& [command, arguments] : plan.monitor_commands)
        said.add(command); // arguments hold secrets
    return lines.text() + environment.text() + said.text();
}

std::string resources_part(const LaunchPlan& plan) {
    Lines grants("what of the host it may touch");
    for (const auto& grant : plan.grants) {
        auto what =
            grant.path + "  " + std::string(text(grant.access)) + ", " + std::string(text(grant.sharing));
        if (grant.kind != Kind::unknown) what += ", " + std::string(text(grant.kind));
        if (grant.keep_owner) what += ", owner kept";
        for (const auto& change : grant.overrides)
            what += change.relabel ? ", label " + change.label.value_or("the guest's") : ", not relabelled";
        grants.add(what, grant.why);
    }
    Lines descriptors("descriptors it inherits");
    for (const auto& descriptor : plan.descriptors)
        descriptors.add("fd:" + descriptor.symbol + "  " + described(descriptor), descriptor.why);
    Lines made("made for it");
    for (const auto& directory : plan.directories)
        made.add(directory.path + "/  " + octal(directory.mode), directory.keep ? "kept" : "removed with it");
    for (const auto& file : plan.files)
        made.add(file.path + "  " + octal(file.mode) +
                     (file.copy_of ? ", a copy of " + *file.copy_of : std::string()),
                 file.keep ? "kept" : "removed with it");
    Lines helpers("programs beside it");
    for (const auto& helper : plan.helpers) helpers.add(joined(helper.argv), helper.why);
    return grants.text() + descriptors.text() + made.text() + helpers.text();
}

std::string limits_text(const Limits& limits) {
    const auto one = [](const char* name, const std::optional<std::uint64_t>& value) {
        return value ? std::string(name) + " " + std::to_string(*value) + ", " : std::string();
    };
    return one("locked memory", limits.memlock) + one("processes", limits.processes) +
           one("files", limits.files) + one("threads", limits.threads) + "core " +
           (limits.core == UINT64_MAX ? std::string("unlimited") : std::to_string(limits.core));
}

std::string selinux_text(const Identity& who) {
    if (who.process_context.empty()) return "none";
    if (!who.relabel_selinux) return who.process_context + ", the host's files keep their labels";
    return who.process_context + ", files " + who.image_context + ", shared " + who.shared_context +
           ", only read " + who.content_context;
}

std::string confinement_part(const LaunchPlan& plan) {
    const auto& c = plan.confinement;
    const auto& who = plan.identity;
    Lines lines("confinement, layer by layer");
    lines.add("selinux     " + selinux_text(who), who.process_context.empty() ? std::string() : who.mac_why);
    if (!who.apparmor_profile.empty())
        lines.add("apparmor    profile " + who.apparmor_profile +
                      (who.make_apparmor_profile ? ", made of the grants above" : ", the administrator's"),
                  who.mac_why);
    std::string groups;
    for (const auto group : who.groups)
        groups += (groups.empty() ? ", groups " : " ") + std::to_string(group);
    lines.add("dac         " + (who.set_ids ? "uid " + std::to_string(who.uid) + ", gid " +
                                                  std::to_string(who.gid) + groups +
                                                  (!who.relabel_dac ? ", owners stay"
                                                   : who.map_owner  ? ", sees its files as its own"
                                                                    : ", its files are given to it")
                                            : std::string("off: the daemon's identity")),
              who.why);
    std::string nodes;
    for (const auto& device : c.base_devices) nodes += " " + device.path;
    lines.add("mountns     " + (c.mount_namespace ? "private, slave of the host's; /dev with" + nodes +
                                                        " and the grants below /dev"
                                                  : std::string("off: the host's mounts and /dev")));
    lines.add("cgroup      " + (c.use_cgroups ? c.cgroup_partition + "/" + c.cgroup_name + ", device list " +
                                                    std::string(yes_no(c.device_acl))
                                              : std::string("off")));
    lines.add("caps        " +
              (c.kept_capabilities.empty() ? std::string("none, bounding set empty")
                                           : "only " + joined(c.kept_capabilities)) +
              (c.no_new_privs ? ", no new privileges" : ""));
    lines.add("seccomp     QEMU's own " + std::string(yes_no(c.qemu_seccomp)) + ", ours " +
              std::string(yes_no(c.own_seccomp)));
    lines.add("landlock    " + std::string(c.landlock ? "a domain of its own" : "off"));
    lines.add("limits      " + limits_text(c.limits));
    if (plan.bounds)
        lines.add("bounds      all that it names is within " + joined(plan.bounds->within),
                  "a client other than root gave the definition");
    Lines relaxed("relaxed");
    for (const auto& relaxation : c.relaxations) relaxed.add(relaxation);
    Lines taints("taints");
    for (const auto& taint : plan.taints) taints.add(taint);
    Lines warnings("warnings");
    for (const auto& warning : plan.warnings) warnings.add(warning);
    return lines.text() + relaxed.text() + taints.text() + warnings.text();
}

// ---- JSON

json::value strings(const std::vector<std::string>& words) {
    json::array out;
    for (const auto& word : words) out.emplace_back(with_readable_symbols(word));
    return out;
}
json::object of(const Grant& grant) {
    json::array overrides;
    for (const auto& change : grant.overrides) {
        json::object o{{"model", change.model}, {"relabel", change.relabel}};
        if (change.label) o["label"] = *change.label;
        overrides.push_back(std::move(o));
    }
    return {{"path", grant.path},
            {"kind", text(grant.kind)},
            {"access", text(grant.access)},
            {"sharing", text(grant.sharing)},
            {"overrides", std::move(overrides)},
            {"created_by_us", grant.created_by_us},
            {"keep_owner", grant.keep_owner},
            {"optional", grant.optional},
            {"why", grant.why}};
}
json::array of(const std::vector<Grant>& grants) {
    json::array out;
    for (const auto& grant : grants) out.push_back(of(grant));
    return out;
}
json::array of(const std::vector<MadeDirectory>& directories) {
    json::array out;
    for (const auto& d : directories)
        out.push_back(json::object{
            {"path", d.path}, {"mode", octal(d.mode)}, {"guest_owned", d.guest_owned}, {"keep", d.keep}});
    return out;
}
/// Without the content: it may be a key.
json::array of(const std::vector<MadeFile>& files) {
    json::array out;
    for (const auto& f : files) {
        json::object o{
            {"path", f.path}, {"mode", octal(f.mode)}, {"guest_owned", f.guest_owned}, {"keep", f.keep}};
        if (f.copy_of) o["copy_of"] = *f.copy_of;
        out.push_back(std::move(o));
    }
    return out;
}
json::object of(const Identity& who) {
    json::array groups;
    for (const auto group : who.groups) groups.emplace_back(group);
    return {{"set_ids", who.set_ids},
            {"uid", who.uid},
            {"gid", who.gid},
            {"groups", std::move(groups)},
            {"relabel_dac", who.relabel_dac},
            {"remember_owner", who.remember_owner},
            {"map_owner", who.map_owner},
            {"process_context", who.process_context},
            {"image_context", who.image_context},
            {"shared_context", who.shared_context},
            {"content_context", who.content_context},
            {"relabel_selinux", who.relabel_selinux},
            {"apparmor_profile", who.apparmor_profile},
            {"make_apparmor_profile", who.make_apparmor_profile},
            {"mac_why", who.mac_why},
            {"why", who.why}};
}
json::object of(const Limits& limits) {
    json::object out{{"core", limits.core}};
    if (limits.memlock) out["memlock"] = *limits.memlock;
    if (limits.processes) out["processes"] = *limits.processes;
    if (limits.files) out["files"] = *limits.files;
    if (limits.threads) out["threads"] = *limits.threads;
    return out;
}
json::object of(const Confinement& c) {
    return {{"mount_namespace", c.mount_namespace},
            {"base_devices", of(c.base_devices)},
            {"device_acl", c.device_acl},
            {"cgroup_controllers", strings(c.cgroup_controllers)},
            {"use_cgroups", c.use_cgroups},
            {"cgroup", c.cgroup_partition + "/" + c.cgroup_name},
            {"qemu_seccomp", c.qemu_seccomp},
            {"own_seccomp", c.own_seccomp},
            {"landlock", c.landlock},
            {"kept_capabilities", strings(c.kept_capabilities)},
            {"no_new_privs", c.no_new_privs},
            {"limits", of(c.limits)},
            {"relaxations", strings(c.relaxations)}};
}
json::array items_of(const LaunchPlan& plan) {
    json::array out;
    for (const auto& item : plan.items)
        out.push_back(json::object{{"words", strings(words(item))}, {"why", item.why}});
    return out;
}
json::array descriptors_of(const LaunchPlan& plan) {
    json::array out;
    for (const auto& d : plan.descriptors)
        out.push_back(json::object{{"name", "fd:" + d.symbol}, {"what", described(d)}, {"why", d.why}});
    return out;
}
json::array helpers_of(const LaunchPlan& plan) {
    json::array out;
    for (const auto& h : plan.helpers)
        out.push_back(json::object{{"name", h.name},
                                   {"argv", strings(h.argv)},
                                   {"setup", h.setup ? strings(*h.setup) : json::value{}},
                                   {"socket", h.socket},
                                   {"uid", h.uid},
                                   {"gid", h.gid},
                                   {"directories", of(h.directories)},
                                   {"files", of(h.files)},
                                   {"why", h.why}});
    return out;
}

} // namespace

std::string with_readable_symbols(std::string_view text) {
    std::string out;
    bool inside = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        // the marker itself, or what boost::json writes for it
        const bool escaped = text.substr(at).starts_with("\\u0001");
        if (text[at] != '\x01' && !escaped) {
            out += text[at];
            continue;
        }
        if (!inside) out += "fd:";
        inside = !inside;
        if (escaped) at += 5;
    }
    return out;
}

std::string explained_argv(const LaunchPlan& plan) {
    std::string out = quoted(plan.emulator);
    for (const auto& item : plan.items) out += " \\\n" + line_of(item);
    return out + "\n";
}

std::string explained_text(const LaunchPlan& plan) {
    auto head = "domain '" + plan.name + "' (" + printed(plan.uuid) + ")\n";
    return head + command_part(plan) + resources_part(plan) + confinement_part(plan);
}

json::object explained_json(const LaunchPlan& plan) {
    json::array env, commands;
    for (const auto& variable : plan.env)
        env.push_back(
            json::object{{"name", variable.name}, {"value", variable.value}, {"why", variable.why}});
    for (const auto& [command, arguments] : plan.monitor_commands)
        commands.emplace_back(command); // arguments hold secrets
    json::object out{{"name", plan.name},
                     {"uuid", printed(plan.uuid)},
                     {"id", plan.id},
                     {"emulator", plan.emulator},
                     {"items", items_of(plan)},
                     {"env", std::move(env)},
                     {"identity", of(plan.identity)},
                     {"grants", of(plan.grants)},
                     {"descriptors", descriptors_of(plan)},
                     {"directories", of(plan.directories)},
                     {"files", of(plan.files)},
                     {"helpers", helpers_of(plan)},
                     {"confinement", of(plan.confinement)},
                     {"paths", json::object{{"state_dir", plan.paths.state_dir},
                                            {"channel_dir", plan.paths.channel_dir},
                                            {"monitor", plan.paths.monitor},
                                            {"log", plan.paths.log},
                                            {"master_key", plan.paths.master_key},
                                            {"tpm_socket", plan.paths.tpm_socket},
                                            {"tpm_state", plan.paths.tpm_state},
                                            {"tpm_log", plan.paths.tpm_log}}},
                     {"memory_bytes", plan.memory_bytes},
                     {"taints", strings(plan.taints)},
                     {"warnings", strings(plan.warnings)},
                     {"monitor_commands", std::move(commands)}};
    if (plan.bounds)
        out["bounds"] =
            json::object{{"paths", strings(plan.bounds->paths)}, {"within", strings(plan.bounds->within)}};
    return out;
}

} // namespace cloister
