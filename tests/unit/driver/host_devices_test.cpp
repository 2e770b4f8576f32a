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

} // namespace
