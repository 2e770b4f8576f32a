#include "driver/facts/pci_config.hpp"
#include "driver/probe/host_devices.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace cloister;
namespace fs = std::filesystem;

namespace {

/// A sysfs of our own, gone with the test.
struct Sysfs {
    fs::path root{};
    Sysfs() {
        std::string name = (fs::temp_directory_path() / "cloister-sys-XXXXXX").string();
        root = ::mkdtemp(name.data());
    }
    ~Sysfs() { fs::remove_all(root); }
    Sysfs(const Sysfs&) = delete;
    Sysfs& operator=(const Sysfs&) = delete;
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text << '\n';
    }
};

TEST(HostDevices, AreReadFromSysfs) {
    const Sysfs sys;
    sys.write("bus/usb/devices/1-2/idVendor", "046d");
    sys.write("bus/usb/devices/1-2/idProduct", "c52b");
    sys.write("bus/usb/devices/1-2/busnum", "1");
    sys.write("bus/usb/devices/1-2/devnum", "12");
    sys.write("bus/usb/devices/1-2:1.0/bInterfaceNumber", "00");
    sys.write("kernel/iommu_groups/9/devices/0000:06:12.1/class", "x");
    sys.write("bus/scsi/devices/0:0:1:0/scsi_generic/sg3/dev", "21:3");
    sys.write("bus/scsi/devices/host0/uevent", "");
    HostFacts facts;
    add_host_devices(facts, sys.root.string());
    EXPECT_EQ(facts.usb_devices,
              (std::vector<UsbFact>{{.bus = 1, .device = 12, .vendor = 0x46d, .product = 0xc52b}}));
    EXPECT_EQ(facts.iommu_groups, (std::map<std::string, unsigned>{{"0000:06:12.1", 9}}));
    EXPECT_EQ(facts.scsi_generic, (std::map<std::string, std::string>{{"0:0:1:0", "/dev/sg3"}}));
}

/// A configuration space with the Express capability of a port type, and ACS with these controls enabled.
std::string config_of(unsigned port_type, std::optional<unsigned> controls) {
    std::string out(4096, '\0');
    const auto put = [&](std::size_t at, unsigned value) { out[at] = static_cast<char>(value); };
    put(0x34, 0x40);
    put(0x40, 0x01), put(0x41, 0x50); // power management first
    put(0x50, 0x10), put(0x52, port_type << 4 | 2);
    put(0x100, 0x01), put(0x102, 0x01), put(0x103, 0x14); // error reporting, the next at 0x140
    if (controls) put(0x140, 0x0d), put(0x146, *controls);
    return out;
}

TEST(PciConfig, OnlyASwitchPortThatDoesNotKeepApartIsOpen) {
    constexpr unsigned root_port = 4, downstream = 6, all = 0x1d;
    EXPECT_TRUE(is_switch_port_without_acs(config_of(downstream, std::nullopt)));
    EXPECT_TRUE(is_switch_port_without_acs(config_of(downstream, 0u)));
    EXPECT_TRUE(is_switch_port_without_acs(config_of(downstream, 0x19u))) << "no request redirect";
    EXPECT_FALSE(is_switch_port_without_acs(config_of(downstream, all)));
    EXPECT_FALSE(is_switch_port_without_acs(config_of(root_port, std::nullopt)));
    EXPECT_FALSE(is_switch_port_without_acs(""));
    EXPECT_FALSE(is_switch_port_without_acs(std::string(256, '\x40'))) << "a list that goes round in circles";
}

TEST(HostDevices, BelowAnOpenSwitchAreToldApart) {
    const Sysfs sys;
    const std::string root = "devices/pci0000:00/0000:00:01.0", open = root + "/0000:01:00.0/0000:02:01.0";
    sys.write(root + "/config", config_of(4, std::nullopt));
    sys.write(root + "/0000:01:00.0/config", config_of(5, std::nullopt));
    sys.write(open + "/config", config_of(6, std::nullopt));
    sys.write(open + "/0000:03:00.0/config", config_of(0, std::nullopt));
    sys.write("devices/pci0000:00/0000:00:02.0/config", config_of(9, std::nullopt));
    fs::create_directories(sys.root / "bus/pci/devices");
    fs::create_directory_symlink(sys.root / open / "0000:03:00.0", sys.root / "bus/pci/devices/0000:03:00.0");
    fs::create_directory_symlink(sys.root / "devices/pci0000:00/0000:00:02.0",
                                 sys.root / "bus/pci/devices/0000:00:02.0");
    sys.write("kernel/iommu_groups/9/devices/0000:03:00.0/class", "x");
    sys.write("kernel/iommu_groups/3/devices/0000:00:02.0/class", "x");
    HostFacts facts;
    add_host_devices(facts, sys.root.string());
    EXPECT_EQ(facts.not_kept_apart, std::set<std::string>{"0000:03:00.0"});
}

} // namespace
