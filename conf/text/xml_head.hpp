/// The first few elements of a document, without reading the rest.
#pragma once

#include "conf/text/xml_node.hpp"

#include <span>

namespace cloister::xml {

/// The root element with only those of its children that `names` lists, as far as their text: read without
/// the rest, up to the end of the last of them that is still missing (a block of input further, as libxml2
/// reads): what follows may be no XML at all. What is taken is what read() finds first under the same name.
/// Errors: as read().
Result<Node> read_head(std::string_view document, std::span<const std::string_view> names,
                       std::string_view name = "(domain_definition)");

} // namespace cloister::xml
