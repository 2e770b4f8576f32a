#include "device_world.hpp"
#include "driver/device/secret.hpp"

using namespace cloister;
using namespace cloister::test;

namespace {

constexpr auto nic = "<interface type='bridge'><mac address='52:54:00:aa:bb:cc'/><source bridge='br0'/>"
                     "<target dev='tap7'/><model type='virtio'/></interface>";

TEST(InterfacePlan, AsksForATapOnTheBridge) {
    const auto made = World{}.planned<Interface>(nic);
    EXPECT_EQ(
        World::words_of(made),
        (Words{"-netdev", R"({"type":"tap","fd":"{tap-net0}","id":"hostnet0"})", "-device",
               R"({"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:aa:bb:cc"})"}));
    EXPECT_EQ(made.descriptors, (std::vector<Descriptor>{{.symbol = "tap-net0",
                                                          .what = TapDevice{.name = "tap7",
                                                                            .bridge = "br0",
                                                                            .host_mac = "fe:54:00:aa:bb:cc",
                                                                            .vnet_header = true},
                                                          .why = "interface net0"}}));
    EXPECT_EQ(made.grants, std::vector<Grant>{});
}

TEST(InterfacePlan, TakesVhostUnderKvmWhenTheHostHasIt) {
    World world;
    world.domain.type = VirtType::kvm;
    world.facts.vhost_net = true;
    EXPECT_EQ(world.argv<Interface>(nic)[1], R"({"type":"tap","fd":"{tap-net0}","vhost":true,)"
                                             R"("vhostfd":"{vhost-net0}","id":"hostnet0"})");
}

TEST(InterfacePlan, OpensOneDescriptorPerQueue) {
    const auto made = World{}.planned<Interface>(
        "<interface type='ethernet'><mac address='52:54:00:aa:bb:cc'/><target dev='t'/><model type='virtio'/>"
        "<driver queues='2'/></interface>");
    EXPECT_EQ(World::words_of(made)[1], R"({"type":"tap","fds":"{tap-net0}:{tap-net0-1}","id":"hostnet0"})");
    EXPECT_EQ(World::words_of(made)[3],
              R"({"driver":"virtio-net-pci","mq":true,"vectors":6,"netdev":"hostnet0","id":"net0",)"
              R"("mac":"52:54:00:aa:bb:cc"})");
    EXPECT_FALSE(std::get<TapDevice>(made.descriptors[0].what).persistent);
    EXPECT_TRUE(std::get<TapDevice>(made.descriptors[1].what).persistent);
}

TEST(InterfacePlan, RefusesWhatItWouldHaveToLeaveOut) {
    for (const auto& [text, message] : {
             std::pair{
                 "<interface type='network'><mac address='52:54:00:aa:bb:cc'/><source network='default'/>"
                 "</interface>",
                 "network 'default' is not available: virtual networks belong to another daemon, use "
                 "type='bridge' with the network's bridge"},
             std::pair{"<interface type='bridge'><mac address='52:54:00:aa:bb:cc'/><source bridge='b'/>"
                       "<filterref filter='f'/></interface>",
                       "interface 52:54:00:aa:bb:cc: <filterref> is not supported"},
         }) {
        const auto r = World{}.plan_of<Interface>(text);
        ASSERT_FALSE(r) << text;
        EXPECT_EQ(r.error().code, Code::config_unsupported);
        EXPECT_EQ(r.error().message, message);
    }
}

TEST(InterfaceText, ForgetsMadeUpNamesInDefinitions) {
    const auto node = xml::read("<interface type='user'><target dev='vnet3'/></interface>").value();
    EXPECT_EQ(xml::parse<Interface>(node).value().target->dev, std::nullopt);
    EXPECT_EQ(xml::parse<Interface>(node, xml::Flavour::live).value().target->dev, "vnet3");
}

TEST(ControllerPlan, NamesXhciAndItsPorts) {
    const auto world = World{}.has({"qemu-xhci"});
    EXPECT_EQ(world.argv<Controller>("<controller type='usb' index='0' model='qemu-xhci' ports='15'/>"),
              (Words{"-device", R"({"driver":"qemu-xhci","p2":15,"p3":15,"id":"usb"})"}));
}

TEST(ControllerPlan, SaysWhichDeviceThisQemuLacks) {
    const auto r = World{}.plan_of<Controller>("<controller type='usb' index='0' model='qemu-xhci'/>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "USB controller model 'qemu-xhci' not supported in this QEMU binary");
}

TEST(ControllerCheck, LimitsThePortsOfXhci) {
    const auto r =
        World{}.checked<Controller>("<controller type='usb' index='0' model='nec-xhci' ports='16'/>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "'nec-xhci' controller only supports up to '15' ports");
}

TEST(ControllerText, KeepsTheMasterBetweenAliasAndAddress) {
    const std::string text = "<controller type='usb' index='0' model='ich9-uhci1'>\n  <alias name='usb'/>\n"
                             "  <master startport='0'/>\n  <address type='pci' domain='0x0000' bus='0x00' "
                             "slot='0x1d' function='0x0'/>\n</controller>\n";
    const auto c = xml::parse<Controller>(xml::read(text).value(), xml::Flavour::live).value();
    EXPECT_EQ(xml::print(xml::formatted(c, "controller", {.flavour = xml::Flavour::live})), text);
}

TEST(HostdevPlan, GrantsOneUsbNodeAndNoMore) {
    World world;
    world.facts.usb_devices = {{.bus = 3, .device = 7, .vendor = 0x46d, .product = 0xc52b}};
    const auto made =
        world.planned<Hostdev>("<hostdev mode='subsystem' type='usb'><source><vendor id='0x046d'/>"
                               "<product id='0xc52b'/></source></hostdev>");
    EXPECT_EQ(
        World::words_of(made),
        (Words{"-device", R"({"driver":"usb-host","hostdevice":"/dev/bus/usb/003/007","id":"hostdev0"})"}));
    EXPECT_EQ(made.grants, (std::vector<Grant>{{.path = "/dev/bus/usb/003/007",
                                                .kind = Kind::char_device,
                                                .access = Access::read_write,
                                                .sharing = Sharing::exclusive,
                                                .why = "hostdev hostdev0"}}));
}

TEST(HostdevPlan, OpensTheVfioGroupOfAPciFunction) {
    World world;
    world.facts.iommu_groups["0000:06:12.1"] = 9;
    const auto made = world.planned<Hostdev>(
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='6' slot='0x12' "
        "function='1'/></source></hostdev>");
    EXPECT_EQ(World::words_of(made),
              (Words{"-device", R"({"driver":"vfio-pci","host":"0000:06:12.1","id":"hostdev0"})"}));
    ASSERT_EQ(made.grants.size(), 2u);
    EXPECT_EQ(made.grants[0].path, "/dev/vfio/vfio");
    EXPECT_EQ(made.grants[1].path, "/dev/vfio/9");
}

TEST(FilesystemPlan, SharesADirectoryOver9p) {
    const auto made = World{}.planned<Filesystem>(
        "<filesystem type='mount' accessmode='mapped' fmode='0644'><source dir='/srv'/><target dir='tag'/>"
        "<readonly/></filesystem>");
    EXPECT_EQ(
        World::words_of(made),
        (Words{"-fsdev", "local,security_model=mapped,fmode=0644,id=fsdev-fs0,path=/srv,readonly", "-device",
               R"({"driver":"virtio-9p-pci","id":"fs0","fsdev":"fsdev-fs0","mount_tag":"tag"})"}));
    EXPECT_EQ(made.grants[0].access, Access::read);
    EXPECT_TRUE(made.grants[0].keep_owner);
}

TEST(RedirdevPlan, TellsEveryPortTheFilter) {
    auto world = World{}.has({"usb-redir"});
    world.domain.devices.list.emplace_back(
        world.read<RedirFilter>("<redirfilter><usbdev class='0x08' vendor='0x15E1' product='0x2007' "
                                "version='1.10' allow='yes'/><usbdev allow='no'/></redirfilter>"));
    EXPECT_EQ(world.argv<Redirdev>("<redirdev bus='usb' type='spicevmc'/>"),
              (Words{"-chardev", "spicevmc,id=charredir0,name=usbredir", "-device",
                     R"({"driver":"usb-redir","chardev":"charredir0","id":"redir0",)"
                     R"("filter":"0x08:0x15E1:0x2007:0x0110:1|-1:-1:-1:-1:0"})"}));
}

TEST(SecretObject, IsWhatFips197Says) {
    std::array<std::uint8_t, 32> key{};
    AesBlock plain{};
    for (std::size_t i = 0; i < 32; ++i) key[i] = static_cast<std::uint8_t>(i);
    for (std::size_t i = 0; i < 16; ++i) plain[i] = static_cast<std::uint8_t>(i * 0x11);
    EXPECT_EQ(aes256(key, plain), (AesBlock{0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf, 0xea, 0xfc, 0x49,
                                            0x90, 0x4b, 0x49, 0x60, 0x89}));
}

TEST(SecretObject, FillsUpToWholeBlocksAndNeverSaysTheSecret) {
    const std::array<std::uint8_t, 32> key{};
    EXPECT_EQ(aes256_cbc(key, {}, "0123456789abcdef").size(), 32u);
    EXPECT_EQ(base64(std::array<std::uint8_t, 4>{'a', 'b', 'c', 'd'}), "YWJjZA==");
    Reserved reserved{.random = std::vector<std::uint8_t>(32, 1)};
    const auto a = secret_object("s0", "hunter2", reserved, "").value();
    const auto b = secret_object("s1", "hunter2", reserved, "").value();
    EXPECT_EQ(words(a)[1].find("hunter2"), std::string::npos);
    EXPECT_NE(std::get<boost::json::object>(a.value).at("iv"),
              std::get<boost::json::object>(b.value).at("iv"));
}

} // namespace
