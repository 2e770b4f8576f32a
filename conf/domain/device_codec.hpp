/// Reading and printing one device: a table from element name to the codec of a struct. The structs are
/// instantiated in slices (device_codec_0.cpp …), so that no single source takes long to compile.
#pragma once

#include "conf/device/list.hpp"

#include <array>
#include <span>

namespace cloister {

struct DeviceCodec {
    const char* name = nullptr; ///< of the element; null for UnmodelledDevice
    std::size_t place = 0;      ///< of the struct in the variant: the order of printing
    Result<Device> (*read)(const xml::Node&, xml::Flavour) = nullptr;
    void (*write)(const Device&, xml::Node&, const xml::Style&) = nullptr;
    void (*unmodelled)(const Device&, std::vector<xml::Unmodelled>&) = nullptr;
};

inline constexpr std::size_t device_slices = 8;
template <std::size_t Slice> std::span<const DeviceCodec> device_codecs();

/// Any element: what no struct is for becomes an UnmodelledDevice.
Result<Device> device_from_node(const xml::Node& node, xml::Flavour flavour);
xml::Node node_of_device(const Device& device, const xml::Style& style);
/// Appends what is kept of this device but not understood.
void unmodelled_in(const Device& device, std::vector<xml::Unmodelled>& out);

} // namespace cloister
