/// The qemu: namespace of a <domain> <-> Passthrough.
#pragma once

#include "conf/domain/passthrough.hpp"
#include "conf/text/xml_node.hpp"

namespace cloister {

/// Reads every child of `domain` in the namespace, wherever it stands and whatever its prefix; several are
/// merged. Errors: Code::internal with the reference's texts.
Result<Passthrough> read_passthrough(const xml::Node& domain);

/// Appends the canonical elements and the declaration to a <domain> element. Nothing when empty.
void write_passthrough(const Passthrough& passthrough, xml::Node& domain);

} // namespace cloister
