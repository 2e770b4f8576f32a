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

std::string holder_of(const std::string& guest, const Grant& grant) { return guest + ": " + grant.why; }

HostFile host_file(const Grant& grant, bool private_dev, const HostLook& look) {
    if (grant.created_by_us || grant.keep_owner) return {};
    const auto there = destination(look, grant.path);
    if (there.seen == nullptr) return {};
    auto real = there.seen->real.empty() ? there.path : there.seen->real;
    if (private_dev && in_private_dev(real, look)) return {}; // the guest gets a copy: mountns
    if (there.seen->kind == SeenKind::directory && grant.kind != Kind::directory) return {};
    return {std::move(real), there.seen};
}

namespace {

bool shared(const Grant& grant) { return grant.sharing == Sharing::shared || grant.access == Access::read; }

/// Whose the file is to be while the guest runs; its present owner: it stays.
Owner wanted_owner(const Grant& grant, const std::optional<Owner>& asked, const Seen& seen,
                   const Identity& who) {
    if (!asked || who.map_owner) return seen.owner;
    const bool own = *asked == Owner{who.uid, who.gid};
    return shared(grant) && own && may_access(seen, who, grant.access) ? seen.owner : *asked;
}

/// Without a memory an exclusive file becomes root's afterwards, and a shared one stays, as libvirt has it.
Owner owner_afterwards(const Grant& grant, const Identity& who, Owner given, const Seen& seen) {
    if (who.remember_owner || given == seen.owner) return seen.former.value_or(seen.owner);
    return shared(grant) ? given : Owner{};
}

} // namespace

Result<std::vector<Op>> dac_ops(const std::vector<Grant>& grants, const Identity& who, bool private_dev,
                                const HostLook& look, const std::string& guest) {
    std::vector<Op> ops;
    if (!who.set_ids) return ops;
    std::set<std::pair<std::string, std::string>> done;
    for (const auto& grant : grants) {
        const auto asked = TRY(owner_for(grant, who, look));
        const auto file = host_file(grant, private_dev, look);
        if (file.seen == nullptr || !done.emplace(file.path, grant.why).second) continue;
        const auto owner = wanted_owner(grant, asked, *file.seen, who);
        const bool on_file = asked && who.remember_owner && !who.map_owner && !shared(grant);
        ops.emplace_back(GiveFile{.path = file.path,
                                  .id = file.seen->id,
                                  .owner = owner,
                                  .was = file.seen->owner,
                                  .back = owner_afterwards(grant, who, owner, *file.seen),
                                  .holder = holder_of(guest, grant),
                                  .remember = on_file});
    }
    return ops;
}

Result<std::vector<Op>> map_ops(const std::vector<Grant>& grants, const Identity& who, bool private_dev,
                                const HostLook& look) {
    std::vector<Op> ops;
    if (!who.set_ids || !who.map_owner) return ops;
    std::set<std::string> done;
    for (const auto& grant : grants) {
        const auto to = TRY(owner_for(grant, who, look));
        const auto file = host_file(grant, private_dev, look);
        if (!to || file.seen == nullptr || file.seen->owner == *to) continue;
        if (shared(grant) && may_access(*file.seen, who, grant.access)) continue;
        if (done.insert(file.path).second)
            ops.emplace_back(MapOwner{{}, file.path, file.seen->id, file.seen->owner, *to});
    }
    return ops;
}

} // namespace cloister
