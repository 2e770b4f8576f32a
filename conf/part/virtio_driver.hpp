/// A <driver> that says nothing but what every virtio device may say.
#pragma once

#include "conf/part/virtio_options.hpp"

namespace cloister {

struct VirtioDriver {
    VirtioOptions options{};
    xml::Rest rest{};
    bool operator==(const VirtioDriver&) const = default;
};
template <> inline constexpr auto fields<VirtioDriver> = xml::table(xml::embed(&VirtioDriver::options));

} // namespace cloister
