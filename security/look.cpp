#include "security/look.hpp"

namespace cloister {

Destination destination(const HostLook& look, const std::string& path) {
    constexpr std::size_t most = 40; // the kernel's own limit
    Destination out{.path = path};
    while (out.links.size() <= most) {
        const auto found = look.paths.find(out.path);
        if (found == look.paths.end()) return out;
        if (found->second.kind != SeenKind::symlink) {
            out.seen = &found->second;
            return out;
        }
        out.links.emplace_back(out.path, found->second.target);
        out.path = found->second.next;
    }
    return out; // a loop leads nowhere
}

std::string default_label_of(const HostLook& look, const std::string& path) {
    const auto known = look.default_labels.find(path);
    return known == look.default_labels.end() ? std::string() : known->second;
}

} // namespace cloister
