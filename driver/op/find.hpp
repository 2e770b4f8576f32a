/// What operations begin with: the domain they are about, the flags they were given, the state they need.
#pragma once

#include "conf/call/common.hpp"
#include "driver/driver.hpp"
#include "driver/guest.hpp"
#include "driver/op/call.hpp"

#include <memory>

namespace cloister {

using GuestPointer = std::shared_ptr<Guest>;

call::DomainHandle handle(const Guest& guest);
/// By uuid; the name serves the message only. Errors: no_domain.
Result<GuestPointer> find(const Call& call, const call::DomainHandle& domain);

/// Errors: invalid_arg "unsupported flags (0x…) in function FUNCTION" for bits that are not in `known`.
/// `function` is the reference driver's name, because people look for it.
Result<> check_flags(std::uint32_t flags, std::uint32_t known, std::string_view function);

/// Errors: operation_invalid "domain is not running".
Result<> need_running(const Guest& guest);
/// The same, and QEMU can be talked to. Errors: also operation_invalid while the guest is starting or could
/// not be reached after the daemon's restart.
Result<std::shared_ptr<Monitor>> need_monitor(const Guest& guest);

/// Code and message, from the code that the reference's drivers share (virsh users see no difference).
std::unexpected<Error> refuse(Code code, std::string message, ErrorDomain domain = ErrorDomain::qemu);

/// Where a change goes: virDomainModificationImpact resolved against the guest's state.
struct Affect {
    bool live = false, config = false;
};
inline constexpr std::uint32_t affect_live = 1, affect_config = 2;
/// Errors: operation_invalid, with libvirt's texts.
Result<Affect> affect(const Guest& guest, std::uint32_t flags);

/// The domain's turn, for a change. Errors: as Jobs::turn; no_domain when it was removed meanwhile.
Task<Result<Jobs::Turn>> change(GuestPointer guest, std::string who);

} // namespace cloister
