#include "driver/facts/backing_path.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>

namespace cloister {

Result<std::string> backing_path(std::string_view image, std::string_view written) {
    auto name = written;
    if (name.starts_with("file://") && !name.starts_with("file:///"))
        return fail(
            Code::config_unsupported,
            tr("the file '{0}' of image '{1}' is on another host, which is not supported", written, image));
    if (name.starts_with("file:")) name.remove_prefix(name.starts_with("file:///") ? 7 : 5);
    // A colon before the first slash is a protocol: "nbd:…", "json:{…}", "rbd:pool/image".
    const auto colon = name.find(':');
    if (colon != std::string_view::npos && colon < name.find('/'))
        return fail(
            Code::config_unsupported,
            tr("the backing file '{0}' of image '{1}' uses the protocol '{2}', which is not supported",
               written, image, name.substr(0, colon)));
    if (name.empty())
        return fail(Code::config_unsupported,
                    tr("the file '{0}' of image '{1}' has no name", written, image));
    if (name.starts_with('/')) return std::string(name);
    const auto slash = image.rfind('/');
    return std::string(slash == std::string_view::npos ? "" : image.substr(0, slash + 1)) + std::string(name);
}

bool is_below(std::string_view path, const std::vector<std::string>& folders) {
    return std::ranges::any_of(folders, [&](std::string_view folder) {
        while (folder.ends_with('/')) folder.remove_suffix(1);
        return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
    });
}

} // namespace cloister
