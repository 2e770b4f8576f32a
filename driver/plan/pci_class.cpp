#include "driver/plan/pci_class.hpp"

#include "conf/base/overload.hpp"
#include "driver/device/address_props.hpp"

namespace cloister {

namespace {

struct Classes {
    bool express_root = false;
    PciClass express() const { return express_root ? PciClass::express : PciClass::conventional; }
    static PciClass conventional() { return PciClass::conventional; }
    /// Transitional devices have an I/O port window that PCI Express has no room for.
    PciClass virtio(std::string_view model) const {
        return model.ends_with("-transitional") && !model.ends_with("non-transitional") ? conventional()
                                                                                        : express();
    }
    PciClass virtio(const std::optional<std::string>& model) const {
        return virtio(std::string_view(model ? *model : ""));
    }
    template <class E>
        requires std::is_enum_v<E>
    PciClass virtio(E model) const {
        return virtio(names<E>.text(model));
    }
    template <class E>
        requires std::is_enum_v<E>
    PciClass virtio(const std::optional<E>& model) const {
        return model ? virtio(*model) : express();
    }
};

PciClass of_controller(const Controller& c, const Classes& classes) {
    const auto model = c.model.value_or("");
    switch (c.type.value_or(ControllerType::pci)) {
    case ControllerType::pci: return class_of_controller(model);
    case ControllerType::scsi:
        if (model.starts_with("virtio")) return classes.virtio(c.model);
        if (model == "vmpvscsi" || model == "lsisas1078") return classes.conventional();
        return classes.conventional();
    case ControllerType::usb:
        if (model == "none") return PciClass::none;
        if (model == "nec-xhci" || model == "qemu-xhci") return classes.express();
        return classes.conventional();
    case ControllerType::virtio_serial: return classes.virtio(c.model);
    case ControllerType::ide:
    case ControllerType::sata: return classes.conventional();
    case ControllerType::fdc:
    case ControllerType::ccid:
    case ControllerType::xenbus:
    case ControllerType::isa: break;
    }
    return PciClass::none;
}

PciClass of_interface(const Interface& i, const Classes& classes) {
    if (i.type == InterfaceType::hostdev) return classes.express();
    const auto model = i.model ? i.model->type.value_or("") : std::string();
    if (model.starts_with("virtio")) return classes.virtio(std::string_view(model));
    if (model == "e1000e" || model == "igb" || model == "vmxnet3") return classes.express();
    if (model == "usb-net") return PciClass::none;
    return classes.conventional();
}

PciClass of_video(const Video& v, const Classes& classes) {
    switch (v.model ? v.model->type.value_or(VideoType::default_) : VideoType::default_) {
    case VideoType::virtio: return classes.express();
    case VideoType::default_:
    case VideoType::vga:
    case VideoType::cirrus:
    case VideoType::vmvga:
    case VideoType::qxl:
    case VideoType::xen:
    case VideoType::vbox:
    case VideoType::parallels:
    case VideoType::gop:
    case VideoType::bochs: return classes.conventional();
    case VideoType::none:
    case VideoType::ramfb: break;
    }
    return PciClass::none;
}

PciClass of_sound(SoundModel model, const Classes& classes) {
    switch (model) {
    case SoundModel::es1370:
    case SoundModel::ac97:
    case SoundModel::ich6:
    case SoundModel::ich7:
    case SoundModel::ich9: return classes.conventional();
    case SoundModel::sb16:
    case SoundModel::pcspk:
    case SoundModel::usb: break;
    }
    return PciClass::none;
}

} // namespace

PciClass pci_class(const Device& device, const Domain& domain) {
    const Classes classes{is_q35(domain)};
    return std::visit(
        overload{
            [&](const Disk& d) {
                return d.target.bus == DiskBus::virtio ? classes.virtio(d.model) : PciClass::none;
            },
            [&](const Controller& c) { return of_controller(c, classes); },
            [&](const Filesystem& f) { return classes.virtio(f.model); },
            [&](const Interface& i) { return of_interface(i, classes); },
            [&](const Input& i) {
                return i.bus == InputBus::virtio ? classes.virtio(i.model) : PciClass::none;
            },
            [&](const Sound& s) { return of_sound(s.model, classes); },
            [&](const Video& v) { return of_video(v, classes); },
            [&](const Hostdev& h) {
                if (std::holds_alternative<PciHostdev>(h.host)) return classes.express();
                if (std::holds_alternative<VhostScsiHostdev>(h.host)) return classes.virtio(h.model);
                if (std::holds_alternative<MdevHostdev>(h.host) && h.model.value_or("vfio-pci") == "vfio-pci")
                    return classes.express();
                return PciClass::none;
            },
            [&](const Watchdog& w) {
                return w.model == WatchdogModel::i6300esb ? classes.conventional() : PciClass::none;
            },
            [&](const Memballoon& b) {
                return b.model == BalloonModel::none || b.model == BalloonModel::xen
                           ? PciClass::none
                           : classes.virtio(b.model);
            },
            [&](const Rng& r) { return classes.virtio(r.model); },
            [&](const Serial& s) {
                return s.target && s.target->type == SerialTargetType::pci_serial ? classes.conventional()
                                                                                  : PciClass::none;
            },
            [&](const Panic& p) {
                return p.model == PanicModel::pvpanic ? classes.conventional() : PciClass::none;
            },
            [&](const Shmem&) { return classes.conventional(); },
            [&](const MemoryModule& m) {
                return m.model == MemoryModel::virtio_pmem || m.model == MemoryModel::virtio_mem
                           ? classes.express()
                           : PciClass::none;
            },
            [&](const Iommu& i) {
                return i.model == IommuModel::virtio ? PciClass::integrated : PciClass::none;
            },
            [&](const Vsock& v) { return classes.virtio(v.model); },
            [&](const Crypto&) { return classes.express(); },
            [](const auto&) { return PciClass::none; },
        },
        device);
}

} // namespace cloister
