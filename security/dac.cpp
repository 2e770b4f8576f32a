#include "security/dac.hpp"

#include "conf/base/tr.hpp"
#include "security/mountns.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace cloister {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    std::uint32_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto [at, failed] = std::from_chars(text.data(), end, value);
    if (failed != std::errc{} || at != end) return std::nullopt;
    return value;
}

} // namespace

std::optional<Owner> owner_from(const std::string& text, const HostLook& look) {
    if (const auto known = look.names.find(text); known != look.names.end()) return known->second;
    const auto colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const auto uid = number(std::string_view(text).substr(0, colon));
    const auto gid = number(std::string_view(text).substr(colon + 1));
    if (!uid || !gid) return std::nullopt;
    return Owner{*uid, *gid};
}

Result<std::optional<Owner>> owner_for(const Grant& grant, const Identity& who, const HostLook& look) {
    if (!who.set_ids || !who.relabel_dac || grant.keep_owner) return std::optional<Owner>{};
    for (const auto& change : grant.overrides) {
        if (!change.model.empty() && change.model != "dac") continue;
        if (!change.relabel) return std::optional<Owner>{};
        if (!change.label) continue;
        if (const auto owner = owner_from(*change.label, look)) return std::optional<Owner>(*owner);
        if (change.model == "dac")
            return fail(Code::config_unsupported, tr("unknown owner '{0}' of {1}", *change.label, grant.why));
    }
    return std::optional<Owner>(Owner{who.uid, who.gid});
}

bool may_access(const Seen& seen, const Identity& who, Access access) {
    const std::uint32_t need = access == Access::read ? 4 : 6;
    const auto in_group = [&](std::uint32_t gid) {
        return who.gid == gid || std::ranges::find(who.groups, gid) != who.groups.end();
    };
    // With an ACL the group bits are its mask, and say nothing about anybody.
    if (!seen.acl.empty()) return false;
    unsigned shift = 0;
    if (seen.owner.uid == who.uid)
        shift = 6;
    else if (in_group(seen.owner.gid))
        shift = 3;
    return ((seen.mode >> shift) & need) == need;
}

Result<std::vector<Op>> dac_ops(const std::vector<Grant>& grants, const Identity& who, bool private_dev,
                                const HostLook& look) {
    std::vector<Op> ops;
    std::set<std::string> done;
    for (const auto& grant : grants) {
        if (grant.created_by_us) continue; // made with the right owner
        const auto owner = TRY(owner_for(grant, who, look));
        const auto there = destination(look, grant.path);
        if (!owner || there.seen == nullptr) continue;
        if (private_dev && in_private_dev(there.path, look)) continue; // the guest gets a copy: mountns
        if (there.seen->kind == SeenKind::directory && grant.kind != Kind::directory) continue;
        const bool shared = grant.sharing == Sharing::shared || grant.access == Access::read;
        if (shared && *owner == Owner{who.uid, who.gid} && may_access(*there.seen, who, grant.access))
            continue;
        if (there.seen->owner == *owner || !done.insert(there.path).second) continue;
        ops.emplace_back(Chown{there.path, there.seen->id, *owner, there.seen->owner, shared});
    }
    return ops;
}

} // namespace cloister
