/// <shmem>: memory shared between guests, or with the host.
/// Source: https://libvirt.org/formatdomain.html#shared-memory-device
#pragma once

#include "conf/part/device_info.hpp"
#include "conf/part/scaled.hpp"

namespace cloister {

enum class ShmemModelType { ivshmem, ivshmem_plain, ivshmem_doorbell };
template <> inline constexpr auto names<ShmemModelType> =
    make_names<ShmemModelType>({"ivshmem", "ivshmem-plain", "ivshmem-doorbell"});
static_assert(names<ShmemModelType>.covers(ShmemModelType::ivshmem_doorbell));

enum class ShmemRole { master, peer };
template <> inline constexpr auto names<ShmemRole> = make_names<ShmemRole>({"master", "peer"});
static_assert(names<ShmemRole>.covers(ShmemRole::peer));

struct ShmemModel {
    ShmemModelType type = ShmemModelType::ivshmem;
    xml::Rest rest{};
    bool operator==(const ShmemModel&) const = default;
};
template <> inline constexpr auto fields<ShmemModel> = xml::table(xml::attr("type", &ShmemModel::type));

struct ShmemServer {
    std::optional<std::string> path{};
    xml::Rest rest{};
    bool operator==(const ShmemServer&) const = default;
};
template <> inline constexpr auto fields<ShmemServer> = xml::table(xml::attr("path", &ShmemServer::path));

struct ShmemMsi {
    std::optional<std::uint32_t> vectors{};
    std::optional<Switch> ioeventfd{};
    xml::Rest rest{};
    bool operator==(const ShmemMsi&) const = default;
};
template <> inline constexpr auto fields<ShmemMsi> =
    xml::table(xml::attr("vectors", &ShmemMsi::vectors), xml::attr("ioeventfd", &ShmemMsi::ioeventfd));

struct Shmem {
    std::string name{}; ///< below /dev/shm
    std::optional<ShmemRole> role{};
    std::optional<ShmemModel> model{};
    std::optional<MibSize> size{};
    std::optional<ShmemServer> server{};
    std::optional<ShmemMsi> msi{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Shmem&) const = default;
};
template <> inline constexpr auto fields<Shmem> = xml::table(
    xml::attr("name", &Shmem::name), xml::attr("role", &Shmem::role), xml::child("model", &Shmem::model),
    xml::child("size", &Shmem::size), xml::child("server", &Shmem::server), xml::child("msi", &Shmem::msi),
    xml::embed(&Shmem::info));
template <> inline constexpr const char* element<Shmem> = "shmem";

} // namespace cloister
