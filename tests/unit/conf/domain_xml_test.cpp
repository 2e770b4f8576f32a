#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace cloister;

namespace {

std::string minimal(const std::string& body, const std::string& attributes = "") {
    return "<domain type='qemu'" + attributes + "><name>a</name><os><type>hvm</type></os>" + body +
           "</domain>";
}
std::pair<Code, std::string> refusal(const std::string& text) {
    const auto domain = read_domain(text);
    if (domain) return {Code::ok, ""};
    return {domain.error().code, domain.error().message};
}
using Refusal = std::pair<Code, std::string>;

TEST(DomainXml, RefusesWithTheReferencesCodesAndTexts) {
    EXPECT_EQ(refusal("<foo/>"), Refusal(Code::xml, "expecting root element of 'domain', not 'foo'"));
    EXPECT_EQ(refusal("<domain type='qemu'/>"), Refusal(Code::no_name, "missing name information"));
    EXPECT_EQ(refusal("<domain type='qemu'><name/></domain>"),
              Refusal(Code::no_name, "missing name information"));
    EXPECT_EQ(refusal("<domain type='qemu'><name>a</name></domain>"),
              Refusal(Code::xml, "an os <type> must be specified"));
    EXPECT_EQ(refusal("<domain type='qemu'><name>a</name><os/></domain>"),
              Refusal(Code::xml, "an os <type> must be specified"));
    EXPECT_EQ(refusal("<domain type='qemu'><name>a/b</name></domain>"),
              Refusal(Code::xml, "name a/b cannot contain '/'"));
    EXPECT_EQ(refusal("<domain type='nope'><name>a</name><os><type>hvm</type></os></domain>"),
              Refusal(Code::xml, "Invalid value for attribute 'type' in element 'domain': 'nope'."));
    EXPECT_EQ(refusal("<domain type='qemu'><name>a</name><os><type>hvm</type></os>").first, Code::xml_detail);
}

TEST(DomainXml, TheSecondLineOfAMalformedDocumentPointsAtTheColumn) {
    EXPECT_EQ(refusal("<domain").second,
              "(domain_definition):1: Couldn't find end of Start Tag domain line 1\n"
              "<domain\n-------^");
}

TEST(DomainXml, HoldsSizesInKibibytesRoundedUp) {
    const auto kib = [](const std::string& memory) {
        return read_domain(minimal(memory)).value().memory.value().kib;
    };
    EXPECT_EQ(kib("<memory>7</memory>"), 7u);
    EXPECT_EQ(kib("<memory unit='b'>1025</memory>"), 2u);
    EXPECT_EQ(kib("<memory unit='KB'>1024</memory>"), 1000u);
    EXPECT_EQ(kib("<memory unit='MiB'>2</memory>"), 2048u);
    EXPECT_EQ(kib("<memory unit='g'> 1 </memory>"), 1048576u);
    EXPECT_EQ(refusal(minimal("<memory unit='furlong'>1</memory>")),
              Refusal(Code::invalid_arg, "unknown suffix 'furlong'"));
    EXPECT_EQ(refusal(minimal("<memory unit='EiB'>99</memory>")).first, Code::overflow);
}

TEST(DomainXml, KeepsWhatTheUserLeftOutAbsent) {
    const auto domain = read_domain(minimal("")).value();
    Domain said;
    said.name = "a";
    said.os.type.type = "hvm";
    EXPECT_EQ(domain, said);
    EXPECT_EQ(print_domain(domain), "<domain type='qemu'>\n  <name>a</name>\n  <os>\n    <type>hvm</type>\n  "
                                    "</os>\n  <devices/>\n</domain>\n");
}

TEST(DomainXml, KeepsTheIdOnlyInLiveDocuments) {
    const auto text = minimal("", " id='7'");
    EXPECT_EQ(read_domain(text).value().id, std::nullopt);
    const auto live = read_domain(text, xml::Flavour::live).value();
    EXPECT_EQ(live.id, 7);
    EXPECT_TRUE(
        print_domain(live, {.flavour = xml::Flavour::live}).starts_with("<domain type='qemu' id='7'>\n"));
    EXPECT_TRUE(print_domain(live).starts_with("<domain type='qemu'>\n"));
}

TEST(DomainXml, PrintsMetadataInItsOwnStyleAndOncePerNamespace) {
    const auto text = print_domain(
        read_domain(minimal("<metadata><x/><a:n xmlns:a='urn:a' k='1'><a:m/></a:n><b:n>t &amp; \"u\"</b:n>"
                            "<c:n xmlns:c='urn:a'/></metadata>",
                            " xmlns:b='urn:b'"))
            .value());
    EXPECT_NE(text.find("  <metadata>\n    <a:n xmlns:a=\"urn:a\" k=\"1\">\n      <a:m/>\n    </a:n>\n"
                        "    <b:n xmlns:b=\"urn:b\">t &amp; \"u\"</b:n>\n  </metadata>\n"),
              std::string::npos)
        << text;
    EXPECT_EQ(print_domain(read_domain(text).value()), text);
}

TEST(DomainXml, NamesWhatItKeepsButDoesNotUnderstand) {
    const auto domain = read_domain(minimal("<devices>\n<flux n='1'/>\n<rng model='virtio'><backend "
                                            "model='builtin'/>\n<odd/></rng></devices>\n<warp/>"))
                            .value();
    EXPECT_EQ(unmodelled(domain),
              (std::vector<xml::Unmodelled>{
                  {"<warp> in <domain>", 5}, {"<odd> in <rng>", 4}, {"device <flux>", 2}}));
    EXPECT_EQ(read_domain(print_domain(domain)).value(), domain);
}

TEST(DomainXml, PrintsDevicesInTheReferencesOrder) {
    const auto domain =
        read_domain(minimal("<devices><memballoon model='none'/><input type='tablet' bus='usb'/>"
                            "<emulator>/bin/q</emulator><disk><target dev='vda'/></disk>"
                            "<input type='mouse' bus='ps2'/></devices>"))
            .value();
    EXPECT_EQ(domain.devices.emulator, "/bin/q");
    EXPECT_EQ(devices_of<Input>(domain).size(), 2u);
    EXPECT_EQ(element_of(domain.devices.list.back()), "memballoon");
    const auto text = print_domain(domain);
    EXPECT_EQ(
        text.substr(text.find("  <devices>")),
        "  <devices>\n    <emulator>/bin/q</emulator>\n    <disk>\n      <target dev='vda'/>\n    </disk>\n"
        "    <input type='tablet' bus='usb'/>\n    <input type='mouse' bus='ps2'/>\n"
        "    <memballoon model='none'/>\n  </devices>\n</domain>\n");
}

TEST(DomainXml, ReadsOneDeviceByItself) {
    const auto device = read_device("<interface type='user'><mac address='52:54:00:01:02:03'/></interface>");
    ASSERT_TRUE(device) << device.error().message;
    EXPECT_EQ(element_of(*device), "interface");
    EXPECT_EQ(print_device(*device),
              "<interface type='user'>\n  <mac address='52:54:00:01:02:03'/>\n</interface>\n");
    const auto unknown = read_device("<flux/>");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().message, "unknown device type 'flux'");
}

