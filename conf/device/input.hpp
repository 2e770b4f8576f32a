/// <input>: keyboards, mice, tablets, and host input devices given to the guest.
/// Source: https://libvirt.org/formatdomain.html#input-devices
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/virtio_driver.hpp"

namespace cloister {

enum class InputType { mouse, tablet, keyboard, passthrough, evdev };
template <> inline constexpr auto names<InputType> =
    make_names<InputType>({"mouse", "tablet", "keyboard", "passthrough", "evdev"});
static_assert(names<InputType>.covers(InputType::evdev));

enum class InputBus { none, ps2, usb, xen, parallels, virtio };
template <> inline constexpr auto names<InputBus> =
    make_names<InputBus>({"none", "ps2", "usb", "xen", "parallels", "virtio"});
static_assert(names<InputBus>.covers(InputBus::virtio));

enum class InputModel { virtio, virtio_transitional, virtio_non_transitional };
template <> inline constexpr auto names<InputModel> =
    make_names<InputModel>({"virtio", "virtio-transitional", "virtio-non-transitional"});
static_assert(names<InputModel>.covers(InputModel::virtio_non_transitional));

enum class InputGrab { all };
template <> inline constexpr auto names<InputGrab> = make_names<InputGrab>({"all"});
static_assert(names<InputGrab>.covers(InputGrab::all));

enum class GrabToggle { ctrl_ctrl, alt_alt, shift_shift, meta_meta, scrolllock, ctrl_scrolllock };
template <> inline constexpr auto names<GrabToggle> = make_names<GrabToggle>(
    {"ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock"});
static_assert(names<GrabToggle>.covers(GrabToggle::ctrl_scrolllock));

struct InputSource {
    std::optional<std::string> evdev{}; ///< of passthrough: /dev/input/eventN
    std::optional<std::string> dev{};   ///< of evdev: the same
    std::optional<InputGrab> grab{};
    std::optional<GrabToggle> grab_toggle{};
    std::optional<Switch> repeat{};
    xml::Rest rest{};
    bool operator==(const InputSource&) const = default;
};
template <> inline constexpr auto fields<InputSource> =
    xml::table(xml::attr("evdev", &InputSource::evdev), xml::attr("dev", &InputSource::dev),
               xml::attr("grab", &InputSource::grab), xml::attr("grabToggle", &InputSource::grab_toggle),
               xml::attr("repeat", &InputSource::repeat));

struct Input {
    InputType type = InputType::mouse;
    std::optional<InputBus> bus{};
    std::optional<InputModel> model{};
    std::optional<VirtioDriver> driver{};
    std::optional<InputSource> source{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Input&) const = default;
};
template <> inline constexpr auto fields<Input> = xml::table(
    xml::attr("type", &Input::type), xml::attr("bus", &Input::bus), xml::attr("model", &Input::model),
    xml::child("driver", &Input::driver), xml::child("source", &Input::source), xml::embed(&Input::info));
template <> inline constexpr const char* element<Input> = "input";

} // namespace cloister
