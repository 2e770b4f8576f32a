/// Definitions: from a client's text to what is stored, and keeping both in step.
#pragma once

#include "conf/base/result.hpp"
#include "driver/op/call.hpp"

#include <memory>
#include <optional>
#include <string>

namespace cloister {

class Driver;
struct Domain;
struct Guest;

/// What the text means, with everything filled in that a stored definition says: emulator, machine, devices
/// that are always there, addresses, uuid. Errors: xml, xml_detail, config_unsupported, system (no such
/// emulator); access_denied when the caller may not name what the text names.
Task<Result<std::shared_ptr<const Domain>>> complete_definition(Call call, std::string xml);

/// Adds or replaces a persistent domain; event DEFINED. Errors: as above; operation_failed for a clash of
/// name and uuid; system when it cannot be stored (the old definition stays).
Task<Result<std::shared_ptr<Guest>>> define(Call call, std::string xml);

/// Replaces a persistent domain's definition, on disk first. The caller holds its turn. No event. `bounded`:
/// whether a client other than root gave it; absent: as before, for a change that names nothing of the host.
Task<Result<>> store_definition(Driver& driver, std::shared_ptr<Guest> guest,
                                std::shared_ptr<const Domain> definition,
                                std::optional<bool> bounded = std::nullopt);

/// Forgets the definition; a running guest becomes transient. Event UNDEFINED. The caller holds its turn.
Task<Result<>> undefine(Driver& driver, std::shared_ptr<Guest> guest);

/// Gives an inactive persistent domain another name. Events UNDEFINED(renamed), DEFINED(renamed). The caller
/// holds its turn. Errors: operation_invalid, operation_failed when the name is taken.
Task<Result<>> rename(Driver& driver, std::shared_ptr<Guest> guest, std::string name);

} // namespace cloister
