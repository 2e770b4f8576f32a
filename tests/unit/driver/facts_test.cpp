#include "driver/facts/firmware.hpp"
#include "driver/facts/image_header.hpp"

#include <gtest/gtest.h>

using namespace cloister;
using namespace std::string_literals;

namespace {

template <class T> std::string big(T number) {
    std::string out;
    for (std::size_t i = sizeof number; i-- > 0;) out += static_cast<char>(number >> (8 * i));
    return out;
}
std::string extension(std::uint32_t type, std::string data) {
    auto out = big(type) + big(static_cast<std::uint32_t>(data.size())) + data;
    out.resize((out.size() + 7) / 8 * 8);
    return out;
}
/// A version 3 header of 104 bytes, extensions, the backing name behind them.
std::string qcow2(const std::string& extensions, const std::string& backing) {
    const auto at = 104 + extensions.size();
    auto out = "QFI\xfb"s + big(std::uint32_t{3}) + big(std::uint64_t{backing.empty() ? 0 : at}) +
               big(static_cast<std::uint32_t>(backing.size())) + big(std::uint32_t{16}) +
               big(std::uint64_t{10 << 20}) + big(std::uint32_t{0});
    out.resize(100);
    return out + big(std::uint32_t{104}) + extensions + backing;
}
const std::string end = extension(0, "");

constexpr std::string_view ovmf = R"({"description":"x","interface-types":["uefi"],
    "mapping":{"device":"flash","executable":{"filename":"/usr/share/OVMF/CODE.fd","format":"raw"},
               "nvram-template":{"filename":"/usr/share/OVMF/VARS.fd","format":"raw"}},
    "targets":[{"architecture":"x86_64","machines":["pc-i440fx-*","pc-q35-*"]}],
    "features":["acpi-s3","secure-boot"],"tags":[]})";

} // namespace

TEST(ImageHeader, ReadsWhatAQcow2StandsOn) {
    const auto bytes = qcow2(extension(0xE2792ACA, "raw") + end, "base.img");
    EXPECT_EQ(
        image_header(bytes, "qcow2").value(),
        (ImageHeader{.format = "qcow2", .size = 10 << 20, .backing = "base.img", .backing_format = "raw"}));
    EXPECT_EQ(image_header(qcow2(end, ""), "qcow2").value(),
              (ImageHeader{.format = "qcow2", .size = 10 << 20}));
    EXPECT_EQ(image_header(qcow2(extension(0x44415441, "/d.raw") + end, ""), "qcow2")->data_file, "/d.raw");
}

TEST(ImageHeader, ReadsNothingOfARawDiskWhateverItHolds) {
    EXPECT_EQ(image_header(qcow2(end, "/etc/shadow"), "raw").value(), ImageHeader{});
}

TEST(ImageHeader, RefusesABrokenHeader) {
    const auto whole = qcow2(extension(0xE2792ACA, "raw") + end, "base.img");
    for (std::size_t cut = 0; cut < whole.size(); ++cut)
        EXPECT_FALSE(image_header(std::string_view(whole).substr(0, cut), "qcow2")) << cut;
    EXPECT_FALSE(image_header(qcow2(end, "a\0b"s), "qcow2"));
    EXPECT_FALSE(image_header(qcow2(end, std::string(1024, 'a')), "qcow2"));
    EXPECT_FALSE(image_header(qcow2(big(std::uint32_t{7}) + big(std::uint32_t{0xffffffff}), ""), "qcow2"));
    EXPECT_EQ(image_header("no", "qcow2").error().message,
              "the image has no valid header of the format 'qcow2'");
}

TEST(ImageHeader, DetectsFormatsByTheirMark) {
    EXPECT_EQ(detected_format(qcow2(end, "")), "qcow2");
    EXPECT_EQ(detected_format("LUKS\xba\xbe"), "luks");
    EXPECT_EQ(detected_format(""), "raw");
}

TEST(BackingPath, IsRelativeToTheImage) {
    EXPECT_EQ(backing_path("/a/b.qcow2", "c.img").value(), "/a/c.img");
    EXPECT_EQ(backing_path("/a/b.qcow2", "/c.img").value(), "/c.img");
    EXPECT_EQ(backing_path("/a/b.qcow2", "file:/c.img").value(), "/c.img");
    EXPECT_EQ(backing_path("/a/b.qcow2", "./x:y").value(), "/a/./x:y");
}

TEST(BackingPath, NamesTheProtocolItRefuses) {
    EXPECT_EQ(backing_path("/a", "nbd://h/x").error().message,
              "the backing file 'nbd://h/x' of image '/a' uses the protocol 'nbd', which is not supported");
    EXPECT_EQ(backing_path("/a", "json:{\"driver\":\"x\"}").error().code, Code::config_unsupported);
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
