#include "driver/naming.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/driver.hpp"
#include "driver/neighbours.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/plan/named.hpp"
#include "security/bounds.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <pwd.h>

namespace cloister {
namespace {

/// What a path leads to, as far as it exists; nothing when its links lead nowhere.
std::optional<std::string> resolved(const std::string& path) {
    std::error_code error;
    auto out = std::filesystem::weakly_canonical(path, error);
    if (error) return std::nullopt;
    return out.string();
}

std::vector<std::string> resolved(const std::vector<std::string>& paths) {
    std::vector<std::string> out;
    for (const auto& path : paths)
        if (auto real = resolved(path)) out.push_back(*std::move(real));
    return out;
}

/// The first path that is not within the allowed ones.
std::optional<std::string> first_outside(const std::vector<std::string>& paths,
                                         const std::vector<std::string>& allowed) {
    const auto tops = resolved(allowed);
    for (const auto& path : paths) {
        const auto real = resolved(path);
        if (!real || !within(*real, tops)) return path;
    }
    return std::nullopt;
}

/// Listed, or, where nothing is listed, one that the distribution installs.
bool is_usual(const std::string& emulator, const std::vector<std::string>& allowed) {
    const auto real = resolved(emulator);
    if (!real) return false;
    if (!allowed.empty()) return std::ranges::count(resolved(allowed), *real) > 0;
    return real->starts_with("/usr/bin/qemu-system-") || *real == "/usr/libexec/qemu-kvm";
}

/// Root under another name is root.
bool is_root(const std::string& label) {
    if (names_root(label)) return true;
    std::array<char, 16'384> buffer;
    passwd entry{};
    passwd* found = nullptr;
    const auto user = label.substr(0, label.find(':'));
    return ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found &&
           found->pw_uid == 0;
}

struct Findings {
    std::optional<std::string> outside{};
    bool other_emulator = false, as_root = false;
};

Findings looked_at(const NamedThings& what, const DaemonConf& conf) {
    Findings out{.outside = first_outside(what.paths, conf.allowed_paths), .as_root = what.unlabelled};
    if (!out.outside && !what.relative.empty()) out.outside = what.relative.front();
    if (what.emulator) out.other_emulator = !is_usual(*what.emulator, conf.allowed_emulators);
    out.as_root = out.as_root || std::ranges::any_of(what.labels, is_root);
    return out;
}

} // namespace

Task<Result<>> may_name(Call call, std::string xml) {
    if (!call.rights) co_return Result<>();
    const auto root = xml::read(xml);
    if (!root) co_return Result<>();
    auto what = named(*root);
    for (const auto& [pool, name] : what.volumes) {
        CO_TRY(path, co_await path_of_volume(*call.driver, pool, name));
        what.paths.push_back(path);
    }
    auto about = call.about;
    if (const auto* name = root->child("name"); name && about.name.empty()) about.name = name->text;
    auto look = [what, conf = call.driver->daemon()] { return looked_at(what, conf); };
    const auto found = co_await offload(call.driver->workers(), std::move(look));
    if (found.outside)
        co_return refuse(
            Code::access_denied,
            tr("'{0}' is not within what clients other than root may name (allowed_paths)", *found.outside),
            ErrorDomain::access);
    const std::array<std::pair<bool, std::string_view>, 3> needed = {
        std::pair{found.other_emulator, std::string_view("emulator")},
        std::pair{found.as_root, std::string_view("root")},
        std::pair{what.passthrough, std::string_view("passthrough")}};
    for (const auto& [is_needed, action] : needed) {
        if (!is_needed) continue;
        const Permission permission{"cloister", action};
        CO_CHECK(co_await call.rights->may(permission, about));
    }
    co_return Result<>();
}

Task<std::optional<std::string>> outside_now(Driver* driver, std::shared_ptr<const Domain> definition) {
    const auto text = print_domain(*definition, {.flavour = xml::Flavour::inactive});
    auto look = [text, conf = driver->daemon()]() -> std::optional<std::string> {
        const auto root = xml::read(text);
        return root ? first_outside(named(*root).paths, conf.allowed_paths) : std::nullopt;
    };
    co_return co_await offload(driver->workers(), std::move(look));
}

Bounds bounds_of(const Domain& definition, const HostFacts& facts, const Driver& driver) {
    const auto text = print_domain(definition, {.flavour = xml::Flavour::inactive});
    const auto root = xml::read(text);
    return bounds(root ? named(*root) : NamedThings{}, facts, driver.daemon().allowed_paths);
}

Task<Result<>> may_bound(Call call, std::shared_ptr<const Domain> definition) {
    const auto outside = co_await outside_now(call.driver, definition);
    if (!outside) co_return Result<>();
    co_return refuse(
        Code::access_denied,
        tr("'{0}', which the domain has from root, is not within what clients other than root may "
           "name (allowed_paths): only root can change this definition's devices",
           *outside),
        ErrorDomain::access);
}

} // namespace cloister
