#include "driver/op/info.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain.hpp"
#include "driver/op/find.hpp"
#include "driver/probe/sysfs.hpp"

#include <array>
#include <chrono>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace cloister {

namespace {

/// User and system time of a whole process, in ns. Source: proc(5), fields 14 and 15 of /proc/PID/stat.
std::uint64_t cpu_time_ns(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    if (!std::getline(stat, text)) return 0;
    const auto name_end = text.rfind(')'); // the name may hold blanks and parentheses
    if (name_end == std::string::npos) return 0;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped; // fields 3 to 13
    std::uint64_t user = 0, system = 0;
    fields >> user >> system;
    const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return (user + system) * (1'000'000'000u / ticks);
}

struct TaintText {
    std::string_view flag, text;
};
constexpr TaintText taint_texts[]{
    {"custom-argv", "custom configuration parameters specified"},
    {"custom-monitor", "custom monitor control commands issued"},
    {"high-privileges", "running with undesirable elevated privileges"},
    {"disk-probing", "potentially unsafe disk format probing"},
    {"host-cpu", "use of host cpu passthrough"},
    {"custom-dtb", "custom device tree blob used"},
    {"custom-device", "custom device configuration"},
    {"relaxed-confinement", "qemu.conf makes the confinement weaker than it could be"},
    {"custom-hypervisor-feature", "hypervisor feature autodetection override"},
};

std::string taint_text(const std::string& flag) {
    for (const auto& known : taint_texts)
        if (known.flag == flag) return std::string(known.text);
    return flag;
}

call::DomainGetSecurityLabelOut label_of(std::string text, bool enforcing) {
    text.push_back('\0'); // the wire's array carries it
    return {.label = {std::move(text)}, .enforcing = enforcing ? 1 : 0};
}

const std::string& mandatory_label(const Identity& who) {
    return who.process_context.empty() ? who.apparmor_profile : who.process_context;
}
/// SELinux may only log what it would refuse.
bool is_enforced(const Identity& who) {
    return who.process_context.empty() || file_number("/sys/fs/selinux/enforce") == 1;
}

std::vector<call::DomainGetSecurityLabelOut> labels(const Guest& guest) {
    std::vector<call::DomainGetSecurityLabelOut> out;
    if (!guest.running) return out;
    const auto& who = guest.running->plan.identity;
    if (const auto label = mandatory_label(who); !label.empty())
        out.push_back(label_of(label, is_enforced(who)));
    if (who.set_ids) out.push_back(label_of(fmt::format("+{}:+{}", who.uid, who.gid), false));
    return out;
}

std::uint64_t kib_of(const std::optional<MemorySize>& size) { return size ? size->kib : 0; }

} // namespace

Task<Result<DomainGetState::Out>> DomainGetState::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetState"));
    CO_TRY(guest, find(call, in.dom));
    co_return Out{static_cast<std::int32_t>(guest->status.state), guest->status.reason};
}

Task<Result<DomainGetInfo::Out>> DomainGetInfo::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    const auto& domain = *guest->current();
    const auto most = kib_of(domain.memory);
    auto now = domain.current_memory ? kib_of(domain.current_memory) : most;
    std::uint64_t time = 0;
    if (guest->running) {
        if (guest->running->balloon_bytes) now = guest->running->balloon_bytes / 1024;
        if (guest->running->pid > 0) time = cpu_time_ns(guest->running->pid);
    }
    const auto cpus = domain.vcpu ? domain.vcpu->current.value_or(domain.vcpu->count) : 1;
    co_return Out{.state = static_cast<std::uint8_t>(guest->status.state),
                  .max_mem = most,
                  .memory = now,
                  .nr_virt_cpu = static_cast<std::uint16_t>(cpus),
                  .cpu_time = time};
}

Task<Result<DomainGetOsType::Out>> DomainGetOsType::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    co_return Out{{"hvm"}};
}

Task<Result<DomainIsActive::Out>> DomainIsActive::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    co_return Out{guest->active() ? 1 : 0};
}
Task<Result<DomainIsPersistent::Out>> DomainIsPersistent::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    co_return Out{guest->persistent ? 1 : 0};
}
Task<Result<DomainIsUpdated::Out>> DomainIsUpdated::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    co_return Out{guest->updated ? 1 : 0};
}

Task<Result<DomainGetControlInfo::Out>> DomainGetControlInfo::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainGetControlInfo"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    constexpr std::uint32_t idle = 0, job = 1, unreachable = 3, monitor_broken = 3;
    if (!guest->running->starting && !guest->running->monitor)
        co_return Out{.state = unreachable, .details = monitor_broken};
    co_return Out{.state = guest->jobs.busy() ? job : idle};
}

Task<Result<DomainGetMessages::Out>> DomainGetMessages::run(Call call, In in) {
    constexpr std::uint32_t deprecation = 1, tainting = 2;
    CO_CHECK(check_flags(in.flags, deprecation | tainting, "qemuDomainGetMessages"));
    CO_TRY(guest, find(call, in.dom));
    Out out;
    if (!in.flags || (in.flags & tainting))
        for (const auto& flag : guest->taints) out.msgs.items.push_back({"tainted: " + taint_text(flag)});
    if (!in.flags || (in.flags & deprecation))
        for (const auto& message : guest->deprecations)
            out.msgs.items.push_back({"deprecated configuration: " + message});
    if (!in.flags) // of no kind that libvirt has a flag for
        for (const auto& denial : guest->denials) out.msgs.items.push_back({"denied: " + denial});
    co_return out;
}

Task<Result<DomainGetSecurityLabel::Out>> DomainGetSecurityLabel::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    // The one model that virNodeGetSecurityModel names; owners are in the list only.
    const auto who = guest->running ? guest->running->plan.identity : Identity{};
    const auto& label = mandatory_label(who);
    co_return label_of(label, !label.empty() && is_enforced(who));
}
Task<Result<DomainGetSecurityLabelList::Out>> DomainGetSecurityLabelList::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    Out out{.labels = {labels(*guest)}};
    out.ret = static_cast<std::int32_t>(out.labels.items.size());
    co_return out;
}

Task<Result<DomainGetJobInfo::Out>> DomainGetJobInfo::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    co_return Out{};
}
Task<Result<DomainGetJobStats::Out>> DomainGetJobStats::run(Call call, In in) {
    constexpr std::uint32_t completed = 1, keep_completed = 2;
    CO_CHECK(check_flags(in.flags, completed | keep_completed, "qemuDomainGetJobStats"));
    CO_TRY(guest, find(call, in.dom));
    if (!(in.flags & completed)) CO_CHECK(need_running(*guest));
    co_return Out{};
}
Task<Result<DomainAbortJob::Out>> DomainAbortJob::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    co_return refuse(Code::operation_invalid, tr("no job is active on the domain"));
}
Task<Result<DomainAbortJobFlags::Out>> DomainAbortJobFlags::run(Call call, In in) {
    constexpr std::uint32_t postcopy = 1;
    CO_CHECK(check_flags(in.flags, postcopy, "qemuDomainAbortJobFlags"));
    CO_TRY(guest, find(call, in.dom));
    CO_CHECK(need_running(*guest));
    co_return refuse(Code::operation_invalid, tr("no job is active on the domain"));
}

} // namespace cloister
