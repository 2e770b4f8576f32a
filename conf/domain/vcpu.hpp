/// Virtual CPUs and I/O threads: how many, which are plugged, where and how they run.
/// Source: https://libvirt.org/formatdomain.html#cpu-allocation
#pragma once

#include "conf/domain/memory.hpp"

namespace cloister {

struct Vcpu {
    std::optional<Placement> placement{};
    std::optional<CpuSet> cpuset{};
    std::optional<std::uint32_t> current{}; ///< plugged at start; absent: all
    std::uint32_t count = 1;                ///< the most there can be
    xml::Rest rest{};
    bool operator==(const Vcpu&) const = default;
};
template <> inline constexpr auto fields<Vcpu> =
    xml::table(xml::attr("placement", &Vcpu::placement), xml::attr("cpuset", &Vcpu::cpuset),
               xml::attr("current", &Vcpu::current), xml::content(&Vcpu::count));

struct VcpuState {
    std::uint32_t id = 0;
    std::optional<YesNo> enabled{};
    std::optional<YesNo> hotpluggable{};
    std::optional<std::uint32_t> order{};
    xml::Rest rest{};
    bool operator==(const VcpuState&) const = default;
};
template <> inline constexpr auto fields<VcpuState> =
    xml::table(xml::attr("id", &VcpuState::id), xml::attr("enabled", &VcpuState::enabled),
               xml::attr("hotpluggable", &VcpuState::hotpluggable), xml::attr("order", &VcpuState::order));
struct Vcpus {
    std::vector<VcpuState> vcpus{};
    xml::Rest rest{};
    bool operator==(const Vcpus&) const = default;
};
template <> inline constexpr auto fields<Vcpus> = xml::table(xml::child("vcpu", &Vcpus::vcpus));

struct IoThreadId {
    std::uint32_t id = 0;
    std::optional<int> thread_pool_min{}, thread_pool_max{};
    xml::Rest rest{};
    bool operator==(const IoThreadId&) const = default;
};
template <> inline constexpr auto fields<IoThreadId> =
    xml::table(xml::attr("id", &IoThreadId::id), xml::attr("thread_pool_min", &IoThreadId::thread_pool_min),
               xml::attr("thread_pool_max", &IoThreadId::thread_pool_max));
struct IoThreadIds {
    std::vector<IoThreadId> threads{};
    xml::Rest rest{};
    bool operator==(const IoThreadIds&) const = default;
};
template <> inline constexpr auto fields<IoThreadIds> =
    xml::table(xml::child("iothread", &IoThreadIds::threads));

struct DefaultIoThread {
    std::optional<int> thread_pool_min{}, thread_pool_max{};
    xml::Rest rest{};
    bool operator==(const DefaultIoThread&) const = default;
};
template <> inline constexpr auto fields<DefaultIoThread> =
    xml::table(xml::attr("thread_pool_min", &DefaultIoThread::thread_pool_min),
               xml::attr("thread_pool_max", &DefaultIoThread::thread_pool_max));

struct VcpuPin {
    std::uint32_t vcpu = 0;
    CpuSet cpuset{};
    xml::Rest rest{};
    bool operator==(const VcpuPin&) const = default;
};
template <> inline constexpr auto fields<VcpuPin> =
    xml::table(xml::attr("vcpu", &VcpuPin::vcpu), xml::attr("cpuset", &VcpuPin::cpuset));
struct EmulatorPin {
    CpuSet cpuset{};
    xml::Rest rest{};
    bool operator==(const EmulatorPin&) const = default;
};
template <> inline constexpr auto fields<EmulatorPin> = xml::table(xml::attr("cpuset", &EmulatorPin::cpuset));
struct IoThreadPin {
    std::uint32_t iothread = 0;
    CpuSet cpuset{};
    xml::Rest rest{};
    bool operator==(const IoThreadPin&) const = default;
};
template <> inline constexpr auto fields<IoThreadPin> =
    xml::table(xml::attr("iothread", &IoThreadPin::iothread), xml::attr("cpuset", &IoThreadPin::cpuset));

enum class Scheduler { batch, idle, fifo, rr };
template <> inline constexpr auto names<Scheduler> = make_names<Scheduler>({"batch", "idle", "fifo", "rr"});
static_assert(names<Scheduler>.covers(Scheduler::rr));
struct VcpuSched {
    CpuSet vcpus{};
    Scheduler scheduler = Scheduler::batch;
    std::optional<int> priority{};
    xml::Rest rest{};
    bool operator==(const VcpuSched&) const = default;
};
template <> inline constexpr auto fields<VcpuSched> =
    xml::table(xml::attr("vcpus", &VcpuSched::vcpus), xml::attr("scheduler", &VcpuSched::scheduler),
               xml::attr("priority", &VcpuSched::priority));
struct IoThreadSched {
    CpuSet iothreads{};
    Scheduler scheduler = Scheduler::batch;
    std::optional<int> priority{};
    xml::Rest rest{};
    bool operator==(const IoThreadSched&) const = default;
};
template <> inline constexpr auto fields<IoThreadSched> = xml::table(
    xml::attr("iothreads", &IoThreadSched::iothreads), xml::attr("scheduler", &IoThreadSched::scheduler),
    xml::attr("priority", &IoThreadSched::priority));
struct EmulatorSched {
    Scheduler scheduler = Scheduler::batch;
    std::optional<int> priority{};
    xml::Rest rest{};
    bool operator==(const EmulatorSched&) const = default;
};
template <> inline constexpr auto fields<EmulatorSched> = xml::table(
    xml::attr("scheduler", &EmulatorSched::scheduler), xml::attr("priority", &EmulatorSched::priority));

struct CpuTune {
    std::optional<std::uint64_t> shares{}, period{};
    std::optional<std::int64_t> quota{};
    std::optional<std::uint64_t> global_period{};
    std::optional<std::int64_t> global_quota{};
    std::optional<std::uint64_t> emulator_period{};
    std::optional<std::int64_t> emulator_quota{};
    std::optional<std::uint64_t> iothread_period{};
    std::optional<std::int64_t> iothread_quota{};
    std::vector<VcpuPin> vcpupin{};
    std::optional<EmulatorPin> emulatorpin{};
    std::vector<IoThreadPin> iothreadpin{};
    std::optional<EmulatorSched> emulatorsched{};
    std::vector<VcpuSched> vcpusched{};
    std::vector<IoThreadSched> iothreadsched{};
    xml::Rest rest{};
    bool operator==(const CpuTune&) const = default;
};
template <> inline constexpr auto fields<CpuTune> = xml::table(
    xml::leaf("shares", &CpuTune::shares), xml::leaf("period", &CpuTune::period),
    xml::leaf("quota", &CpuTune::quota), xml::leaf("global_period", &CpuTune::global_period),
    xml::leaf("global_quota", &CpuTune::global_quota),
    xml::leaf("emulator_period", &CpuTune::emulator_period),
    xml::leaf("emulator_quota", &CpuTune::emulator_quota),
    xml::leaf("iothread_period", &CpuTune::iothread_period),
    xml::leaf("iothread_quota", &CpuTune::iothread_quota), xml::child("vcpupin", &CpuTune::vcpupin),
    xml::child("emulatorpin", &CpuTune::emulatorpin), xml::child("iothreadpin", &CpuTune::iothreadpin),
    xml::child("emulatorsched", &CpuTune::emulatorsched), xml::child("vcpusched", &CpuTune::vcpusched),
    xml::child("iothreadsched", &CpuTune::iothreadsched));

} // namespace cloister
