/// The text of a domain <-> a Domain. Reading adds nothing: defaults are a pass of their own.
#pragma once

#include "conf/domain/domain.hpp"

namespace cloister {

/// Reads a <domain> document. Errors: xml_detail (malformed), xml (structure and values, with the reference's
/// texts), no_name, internal (passthrough).
Result<Domain> read_domain(std::string_view text, xml::Flavour flavour = xml::Flavour::inactive);
/// The same from a parsed <domain> element (inside a status document, a save image, a snapshot).
Result<Domain> domain_from_node(const xml::Node& node, xml::Flavour flavour = xml::Flavour::inactive);

/// The canonical text, without an XML declaration, newline at the end.
std::string print_domain(const Domain& domain, const xml::Style& style = {});
xml::Node node_of_domain(const Domain& domain, const xml::Style& style = {});

/// One device element, as attach and detach take it. Errors: as read_domain; xml for an unknown element.
Result<Device> read_device(std::string_view text, xml::Flavour flavour = xml::Flavour::inactive);
std::string print_device(const Device& device, const xml::Style& style = {});

/// Everything in the definition that is kept and printed, but that no start can honour: a start names the
/// first.
std::vector<xml::Unmodelled> unmodelled(const Domain& domain);

} // namespace cloister
