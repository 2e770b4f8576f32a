#include "security/file_labels.hpp"

#include "conf/base/tr.hpp"
#include "security/dac.hpp"
#include "security/selinux.hpp"

#include <set>

namespace cloister {
namespace {

/// What the definition says for this one path. `decided` false: nothing.
struct Change {
    bool decided = false;
    std::optional<std::string> label{};
};
Change change_of(const Grant& grant) {
    for (const auto& change : grant.overrides) {
        if (!change.model.empty() && change.model != "selinux") continue;
        if (!change.relabel) return {.decided = true};
        // A label for every model may be another one's: an owner.
        if (change.label && selinux_context(*change.label)) return {.decided = true, .label = change.label};
    }
    return {};
}

bool labels(const Grant& grant, const Identity& who) {
    return who.relabel_selinux && !who.image_context.empty() && !grant.keep_owner;
}

} // namespace

std::optional<std::string> file_label(const Grant& grant, const Identity& who) {
    if (!labels(grant, who)) return std::nullopt;
    if (auto change = change_of(grant); change.decided) return change.label;
    if (grant.created_by_us) return who.image_context;
    if (grant.sharing == Sharing::shared && grant.access == Access::read_write) {
        // A device that guests share is the host's: it keeps the label that its other users need.
        if (grant.kind == Kind::char_device) return std::nullopt;
        return who.shared_context;
    }
    // The policy lets guests read content, but no devices of that label.
    if (grant.access == Access::read && grant.kind == Kind::char_device)
        return grant.sharing == Sharing::shared ? std::nullopt : std::optional(who.image_context);
    return grant.access == Access::read ? who.content_context : who.image_context;
}

std::vector<Op> label_ops(const std::vector<Grant>& grants, const Identity& who, bool private_dev,
                          const HostLook& look, const std::string& guest, std::vector<std::string>& notes) {
    std::vector<Op> ops;
    if (who.process_context.empty()) return ops;
    std::set<std::pair<std::string, std::string>> done;
    for (const auto& grant : grants) {
        const auto label = file_label(grant, who);
        const auto file = host_file(grant, private_dev, look);
        if (!label || file.seen == nullptr || !done.emplace(file.path, grant.why).second) continue;
        const auto& seen = *file.seen;
        if (!seen.can_be_labelled) {
            notes.push_back(
                tr("selinux: '{0}' ({1}) lies on a file system that takes no labels and shows {2}: "
                   "the policy and its booleans (virt_use_nfs …) decide",
                   file.path, grant.why, seen.label));
            continue;
        }
        const auto usual = seen.default_label.empty() ? seen.label : seen.default_label;
        const auto former = seen.former_label.value_or(seen.label);
        const bool shared = grant.sharing == Sharing::shared || grant.access == Access::read;
        ops.emplace_back(LabelFile{.path = file.path,
                                   .id = seen.id,
                                   .label = *label,
                                   .was = seen.label,
                                   .back = who.remember_owner ? former : usual,
                                   .holder = holder_of(guest, grant),
                                   .remember = who.remember_owner && !shared});
    }
    return ops;
}

} // namespace cloister
