/// The body of device_codecs<Slice>(): included by exactly the sources that instantiate it.
#pragma once

#include "conf/domain/device_codec.hpp"

namespace cloister {

template <class D> DeviceCodec codec_of(std::size_t place) {
    DeviceCodec codec{.place = place};
    if constexpr (!std::is_same_v<D, UnmodelledDevice>) {
        codec.name = element<D>;
        codec.read = [](const xml::Node& n, xml::Flavour flavour) -> Result<Device> {
            return TRY(xml::parse<D>(n, flavour));
        };
        codec.write = [](const Device& device, xml::Node& n, const xml::Style& style) {
            xml::format_into(std::get<D>(device), n, style);
        };
        codec.unmodelled = [](const Device& device, std::vector<xml::Unmodelled>& out) {
            xml::unmodelled(std::get<D>(device), element<D>, out);
        };
    }
    return codec;
}

template <std::size_t Slice> std::span<const DeviceCodec> device_codecs() {
    constexpr auto all = std::variant_size_v<DeviceKinds>;
    constexpr auto count = (all + device_slices - 1 - Slice) / device_slices;
    static const auto codecs = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<DeviceCodec, count>{
            codec_of<std::variant_alternative_t<Slice + I * device_slices, DeviceKinds>>(
                Slice + I * device_slices)...};
    }(std::make_index_sequence<count>{});
    return codecs;
}

} // namespace cloister
