/// <video>: a graphics card of the guest.
/// Source: https://libvirt.org/formatdomain.html#video-devices
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/virtio_options.hpp"

namespace cloister {

/// `default_`: no type was given; completion chooses one.
enum class VideoType {
    default_,
    vga,
    cirrus,
    vmvga,
    xen,
    vbox,
    qxl,
    parallels,
    virtio,
    gop,
    none,
    bochs,
    ramfb,
};
template <> inline constexpr auto names<VideoType> =
    make_names<VideoType>({"default", "vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels", "virtio",
                           "gop", "none", "bochs", "ramfb"});
static_assert(names<VideoType>.covers(VideoType::ramfb));

struct VideoAcceleration {
    std::optional<YesNo> accel2d{}, accel3d{};
    std::optional<std::string> rendernode{}; ///< a DRM node, for vhost-user
    xml::Rest rest{};
    bool operator==(const VideoAcceleration&) const = default;
};
template <> inline constexpr auto fields<VideoAcceleration> = xml::table(
    xml::attr("accel2d", &VideoAcceleration::accel2d), xml::attr("accel3d", &VideoAcceleration::accel3d),
    xml::attr("rendernode", &VideoAcceleration::rendernode));

struct VideoResolution {
    std::uint32_t x = 0, y = 0;
    xml::Rest rest{};
    bool operator==(const VideoResolution&) const = default;
};
template <> inline constexpr auto fields<VideoResolution> =
    xml::table(xml::attr("x", &VideoResolution::x), xml::attr("y", &VideoResolution::y));

struct VideoModel {
    std::optional<VideoType> type{};
    std::optional<std::uint32_t> ram{}, vram{}, vram64{}, vgamem{}; ///< KiB
    std::optional<std::uint32_t> heads{};
    std::optional<Switch> blob{};
    std::optional<YesNo> primary{};
    std::optional<VideoAcceleration> acceleration{};
    std::optional<VideoResolution> resolution{};
    xml::Rest rest{};
    bool operator==(const VideoModel&) const = default;
};
template <> inline constexpr auto fields<VideoModel> = xml::table(
    xml::attr("type", &VideoModel::type), xml::attr("ram", &VideoModel::ram),
    xml::attr("vram", &VideoModel::vram), xml::attr("vram64", &VideoModel::vram64),
    xml::attr("vgamem", &VideoModel::vgamem), xml::attr("heads", &VideoModel::heads),
    xml::attr("blob", &VideoModel::blob), xml::attr("primary", &VideoModel::primary),
    xml::child("acceleration", &VideoModel::acceleration), xml::child("resolution", &VideoModel::resolution));

enum class VideoBackend { qemu, vhostuser };
template <> inline constexpr auto names<VideoBackend> = make_names<VideoBackend>({"qemu", "vhostuser"});
static_assert(names<VideoBackend>.covers(VideoBackend::vhostuser));

struct VideoDriver {
    VirtioOptions options{};
    std::optional<VideoBackend> name{};
    xml::Rest rest{};
    bool operator==(const VideoDriver&) const = default;
};
template <> inline constexpr auto fields<VideoDriver> =
    xml::table(xml::embed(&VideoDriver::options), xml::attr("name", &VideoDriver::name));

struct Video {
    std::optional<VideoDriver> driver{};
    std::optional<VideoModel> model{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Video&) const = default;
};
template <> inline constexpr auto fields<Video> = xml::table(
    xml::child("driver", &Video::driver), xml::child("model", &Video::model), xml::embed(&Video::info));
template <> inline constexpr const char* element<Video> = "video";

} // namespace cloister
