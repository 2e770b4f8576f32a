/// Validated against libvirt's own schemas when they are installed: what stock clients were written for.
#include "driver/caps/cpu_names.hpp"
#include "driver/describe/describe.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace cloister;

namespace {

QemuCaps caps() {
    return {
        .emulator = "/usr/bin/qemu-system-x86_64",
        .version = 7'002'022,
        .kvm = true,
        .machines = {{.name = "pc-q35-7.2", .alias = "q35", .max_cpus = 288},
                     {.name = "pc-i440fx-7.2", .alias = "pc", .max_cpus = 255, .is_default = true},
                     {.name = "pc-i440fx-1.4", .max_cpus = 255, .deprecated = true},
                     {.name = "none", .max_cpus = 1}},
        .cpus_tcg = {{.name = "max"},
                     {.name = "EPYC-v1"},
                     {.name = "EPYC", .alias_of = "EPYC-v1", .unavailable = {"sha-ni"}, .usable_known = true},
                     {.name = "Conroe", .alias_of = "Conroe-v1", .usable_known = true, .deprecated = true},
                     {.name = "qemu64", .alias_of = "qemu64-v1"}},
        .cpus_kvm = {{.name = "EPYC", .alias_of = "EPYC-v1", .usable_known = true},
                     {.name = "Conroe", .alias_of = "Conroe-v1", .usable_known = true}},
        .types = {"VGA", "ich9-ahci", "iothread", "isa-fdc", "memory-backend-memfd", "qxl-vga", "rng-random",
                  "scsi-hd", "usb-storage", "virtio-blk-pci", "virtio-rng-pci", "vmcoreinfo"},
        .commands = {"query-vnc", "query-spice"},
        .tpm_types = {"emulator"},
        .tpm_models = {"tpm-crb"},
        .host_kvm =
            CpuExpansion{
                "host",
                {{"vendor", "GenuineIntel"}, {"avx", "true"}, {"lahf-lm", "true"}, {"kvm-pv-eoi", "true"}}},
        .host_tcg = CpuExpansion{"max", {{"vendor", "AuthenticAMD"}, {"svm", "true"}}},
        .models_kvm = {{"EPYC", {"EPYC", {{"vendor", "GenuineIntel"}, {"avx", "true"}}}},
                       {"Conroe", {"Conroe", {{"vendor", "GenuineIntel"}, {"ssse3", "true"}}}}},
        .models_tcg = {{"EPYC", {"EPYC", {{"vendor", "AuthenticAMD"}, {"svm", "true"}, {"sha-ni", "true"}}}},
                       {"Conroe", {"Conroe", {{"vendor", "GenuineIntel"}}}},
                       {"qemu64", {"qemu64", {{"vendor", "AuthenticAMD"}, {"svm", "true"}}}}},
        .hyperv = {"hv-relaxed"}};
}

HostFacts host() {
    Firmware plain{.descriptor = "60.json",
                   .interfaces = {"uefi"},
                   .mapping = "flash",
                   .mode = "split",
                   .executable = "/usr/share/OVMF/CODE.fd",
                   .targets = {{"x86_64", {"pc-i440fx-*", "pc-q35-*"}}}};
    auto secure = plain;
    secure.executable = "/usr/share/OVMF/CODE.secboot.fd";
    secure.targets = {{"x86_64", {"pc-q35-*"}}};
    secure.features = {"secure-boot", "requires-smm"};
    return {.firmware = {secure, plain}};
}

HostTopology topology() {
    return {.uuid = "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4",
            .cpu_vendor = "GenuineIntel",
            .family = 6,
            .model = 85,
            .stepping = 4,
            .microcode = 1,
            .physical_bits = 46,
            .tsc_hz = 2600000000,
            .online = {0, 1},
            .cells = {{.id = 0,
                       .memory_kib = 4096,
                       .free_kib = 1024,
                       .pages = {{4, 1024, 256}, {2048, 0, 0}},
                       .distances = {{0, 10}},
                       .cpus = {{.id = 0, .siblings = {0, 1}}, {.id = 1, .siblings = {0, 1}}}}},
            .caches = {{.id = 0, .level = 3, .type = "both", .size_kib = 16384, .cpus = {0, 1}}},
            .suspend_mem = true};
}

std::vector<SecurityModel> models() {
    return {{"none", "0", {}}, {"dac", "0", {{"kvm", "+107:+107"}, {"qemu", "+107:+107"}}}};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What xmllint says against a schema of libvirt; empty: valid.
std::string faults(const std::string& text, const std::string& schema) {
    char name[] = "/tmp/cloister-describe-XXXXXX";
    const int fd = ::mkstemp(name);
    ::close(fd);
    std::ofstream(name) << text;
    const auto command =
        "xmllint --noout --relaxng /usr/share/libvirt/schemas/" + schema + " " + name + " 2>&1";
    std::string said;
    auto* pipe = ::popen(command.c_str(), "r");
    char buffer[512];
    while (std::fgets(buffer, sizeof buffer, pipe)) said += buffer;
    const bool fine = ::pclose(pipe) == 0;
    ::unlink(name);
    return fine ? "" : said + text;
}
bool no_schemas() {
    return ::access("/usr/share/libvirt/schemas/domaincaps.rng", R_OK) != 0 ||
           std::system("command -v xmllint >/dev/null") != 0;
}

} // namespace

TEST(Capabilities, AreValid) {
    if (no_schemas()) GTEST_SKIP() << "this machine: no xmllint or no libvirt schemas";
    const auto own = caps();
    EXPECT_EQ(faults(capabilities_xml(topology(), {&own}, models()), "capability.rng"), "");
    EXPECT_EQ(faults(capabilities_xml({}, {}, {}), "capability.rng"), "");
}

TEST(Capabilities, ListTheDefaultMachineFirstAndEveryAlias) {
    const auto own = caps();
    const auto text = capabilities_xml(topology(), {&own}, models());
    EXPECT_TRUE(has(text, "      <emulator>/usr/bin/qemu-system-x86_64</emulator>\n"
                          "      <machine maxCpus='255'>pc-i440fx-7.2</machine>\n"
                          "      <machine canonical='pc-i440fx-7.2' maxCpus='255'>pc</machine>\n"
                          "      <machine maxCpus='288'>pc-q35-7.2</machine>\n"
                          "      <machine canonical='pc-q35-7.2' maxCpus='288'>q35</machine>\n"
                          "      <machine maxCpus='255' deprecated='yes'>pc-i440fx-1.4</machine>\n"
                          "      <domain type='qemu'/>\n"
                          "      <domain type='kvm'/>\n"))
        << text;
}

TEST(Capabilities, SayNothingOfKvmWithoutIt) {
    auto own = caps();
    own.kvm = false;
    EXPECT_FALSE(has(capabilities_xml(topology(), {&own}, models()), "type='kvm'/>"));
}

TEST(DomainCapabilities, AreValid) {
    if (no_schemas()) GTEST_SKIP() << "this machine: no xmllint or no libvirt schemas";
    const auto own = caps();
    for (const auto& machine : own.machines)
        for (const auto* type : {"kvm", "qemu"})
            EXPECT_EQ(faults(domain_capabilities_xml(own, host(), machine, type), "domaincaps.rng"), "");
    const QemuCaps bare{.emulator = "/q", .machines = {{.name = "virt"}}};
    EXPECT_EQ(faults(domain_capabilities_xml(bare, {}, bare.machines[0], "qemu"), "domaincaps.rng"), "");
}

TEST(DomainCapabilities, OfferTheFirmwareThatFitsTheMachine) {
    const auto own = caps();
    EXPECT_TRUE(has(domain_capabilities_xml(own, host(), *own.machine("q35"), "kvm"),
                    "      <value>/usr/share/OVMF/CODE.secboot.fd</value>\n      "
                    "<value>/usr/share/OVMF/CODE.fd</value>\n"));
    EXPECT_FALSE(has(domain_capabilities_xml(own, host(), *own.machine("pc"), "kvm"), "secboot"));
    EXPECT_TRUE(has(domain_capabilities_xml(own, {}, *own.machine("pc"), "kvm"), "<enum name='firmware'/>"));
}

TEST(DomainCapabilities, DescribeModelsPerAccelerator) {
    const auto own = caps();
    EXPECT_TRUE(has(domain_capabilities_xml(own, host(), *own.machine("pc"), "qemu"),
                    "    <mode name='host-passthrough' supported='no'/>\n"));
    EXPECT_TRUE(has(domain_capabilities_xml(own, host(), *own.machine("pc"), "qemu"),
                    "    <mode name='custom' supported='yes'>\n"
                    "      <model usable='no' vendor='AMD'>EPYC</model>\n"
                    "      <model usable='yes' deprecated='yes' vendor='Intel'>Conroe</model>\n"
                    "      <model usable='unknown' vendor='unknown'>qemu64</model>\n"
                    "    </mode>\n"));
}

TEST(HostModel, IsTheNearestModelOfTheHostsVendor) {
    EXPECT_EQ(host_model(caps(), true), (CpuDescription{"Conroe", "Intel", {"avx", "lahf_lm"}, {"ssse3"}}));
    EXPECT_EQ(host_model(caps(), false), (CpuDescription{"EPYC", "AMD", {}, {"sha-ni"}}));
    EXPECT_EQ(host_model(QemuCaps{}, true), std::nullopt);
}

TEST(CpuNames, AreTranslatedBothWays) {
    EXPECT_EQ(feature_in_xml("pclmulqdq"), "pclmuldq");
    EXPECT_EQ(feature_in_qemu("pclmuldq"), "pclmulqdq");
    EXPECT_EQ(feature_in_qemu("sse4.1"), "sse4.1");
    EXPECT_EQ(vendor_in_xml("HygonGenuine"), "Hygon");
}
