#include "security/multipath.hpp"

namespace cloister {

std::vector<Grant> with_paths_of_multipath(const std::vector<Grant>& grants, const HostLook& look) {
    std::vector<Grant> out;
    for (const auto& grant : grants) {
        out.push_back(grant);
        const auto there = destination(look, grant.path);
        if (there.seen == nullptr || there.seen->kind != SeenKind::block_device) continue;
        for (const auto& path : there.seen->multipath)
            out.push_back({.path = path,
                           .kind = Kind::block_device,
                           .access = grant.access,
                           .sharing = Sharing::shared,
                           .keep_owner = true,
                           .optional = true,
                           .why = grant.why + ", a path of its multipath device"});
    }
    return out;
}

} // namespace cloister
