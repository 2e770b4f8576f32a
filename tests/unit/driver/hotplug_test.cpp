#include "conf/domain/devices.hpp"
#include "driver/plan/hotplug.hpp"
#include "driver/plan/hotplug_steps.hpp"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

using namespace cloister;

namespace {

/// A running pc guest with one virtio disk, an empty CD-ROM and a network card.
struct Running {
    QemuCaps caps{};
    QemuConf conf{};
    HostFacts facts{};
    Reserved reserved{.taps = {"vnet7"}, .random = std::vector<std::uint8_t>(64, 9)};
    LaunchPaths paths{.state_dir = "/state"};
    Domain domain{};

    Running() {
        for (const auto* type : {"virtio-blk-pci", "lsi", "virtio-net-pci", "piix3-usb-uhci", "rtl8139"})
            caps.types.emplace(type);
        domain.name = "vm";
        domain.os.type = {.arch = "x86_64", .machine = "pc-i440fx-7.2", .type = "hvm"};
        add<Controller>(
            "<controller type='pci' index='0' model='pci-root'><alias name='pci.0'/></controller>");
        add<Controller>("<controller type='ide' index='0'><alias name='ide'/></controller>");
        add<Disk>(
            "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/a' index='2'/>"
            "<target dev='vda' bus='virtio'/><alias name='virtio-disk0'/><address type='pci' bus='0x00' "
            "slot='0x05' function='0x0'/></disk>");
        add<Disk>(
            "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='hdc' bus='ide'/>"
            "<readonly/><alias name='ide0-1-0'/><address type='drive' controller='0' bus='1' target='0' "
            "unit='0'/></disk>");
        add<Interface>("<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>"
                       "<alias name='net0'/><address type='pci' bus='0x00' slot='0x03' function='0x0'/>"
                       "</interface>");
    }
    template <class D> static D read(std::string_view text) {
        return xml::parse<D>(xml::read(text).value(), xml::Flavour::live).value();
    }
    template <class D> void add(std::string_view text) { domain.devices.list.emplace_back(read<D>(text)); }
    HotContext context() const { return {caps, conf, facts, reserved, paths}; }
};

std::vector<std::string> said(const std::vector<HotStep>& steps) {
    std::vector<std::string> out;
    for (const auto& step : steps)
        out.push_back(step.run.command + " " + boost::json::serialize(step.run.arguments));
    return out;
}
std::vector<std::string> said(const std::vector<MonitorStep>& steps) {
    std::vector<std::string> out;
    for (const auto& step : steps) out.push_back(step.command + " " + boost::json::serialize(step.arguments));
    return out;
}
using Lines = std::vector<std::string>;

constexpr auto second =
    "<disk type='file' device='disk'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>";

TEST(Hotplug, AddsTheNodesOfADiskThenTheDisk) {
    const Running vm;
    const auto plan = attach_device(vm.domain, Running::read<Disk>(second), vm.context());
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->alias, "virtio-disk1");
    const auto steps = said(plan->steps);
    ASSERT_EQ(steps.size(), 3u);
    EXPECT_EQ(steps[0], R"(blockdev-add {"driver":"file","filename":"/b","node-name":"libvirt-4-storage",)"
                        R"("auto-read-only":true,"discard":"unmap"})");
    EXPECT_EQ(steps[1], R"(blockdev-add {"node-name":"libvirt-4-format","read-only":false,"driver":"raw",)"
                        R"("file":"libvirt-4-storage"})");
    EXPECT_TRUE(steps[2].starts_with(R"(device_add {"driver":"virtio-blk-pci","bus":"pci.0","addr":)"));
    EXPECT_EQ(plan->steps[1].undo, (MonitorStep{"blockdev-del", {{"node-name", "libvirt-4-format"}}}));
    ASSERT_EQ(plan->host.grants.size(), 1u);
    EXPECT_EQ(plan->host.grants[0].path, "/b");
    EXPECT_EQ(devices_of<Disk>(plan->after).size(), 3u);
    EXPECT_EQ(devices_of<Disk>(vm.domain).size(), 2u);
}

TEST(Hotplug, HandsOverATapByItsName) {
    const Running vm;
    const auto plan =
        attach_device(vm.domain,
                      Running::read<Interface>("<interface type='bridge'><mac address='52:54:00:00:00:02'/>"
                                               "<source bridge='br0'/><model type='virtio'/></interface>"),
                      vm.context());
    ASSERT_TRUE(plan) << plan.error().message;
    const auto steps = said(plan->steps);
    ASSERT_EQ(steps.size(), 3u);
    EXPECT_EQ(steps[0], R"(getfd {"fdname":"tap-net1"})");
    EXPECT_EQ(plan->steps[0].run.fds, Lines{"tap-net1"});
    EXPECT_EQ(steps[1], R"(netdev_add {"type":"tap","fd":"tap-net1","id":"hostnet1"})");
    EXPECT_EQ(std::get<TapDevice>(plan->host.descriptors.at(0).what).name, "vnet7");
}

