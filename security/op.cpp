#include "security/op.hpp"

#include "conf/base/overload.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <fmt/ranges.h>

namespace cloister {

std::optional<Op> inverse(const Op& op) {
    using Inverse = std::optional<Op>;
    return std::visit(
        overload{[](const MakeDirectory& o) { return Inverse{RemoveDirectory{o.path, o.shared}}; },
                 [](const MakeFile& o) {
                     if (!o.keep) return Inverse{RemoveFile{o.path}};
                     return o.label.empty()
                                ? Inverse{}
                                : ReturnLabel{.path = o.path, .given = o.label, .back = o.label_back};
                 },
                 [](const Chown& o) { return Inverse{Chown{o.path, o.id, o.was, o.owner}}; },
                 [](const GiveFile& o) {
                     return Inverse{ReturnFile{o.path, o.id, o.owner, o.back, o.holder, o.remember}};
                 },
                 [](const LabelFile& o) {
                     return Inverse{ReturnLabel{o.path, o.id, o.label, o.back, o.holder, o.remember}};
                 },
                 [](const LabelTree& o) { return o.label.empty() ? Inverse{} : LabelTree{o.path, {}}; },
                 [](const LoadProfile& o) {
                     return o.was.empty() ? Inverse{RemoveProfile{o.name}}
                                          : LoadProfile{o.name, o.was, o.text};
                 },
                 [](const MapOwner& o) { return Inverse{UnmapOwner{o.guest, o.path}}; },
                 [](const SetMode& o) { return Inverse{SetMode{o.path, o.id, o.was, o.mode}}; },
                 [](const MakeNode& o) { return Inverse{RemoveNode{o.guest, o.path, false}}; },
                 [](const MakeLink& o) { return Inverse{RemoveNode{o.guest, o.path, false}}; },
                 [](const BindMount& o) { return Inverse{RemoveNode{o.guest, o.path, true}}; },
                 [](const MakeCgroup& o) { return Inverse{RemoveCgroup{o.root, o.path, o.partition}}; },
                 [](const SetCgroupValue& o) {
                     return o.was ? Inverse{SetCgroupValue{o.file, *o.was, o.value}} : Inverse{};
                 },
                 [](const DeviceAcl&) { return Inverse{}; },
                 [](const AddDevices& o) { return Inverse{RemoveDevices{o.backend, o.group, o.rules}}; },
                 [](const RemoveDevices&) { return Inverse{}; },
                 [](const BindSocket& o) { return Inverse{RemoveFile{o.path}}; },
                 [](const MakeTap& o) { return o.existing ? Inverse{} : RemoveTap{o.name}; },
                 // A move ends with the process; what was only opened ends with its descriptor; a removal is
                 // an inverse.
                 [](const MoveToCgroup&) { return Inverse{}; }, [](const OpenFile&) { return Inverse{}; },
                 [](const OpenVsock&) { return Inverse{}; }, [](const RemoveDirectory&) { return Inverse{}; },
                 [](const RemoveFile&) { return Inverse{}; }, [](const ReturnFile&) { return Inverse{}; },
                 [](const ReturnLabel&) { return Inverse{}; }, [](const RemoveProfile&) { return Inverse{}; },
                 [](const UnmapOwner&) { return Inverse{}; }, [](const RemoveNode&) { return Inverse{}; },
                 [](const RemoveCgroup&) { return Inverse{}; }, [](const RemoveTap&) { return Inverse{}; },
                 [](const StopProcess&) { return Inverse{}; }},
        op);
}

std::vector<Op> inverses(const std::vector<Op>& ops) {
    std::vector<Op> out;
    for (auto op = ops.rbegin(); op != ops.rend(); ++op)
        if (auto back = inverse(*op)) out.push_back(std::move(*back));
    return out;
}

std::string printed(const DeviceRule& rule) {
    auto number = [](const std::optional<std::uint32_t>& n) {
        return n ? std::to_string(*n) : std::string("*");
    };
    return fmt::format("{} {}:{} {}{}{}", rule.type == NodeType::block_device ? 'b' : 'c', number(rule.major),
                       number(rule.minor), rule.read ? "r" : "", rule.write ? "w" : "",
                       rule.make_node ? "m" : "");
}

namespace {
std::string rule_text(const std::vector<DeviceRule>& rules) {
    std::string out;
    for (const auto& rule : rules) out += (out.empty() ? "" : ", ") + printed(rule);
    return out;
}
std::string label_text(const std::string& label) { return label.empty() ? label : " labelled " + label; }
std::string owner_text(Owner owner) { return fmt::format("+{}:+{}", owner.uid, owner.gid); }
} // namespace

std::string printed(const Op& op) {
    return std::visit(
        overload{
            [](const MakeDirectory& o) {
                return fmt::format("mkdir '{}' {:04o} {}{}", o.path, o.mode, owner_text(o.owner),
                                   label_text(o.label));
            },
            [](const RemoveDirectory& o) { return fmt::format("remove directory '{}'", o.path); },
            [](const MakeFile& o) {
                return fmt::format("write '{}' {:04o} {}{}{}", o.path, o.mode, owner_text(o.owner),
                                   o.copy_of ? " from '" + *o.copy_of + "'" : std::string(),
                                   label_text(o.label));
            },
            [](const RemoveFile& o) { return fmt::format("remove '{}'", o.path); },
            [](const Chown& o) {
                return fmt::format("chown {} '{}' (was {})", owner_text(o.owner), o.path, owner_text(o.was));
            },
            [](const GiveFile& o) {
                if (o.owner == o.was)
                    return fmt::format("hold '{}' of {} for {}", o.path, owner_text(o.owner), o.holder);
                return fmt::format("give '{}' to {} (was {}) for {}", o.path, owner_text(o.owner),
                                   owner_text(o.was), o.holder);
            },
            [](const ReturnFile& o) {
                return fmt::format("return '{}' from {} to {} for {}", o.path, owner_text(o.given),
                                   owner_text(o.back), o.holder);
            },
            [](const LabelFile& o) {
                if (o.label == o.was)
                    return fmt::format("hold '{}' with label {} for {}", o.path, o.label, o.holder);
                return fmt::format("label '{}' {} (was {}) for {}", o.path, o.label, o.was, o.holder);
            },
            [](const ReturnLabel& o) {
                return fmt::format("label '{}' {} again (now {}) for {}", o.path, o.back, o.given, o.holder);
            },
            [](const LabelTree& o) {
                return fmt::format("label everything in '{}' {}", o.path,
                                   o.label.empty() ? "as the policy has it" : o.label);
            },
            [](const LoadProfile& o) { return fmt::format("load AppArmor profile '{}'", o.name); },
            [](const RemoveProfile& o) { return fmt::format("remove AppArmor profile '{}'", o.name); },
            [](const MapOwner& o) {
                return fmt::format("show '{}' of {} as {}'s", o.path, owner_text(o.from), owner_text(o.to));
            },
            [](const UnmapOwner& o) { return fmt::format("stop showing '{}' as another's", o.path); },
            [](const SetMode& o) {
                return fmt::format("chmod {:04o} '{}' (was {:04o})", o.mode, o.path, o.was);
            },
            [](const MakeNode& o) {
                return fmt::format("node '{}' {} {}:{} {:04o} {}", o.path,
                                   o.type == NodeType::block_device ? 'b' : 'c', o.major, o.minor, o.mode,
                                   owner_text(o.owner));
            },
            [](const MakeLink& o) { return fmt::format("link '{}' -> '{}'", o.path, o.target); },
            [](const BindMount& o) { return fmt::format("mount '{}' at '{}'", o.source, o.path); },
            [](const RemoveNode& o) { return fmt::format("remove node '{}'", o.path); },
            [](const MakeCgroup& o) { return fmt::format("make group '{}/{}'", o.root, o.path); },
            [](const RemoveCgroup& o) { return fmt::format("remove group '{}/{}'", o.root, o.path); },
            [](const SetCgroupValue& o) { return fmt::format("set '{}' to '{}'", o.file, o.value); },
            [](const MoveToCgroup& o) {
                return fmt::format("move process {} to '{}'", o.pid, fmt::join(o.groups, "', '"));
            },
            [](const DeviceAcl& o) {
                return fmt::format("device list of '{}' ({}): {}", o.group,
                                   o.backend == DeviceBackend::bpf ? "bpf" : "v1", rule_text(o.rules));
            },
            [](const AddDevices& o) {
                return fmt::format("add to device list of '{}': {}", o.group, rule_text(o.rules));
            },
            [](const RemoveDevices& o) {
                return fmt::format("take from device list of '{}': {}", o.group, rule_text(o.rules));
            },
            [](const BindSocket& o) {
                return fmt::format("listen on '{}' {:04o} {} as {}{}", o.path, o.mode, owner_text(o.owner),
                                   o.symbol, label_text(o.label));
            },
            [](const MakeTap& o) {
                return fmt::format("{} tap '{}'{} as {}", o.existing ? "open" : "make", o.name,
                                   o.bridge ? " on '" + *o.bridge + "'" : std::string(), o.symbol);
            },
            [](const RemoveTap& o) { return fmt::format("remove tap '{}'", o.name); },
            [](const OpenFile& o) {
                return fmt::format("open '{}' {} as {}", o.path, o.write ? "rw" : "r", o.symbol);
            },
            [](const OpenVsock& o) { return fmt::format("open vsock {} as {}", o.cid, o.symbol); },
            [](const StopProcess& o) { return fmt::format("stop {} (process {})", o.name, o.process.pid); }},
        op);
}

} // namespace cloister
