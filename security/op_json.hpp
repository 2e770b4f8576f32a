/// Ops as JSON and back: the undo journal on disk. Unknown members and Ops are an error: a journal is
/// executed as root.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"

#include <array>
#include <boost/json/fwd.hpp>
#include <string_view>

namespace cloister {

/// The Ops by name; the order is that of the variant.
inline constexpr std::array op_names{"make-directory", "remove-directory", "make-file",      "remove-file",
                                     "chown",          "give-file",        "return-file",    "label-file",
                                     "return-label",   "label-tree",       "load-profile",   "remove-profile",
                                     "set-mode",       "make-node",        "make-link",      "bind-mount",
                                     "remove-node",    "map-owner",        "unmap-owner",    "make-cgroup",
                                     "remove-cgroup",  "set-cgroup-value", "move-to-cgroup", "device-acl",
                                     "add-devices",    "remove-devices",   "bind-socket",    "make-tap",
                                     "remove-tap",     "open-file",        "open-vsock",     "stop-process"};
static_assert(op_names.size() == std::variant_size_v<Op>);

boost::json::value to_json(const Op& op);
boost::json::value to_json(const std::vector<Op>& ops);
boost::json::value to_json(const ProcessId& process);
/// Errors: internal, naming the member that is missing or of the wrong type.
Result<Op> op_from_json(const boost::json::value& value);
Result<std::vector<Op>> ops_from_json(const boost::json::value& value);
Result<ProcessId> process_from_json(const boost::json::value& value);

} // namespace cloister
