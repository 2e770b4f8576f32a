#include "conf/domain/device_codec.hpp"

#include "conf/base/tr.hpp"

namespace cloister {
namespace {

using AllCodecs = std::array<DeviceCodec, std::variant_size_v<DeviceKinds>>;

template <std::size_t... Slice> AllCodecs gathered(std::index_sequence<Slice...>) {
    AllCodecs all{};
    const auto take = [&](std::span<const DeviceCodec> slice) {
        for (const auto& codec : slice) all[codec.place] = codec;
    };
    (take(device_codecs<Slice>()), ...);
    return all;
}

const AllCodecs& codecs() {
    static const AllCodecs all = gathered(std::make_index_sequence<device_slices>{});
    return all;
}

} // namespace

Result<Device> device_from_node(const xml::Node& node, xml::Flavour flavour) {
    for (const auto& codec : codecs())
        if (codec.name && node.name == codec.name) return codec.read(node, flavour);
    return UnmodelledDevice{node};
}

xml::Node node_of_device(const Device& device, const xml::Style& style) {
    const auto& codec = codecs()[device.index()];
    if (!codec.name) return std::get<UnmodelledDevice>(device).node;
    xml::Node node{.name = codec.name};
    codec.write(device, node, style);
    return node;
}

void unmodelled_in(const Device& device, std::vector<xml::Unmodelled>& out) {
    const auto& codec = codecs()[device.index()];
    if (codec.name) return codec.unmodelled(device, out);
    const auto& node = std::get<UnmodelledDevice>(device).node;
    out.push_back({tr("device <{0}>", node.name), node.line});
}

} // namespace cloister
