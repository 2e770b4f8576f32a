#include "security/caps.hpp"
#include "security/cgroup_bpf.hpp"
#include "security/cgroup_rules.hpp"
#include "security/dac.hpp"
#include "security/landlock.hpp"
#include "security/limits.hpp"
#include "security/mountns.hpp"
#include "security/seccomp.hpp"

#include <cstring>
#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <set>
#include <sys/resource.h>

namespace cloister {
namespace {

const Identity qemu{.uid = 64055, .gid = 107, .groups = {107, 64055}};

Seen file(std::uint32_t mode, Owner owner, std::uint64_t ino = 1) {
    return {.kind = SeenKind::file, .id = {254, ino}, .owner = owner, .mode = mode};
}
Seen node(SeenKind kind, std::uint32_t major, std::uint32_t minor, std::uint32_t mode = 0660,
          Owner owner = {0, 6}) {
    return {
        .kind = kind, .id = {5, 100 + minor}, .owner = owner, .mode = mode, .major = major, .minor = minor};
}
Seen link(std::string target, std::string next) {
    return {.kind = SeenKind::symlink, .mode = 0777, .target = std::move(target), .next = std::move(next)};
}
Grant disk(std::string path, Access access = Access::read_write) {
    return {.path = std::move(path), .kind = Kind::file, .access = access, .why = "disk vda"};
}

// ---- dac ----
GiveFile give(std::string path, std::uint64_t ino, Owner was, bool remember = true) {
    return {.path = std::move(path),
            .id = {254, ino},
            .owner = {64055, 107},
            .was = was,
            .back = was,
            .holder = "vm: disk vda",
            .remember = remember};
}
GiveFile hold(std::string path, std::uint64_t ino, Owner whose) {
    auto out = give(std::move(path), ino, whose, false);
    out.owner = whose;
    return out;
}
std::vector<Op> owners(const std::vector<Grant>& grants, const Identity& who, const HostLook& look,
                       bool private_dev = true) {
    return dac_ops(grants, who, private_dev, look, "vm").value();
}

TEST(Dac, GivesTheGuestItsExclusiveFilesAndRemembersWhoseTheyWere) {
    const HostLook look{.paths = {{"/a", file(0600, {0, 0})}}};
    EXPECT_EQ(owners({disk("/a")}, qemu, look), (std::vector<Op>{give("/a", 1, {0, 0})}));
}
TEST(Dac, FollowsASymlinkToTheFileItselfAndNamesItWithoutOne) {
    auto seen = file(0600, {1, 1});
    seen.real = "/real/a";
    const HostLook look{.paths = {{"/l", link("a", "/a")}, {"/a", seen}}};
    EXPECT_EQ(owners({disk("/l"), disk("/a")}, qemu, look), (std::vector<Op>{give("/real/a", 1, {1, 1})}));
}
TEST(Dac, HoldsWhatTheGuestCanReadAlreadyAndGivesItTheRest) {
    const HostLook look{.paths = {{"/world", file(0644, {0, 0})},
                                  {"/group", file(0640, {0, 107}, 2)},
                                  {"/no", file(0600, {0, 0}, 7)}}};
    EXPECT_EQ(owners({disk("/world", Access::read), disk("/group", Access::read), disk("/no", Access::read)},
                     qemu, look),
              (std::vector<Op>{hold("/world", 1, {0, 0}), hold("/group", 2, {0, 107}),
                               give("/no", 7, {0, 0}, false)}));
}
TEST(Dac, AFileThatAnotherGuestHoldsComesBackToWhomItBelongedBeforeBoth) {
    auto seen = file(0600, {64055, 107});
    seen.former = Owner{5, 6};
    auto expected = give("/a", 1, {64055, 107});
    expected.back = {5, 6};
    EXPECT_EQ(owners({disk("/a")}, qemu, {.paths = {{"/a", seen}}}), (std::vector<Op>{expected}));
}
TEST(Dac, EachDeviceHoldsAFileOfItsOwnAccord) {
    auto second = disk("/a");
    second.why = "disk vdb";
    const auto ops = owners({disk("/a"), second, second}, qemu, {.paths = {{"/a", file(0600, {0, 0})}}});
    ASSERT_EQ(ops.size(), 2U);
    EXPECT_EQ(std::get<GiveFile>(ops[1]).holder, "vm: disk vdb");
}
TEST(Dac, WithoutAMemoryAnExclusiveFileIsRootsAfterwardsAndASharedOneStays) {
    auto forgetful = qemu;
    forgetful.remember_owner = false;
    auto exclusive = give("/a", 1, {5, 5}, false), shared = exclusive;
    exclusive.back = {0, 0};
    shared.back = {64055, 107};
    const HostLook look{.paths = {{"/a", file(0600, {5, 5})}}};
    EXPECT_EQ(owners({disk("/a")}, forgetful, look), (std::vector<Op>{exclusive}));
    EXPECT_EQ(owners({disk("/a", Access::read)}, forgetful, look), (std::vector<Op>{shared}));
}
TEST(Dac, WithIdmapFilesAreHeldAndShownAsTheGuestsOwn) {
    auto mapped = qemu;
    mapped.map_owner = true;
    const HostLook look{.paths = {{"/a", file(0600, {5, 5})}, {"/world", file(0644, {0, 0}, 2)}}};
    const std::vector<Grant> grants{disk("/a"), disk("/world", Access::read)};
    EXPECT_EQ(owners(grants, mapped, look),
              (std::vector<Op>{hold("/a", 1, {5, 5}), hold("/world", 2, {0, 0})}));
    EXPECT_EQ(map_ops(grants, mapped, true, look).value(),
              (std::vector<Op>{MapOwner{{}, "/a", {254, 1}, {5, 5}, {64055, 107}}}));
    EXPECT_EQ(map_ops(grants, qemu, true, look).value(), std::vector<Op>{});
}
TEST(Dac, DoesNotChangeWhatAnOverrideTheConfigurationOrWeOurselvesKeep) {
    const HostLook look{.paths = {{"/a", file(0600, {0, 0})}}};
    auto labelled = disk("/a");
    labelled.overrides = {{"dac", false, {}}};
    auto made = disk("/a");
    made.created_by_us = true;
    auto kept = disk("/a");
    kept.keep_owner = true;
    EXPECT_EQ(owners({made, kept, disk("/absent")}, qemu, look), std::vector<Op>{});
    EXPECT_EQ(owners({labelled}, qemu, look), (std::vector<Op>{hold("/a", 1, {0, 0})}));
    auto fixed = qemu;
    fixed.relabel_dac = false;
    EXPECT_EQ(owners({disk("/a")}, fixed, look), (std::vector<Op>{hold("/a", 1, {0, 0})}));
    fixed = qemu;
    fixed.set_ids = false;
    EXPECT_EQ(owners({disk("/a")}, fixed, look), std::vector<Op>{});
}
TEST(Dac, AnOverrideNamesAnotherOwnerByNumberOrByName) {
    const HostLook look{.paths = {{"/a", file(0600, {0, 0})}}, .names = {{"root:kvm", {0, 36}}}};
    auto grant = disk("/a");
    grant.overrides = {{"selinux", true, "x:y:z"}, {"dac", true, "+5:+6"}};
    EXPECT_EQ(owner_for(grant, qemu, look).value(), (Owner{5, 6}));
    grant.overrides = {{"dac", true, "root:kvm"}};
    EXPECT_EQ(owner_for(grant, qemu, look).value(), (Owner{0, 36}));
    grant.overrides = {{"dac", true, "nobody-knows:me"}};
    const auto unknown = owner_for(grant, qemu, look);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Code::config_unsupported);
    EXPECT_EQ(unknown.error().message, "unknown owner 'nobody-knows:me' of disk vda");
}
TEST(Dac, LeavesNodesOfThePrivateDevToTheMountNamespace) {
    const HostLook look{.paths = {{"/dev/sda", node(SeenKind::block_device, 8, 0)}}};
    EXPECT_EQ(owners({disk("/dev/sda")}, qemu, look), std::vector<Op>{});
    auto expected = give("/dev/sda", 100, {0, 6});
    expected.id.dev = 5;
    EXPECT_EQ(owners({disk("/dev/sda")}, qemu, look, false), (std::vector<Op>{expected}));
}
TEST(Dac, WithAnAclTheModeBitsSayNothing) {
    auto seen = file(0666, {0, 0});
    EXPECT_TRUE(may_access(seen, qemu, Access::read_write));
    seen.acl = "x";
    EXPECT_FALSE(may_access(seen, qemu, Access::read_write));
    EXPECT_FALSE(may_access(file(0066, {64055, 0}), qemu, Access::read))
        << "the owner's bits count for the owner";
}

// ---- mountns ----
TEST(MountNamespace, RecreatesLinksAndMakesNodesWithTheirNewOwner) {
    const HostLook look{.paths = {{"/dev/disk/by-id/a", link("../../sda", "/dev/sda")},
                                  {"/dev/sda", node(SeenKind::block_device, 8, 0)},
                                  {"/dev/null", node(SeenKind::char_device, 1, 3, 0666, {0, 0})}}};
    Grant null{.path = "/dev/null", .access = Access::read_write, .keep_owner = true};
    EXPECT_EQ(
        dev_ops({null, disk("/dev/disk/by-id/a"), disk("/dev/sda")}, qemu, look).value(),
        (std::vector<Op>{MakeNode{{}, "/dev/null", NodeType::char_device, 1, 3, 0666, {0, 0}, ""},
                         MakeLink{{}, "/dev/disk/by-id/a", "../../sda"},
                         MakeNode{{}, "/dev/sda", NodeType::block_device, 8, 0, 0660, {64055, 107}, ""}}));
}
TEST(MountNamespace, ANodeNamedTwiceGetsTheOwnerThatSomebodyNeeds) {
    const HostLook look{.paths = {{"/dev/urandom", node(SeenKind::char_device, 1, 9, 0644, {0, 0})}}};
    Grant base{.path = "/dev/urandom", .access = Access::read_write, .keep_owner = true},
        rng{.path = "/dev/urandom"};
    EXPECT_EQ(
        dev_ops({base, rng}, qemu, look).value(),
        (std::vector<Op>{MakeNode{{}, "/dev/urandom", NodeType::char_device, 1, 9, 0644, {64055, 107}, ""}}));
}
TEST(MountNamespace, LeavesMountsOfDevAndTheRestOfTheHostAlone) {
    const HostLook look{.paths = {{"/dev/shm/x", file(0600, {0, 0})},
                                  {"/a", file(0600, {0, 0})},
                                  {"/dev/s", file(0600, {0, 0}, 3)}},
                        .dev_submounts = {"/dev/shm"}};
    EXPECT_EQ(
        dev_ops({disk("/dev/shm/x"), disk("/a"), disk("/dev/s"), disk("/dev/absent")}, qemu, look).value(),
        (std::vector<Op>{BindMount{{}, "/dev/s", "/dev/s", {254, 3}, false}}));
    EXPECT_FALSE(in_private_dev("/dev", look));
    EXPECT_FALSE(in_private_dev("/device", look));
    EXPECT_FALSE(in_private_dev("/dev/shm", look));
    EXPECT_TRUE(in_private_dev("/dev/shmem", look));
}
TEST(MountNamespace, ALoopOfSymlinksLeadsNowhere) {
    const HostLook look{.paths = {{"/dev/a", link("b", "/dev/b")}, {"/dev/b", link("a", "/dev/a")}}};
    EXPECT_EQ(destination(look, "/dev/a").seen, nullptr);
}

// ---- control groups ----
LaunchPlan plan() {
    LaunchPlan out;
    out.confinement.cgroup_name = "qemu-1-a";
    return out;
}
const CgroupLayout hybrid{.hierarchies = {{"/cg/cpu", {"cpu"}, false},
                                          {"/cg/cpuset", {"cpuset"}, false},
                                          {"/cg/devices", {"devices"}, false},
                                          {"/cg/freezer", {"freezer"}, false},
                                          {"/cg/memory", {"memory"}, false},
                                          {"/cg/pids", {"pids"}, false},
                                          {"/cg/systemd", {"name=systemd"}, false},
                                          {"/cg/unified", {}, true}},
                          .cpus = "0-1",
                          .mems = "0"};

TEST(Cgroups, OnHybridTheDeviceListGoesToV2AndOnlyUsedControllersAreJoined) {
    const auto out = cgroups(plan(), {.cgroups = hybrid});
    EXPECT_EQ(out.groups, (std::vector<std::string>{"/cg/memory/machine/qemu-1-a.cloister",
                                                    "/cg/cpu/machine/qemu-1-a.cloister"}));
    EXPECT_EQ(out.v2, "/cg/unified/machine/qemu-1-a.cloister");
    EXPECT_EQ(out.backend, DeviceBackend::bpf);
    EXPECT_EQ(out.device_group, out.v2);
    EXPECT_EQ(out.ops.front(), Op(MakeCgroup{"/cg/cpu", "machine", {}, "", "", true}));
    EXPECT_EQ(
        out.ops.back(),
        Op(DeviceAcl{DeviceBackend::bpf, out.v2, {{NodeType::char_device, 136, {}, true, true, false}}}));
}
TEST(Cgroups, OnV1TheDeviceListGoesToItsController) {
    auto v1 = hybrid;
    v1.hierarchies.pop_back();
    const auto out = cgroups(plan(), {.cgroups = v1});
    EXPECT_EQ(out.backend, DeviceBackend::v1);
    EXPECT_EQ(out.device_group, "/cg/devices/machine/qemu-1-a.cloister");
    EXPECT_EQ(out.v2, "");
}
TEST(Cgroups, OnV2ControllersAreHandedDown) {
    const CgroupLayout v2{.hierarchies = {{"/cg", {"cpuset", "cpu", "io", "memory", "pids"}, true}}};
    auto limited = plan();
    limited.confinement.limits.threads = 33;
    const auto out = cgroups(limited, {.cgroups = v2});
    EXPECT_EQ(out.groups, std::vector<std::string>{});
    EXPECT_EQ(out.v2, "/cg/machine/qemu-1-a.cloister");
    EXPECT_EQ(
        out.ops,
        (std::vector<Op>{
            MakeCgroup{"/cg", "machine", {"cpu", "io", "memory", "pids"}, "", "", true},
            MakeCgroup{"/cg", "machine/qemu-1-a.cloister", {"cpu", "io", "memory", "pids"}, "", "", false},
            SetCgroupValue{"/cg/machine/qemu-1-a.cloister/pids.max", "33", std::nullopt},
            DeviceAcl{DeviceBackend::bpf, "/cg/machine/qemu-1-a.cloister", out.rules}}));
}
TEST(Cgroups, TheConfigurationChoosesControllersAndMissingOnesAreSkipped) {
    auto chosen = plan();
    chosen.confinement.cgroup_controllers = {"cpuset", "net_cls"};
    const auto out = cgroups(chosen, {.cgroups = hybrid});
    EXPECT_EQ(out.groups, std::vector<std::string>{"/cg/cpuset/machine/qemu-1-a.cloister"});
    EXPECT_EQ(out.backend, DeviceBackend::none) << "devices was not asked for";
    EXPECT_EQ(out.ops.back(),
              Op(MakeCgroup{"/cg/cpuset", "machine/qemu-1-a.cloister", {}, "0-1", "0", false}));
    chosen.confinement.use_cgroups = false;
    EXPECT_EQ(cgroups(chosen, {.cgroups = hybrid}), Cgroups{});
}
TEST(Cgroups, SaysWhatTheHostCannotDo) {
    const auto out = cgroups(plan(), {});
    EXPECT_EQ(out.notes, std::vector<std::string>{
                             "cgroup: this host has neither a v2 hierarchy nor the v1 controller 'devices'"});
}
TEST(Cgroups, APartitionThatIsThereIsNotMade) {
    const HostLook look{.paths = {{"/cg/machine", {.kind = SeenKind::directory}}},
                        .cgroups = {.hierarchies = {{"/cg", {}, true}}}};
    const auto out = cgroups(plan(), look);
    EXPECT_EQ(out.ops.front(), Op(MakeCgroup{"/cg", "machine/qemu-1-a.cloister", {}, "", "", false}));
}
TEST(Cgroups, NamesFollowTheRulesOfTheField) {
    const auto path = [](std::string partition, std::string name) {
        return group_path({.cgroup_name = std::move(name), .cgroup_partition = std::move(partition)});
    };
    EXPECT_EQ(path("/machine", "qemu-1-a"), "machine/qemu-1-a.cloister");
    EXPECT_EQ(path("/machine/prod", "q"), "machine/prod.partition/q.cloister");
    EXPECT_EQ(path("/a//b.partition/", "q"), "a.partition/b.partition/q.cloister");
    EXPECT_EQ(path("", "q"), "q.cloister");
    EXPECT_EQ(path("/cgroup.x", "_q"), "_cgroup.x.partition/__q.cloister");
    EXPECT_EQ(path("/.h", "cpu.q"), "_.h.partition/_cpu.q.cloister");
}
TEST(DeviceRules, AreExactMergedAndNeverAllowMakingNodes) {
    const HostLook look{.paths = {{"/dev/null", node(SeenKind::char_device, 1, 3)},
                                  {"/dev/b13", node(SeenKind::block_device, 1, 3)},
                                  {"/dev/link", link("null", "/dev/null")},
                                  {"/image", file(0600, {0, 0})}}};
    const auto rules = device_rules(
        {disk("/dev/link", Access::read_write), disk("/dev/b13", Access::read), disk("/image")},
        {{.path = "/dev/null", .access = Access::read}, {.path = "/dev/kvm", .access = Access::read_write}},
        look);
    std::vector<std::string> lines;
    for (const auto& rule : rules) lines.push_back(printed(rule));
    EXPECT_EQ(lines, (std::vector<std::string>{"c 1:3 rw", "b 1:3 r", "c 136:* rw"}));
}

// ---- the BPF program, interpreted ----
struct DenialEntry {
    BpfDenialKey key{};
    BpfDenial denial{};
};
std::uint64_t run_program(const std::vector<BpfDeviceEntry>& map, std::uint32_t type, std::uint32_t access,
                          std::uint32_t major, std::uint32_t minor, std::deque<DenialEntry>& denied,
                          std::uint64_t now = 1000, std::size_t room = 1000) {
    const auto program = device_program(42, 43);
    const std::uint32_t context[3] = {access << 16 | type, major, minor};
    std::array<std::uint64_t, 11> r{};
    std::array<std::uint8_t, 512> stack{};
    std::uint32_t value = 0;
    r[1] = reinterpret_cast<std::uint64_t>(context);
    r[10] = reinterpret_cast<std::uint64_t>(stack.data() + stack.size());
    for (std::size_t pc = 0; pc < program.size(); ++pc) {
        const auto& i = program[pc];
        auto& to = r.at(i.dst_reg);
        const auto from = r.at(i.src_reg);
        const auto at = [&](std::uint64_t base) {
            return reinterpret_cast<void*>(base +
                                           static_cast<std::uint64_t>(static_cast<std::int64_t>(i.off)));
        };
        const auto imm = static_cast<std::uint64_t>(static_cast<std::int64_t>(i.imm));
        switch (i.code) {
        case BPF_ALU64 | BPF_MOV | BPF_X: to = from; break;
        case BPF_ALU64 | BPF_MOV | BPF_K: to = imm; break;
        case BPF_ALU64 | BPF_ADD | BPF_K: to += imm; break;
        case BPF_ALU64 | BPF_RSH | BPF_K: to >>= imm; break;
        case BPF_ALU64 | BPF_AND | BPF_K: to &= imm; break;
        case BPF_ALU64 | BPF_AND | BPF_X: to &= from; break;
        case BPF_ALU64 | BPF_OR | BPF_X: to |= from; break;
        case BPF_ALU64 | BPF_XOR | BPF_K: to ^= imm; break;
        case BPF_LDX | BPF_MEM | BPF_W: {
            std::uint32_t word = 0;
            std::memcpy(&word, at(from), 4);
            to = word;
            break;
        }
        case BPF_STX | BPF_MEM | BPF_W: {
            const auto word = static_cast<std::uint32_t>(from);
            std::memcpy(at(to), &word, 4);
            break;
        }
        case BPF_ST | BPF_MEM | BPF_W: {
            const auto word = static_cast<std::uint32_t>(i.imm);
            std::memcpy(at(to), &word, 4);
            break;
        }
        case BPF_STX | BPF_MEM | BPF_DW: std::memcpy(at(to), &from, 8); break;
        case BPF_STX | BPF_ATOMIC | BPF_DW: {
            EXPECT_EQ(i.imm, BPF_ADD);
            std::uint64_t sum = 0;
            std::memcpy(&sum, at(to), 8);
            sum += from;
            std::memcpy(at(to), &sum, 8);
            break;
        }
        case BPF_LD | BPF_DW | BPF_IMM:
            EXPECT_EQ(i.src_reg, BPF_PSEUDO_MAP_FD);
            to = imm;
            ++pc;
            break;
        case BPF_JMP | BPF_CALL: {
            if (i.imm == BPF_FUNC_ktime_get_boot_ns) {
                r[0] = now;
                break;
            }
            if (r[1] == 43U) { // the map of refusals
                BpfDenialKey key{};
                std::memcpy(&key, reinterpret_cast<void*>(r[2]), sizeof key);
                const auto known =
                    std::ranges::find_if(denied, [&](const DenialEntry& e) { return e.key == key; });
                if (i.imm == BPF_FUNC_map_update_elem) {
                    EXPECT_EQ(r[4], BPF_NOEXIST);
                    EXPECT_EQ(known, denied.end());
                    DenialEntry entry{.key = key};
                    std::memcpy(&entry.denial, reinterpret_cast<void*>(r[3]), sizeof entry.denial);
                    if (denied.size() < room) denied.push_back(entry);
                } else {
                    EXPECT_EQ(i.imm, BPF_FUNC_map_lookup_elem);
                    r[0] = known == denied.end() ? 0 : reinterpret_cast<std::uint64_t>(&known->denial);
                }
                break;
            }
            EXPECT_EQ(i.imm, BPF_FUNC_map_lookup_elem);
            EXPECT_EQ(r[1], 42U);
            BpfDeviceKey key{};
            std::memcpy(&key, reinterpret_cast<void*>(r[2]), sizeof key);
            r[0] = 0;
            for (const auto& entry : map)
                if (entry.key == key) {
                    value = entry.access;
                    r[0] = reinterpret_cast<std::uint64_t>(&value);
                }
            break;
        }
        case BPF_JMP | BPF_JEQ | BPF_K:
            if (to == imm) pc += static_cast<std::size_t>(i.off);
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            if (to != imm) pc += static_cast<std::size_t>(i.off);
            break;
        case BPF_JMP | BPF_EXIT: return r[0];
        default: ADD_FAILURE() << "unknown instruction " << int(i.code); return 99;
        }
    }
    ADD_FAILURE() << "fell off the end";
    return 99;
}

std::uint64_t run_program(const std::vector<BpfDeviceEntry>& map, std::uint32_t type, std::uint32_t access,
                          std::uint32_t major, std::uint32_t minor) {
    std::deque<DenialEntry> denied;
    return run_program(map, type, access, major, minor, denied);
}

TEST(DeviceProgram, WritesDownWhatItRefusesHowOftenAndSinceWhen) {
    constexpr std::uint32_t block = BPF_DEVCG_DEV_BLOCK, chr = BPF_DEVCG_DEV_CHAR, rd = 2, wr = 4;
    const std::vector<BpfDeviceEntry> map{bpf_entry({NodeType::char_device, 10, 237, true, false, false})};
    std::deque<DenialEntry> denied;
    EXPECT_EQ(run_program(map, chr, rd, 10, 237, denied, 10), 1U);
    EXPECT_TRUE(denied.empty()) << "what is allowed is nobody's business";
    for (const std::uint64_t now : {20U, 30U, 40U})
        EXPECT_EQ(run_program(map, chr, rd | wr, 10, 237, denied, now), 0U);
    EXPECT_EQ(run_program(map, block, rd, 10, 237, denied, 50), 0U);
    ASSERT_EQ(denied.size(), 2U);
    EXPECT_EQ(denied[0].key, (BpfDenialKey{chr, 10, 237, wr})) << "only what was missing";
    EXPECT_EQ(denied[0].denial, (BpfDenial{20, 40, 3}));
    EXPECT_EQ(denied[1].key, (BpfDenialKey{block, 10, 237, rd}));
    EXPECT_EQ(denied[1].denial, (BpfDenial{50, 50, 1}));
    EXPECT_EQ(device_rule(denied[0].key), (DeviceRule{NodeType::char_device, 10, 237, false, true, false}));
    std::deque<DenialEntry> none;
    EXPECT_EQ(run_program(map, block, rd, 1, 1, none, 60, 0), 0U) << "a full map refuses all the same";
}
TEST(DeviceProgram, AllowsWhatItsEntriesTogetherAllowAndNothingElse) {
    constexpr std::uint32_t block = BPF_DEVCG_DEV_BLOCK, chr = BPF_DEVCG_DEV_CHAR, mk = 1, rd = 2, wr = 4;
    std::vector<BpfDeviceEntry> map;
    for (const auto& rule : std::vector<DeviceRule>{{NodeType::char_device, 1, 3, true, true, false},
                                                    {NodeType::block_device, 8, 0, true, false, false},
                                                    {NodeType::char_device, 136, {}, true, true, false},
                                                    {NodeType::block_device, 8, {}, false, true, false},
                                                    {NodeType::char_device, {}, 77, true, false, false}})
        map.push_back(bpf_entry(rule));
    const auto allows = [&](std::uint32_t type, std::uint32_t access, std::uint32_t major,
                            std::uint32_t minor) {
        return run_program(map, type, access, major, minor) == 1;
    };
    EXPECT_TRUE(allows(chr, rd, 1, 3));
    EXPECT_TRUE(allows(chr, rd | wr, 1, 3));
    EXPECT_FALSE(allows(chr, mk, 1, 3));
    EXPECT_FALSE(allows(chr, rd | mk, 1, 3));
    EXPECT_FALSE(allows(block, rd, 1, 3)) << "the type is part of the key";
    EXPECT_FALSE(allows(chr, rd, 1, 5));
    EXPECT_TRUE(allows(chr, wr, 136, 200));
    EXPECT_TRUE(allows(block, rd | wr, 8, 0)) << "the exact entry reads, the wildcard writes";
    EXPECT_FALSE(allows(block, rd, 8, 1));
    EXPECT_TRUE(allows(chr, rd, 5, 77));
    EXPECT_FALSE(allows(chr, rd, 0xffffffff, 0xfffffffe));
    for (const std::uint32_t type : {block, chr})
        EXPECT_EQ(run_program({}, type, rd, 1, 3), 0U) << "an empty list denies all";
}
TEST(DeviceProgram, EntriesReadBackAsTheirRules) {
    for (const auto& rule : std::vector<DeviceRule>{{NodeType::char_device, 1, 3, true, true, false},
                                                    {NodeType::block_device, 8, {}, true, false, true}})
        EXPECT_EQ(device_rule(bpf_entry(rule)), rule);
    EXPECT_EQ(device_rule({.key = {.type = 7}}), std::nullopt);
}

// ---- the rest ----
TEST(Landlock, DependsOnWhatTheKernelCan) {
    EXPECT_FALSE(landlock_domain(0).use);
    EXPECT_EQ(landlock_domain(0).notes.size(), 1U);
    EXPECT_TRUE(landlock_domain(1).use);
    EXPECT_EQ(landlock_domain(5).scoped, 0U);
    EXPECT_EQ(landlock_domain(6).scoped, 3U);
    EXPECT_TRUE(landlock_domain(6).notes.empty());
    EXPECT_EQ(landlock_domain(6).handled & landlock_domain(6).allowed, landlock_domain(6).allowed);
}
TEST(Caps, ReadAndPrintNames) {
    EXPECT_EQ(capability_bits({"sys_rawio", "CAP_CHOWN"}, 40).value(), 1U << 17 | 1U);
    EXPECT_EQ(capability_bits({}, 40).value(), 0U);
    EXPECT_EQ(capability_bits({"all"}, 40).value(), 0x1ffffffffffU);
    EXPECT_EQ(capability_bits({"sys_magic"}, 40).error().message, "unknown capability 'sys_magic'");
    EXPECT_EQ(capability_names(0, 40), "none");
    EXPECT_EQ(capability_names(0x1ffffffffff, 40), "all");
    EXPECT_EQ(capability_names(1U << 17 | 1U, 40), "chown, sys_rawio");
}
TEST(Limits, CoreIsAlwaysSetAndTheRestOnlyWhenAsked) {
    EXPECT_EQ(process_limits({}), (std::vector<ScriptLimit>{{RLIMIT_CORE, 0}}));
    EXPECT_EQ(process_limits({.memlock = 1, .processes = 2, .files = 3, .threads = 4, .core = 5}),
              (std::vector<ScriptLimit>{
                  {RLIMIT_MEMLOCK, 1}, {RLIMIT_NPROC, 2}, {RLIMIT_NOFILE, 3}, {RLIMIT_CORE, 5}}));
}
TEST(Seccomp, NamesEachCallOnceAndLeavesWhatTheDesignNeeds) {
    std::set<std::string> names;
    for (const auto& rule : guest_seccomp().rules) {
        EXPECT_TRUE(names.insert(rule.syscall).second) << rule.syscall;
        EXPECT_FALSE(rule.why.empty()) << rule.syscall;
    }
    for (const char* needed : {"execve", "seccomp", "prctl", "setresuid", "capset", "landlock_restrict_self",
                               "io_uring_setup", "mbind"})
        EXPECT_FALSE(names.contains(needed)) << needed;
}

} // namespace
} // namespace cloister
