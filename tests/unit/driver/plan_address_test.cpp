#include "tests/unit/driver/plan_world.hpp"

#include <gtest/gtest.h>

namespace cloister::test {

namespace {

using Table = std::vector<std::string>;

constexpr const char* verified_block = "<disk type='file'><source file='/a.img'/><target dev='vda'/></disk>"
                                       "<disk type='file'><source file='/b.img'/><target dev='sda'/></disk>"
                                       "<disk type='file'><source file='/c.img'/><target dev='hdc'/></disk>"
                                       "<interface type='user'/><graphics type='vnc'/>";

Domain defined(std::string_view text) {
    auto domain = PlanWorld().defined(text);
    EXPECT_TRUE(domain) << full_text(domain.error());
    return domain ? *domain : Domain{};
}
std::string refusal(std::string_view text) {
    const auto domain = PlanWorld().defined(text);
    return domain ? "" : full_text(domain.error());
}

} // namespace

// The reference's own result for these definitions: behaviour.md D.3, "Verified as a block".
TEST(PciAddresses, FillThePcBusInTheReferencesOrder) {
    const Table expected{"00:01.1 ide",      "00:01.2 piix3-uhci", "00:02.0 video",     "00:03.0 interface",
                         "00:04.0 lsilogic", "00:05.0 disk",       "00:06.0 memballoon"};
    EXPECT_EQ(pci_table(defined(guest("pc", verified_block))), expected);
}

TEST(PciAddresses, PutConventionalDevicesOfQ35BehindABridge) {
    std::string block = verified_block;
    block.replace(block.find("hdc"), 3, "vdc");
    const Table expected{"00:01.0 video",          "00:02.0 pcie-root-port", "00:02.1 pcie-root-port",
                         "00:02.2 pcie-root-port", "00:02.3 pcie-root-port", "00:02.4 pcie-root-port",
                         "00:02.5 pcie-root-port", "00:1f.2 sata",           "01:00.0 pcie-to-pci-bridge",
                         "02:01.0 interface",      "02:02.0 lsilogic",       "03:00.0 qemu-xhci",
                         "04:00.0 disk",           "05:00.0 disk",           "06:00.0 memballoon"};
    EXPECT_EQ(pci_table(defined(guest("q35", block))), expected);
}

TEST(PciAddresses, LeaveOneRootPortFreeWhenTheUserNamesNone) {
    const auto domain = defined(guest("q35", "<memballoon model='virtio'/>"));
    const Table expected{"00:01.0 pcie-root-port", "00:01.1 pcie-root-port", "00:01.2 pcie-root-port",
                         "00:1f.2 sata",           "01:00.0 qemu-xhci",      "02:00.0 memballoon"};
    EXPECT_EQ(pci_table(domain), expected);
}

TEST(PciAddresses, AddNoSparePortWhenTheUserManagesThem) {
    const auto domain = defined(guest("q35", "<controller type='pci' model='pcie-root'/>"
                                             "<controller type='pci' index='1' model='pcie-root-port'/>"
                                             "<controller type='pci' index='2' model='pcie-root-port'/>"
                                             "<memballoon model='virtio'/>"));
    const Table expected{"00:01.0 pcie-root-port", "00:01.1 pcie-root-port", "00:1f.2 sata",
                         "01:00.0 qemu-xhci", "02:00.0 memballoon"};
    EXPECT_EQ(pci_table(domain), expected);
}

TEST(PciAddresses, KeepWhatTheUserChose) {
    const auto domain = defined(
        guest("pc", "<controller type='usb' model='none'/><memballoon model='virtio'>"
                    "<address type='pci' domain='0x0000' bus='0x00' slot='0x0a' function='0x0'/></memballoon>"
                    "<rng model='virtio'><backend model='random'/></rng>"));
    const Table expected{"00:02.0 rng", "00:0a.0 memballoon"};
    EXPECT_EQ(pci_table(domain), expected);
}

TEST(PciAddresses, GrowABridgeWhenThePcBusIsFull) {
    std::string devices = "<controller type='usb' model='none'/><memballoon model='none'/>";
    for (int i = 0; i < 31; ++i) devices += "<interface type='user'><model type='virtio'/></interface>";
    const auto table = pci_table(defined(guest("pc", devices)));
    EXPECT_EQ(table.size(), 32u);
    EXPECT_EQ(table.front(), "00:02.0 pci-bridge");
    EXPECT_EQ(table.back(), "01:02.0 interface");
}

TEST(PciAddresses, RefuseTheSamePlaceTwice) {
    const char* place = "<address type='pci' bus='0x00' slot='0x0a' function='0x0'/>";
    EXPECT_EQ(
        refusal(guest("pc", fmt::format("<memballoon model='virtio'>{0}</memballoon><rng model='virtio'>"
                                        "<backend model='random'/>{0}</rng>",
                                        place))),
        "XML error: Attempted double use of PCI Address 0000:00:0a.0");
}

TEST(PciAddresses, PackTheFunctionsOfAnIch9UsbSet) {
    const auto domain = defined(guest(
        "pc", "<memballoon model='none'/><controller type='usb' index='0' model='ich9-ehci1'/>"
              "<controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/></controller>"
              "<controller type='usb' index='0' model='ich9-uhci2'><master startport='2'/></controller>"));
    const Table expected{"00:02.0 ich9-uhci1", "00:02.1 ich9-uhci2", "00:02.7 ich9-ehci1"};
    EXPECT_EQ(pci_table(domain), expected);
}

TEST(DriveAddresses, FollowTheTargetsName) {
    const auto domain =
        defined(guest("pc", "<disk type='file'><source file='/a'/><target dev='sdi' bus='scsi'/></disk>"
                            "<disk type='file'><source file='/b'/><target dev='hdd' bus='ide'/></disk>"));
    const auto disks = devices_of<Disk>(domain);
    const DriveAddress scsi{.controller = 1, .bus = 0, .target = 0, .unit = 1};
    const DriveAddress ide{.controller = 0, .bus = 1, .target = 0, .unit = 1};
    EXPECT_EQ(*address_of<DriveAddress>(disks[0]->info), scsi);
    EXPECT_EQ(*address_of<DriveAddress>(disks[1]->info), ide);
}

TEST(UsbAddresses, AreGivenInOrderAndBehindAHubWhenPortsRunOut) {
    const auto domain = defined(guest("pc", "<input type='tablet' bus='usb'/><input type='mouse' bus='usb'/>"
                                            "<input type='keyboard' bus='usb'/>"));
    std::vector<std::string> ports;
    for (const auto* input : devices_of<Input>(domain))
        if (const auto* usb = address_of<UsbAddress>(input->info)) ports.push_back(*usb->port);
    EXPECT_EQ(ports, (std::vector<std::string>{"2", "1.1", "1.2"}));
    EXPECT_EQ(*address_of<UsbAddress>(devices_of<Hub>(domain).front()->info)->port, "1");
}

TEST(VirtioSerialAddresses, BeginAtOneForChannels) {
    const auto domain =
        defined(guest("pc", "<channel type='pty'><target type='virtio' name='a'/></channel>"
                            "<channel type='pty'><target type='virtio' name='b'/></channel>"));
    std::vector<std::uint32_t> ports;
    for (const auto* channel : devices_of<Channel>(domain))
        ports.push_back(*address_of<VirtioSerialAddress>(channel->info)->port);
    EXPECT_EQ(ports, (std::vector<std::uint32_t>{1, 2}));
}

} // namespace cloister::test
