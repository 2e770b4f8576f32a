/// <crypto>: a cryptographic accelerator of the guest.
/// Source: https://libvirt.org/formatdomain.html#crypto
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/virtio_driver.hpp"

namespace cloister {

enum class CryptoModel { virtio };
template <> inline constexpr auto names<CryptoModel> = make_names<CryptoModel>({"virtio"});
static_assert(names<CryptoModel>.covers(CryptoModel::virtio));

enum class CryptoType { qemu };
template <> inline constexpr auto names<CryptoType> = make_names<CryptoType>({"qemu"});
static_assert(names<CryptoType>.covers(CryptoType::qemu));

enum class CryptoBackendModel { builtin, lkcf };
template <> inline constexpr auto names<CryptoBackendModel> =
    make_names<CryptoBackendModel>({"builtin", "lkcf"});
static_assert(names<CryptoBackendModel>.covers(CryptoBackendModel::lkcf));

struct CryptoBackend {
    CryptoBackendModel model = CryptoBackendModel::builtin;
    std::optional<std::uint32_t> queues{};
    xml::Rest rest{};
    bool operator==(const CryptoBackend&) const = default;
};
template <> inline constexpr auto fields<CryptoBackend> =
    xml::table(xml::attr("model", &CryptoBackend::model), xml::attr("queues", &CryptoBackend::queues));

struct Crypto {
    CryptoModel model = CryptoModel::virtio;
    CryptoType type = CryptoType::qemu;
    CryptoBackend backend{};
    DeviceInfo info{};
    std::optional<VirtioDriver> driver{};
    xml::Rest rest{};
    bool operator==(const Crypto&) const = default;
};
template <> inline constexpr auto fields<Crypto> =
    xml::table(xml::attr("model", &Crypto::model), xml::attr("type", &Crypto::type),
               xml::child("backend", &Crypto::backend), xml::embed(&Crypto::info),
               xml::child("driver", &Crypto::driver));
template <> inline constexpr const char* element<Crypto> = "crypto";

} // namespace cloister