TEST(Hotplug, RefusesATargetThatIsThere) {
    const Running vm;
    const auto plan = attach_device(
        vm.domain,
        Running::read<Disk>("<disk type='file'><source file='/b'/><target dev='vda' bus='virtio'/></disk>"),
        vm.context());
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Code::xml);
    EXPECT_TRUE(plan.error().message.starts_with("target 'vda' duplicated for disk sources '"))
        << plan.error().message;
    EXPECT_TRUE(plan.error().message.ends_with("' and '/b'")) << plan.error().message;
}

TEST(Hotplug, RefusesABusThatCannotGrow) {
    const Running vm;
    const auto plan = attach_device(
        vm.domain,
        Running::read<Disk>("<disk type='file'><source file='/b'/><target dev='hdd' bus='ide'/></disk>"),
        vm.context());
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Code::operation_unsupported);
}

TEST(Hotunplug, RemovesTheNodesOnceTheGuestLetGo) {
    const Running vm;
    const auto plan =
        detach_device(vm.domain, Running::read<Disk>("<disk><target dev='vda'/></disk>"), vm.context());
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(said(plan->steps), Lines{R"(device_del {"id":"virtio-disk0"})"});
    EXPECT_TRUE(plan->waits_for_device_deleted);
    EXPECT_EQ(said(plan->afterwards), (Lines{R"(blockdev-del {"node-name":"libvirt-2-format"})",
                                             R"(blockdev-del {"node-name":"libvirt-2-storage"})"}));
    ASSERT_EQ(plan->released.size(), 1u);
    EXPECT_EQ(plan->released[0].path, "/a");
}

TEST(Hotunplug, SaysWhichDiskOrCardIsMissing) {
    const Running vm;
    const auto disk =
        detach_device(vm.domain, Running::read<Disk>("<disk><target dev='vdq'/></disk>"), vm.context());
    ASSERT_FALSE(disk);
    EXPECT_EQ(disk.error().code, Code::device_missing);
    EXPECT_EQ(disk.error().message, "disk vdq not found");
    const auto nic = detach_device(
        vm.domain,
        Running::read<Interface>("<interface type='user'><mac address='52:54:00:00:00:09'/></interface>"),
        vm.context());
    ASSERT_FALSE(nic);
    EXPECT_EQ(nic.error().message, "no device found at address '(<null>)' matching MAC address "
                                   "'52:54:00:00:00:09' and alias '(<null>)'");
    const auto stored = detach_config(vm.domain, Running::read<Disk>("<disk><target dev='vdz'/></disk>"));
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().message, "no target device vdz");
}

TEST(Update, PutsMediaIntoAnEmptyDrive) {
    const Running vm;
    const auto plan = update_device(
        vm.domain,
        Running::read<Disk>("<disk type='file' device='cdrom'><source file='/cd.iso'/><target dev='hdc' "
                            "bus='ide'/><readonly/></disk>"),
        vm.context());
    ASSERT_TRUE(plan) << plan.error().message;
    const auto steps = said(plan->steps);
    ASSERT_EQ(steps.size(), 5u);
    EXPECT_EQ(steps[0], R"(blockdev-open-tray {"id":"ide0-1-0","force":false})");
    EXPECT_EQ(steps[3], R"(blockdev-insert-medium {"id":"ide0-1-0","node-name":"libvirt-4-format"})");
    EXPECT_EQ(steps[4], R"(blockdev-close-tray {"id":"ide0-1-0"})");
    ASSERT_EQ(plan->host.grants.size(), 1u);
    EXPECT_EQ(plan->host.grants[0].access, Access::read);
}

TEST(Update, SetsTheLinkAndCanSetItBack) {
    const Running vm;
    const auto plan = update_device(
        vm.domain,
        Running::read<Interface>("<interface type='user'><mac address='52:54:00:00:00:01'/><model "
                                 "type='virtio'/><link state='down'/></interface>"),
        vm.context());
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(said(plan->steps), Lines{R"(set_link {"name":"net0","up":false})"});
    EXPECT_EQ(plan->steps[0].undo, (MonitorStep{"set_link", {{"name", "net0"}, {"up", true}}}));
}

TEST(Update, RefusesAnotherDiskUnderARunningGuest) {
    const Running vm;
    const auto plan =
        update_device(vm.domain,
                      Running::read<Disk>(
                          "<disk type='file'><source file='/other'/><target dev='vda' bus='virtio'/></disk>"),
                      vm.context());
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Code::operation_unsupported);
    EXPECT_EQ(plan.error().message, "cannot modify field 'source' of the disk");
}

TEST(ChardevBackend, IsTheCommandLineInOtherWords) {
    EXPECT_EQ(boost::json::serialize(chardev_backend("socket,id=c,path=/a,,b,server=on,wait=off").value()),
              R"({"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/a,b"}},"server":true,)"
              R"("wait":false}})");
    EXPECT_EQ(boost::json::serialize(chardev_backend("socket,id=c,host=h,port=1,reconnect=5").value()),
              R"({"type":"socket","data":{"addr":{"type":"inet","data":{"host":"h","port":"1"}},)"
              R"("server":false,"reconnect":5}})");
    EXPECT_EQ(boost::json::serialize(chardev_backend("pty,id=c").value()), R"({"type":"pty","data":{}})");
}

} // namespace
