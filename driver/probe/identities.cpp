#include "conf/base/tr.hpp"
#include "driver/probe/host_probe.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace cloister {

namespace {

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && !text.empty() && out != UINT32_MAX
               ? std::optional(out)
               : std::nullopt;
}

struct User {
    std::string name{};
    std::uint32_t uid = 0, gid = 0;
};

/// Grows the buffer until the account fits: an entry has no limit.
template <class Entry, class Ask> std::optional<Entry> account(Ask ask, std::vector<char>& room) {
    room.resize(4096);
    for (;;) {
        Entry entry{};
        Entry* found = nullptr;
        const int error = ask(&entry, room.data(), room.size(), &found);
        if (error != ERANGE || room.size() > (1 << 24)) return found ? std::optional(entry) : std::nullopt;
        room.resize(room.size() * 2);
    }
}

std::optional<User> user_of(std::string_view text) {
    const std::string name(text);
    std::vector<char> room;
    std::optional<passwd> found;
    if (!text.starts_with('+'))
        found =
            account<passwd>([&](passwd* to, char* buffer, std::size_t size,
                                passwd** out) { return ::getpwnam_r(name.c_str(), to, buffer, size, out); },
                            room);
    if (found) return User{found->pw_name, found->pw_uid, found->pw_gid};
    const auto uid = number(text.starts_with('+') ? text.substr(1) : text);
    if (!uid) return std::nullopt;
    found = account<passwd>([&](passwd* to, char* buffer, std::size_t size,
                                passwd** out) { return ::getpwuid_r(*uid, to, buffer, size, out); },
                            room);
    return found ? User{found->pw_name, *uid, found->pw_gid} : User{{}, *uid, *uid};
}

std::optional<std::uint32_t> group_of(std::string_view text) {
    const std::string name(text);
    std::vector<char> room;
    if (!text.starts_with('+'))
        if (const auto found = account<::group>(
                [&](::group* to, char* buffer, std::size_t size, ::group** out) {
                    return ::getgrnam_r(name.c_str(), to, buffer, size, out);
                },
                room))
            return found->gr_gid;
    return number(text.starts_with('+') ? text.substr(1) : text);
}

std::vector<std::uint32_t> memberships(const User& user, std::uint32_t group) {
    if (user.name.empty()) return {group};
    std::vector<gid_t> out(64);
    int count = static_cast<int>(out.size());
    while (::getgrouplist(user.name.c_str(), group, out.data(), &count) < 0 &&
           count > static_cast<int>(out.size()))
        out.resize(static_cast<std::size_t>(count));
    out.resize(static_cast<std::size_t>(std::max(0, std::min(count, static_cast<int>(out.size())))));
    return {out.begin(), out.end()};
}

Result<Ids> numbers(std::string_view user, std::optional<std::string_view> group) {
    const auto who = user_of(user);
    if (!who) return fail(Code::invalid_arg, tr("Failed to parse user '{0}'", user));
    const auto gid = group ? group_of(*group) : std::optional(who->gid);
    if (!gid) return fail(Code::invalid_arg, tr("Failed to parse group '{0}'", *group));
    return Ids{who->uid, *gid, memberships(*who, *gid)};
}

/// One entry of the bytes of system.posix_acl_access, which begin with a version.
struct AclEntry {
    std::uint16_t tag = 0, bits = 0;
    std::uint32_t id = 0;
};
constexpr std::uint16_t acl_user = 0x02, acl_group = 0x08, acl_mask = 0x10;

std::vector<AclEntry> acl_of(const char* path) {
    std::vector<char> bytes(4096);
    const auto n = ::getxattr(path, "system.posix_acl_access", bytes.data(), bytes.size());
    std::vector<AclEntry> out;
    for (std::size_t at = 4; n > 0 && at + sizeof(AclEntry) <= static_cast<std::size_t>(n);
         at += sizeof(AclEntry))
        std::memcpy(&out.emplace_back(), bytes.data() + at, sizeof(AclEntry));
    return out;
}

} // namespace

Result<Ids> ids_of(std::string_view user, std::string_view group) { return numbers(user, group); }

Result<Ids> ids_of(std::string_view owner) {
    const auto colon = owner.find(':');
    if (colon == std::string_view::npos) return numbers(owner, std::nullopt);
    return numbers(owner.substr(0, colon), owner.substr(colon + 1));
}

bool kvm_usable(const Ids& ids) {
    constexpr const char* device = "/dev/kvm";
    struct stat node{};
    if (::stat(device, &node) < 0 || !S_ISCHR(node.st_mode)) return false;
    if (ids.uid == 0) return true;
    constexpr unsigned both = 06;
    const auto member = [&](std::uint32_t gid) {
        return gid == ids.gid || std::ranges::count(ids.groups, gid) > 0;
    };
    const auto allows = [](unsigned bits) { return (bits & both) == both; };
    if (node.st_uid == ids.uid) return allows(node.st_mode >> 6);
    // With an ACL the group bits of the mode are its mask. Source: acl(5), "access check algorithm".
    const auto acl = acl_of(device);
    const auto mask = std::ranges::find(acl, acl_mask, &AclEntry::tag);
    const unsigned limit = mask == acl.end() ? 07u : mask->bits;
    for (const auto& entry : acl)
        if (entry.tag == acl_user && entry.id == ids.uid) return allows(entry.bits & limit);
    bool in_group = member(node.st_gid);
    if (in_group && allows((node.st_mode >> 3) & limit)) return true;
    for (const auto& entry : acl)
        if (entry.tag == acl_group && member(entry.id)) {
            in_group = true;
            if (allows(entry.bits & limit)) return true;
        }
    return !in_group && allows(node.st_mode);
}

} // namespace cloister
