/// Ops as JSON and back: the undo journal on disk. Unknown members and Ops are an error: a journal is
/// executed as root.
#pragma once

#include "conf/base/result.hpp"
#include "security/op.hpp"

#include <boost/json/fwd.hpp>
#include <string_view>

namespace cloister {

boost::json::value to_json(const Op& op);
boost::json::value to_json(const std::vector<Op>& ops);
boost::json::value to_json(const ProcessId& process);
/// Errors: internal, naming the member that is missing or of the wrong type.
Result<Op> op_from_json(const boost::json::value& value);
Result<std::vector<Op>> ops_from_json(const boost::json::value& value);
Result<ProcessId> process_from_json(const boost::json::value& value);

} // namespace cloister
