#include "security/remember.hpp"

#include "security/selinux.hpp"

#include <charconv>
#include <fmt/core.h>

namespace cloister {
namespace {

template <class T> std::optional<T> number(std::string_view text) {
    T value{};
    const auto* const end = text.data() + text.size();
    const auto [at, wrong] = std::from_chars(text.data(), end, value);
    if (text.empty() || wrong != std::errc{} || at != end) return std::nullopt;
    return value;
}

/// "+UID:+GID"
std::optional<Owner> value_in(std::string_view text, Owner) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto user = text.substr(0, colon), group = text.substr(colon + 1);
    if (user.starts_with('+')) user.remove_prefix(1);
    if (group.starts_with('+')) group.remove_prefix(1);
    const auto uid = number<std::uint32_t>(user), gid = number<std::uint32_t>(group);
    if (!uid || !gid) return std::nullopt;
    return Owner{*uid, *gid};
}
/// A label of SELinux, as far as it can be told from what it is not.
std::optional<std::string> value_in(std::string_view text, std::string) {
    if (!selinux_context(text)) return std::nullopt;
    return std::string(text);
}

} // namespace

template <class Value>
std::optional<Memory<Value>> memory_from(const MemoryText& text, std::uint64_t boot_time) {
    if (!text.value || !text.count || !text.boot) return std::nullopt;
    const auto value = value_in(*text.value, Value{});
    const auto count = number<std::uint32_t>(*text.count);
    if (!value || !count || *count == 0 || number<std::uint64_t>(*text.boot) != boot_time)
        return std::nullopt;
    return Memory<Value>{*value, *count};
}
template std::optional<Memory<Owner>> memory_from(const MemoryText&, std::uint64_t);
template std::optional<Memory<std::string>> memory_from(const MemoryText&, std::uint64_t);

MemoryText memory_text(const Memory<Owner>& memory, std::uint64_t boot_time) {
    return {.value = fmt::format("+{}:+{}", memory.value.uid, memory.value.gid),
            .count = std::to_string(memory.count),
            .boot = std::to_string(boot_time)};
}
MemoryText memory_text(const Memory<std::string>& memory, std::uint64_t boot_time) {
    return {.value = memory.value, .count = std::to_string(memory.count), .boot = std::to_string(boot_time)};
}

std::uint64_t boot_time_in(std::string_view proc_stat) {
    constexpr std::string_view key = "\nbtime ";
    const auto at = proc_stat.find(key);
    if (at == std::string_view::npos) return 0;
    const auto rest = proc_stat.substr(at + key.size());
    return number<std::uint64_t>(rest.substr(0, rest.find('\n'))).value_or(0);
}

} // namespace cloister
