#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <bit>
#include <boost/json/value.hpp>

namespace cloister {

namespace {

VideoType type_of(const Video& video) {
    return video.model ? video.model->type.value_or(VideoType::default_) : VideoType::default_;
}

bool is_primary(const Video& video, unsigned index) {
    if (video.model && video.model->primary) return video.model->primary == YesNo::yes;
    return index == 0;
}

bool by_vhost_user(const Video& video) {
    return video.driver && video.driver->name == VideoBackend::vhostuser;
}

bool has_3d(const Video& video) {
    return video.model && video.model->acceleration && video.model->acceleration->accel3d == YesNo::yes;
}

/// The QEMU device; empty when there is none of this type.
std::string driver_of(const Video& video, bool primary, const QemuCaps& caps) {
    switch (type_of(video)) {
    case VideoType::vga: return "VGA";
    case VideoType::cirrus: return "cirrus-vga";
    case VideoType::vmvga: return "vmware-svga";
    case VideoType::qxl: return primary ? "qxl-vga" : "qxl";
    case VideoType::bochs: return "bochs-display";
    case VideoType::ramfb: return "ramfb";
    case VideoType::virtio: {
        if (by_vhost_user(video)) return primary ? "vhost-user-vga" : "vhost-user-gpu-pci";
        const std::string plain = primary ? "virtio-vga" : "virtio-gpu-pci";
        const std::string gl = primary ? "virtio-vga-gl" : "virtio-gpu-gl-pci";
        return has_3d(video) && caps.has_type(gl) ? gl : plain;
    }
    case VideoType::default_:
    case VideoType::xen:
    case VideoType::vbox:
    case VideoType::parallels:
    case VideoType::gop:
    case VideoType::none: break;
    }
    return {};
}

constexpr std::uint32_t kib = 1024;

void add_memory(boost::json::object& props, const Video& video) {
    const auto model = video.model.value_or(VideoModel{});
    switch (type_of(video)) {
    case VideoType::qxl:
        if (model.ram) props["ram_size"] = std::uint64_t{*model.ram} * kib;
        if (model.vram) props["vram_size"] = std::uint64_t{*model.vram} * kib;
        props["vram64_size_mb"] = model.vram64.value_or(0) / kib;
        if (model.vgamem) props["vgamem_mb"] = *model.vgamem / kib;
        break;
    case VideoType::vga:
    case VideoType::vmvga:
        if (model.vram) props["vgamem_mb"] = *model.vram / kib;
        break;
    case VideoType::bochs:
        if (model.vram) props["vgamem"] = std::uint64_t{*model.vram} * kib;
        break;
    default: break;
    }
}

} // namespace

template <> void complete<Video>(Video& video, const CompleteContext& context) {
    auto& model = video.model ? *video.model : video.model.emplace();
    if (!model.type || model.type == VideoType::default_) {
        const auto* caps = context.caps;
        model.type = caps && !caps->has_type("cirrus-vga") ? VideoType::vga : VideoType::cirrus;
    }
    const auto round_up = [](std::optional<std::uint32_t>& value) {
        if (value && *value) value = std::bit_ceil(*value);
    };
    switch (*model.type) {
    case VideoType::qxl:
        round_up(model.ram);
        round_up(model.vram);
        round_up(model.vram64);
        round_up(model.vgamem);
        if (!model.ram) model.ram = 65536;
        if (!model.vram) model.vram = 65536;
        if (!model.vgamem) model.vgamem = 16384;
        break;
    case VideoType::vga:
    case VideoType::cirrus:
    case VideoType::vmvga:
    case VideoType::bochs:
        if (!model.vram) model.vram = 16384;
        break;
    default: break;
    }
    const bool drawn = *model.type != VideoType::none && *model.type != VideoType::ramfb;
    if (drawn && !model.heads) model.heads = 1;
    if (context.index == 0 && !model.primary && *model.type != VideoType::none) model.primary = YesNo::yes;
    if (model.primary == YesNo::no) model.primary.reset();
}

template <> Result<> check<Video>(const Video& video, const CompleteContext& context) {
    const auto type = type_of(video);
    const auto& model = *video.model;
    switch (type) {
    case VideoType::xen:
    case VideoType::vbox:
    case VideoType::parallels:
    case VideoType::gop:
        return fail(Code::config_unsupported,
                    tr("video type '{0}' is not supported with QEMU", names<VideoType>.text(type)));
    case VideoType::none:
        if (context.domain.devices.list.empty() || devices_of<Video>(context.domain).size() > 1)
            return fail(Code::xml,
                        tr("a '{0}' video type must be the only video device defined for the domain",
                           names<VideoType>.text(type)));
        break;
    default: break;
    }
    const bool primary = is_primary(video, context.index);
    if (!primary && type != VideoType::qxl && type != VideoType::virtio && type != VideoType::bochs)
        return fail(Code::config_unsupported, tr("video type '{0}' is only valid as primary video device",
                                                 names<VideoType>.text(type)));
    if (model.acceleration && model.acceleration->accel2d == YesNo::yes)
        return fail(Code::config_unsupported, tr("qemu does not support the accel2d setting"));
    if (model.acceleration && model.acceleration->accel3d && type != VideoType::virtio)
        return fail(Code::config_unsupported, tr("the video type '{0}' does not support the 3d acceleration",
                                                 names<VideoType>.text(type)));
    if (by_vhost_user(video) && type != VideoType::virtio)
        return fail(Code::config_unsupported,
                    tr("'{0}' does not support vhost-user", names<VideoType>.text(type)));
    if (type == VideoType::vga && model.vram && *model.vram < 1024)
        return fail(Code::config_unsupported, tr("value for 'vram' must be at least 1 MiB (1024 KiB)"));
    return {};
}

template <> Result<DevicePlan> plan<Video>(const Video& video, const PlanContext& context) {
    DevicePlan out;
    const auto type = type_of(video);
    if (type == VideoType::none) return out;
    const auto id = id_of(video.info, "video", context.index);
    const auto why = "video " + id;
    const bool primary = is_primary(video, context.index);
    const auto driver = driver_of(video, primary, context.caps);
    if (driver.empty() || !context.caps.has_type(driver))
        return fail(Code::config_unsupported, tr("domain configuration does not support video model '{0}'",
                                                 names<VideoType>.text(type)));
    boost::json::object props{{"driver", driver}};
    if (video.driver) add_virtio_options(props, video.driver->options);
    props["id"] = id;
    if ((type == VideoType::qxl || type == VideoType::virtio) && video.model && video.model->heads)
        props["max_outputs"] = *video.model->heads;
    if (type == VideoType::virtio && video.model && video.model->blob)
        props["blob"] = video.model->blob == Switch::on;
    add_memory(props, video);
    if (video.model && video.model->resolution) {
        props["xres"] = video.model->resolution->x;
        props["yres"] = video.model->resolution->y;
    }
    if (by_vhost_user(video))
        return fail(Code::config_unsupported,
                    tr("video '{0}': the vhost-user-gpu helper is not supported", id));
    if (type != VideoType::ramfb) TRY(add_address(props, video.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
