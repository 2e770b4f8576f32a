/// A LaunchPlan for people and programs: what a launch would do, and why. Pure.
#pragma once

#include "security/plan.hpp"

#include <boost/json/object.hpp>

namespace cloister {

/// Readable text: every item of the command line and every grant with its provenance, then the confinement
/// layer by layer with the relaxations and the line that asked for each.
std::string explained_text(const LaunchPlan& plan);

/// The same as one JSON object; every member of the plan is in it.
boost::json::object explained_json(const LaunchPlan& plan);

/// The command line alone, one option a line, quoted for a shell; descriptors as fd:NAME.
std::string explained_argv(const LaunchPlan& plan);

/// `text` with the symbols of descriptors as "fd:NAME".
std::string with_readable_symbols(std::string_view text);

} // namespace cloister