TEST(CpuSet, JoinsRangesAndDropsExclusions) {
    EXPECT_EQ(printed(parse_cpuset("1-4,^3, 8 ,9,0").value()), "0-2,4,8-9");
    for (const auto* text : {"", "a", "3-1", "^1-2", "1,", "-1", "99999"})
        EXPECT_FALSE(parse_cpuset(text)) << text;
}

std::string file(const std::string& name) {
    std::ifstream in(std::string(GOLDEN) + "/" + name);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

class GoldenXml : public testing::TestWithParam<const char*> {};

TEST_P(GoldenXml, PrintsCanonicalTextUnchanged) {
    const auto text = file(GetParam());
    ASSERT_FALSE(text.empty());
    const auto flavour = text.find(" id='") < text.find('>') ? xml::Flavour::live : xml::Flavour::inactive;
    const auto domain = read_domain(text, flavour);
    ASSERT_TRUE(domain) << domain.error().message;
    EXPECT_EQ(print_domain(*domain, {.flavour = flavour, .secure = true}), text);
    EXPECT_EQ(unmodelled(*domain), std::vector<xml::Unmodelled>{});
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenXml,
                         testing::Values("desktop.xml", "server.xml", "windows.xml", "running.xml"),
                         [](const auto& f) {
                             const std::string name = f.param;
                             return name.substr(0, name.find('.'));
                         });

} // namespace
