/// What the reference refuses in a definition without asking a QEMU, whichever device or part it concerns.
/// Rules of one device alone are the device's own (driver/device/NAME.cpp: check).
#pragma once

#include "conf/domain/defaults.hpp"

namespace cloister {

/// `domain`: after add_defaults(). Errors: xml, xml_detail, config_unsupported, with the reference's texts.
Result<> check_domain(const Domain& domain, Origin origin = Origin::fresh);

} // namespace cloister
