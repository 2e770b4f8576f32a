/// QEMU's description of its own commands (query-qmp-schema), and paths into it. Pure.
/// Source: QEMU's docs/devel/qapi-code-gen.rst, "Client JSON Protocol introspection" (7.2).
#pragma once

#include <boost/json/array.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

/// A view of the reply: the array must outlive it.
///
/// A path begins with a command or event and says where to go from there: `arg-type` or `ret-type`, then a
/// member's name, `+CASE` for the branch of a union, `^VALUE` for a value of an enumeration, `$FEATURE` for a
/// feature flag of what was reached. Arrays are seen through. "blockdev-add/arg-type/+file/aio/^io_uring".
class Schema {
public:
    explicit Schema(const boost::json::array& reply);
    bool has(std::string_view path) const;
    /// The paths that `pattern` stands for: its last part may be `^*` or `+*`, "every value", "every case".
    std::vector<std::string> matches(std::string_view pattern) const;
    /// Names of all events.
    std::set<std::string, std::less<>> events() const;

private:
    std::map<std::string, const boost::json::object*, std::less<>> entries_{};
};

/// The paths that QemuCaps::schema is made of. Whoever asks for a path adds it here.
extern const std::vector<std::string_view> schema_paths;

} // namespace cloister
