#include "conf/domain/devices.hpp"
#include "device_world.hpp"
#include "driver/device/disk_rules.hpp"
#include "driver/device/image_chain.hpp"

using namespace cloister;
using namespace cloister::test;

namespace {

constexpr auto virtio_disk = "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>"
                             "<source file='/a.qcow2' index='3'/><target dev='vda' bus='virtio'/></disk>";

/// A disk as a running guest has it: with the numbers of its images.
Disk numbered(const World& world, std::string_view text, const HostFacts& facts = {}) {
    Domain domain = world.domain;
    domain.devices.list.emplace_back(world.read<Disk>(text));
    prepare_disks(domain, facts);
    return std::get<Disk>(domain.devices.list.back());
}

DevicePlan planned(const World& world, const Disk& disk) {
    auto made = plan(
        disk, PlanContext{world.domain, world.caps, world.conf, world.facts, world.paths, world.reserved, 0});
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : DevicePlan{};
}

TEST(DiskPlan, OpensTheFileThenTheFormatThenTheDevice) {
    World world;
    const auto made = planned(world, numbered(world, virtio_disk));
    EXPECT_EQ(World::words_of(made),
              (Words{"-blockdev",
                     R"({"driver":"file","filename":"/a.qcow2","node-name":"libvirt-1-storage",)"
                     R"("cache":{"direct":true,"no-flush":false},"auto-read-only":true,"discard":"unmap"})",
                     "-blockdev",
                     R"({"node-name":"libvirt-1-format","read-only":false,"cache":{"direct":true,)"
                     R"("no-flush":false},"driver":"qcow2","file":"libvirt-1-storage"})",
                     "-device",
                     R"({"driver":"virtio-blk-pci","drive":"libvirt-1-format","id":"virtio-disk0",)"
                     R"("write-cache":"on"})"}));
    EXPECT_EQ(made.grants, (std::vector<Grant>{{.path = "/a.qcow2",
                                                .kind = Kind::file,
                                                .access = Access::read_write,
                                                .sharing = Sharing::exclusive,
                                                .why = "disk vda"}}));
}

TEST(DiskPlan, GivesEachLayerBelowOnlyToRead) {
    World world;
    HostFacts facts;
    facts.paths["/a.qcow2"] = {
        .kind = PathKind::file, .backing = {{.path = "/base.raw", .format = "raw"}}, .chain_probed = true};
    const auto disk = numbered(world, virtio_disk, facts);
    EXPECT_TRUE(chain_ends(disk));
    const auto made = planned(world, disk);
    ASSERT_EQ(made.grants.size(), 2u);
    EXPECT_EQ(made.grants[0], (Grant{.path = "/base.raw",
                                     .kind = Kind::file,
                                     .access = Access::read,
                                     .sharing = Sharing::shared,
                                     .why = "disk vda, backing image"}));
    EXPECT_EQ(
        World::words_of(made)[7],
        R"({"node-name":"libvirt-1-format","read-only":false,"cache":{"direct":true,)"
        R"("no-flush":false},"driver":"qcow2","file":"libvirt-1-storage","backing":"libvirt-2-format"})");
}

TEST(DiskPlan, SaysNullOnlyWhereTheChainIsKnownToEnd) {
    World world;
    const auto last = [&](std::string_view backing) {
        const auto text = "<disk type='file'><driver type='qcow2'/><source file='/a'/>" +
                          std::string(backing) + "<target dev='vda'/></disk>";
        return World::words_of(planned(world, numbered(world, text)))[3];
    };
    EXPECT_EQ(last(""), R"({"node-name":"libvirt-1-format","read-only":false,"driver":"qcow2",)"
                        R"("file":"libvirt-1-storage"})");
    EXPECT_EQ(last("<backingStore/>"),
              R"({"node-name":"libvirt-1-format","read-only":false,"driver":"qcow2",)"
              R"("file":"libvirt-1-storage","backing":null})");
}

TEST(DiskPlan, KeepsAReadOnlyDriveReadOnlyAndShared) {
    World world;
    const auto made =
        planned(world, numbered(world, "<disk type='file' device='cdrom'><source file='/cd.iso'/>"
                                       "<target dev='hdc' bus='ide'/></disk>"));
    ASSERT_EQ(made.grants.size(), 1u);
    EXPECT_EQ(made.grants[0].access, Access::read);
    EXPECT_EQ(made.grants[0].sharing, Sharing::shared);
    EXPECT_EQ(made.items.back().why, "disk hdc");
}

TEST(DiskPlan, LeavesAnEmptyDriveEmpty) {
    EXPECT_EQ(World{}.argv<Disk>("<disk type='file' device='cdrom'><target dev='sda' bus='sata'/>"
                                 "<address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>"),
              (Words{"-device", R"({"driver":"ide-cd","bus":"sata0.0","id":"sata0-0-0"})"}));
}

TEST(DiskPlan, SharesWithoutACacheOfItsOwn) {
    World world;
    const auto made = planned(world, numbered(world, "<disk type='block'><source dev='/dev/x'/>"
                                                     "<target dev='vda'/><shareable/></disk>"));
    EXPECT_EQ(made.grants[0].sharing, Sharing::shared);
    EXPECT_EQ(made.grants[0].access, Access::read_write);
    EXPECT_EQ(World::words_of(made)[5],
              R"({"driver":"virtio-blk-pci","share-rw":true,"drive":"libvirt-1-format","id":"virtio-disk0",)"
              R"("write-cache":"on"})");
}

TEST(DiskPlan, TakesTheLabelsOfItsSource) {
    World world;
    const auto made =
        planned(world, numbered(world, "<disk type='file'><source file='/a'><seclabel model='dac' "
                                       "relabel='no'/></source><target dev='vda'/></disk>"));
    EXPECT_EQ(made.grants[0].overrides, (std::vector<LabelOverride>{{.model = "dac", .relabel = false}}));
}

TEST(DiskPlan, ThrottlesOverTheMonitor) {
    World world;
    const auto made =
        planned(world, numbered(world, "<disk type='file'><source file='/a'/><target dev='vda'/>"
                                       "<iotune><total_bytes_sec>5000</total_bytes_sec></iotune>"
                                       "</disk>"));
    ASSERT_EQ(made.monitor_commands.size(), 1u);
    EXPECT_EQ(made.monitor_commands[0].first, "block_set_io_throttle");
    EXPECT_EQ(made.monitor_commands[0].second.at("id"), "/machine/peripheral/virtio-disk0/virtio-backend");
    EXPECT_EQ(made.monitor_commands[0].second.at("bps"), 5000);
}

TEST(DiskPlan, RefusesAPoolThatNobodyServes) {
    const auto made =
        World{}.plan_of<Disk>("<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::config_unsupported);
}

TEST(DiskDefaults, AreTheFormatRawAndTheBusOfTheName) {
    EXPECT_EQ(World{}.text<Disk>("<disk type='file'><source file='/a'/><target dev='sda'/></disk>"),
              "<disk type='file' device='disk'>\n  <driver name='qemu' type='raw'/>\n  <source file='/a'/>\n"
              "  <target dev='sda' bus='scsi'/>\n</disk>\n");
}

TEST(DiskNumbers, GoFromTheLastDiskToTheFirst) {
    World world;
    Domain domain;
    for (const auto* text : {"<disk><source file='/a'/><target dev='vda'/></disk>",
                             "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>",
                             "<disk><source file='/b'/><target dev='vdb'/></disk>"})
        domain.devices.list.emplace_back(world.read<Disk>(text));
    prepare_disks(domain, {});
    const auto disks = devices_of<Disk>(domain);
    EXPECT_EQ(disks[2]->source->index, 1u);
    EXPECT_EQ(disks[0]->source->index, 3u);
    EXPECT_EQ(disks[1]->source, std::nullopt);
}

TEST(DiskTarget, IsCountedLikeColumnsOfASheet) {
    EXPECT_EQ(target_index("vda"), 0u);
    EXPECT_EQ(target_index("sdz"), 25u);
    EXPECT_EQ(target_index("hdaa"), 26u);
    EXPECT_EQ(target_index("vdb1"), 1u);
    EXPECT_EQ(target_index("foo"), std::nullopt);
    EXPECT_EQ(bus_of_target("xvda"), DiskBus::xen);
}

struct Refusal {
    const char* text;
    Code code;
    const char* message;
};
TEST(DiskCheck, RefusesWhatLibvirtRefuses) {
    for (const auto& c : {
             Refusal{"<disk device='lun'><source file='/a'/><target dev='sda' bus='scsi'/></disk>",
                     Code::config_unsupported, "disk device='lun' is only valid for block type disk source"},
             Refusal{"<disk><driver type='qcow2'/><source file='/a'/><target dev='hda'/><shareable/></disk>",
                     Code::config_unsupported,
                     "shared access for disk 'hda' requires use of supported storage format"},
             Refusal{"<disk><driver type='cow'/><source file='/a'/><target dev='vda'/></disk>",
                     Code::config_unsupported, "'cow' storage format is not supported"},
             Refusal{"<disk><source file='/a'/><target dev='fda' bus='fdc'/></disk>", Code::xml,
                     "Invalid bus type 'fdc' for disk"},
             Refusal{"<disk><source file='/a'/><target dev='hda'/><vendor>x</vendor></disk>",
                     Code::config_unsupported, "Only scsi disk supports vendor and product"},
             Refusal{"<disk><target dev='vda'/></disk>", Code::no_source, "vda"},
         }) {
        const auto r = World{}.checked<Disk>(c.text);
        ASSERT_FALSE(r) << c.text;
        EXPECT_EQ(r.error().code, c.code) << c.text;
        EXPECT_EQ(r.error().message, c.message);
    }
}

} // namespace
