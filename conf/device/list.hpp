/// The one std::variant of devices. Its order is the order in which a <devices> element is printed.
#pragma once

#include "conf/device/audio.hpp"
#include "conf/device/channel.hpp"
#include "conf/device/console.hpp"
#include "conf/device/controller.hpp"
#include "conf/device/crypto.hpp"
#include "conf/device/disk.hpp"
#include "conf/device/filesystem.hpp"
#include "conf/device/graphics.hpp"
#include "conf/device/hostdev.hpp"
#include "conf/device/hub.hpp"
#include "conf/device/input.hpp"
#include "conf/device/interface.hpp"
#include "conf/device/iommu.hpp"
#include "conf/device/lease.hpp"
#include "conf/device/memballoon.hpp"
#include "conf/device/memory.hpp"
#include "conf/device/nvram.hpp"
#include "conf/device/panic.hpp"
#include "conf/device/parallel.hpp"
#include "conf/device/redirdev.hpp"
#include "conf/device/redirfilter.hpp"
#include "conf/device/rng.hpp"
#include "conf/device/serial.hpp"
#include "conf/device/shmem.hpp"
#include "conf/device/smartcard.hpp"
#include "conf/device/sound.hpp"
#include "conf/device/tpm.hpp"
#include "conf/device/video.hpp"
#include "conf/device/vsock.hpp"
#include "conf/device/watchdog.hpp"

namespace cloister {

/// A device that is kept and printed, but not modelled: its start is refused.
struct UnmodelledDevice {
    xml::Node node{};
    bool operator==(const UnmodelledDevice&) const = default;
};

using DeviceKinds = std::variant<Disk, Controller, Lease, Filesystem, Interface, Smartcard, Serial, Parallel,
                                 Console, Channel, Input, Tpm, Graphics, Sound, Audio, Video, Hostdev,
                                 Redirdev, RedirFilter, Hub, Watchdog, Memballoon, Rng, Nvram, Panic, Shmem,
                                 MemoryModule, Iommu, Vsock, Crypto, UnmodelledDevice>;

/// One of them. A class of its own so that copying 31 kinds is compiled once (list.cpp), not wherever a
/// definition is copied.
struct Device : DeviceKinds {
    using DeviceKinds::DeviceKinds;
    using DeviceKinds::operator=;
    Device();
    Device(const Device& other);
    Device(Device&& other) noexcept;
    Device& operator=(const Device& other);
    Device& operator=(Device&& other) noexcept;
    ~Device();
    bool operator==(const Device& other) const;
};

} // namespace cloister
