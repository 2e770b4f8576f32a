/// Domain: everything a definition says, as one value. What the text leaves out stays absent; defaults are a
/// later, pure pass (conf/domain/defaults.hpp, driver/plan/complete.hpp).
/// Source: https://libvirt.org/formatdomain.html
#pragma once

#include "conf/device/list.hpp"
#include "conf/domain/clock.hpp"
#include "conf/domain/cpu.hpp"
#include "conf/domain/features.hpp"
#include "conf/domain/lifecycle.hpp"
#include "conf/domain/memory.hpp"
#include "conf/domain/os.hpp"
#include "conf/domain/passthrough.hpp"
#include "conf/domain/sysinfo.hpp"
#include "conf/domain/vcpu.hpp"
#include "conf/part/seclabel.hpp"

namespace cloister {

/// Who runs the guest. We run qemu and kvm; the others are read, so that the refusal can name them.
enum class VirtType {
    qemu,
    kqemu,
    kvm,
    xen,
    lxc,
    uml,
    openvz,
    test,
    vmware,
    hyperv,
    vbox,
    phyp,
    parallels,
    bhyve,
    vz,
    hvf
};
template <> inline constexpr auto names<VirtType> =
    make_names<VirtType>({"qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv",
                          "vbox", "phyp", "parallels", "bhyve", "vz", "hvf"});
static_assert(names<VirtType>.covers(VirtType::hvf));

struct GenId {
    std::optional<Uuid> uuid{}; ///< absent: made at start
    xml::Rest rest{};
    bool operator==(const GenId&) const = default;
};
template <> inline constexpr auto fields<GenId> = xml::table(xml::content(&GenId::uuid));

struct FibreChannel {
    std::string appid{};
    xml::Rest rest{};
    bool operator==(const FibreChannel&) const = default;
};
template <> inline constexpr auto fields<FibreChannel> = xml::table(xml::attr("appid", &FibreChannel::appid));
struct Resource {
    std::optional<std::string> partition{};
    std::optional<FibreChannel> fibrechannel{};
    xml::Rest rest{};
    bool operator==(const Resource&) const = default;
};
template <> inline constexpr auto fields<Resource> = xml::table(
    xml::leaf("partition", &Resource::partition), xml::child("fibrechannel", &Resource::fibrechannel));

struct IdMapRange {
    std::uint32_t start = 0, target = 0, count = 0;
    xml::Rest rest{};
    bool operator==(const IdMapRange&) const = default;
};
template <> inline constexpr auto fields<IdMapRange> =
    xml::table(xml::attr("start", &IdMapRange::start), xml::attr("target", &IdMapRange::target),
               xml::attr("count", &IdMapRange::count));
struct IdMap {
    std::vector<IdMapRange> uid{}, gid{};
    xml::Rest rest{};
    bool operator==(const IdMap&) const = default;
};
template <> inline constexpr auto fields<IdMap> =
    xml::table(xml::child("uid", &IdMap::uid), xml::child("gid", &IdMap::gid));

struct Devices {
    std::optional<std::string> emulator{}; ///< path of the QEMU binary
    std::vector<Device> list{};            ///< by type, as they are printed; in document order within a type
    bool operator==(const Devices&) const = default;
};

/// Copied and compared in domain.cpp only: written out in every source that does it, that is seconds each.
struct Domain {
    Domain();
    Domain(const Domain& other);
    Domain(Domain&& other) noexcept;
    Domain& operator=(const Domain& other);
    Domain& operator=(Domain&& other) noexcept;
    ~Domain();
    bool operator==(const Domain& other) const;

    VirtType type = VirtType::qemu;
    std::optional<int> id{}; ///< of a running guest
    std::string name{};
    std::optional<Uuid> uuid{}; ///< absent: made when it is defined
    std::optional<GenId> genid{};
    std::optional<std::string> title{}, description{};
    std::optional<xml::Node> metadata{}; ///< the whole element: foreign children, verbatim
    std::optional<MaxMemory> max_memory{};
    std::optional<MemorySize> memory{}, current_memory{};
    std::optional<BlkioTune> blkiotune{};
    std::optional<MemTune> memtune{};
    std::optional<MemoryBacking> memory_backing{};
    std::optional<Vcpu> vcpu{};
    std::optional<Vcpus> vcpus{};
    std::optional<std::uint32_t> iothreads{};
    std::optional<IoThreadIds> iothreadids{};
    std::optional<DefaultIoThread> defaultiothread{};
    std::optional<CpuTune> cputune{};
    std::optional<NumaTune> numatune{};
    std::optional<Resource> resource{};
    std::vector<Sysinfo> sysinfo{};
    Os os{};
    std::optional<IdMap> idmap{};
    std::optional<Features> features{};
    std::optional<Cpu> cpu{};
    std::optional<Clock> clock{};
    std::optional<LifecycleAction> on_poweroff{}, on_reboot{}, on_crash{};
    std::optional<LockFailureAction> on_lockfailure{};
    std::optional<Pm> pm{};
    std::optional<Perf> perf{};
    Devices devices{};
    std::vector<SecLabel> seclabels{};
    Passthrough passthrough{};
    xml::Rest rest{}; ///< keywrap, launchSecurity and what nobody knows yet
};

} // namespace cloister
