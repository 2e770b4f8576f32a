#include "security/mountns.hpp"

#include "security/dac.hpp"
#include "security/multipath.hpp"

#include <algorithm>
#include <set>

namespace cloister {

bool in_private_dev(const std::string& path, const HostLook& look) {
    if (!path.starts_with("/dev/")) return false;
    return std::ranges::none_of(look.dev_submounts, [&](const std::string& mount) {
        return path == mount || path.starts_with(mount + "/");
    });
}

Result<std::vector<Op>> dev_ops(const std::vector<Grant>& grants, const Identity& who, const HostLook& look) {
    std::vector<Op> ops;
    std::map<std::string, std::size_t> made; // path -> its place in `ops`
    for (const auto& grant : with_paths_of_multipath(grants, look)) {
        const auto there = destination(look, grant.path);
        if (there.seen == nullptr) continue;
        for (const auto& [path, target] : there.links)
            if (in_private_dev(path, look) && made.emplace(path, ops.size()).second)
                ops.emplace_back(MakeLink{{}, path, target});
        if (!in_private_dev(there.path, look)) continue;

        const auto& seen = *there.seen;
        const auto owner = TRY(owner_for(grant, who, look));
        const auto [at, added] = made.emplace(there.path, ops.size());
        if (!added) { // named twice: the owner that somebody needs wins over the host's
            if (auto* node = std::get_if<MakeNode>(&ops[at->second]); node != nullptr && owner)
                node->owner = *owner;
            continue;
        }
        if (seen.kind == SeenKind::char_device || seen.kind == SeenKind::block_device)
            ops.emplace_back(MakeNode{.path = there.path,
                                      .type = seen.kind == SeenKind::block_device ? NodeType::block_device
                                                                                  : NodeType::char_device,
                                      .major = seen.major,
                                      .minor = seen.minor,
                                      .mode = seen.mode,
                                      .owner = owner.value_or(seen.owner),
                                      .acl = seen.acl});
        else
            ops.emplace_back(BindMount{.source = there.path,
                                       .path = there.path,
                                       .id = seen.id,
                                       .directory = seen.kind == SeenKind::directory});
    }
    return ops;
}

} // namespace cloister
