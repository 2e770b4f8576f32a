#include "conf/domain/check.hpp"
#include "conf/domain/defaults.hpp"
#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

Domain completed(const std::string& body, Origin origin = Origin::fresh) {
    auto domain =
        read_domain("<domain type='qemu'><name>a</name><os><type>hvm</type></os>" + body + "</domain>")
            .value();
    add_defaults(domain, origin);
    return domain;
}
std::string refusal(const std::string& body) {
    auto domain =
        read_domain("<domain type='qemu'><name>a</name><memory>1024</memory><os><type machine='q35'>hvm"
                    "</type></os>" +
                    body + "</domain>");
    if (!domain) return domain.error().message;
    add_defaults(*domain);
    const auto done = check_domain(*domain);
    return done ? "" : done.error().message;
}

TEST(Defaults, FillInWhatASparseDefinitionLeavesOut) {
    const auto domain = completed("<memory unit='MiB'>64</memory>");
    auto text = print_domain(domain);
    EXPECT_EQ(text, "<domain type='qemu'>\n  <name>a</name>\n  <memory unit='KiB'>65536</memory>\n"
                    "  <currentMemory unit='KiB'>65536</currentMemory>\n  <vcpu placement='static'>1</vcpu>\n"
                    "  <os>\n    <type>hvm</type>\n    <boot dev='hd'/>\n  </os>\n  <clock offset='utc'/>\n"
                    "  <on_poweroff>destroy</on_poweroff>\n  <on_reboot>restart</on_reboot>\n"
                    "  <on_crash>destroy</on_crash>\n  <devices/>\n</domain>\n");
    auto again = domain;
    add_defaults(again);
    EXPECT_EQ(again, domain);
}

TEST(Defaults, TakeTheMemoryOfANewDefinitionFromItsCells) {
    const std::string body =
        "<memory>10</memory><cpu><numa><cell cpus='0' memory='4096'/><cell id='1' memory='4' "
        "unit='MiB'/></numa></cpu>";
    EXPECT_EQ(completed(body).memory->kib, 8192u);
    EXPECT_EQ(completed(body, Origin::stored).memory->kib, 10u);
}

TEST(Defaults, GroupDisksByBusAndSortThemByTarget) {
    const auto domain = completed("<devices><disk><target dev='sdb' bus='scsi'/></disk>"
                                  "<disk><target dev='vdab' bus='virtio'/></disk>"
                                  "<disk><target dev='vdb' bus='virtio'/></disk>"
                                  "<disk><target dev='sda' bus='scsi'/></disk></devices>");
    std::vector<std::string> targets;
    for (const auto* disk : devices_of<Disk>(domain)) targets.push_back(*disk->target.dev);
    EXPECT_EQ(targets, (std::vector<std::string>{"sda", "sdb", "vdb", "vdab"}));
}

TEST(Defaults, MirrorTheFirstSerialPortInTheConsole) {
    const auto from_console = completed("<devices><console type='pty'/></devices>");
    ASSERT_EQ(devices_of<Serial>(from_console).size(), 1u);
    EXPECT_EQ(devices_of<Serial>(from_console)[0]->target->port, 0u);
    const auto from_serial = completed("<devices><serial type='file'><source path='/l'/></serial></devices>");
    ASSERT_EQ(devices_of<Console>(from_serial).size(), 1u);
    EXPECT_EQ(devices_of<Console>(from_serial)[0]->chardev, devices_of<Serial>(from_serial)[0]->chardev);
    EXPECT_EQ(devices_of<Console>(from_serial)[0]->target->type, ConsoleTargetType::serial);
    const auto virtio = completed("<devices><console type='pty'><target type='virtio'/></console></devices>");
    EXPECT_TRUE(devices_of<Serial>(virtio).empty());
    const auto both =
        completed("<devices><serial type='pty'/><console type='pty'><target type='virtio'/></console>"
                  "</devices>");
    ASSERT_EQ(devices_of<Console>(both).size(), 2u);
    EXPECT_EQ(devices_of<Console>(both)[0]->target->type, ConsoleTargetType::serial);
    EXPECT_EQ(devices_of<Console>(both)[1]->target->type, ConsoleTargetType::virtio);
}

