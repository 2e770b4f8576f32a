#include "driver/facts/backing_path.hpp"
#include "driver/facts/firmware.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

constexpr std::string_view ovmf = R"({"description":"x","interface-types":["uefi"],
    "mapping":{"device":"flash","executable":{"filename":"/usr/share/OVMF/CODE.fd","format":"raw"},
               "nvram-template":{"filename":"/usr/share/OVMF/VARS.fd","format":"raw"}},
    "targets":[{"architecture":"x86_64","machines":["pc-i440fx-*","pc-q35-*"]}],
    "features":["acpi-s3","secure-boot"],"tags":[]})";

} // namespace

TEST(BackingPath, IsRelativeToTheImage) {
    EXPECT_EQ(backing_path("/a/b.qcow2", "c.img").value(), "/a/c.img");
    EXPECT_EQ(backing_path("/a/b.qcow2", "/c.img").value(), "/c.img");
    EXPECT_EQ(backing_path("/a/b.qcow2", "file:/c.img").value(), "/c.img");
    EXPECT_EQ(backing_path("/a/b.qcow2", "./x:y").value(), "/a/./x:y");
}

TEST(BackingPath, NamesTheProtocolItRefuses) {
    EXPECT_EQ(backing_path("/a", "nbd://h/x").error().message,
              "the backing file 'nbd://h/x' of image '/a' uses the protocol 'nbd', which is not supported");
    for (const auto* name :
         {"json:{\"driver\":\"x\"}", "rbd:pool/image", "ssh://h/x", "https://h/x", "fat:rw:/etc",
          "file:nbd:h:1", "file:json:{}", "file:", "file://h/x", ":x", "fd:3"})
        EXPECT_EQ(backing_path("/a", name).error().code, Code::config_unsupported) << name;
}

TEST(BackingPath, IsBelowAFolderByWholeNames) {
    EXPECT_TRUE(is_below("/a/b", {"/x", "/a"}));
    EXPECT_TRUE(is_below("/a/b", {"/a/"}));
    EXPECT_TRUE(is_below("/a", {"/a"}));
    EXPECT_TRUE(is_below("/a", {"/"}));
    EXPECT_FALSE(is_below("/ab", {"/a"}));
    EXPECT_FALSE(is_below("/a", {"/a/b"}));
    EXPECT_FALSE(is_below("/a", {}));
}

TEST(Firmware, ReadsADescriptor) {
    EXPECT_EQ(firmware_from("/f/60.json", ovmf).value(),
              (Firmware{.descriptor = "/f/60.json",
                        .interfaces = {"uefi"},
                        .mapping = "flash",
                        .mode = "split",
                        .executable = "/usr/share/OVMF/CODE.fd",
                        .executable_format = "raw",
                        .nvram_template = "/usr/share/OVMF/VARS.fd",
                        .nvram_template_format = "raw",
                        .targets = {{"x86_64", {"pc-i440fx-*", "pc-q35-*"}}},
                        .features = {"acpi-s3", "secure-boot"}}));
    EXPECT_FALSE(firmware_from("/f/60.json", "{}"));
}

TEST(Firmware, IsReplacedAndMaskedByLaterFolders) {
    const auto merged = merged_firmware(
        {{"/usr", {{"60-b.json", std::string(ovmf)}, {"50-a.json", std::string(ovmf)}, {"README", "x"}}},
         {"/etc", {{"50-a.json", ""}, {"60-b.json", std::string(ovmf)}, {"70-c.json", "{"}}}});
    ASSERT_EQ(merged.firmware.size(), 1u);
    EXPECT_EQ(merged.firmware[0].descriptor, "/etc/60-b.json");
    EXPECT_EQ(merged.warnings, std::vector<std::string>{"'/etc/70-c.json' is no firmware descriptor"});
}
