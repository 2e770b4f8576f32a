/// Operations that act as a person at the guest: keys, the NMI button, a look at the screen.
#pragma once

#include "conf/call/domain_device.hpp"
#include "conf/call/domain_guest.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// Presses keys together for `holdtime` ms (0: QEMU's 100) and lets go. Errors: invalid_arg for a code set or
/// code that is not known.
struct DomainSendKey {
    using In = call::DomainSendKeyIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "send_input"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainInjectNmi {
    using In = call::DomainInjectNmiIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "inject_nmi"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The picture of one screen, sent through the stream; the answer is its MIME type. QEMU writes into memory
/// of ours, so there is no file. Errors: invalid_arg for a screen that is not there.
struct DomainScreenshot {
    using In = call::DomainScreenshotIn;
    using Out = call::DomainScreenshotOut;
    static constexpr std::array needs{Permission{"domain", "screenshot"}};
    static Task<Result<Out>> run(Call call, In in);
};

/// A socket that speaks the display's protocol: QEMU holds the other end. `flags` 1: without its
/// authentication. Errors: internal for a display that is not there; config_unsupported for one that is
/// neither VNC nor SPICE.
struct DomainOpenGraphicsFd {
    using In = call::DomainOpenGraphicsFdIn;
    using Out = call::Nothing;
    static constexpr std::array needs{Permission{"domain", "open_graphics"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