TEST(Defaults, PutThePrimaryDisplayFirst) {
    const auto domain =
        completed("<devices><video><model type='vga'/></video><video><model type='qxl' primary='yes'/>"
                  "</video></devices>");
    EXPECT_EQ(devices_of<Video>(domain)[0]->model->type, VideoType::qxl);
}

TEST(Defaults, AlignTheModulesOfANewDefinition) {
    const std::string body =
        "<memory>2000</memory><devices><memory model='dimm'><target><size>1023</size></target>"
        "</memory></devices>";
    EXPECT_EQ(devices_of<MemoryModule>(completed(body))[0]->target->size->kib, 1024u);
    EXPECT_EQ(devices_of<MemoryModule>(completed(body, Origin::stored))[0]->target->size->kib, 1023u);
}

TEST(Defaults, LeaveTheBootOrderToDevicesThatHaveOne) {
    EXPECT_EQ(completed("<devices/>").os.boot.size(), 1u);
    EXPECT_TRUE(
        completed("<devices><disk><target dev='vda'/><boot order='1'/></disk></devices>").os.boot.empty());
}

TEST(CheckDomain, RefusesWithTheReferencesTexts) {
    EXPECT_EQ(refusal(""), "");
    EXPECT_EQ(refusal("<cpu><cache mode='emulate' level='2'/></cpu>"),
              "CPU cache mode 'emulate' can only be used with level='3'");
    EXPECT_EQ(refusal("<cpu mode='host-passthrough'><cache mode='passthrough' level='3'/></cpu>"),
              "unsupported CPU cache level for mode 'passthrough'");
    EXPECT_EQ(refusal("<vcpu>2</vcpu><cpu><numa><cell id='1' cpus='0' memory='1'/><cell id='2' cpus='1' "
                      "memory='1'/></numa></cpu>"),
              "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not "
              "starting "
              "from 0 are not allowed");
    EXPECT_EQ(
        refusal(
            "<memoryBacking><hugepages><page size='2' unit='M' nodeset='1'/></hugepages></memoryBacking>"),
        "hugepages: node 1 not found");
    EXPECT_EQ(refusal("<sysinfo type='smbios'><bios><entry name='date'>999/999/123</entry></bios></sysinfo>"),
              "Invalid BIOS 'date' format");
    EXPECT_EQ(refusal("<sysinfo type='smbios'><bios><entry name='date'>04/30/2021</entry></bios></sysinfo>"),
              "");
    EXPECT_EQ(refusal("<seclabel type='dynamic'/><seclabel type='dynamic' model='dac'/>"),
              "missing security model when using multiple labels");
    EXPECT_EQ(refusal("<seclabel model='dac'/><seclabel type='none' model='dac'/>"),
              "seclabel for model dac is already provided");
    EXPECT_EQ(refusal("<seclabel type='dynamic'><baselabel>a:b:c:s0</baselabel></seclabel>"),
              "missing security model in domain seclabel");
    const auto disk = [](const std::string& labels) {
        return "<devices><disk type='file' device='disk'><source file='/a'>" + labels +
               "</source><target dev='vda'/></disk></devices>";
    };
    const std::string owner = "<seclabel model='dac' relabel='yes'><label>root:root</label></seclabel>";
    EXPECT_EQ(refusal(disk(owner)), "");
    EXPECT_EQ(refusal(disk(owner) + "<seclabel model='dac'/>"), "");
    EXPECT_EQ(refusal(disk(owner + owner)), "seclabel for model dac is already provided");
    for (const char* whole : {"<seclabel type='none' model='dac'/>",
                              "<seclabel type='static' model='dac'><label>root:root</label></seclabel>"})
        EXPECT_EQ(refusal(disk(owner) + whole),
                  "label overrides require relabeling to be enabled at the domain level");
    EXPECT_EQ(refusal("<devices><serial type='file'><source path='/a'>" + owner + owner +
                      "</source></serial></devices>"),
              "seclabel for model dac is already provided");
    EXPECT_EQ(
        refusal("<devices><rng model='virtio'><backend model='builtin'/><address type='pci' slot='0x20'/>"
                "</rng></devices>"),
        "Invalid PCI address slot='0x20', must be <= 0x1F");
    EXPECT_EQ(
        refusal("<devices><video><model type='none'/></video><video><model type='vga'/></video></devices>"),
        "a 'none' video type must be the only video device defined for the domain");
}

} // namespace
