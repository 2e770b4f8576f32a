#include "security/script.hpp"

#include <cstring>
#include <type_traits>

namespace cloister {
namespace {

constexpr std::string_view magic = "cloister-script-1";

/// One walk over the members serves both directions, so they cannot disagree.
template <class Visit, class S> bool walk(S& s, Visit&& v) {
    return v(s.mount_namespace) && v(s.dev_submounts) && v(s.umask) && v(s.limits) && v(s.set_ids) &&
           v(s.uid) && v(s.gid) && v(s.groups) && v(s.kept_capabilities) && v(s.last_capability) &&
           v(s.clear_capabilities) && v(s.no_new_privs) && v(s.seccomp) && v(s.landlock) &&
           v(s.landlock_fs) && v(s.landlock_allow) && v(s.landlock_scoped) && v(s.selinux_exec) &&
           v(s.selinux_dev) && v(s.apparmor_exec) && v(s.program) && v(s.argv) && v(s.env);
}

struct Writer {
    std::string& out;
    template <class T>
        requires std::is_arithmetic_v<T>
    bool operator()(const T& value) {
        out.append(reinterpret_cast<const char*>(&value), sizeof value);
        return true;
    }
    bool operator()(const std::string& value) {
        (*this)(static_cast<std::uint64_t>(value.size()));
        out += value;
        return true;
    }
    bool operator()(const ScriptLimit& value) { return (*this)(value.resource) && (*this)(value.value); }
    template <class T> bool operator()(const std::vector<T>& values) {
        (*this)(static_cast<std::uint64_t>(values.size()));
        for (const auto& value : values) (*this)(value);
        return true;
    }
};

struct Reader {
    std::string_view in;
    template <class T>
        requires std::is_arithmetic_v<T>
    bool operator()(T& value) {
        if (in.size() < sizeof value) return false;
        if constexpr (std::is_same_v<T, bool>) {
            value = in[0] != 0;
        } else {
            std::memcpy(&value, in.data(), sizeof value);
        }
        in.remove_prefix(sizeof value);
        return true;
    }
    bool operator()(std::string& value) {
        std::uint64_t size = 0;
        if (!(*this)(size) || size > in.size()) return false;
        value.assign(in.substr(0, size));
        in.remove_prefix(size);
        return true;
    }
    bool operator()(ScriptLimit& value) { return (*this)(value.resource) && (*this)(value.value); }
    template <class T> bool operator()(std::vector<T>& values) {
        std::uint64_t size = 0;
        if (!(*this)(size) || size > in.size()) return false; // each element takes at least a byte
        values.clear();
        for (std::uint64_t i = 0; i < size; ++i)
            if (!(*this)(values.emplace_back())) return false;
        return true;
    }
};

} // namespace

std::string encode(const Script& script) {
    std::string out(magic);
    Writer writer{out};
    walk(script, writer);
    return out;
}

std::optional<Script> decode_script(std::string_view bytes) {
    if (!bytes.starts_with(magic)) return std::nullopt;
    Script script;
    Reader reader{bytes.substr(magic.size())};
    if (!walk(script, reader) || !reader.in.empty()) return std::nullopt;
    return script;
}

} // namespace cloister
