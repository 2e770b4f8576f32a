#include "driver/caps/caps_json.hpp"
#include "driver/caps/decode.hpp"
#include "driver/caps/schema.hpp"

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace cloister;

namespace {

/// A conversation as short as it can be, in the form of a recording.
constexpr std::string_view recorded = R"(
{"execute":"qmp_capabilities","id":"a-1"}
{"return":{},"id":"a-1"}
{"execute":"query-version","id":"a-2"}
{"return":{"qemu":{"micro":22,"minor":2,"major":7},"package":"Debian 1:7.2"},"id":"a-2"}
{"execute":"query-target"} {"return":{"arch":"x86_64"}}
{"execute":"query-kvm"} {"return":{"enabled":true,"present":true}}
{"execute":"query-commands"} {"return":[{"name":"cont"},{"name":"stop"}]}
{"execute":"qom-list-types"} {"return":[{"name":"virtio-blk-pci","parent":"x"},{"name":"ide-hd"}]}
{"execute":"device-list-properties","arguments":{"typename":"ide-hd"}}
{"return":[{"name":"wwn","type":"uint64"},{"name":"drive","type":"str"}]}
{"execute":"device-list-properties","arguments":{"typename":"virtio-net-ccw"}}
{"error":{"class":"DeviceNotFound","desc":"Device 'virtio-net-ccw' not found"}}
{"execute":"query-machines"}
{"return":[{"hotpluggable-cpus":true,"name":"pc-q35-7.2","alias":"q35","numa-mem-supported":false,
  "default-cpu-type":"qemu64-x86_64-cpu","cpu-max":288,"deprecated":false,"default-ram-id":"pc.ram"},
  {"name":"pc-i440fx-7.2","alias":"pc","is-default":true,"cpu-max":255,"numa-mem-supported":true,"deprecated":false}]}
{"execute":"query-cpu-definitions"}
{"return":[{"name":"EPYC","typename":"EPYC-x86_64-cpu","alias-of":"EPYC-v1","unavailable-features":["sha-ni"],
  "static":false,"migration-safe":true,"deprecated":false}]}
{"execute":"query-tpm-models"} {"return":["tpm-crb"]}
{"execute":"query-tpm-types"} {"return":["emulator"]}
{"execute":"query-command-line-options"}
{"return":[{"option":"sandbox","parameters":[{"name":"enable","type":"boolean"},{"name":"spawn","type":"string"}]}]}
{"execute":"query-migrate-capabilities"} {"return":[{"state":false,"capability":"events"}]}
{"execute":"query-cpu-model-expansion","arguments":{"type":"static","model":{"name":"host"}}}
{"return":{"model":{"name":"base","props":{"aes":true,"model":6,"vendor":"GenuineIntel"}}}}
{"execute":"query-cpu-model-expansion","arguments":{"type":"static","model":{"name":"host","props":{"migratable":false}}}}
{"return":{"model":{"name":"base","props":{"invtsc":true}}}}
{"execute":"query-cpu-model-expansion","arguments":{"type":"static","model":{"name":"EPYC"}}}
{"return":{"model":{"name":"base","props":{"sha-ni":true}}}}
{"execute":"qmp_capabilities"} {"return":{}}
{"execute":"query-cpu-definitions"}
{"return":[{"name":"max","typename":"max-x86_64-cpu","unavailable-features":[],"static":false,"migration-safe":false,"deprecated":false}]}
{"execute":"query-cpu-model-expansion","arguments":{"type":"static","model":{"name":"max"}}}
{"return":{"model":{"name":"base","props":{"aes":false}}}}
)";

QemuCaps expected() {
    return {
        .emulator = "/usr/bin/qemu-system-x86_64",
        .version = 7'002'022,
        .package = "Debian 1:7.2",
        .arch = "x86_64",
        .kvm = true,
        .machines =
            {{.name = "pc-q35-7.2",
              .alias = "q35",
              .max_cpus = 288,
              .hotpluggable_cpus = true,
              .default_cpu_type = "qemu64-x86_64-cpu",
              .default_ram_id = "pc.ram"},
             {.name = "pc-i440fx-7.2", .alias = "pc", .max_cpus = 255, .numa_mem = true, .is_default = true}},
        .cpus_tcg = {{.name = "max", .type = "max-x86_64-cpu", .usable_known = true}},
        .cpus_kvm = {{.name = "EPYC",
                      .type = "EPYC-x86_64-cpu",
                      .alias_of = "EPYC-v1",
                      .unavailable = {"sha-ni"},
                      .usable_known = true,
                      .migration_safe = true}},
        .types = {"ide-hd", "virtio-blk-pci"},
        .commands = {"cont", "stop"},
        .properties = {{"ide-hd", {"drive", "wwn"}}},
        .options = {{"sandbox", {"enable", "spawn"}}},
        .tpm_types = {"emulator"},
        .tpm_models = {"tpm-crb"},
        .migration = {"events"},
        .host_kvm = CpuExpansion{"host", {{"aes", "true"}, {"model", "6"}, {"vendor", "GenuineIntel"}}},
        .host_tcg = CpuExpansion{"max", {{"aes", "false"}}},
        .models_kvm = {{"EPYC", {"EPYC", {{"sha-ni", "true"}}}}}};
}

Schema schema() {
    static const auto reply = boost::json::parse(R"([
      {"name":"blockdev-add","meta-type":"command","arg-type":"1","ret-type":"0","features":["old"]},
      {"name":"STOP","meta-type":"event","arg-type":"0"},
      {"name":"0","meta-type":"object","members":[]},
      {"name":"1","meta-type":"object","tag":"driver","members":[{"name":"driver","type":"2"},
        {"name":"ro","type":"bool","default":null,"features":["auto"]}],"variants":[{"case":"file","type":"3"}]},
      {"name":"2","meta-type":"enum","values":["file","qcow2"]},
      {"name":"3","meta-type":"object","members":[{"name":"aio","type":"[4]","default":null}]},
      {"name":"[4]","meta-type":"array","element-type":"4"},
      {"name":"4","meta-type":"enum","values":["threads","native"]},
      {"name":"bool","meta-type":"builtin","json-type":"boolean"}])")
                                  .as_array();
    return Schema(reply);
}

} // namespace

TEST(QemuCapsDecode, ReadsEveryAnswer) { EXPECT_EQ(decode_recorded(recorded, "").value(), expected()); }

TEST(QemuCapsDecode, TakesAnotherArchitecture) {
    const auto caps = decode_recorded(recorded, "i386").value();
    EXPECT_EQ(caps.arch, "i386");
    EXPECT_EQ(caps.emulator, "/usr/bin/qemu-system-i386");
}

TEST(QemuCapsDecode, FindsMachinesByNameAndAlias) {
    const auto caps = expected();
    EXPECT_EQ(caps.machine("q35"), caps.machine("pc-q35-7.2"));
    EXPECT_EQ(caps.machine("nope"), nullptr);
    EXPECT_EQ(caps.default_machine()->name, "pc-i440fx-7.2");
}

TEST(QemuCapsDecode, RefusesWhatIsNoConversation) {
    EXPECT_FALSE(decode_recorded("", ""));
    EXPECT_FALSE(decode_recorded("{", ""));
    EXPECT_FALSE(decode_recorded("[]", ""));
    EXPECT_EQ(decode_recorded(R"({"execute":"query-version"} {"return":[]})", "").error().message,
              "QEMU did not answer 'query-version' in the documented form");
}

TEST(QemuCapsJson, ReadsBackWhatItWrote) {
    const auto text = caps_text(expected(), "key");
    EXPECT_EQ(caps_from(text, "key"), expected());
    EXPECT_EQ(caps_from(text, "other"), std::nullopt);
    for (std::size_t cut = 0; cut < text.size(); cut += 7)
        EXPECT_EQ(caps_from(text.substr(0, cut), "key"), std::nullopt);
    EXPECT_EQ(caps_from(R"({"cloister-caps":1,"contents":0,"key":"key","caps":[]})", "key"), std::nullopt);
    EXPECT_EQ(caps_from("[]", "key"), std::nullopt);
}

TEST(QemuSchema, FollowsPaths) {
    const auto of = schema();
    for (const auto* there :
         {"blockdev-add", "STOP", "blockdev-add/$old", "blockdev-add/arg-type/driver/^qcow2",
          "blockdev-add/arg-type/ro", "blockdev-add/arg-type/*ro", "blockdev-add/arg-type/ro/$auto",
          "blockdev-add/arg-type/+file/aio/^native"})
        EXPECT_TRUE(of.has(there)) << there;
    for (const auto* absent :
         {"nope", "blockdev-add/$new", "blockdev-add/arg-type/driver/^raw", "blockdev-add/arg-type/*driver",
          "blockdev-add/arg-type/+qcow2", "blockdev-add/arg-type/+file/aio/^io_uring", "blockdev-add/x",
          "STOP/ret-type"})
        EXPECT_FALSE(of.has(absent)) << absent;
}

TEST(QemuSchema, ExpandsValuesAndCases) {
    EXPECT_EQ(schema().matches("blockdev-add/arg-type/driver/^*"),
              (std::vector<std::string>{"blockdev-add/arg-type/driver/^file",
                                        "blockdev-add/arg-type/driver/^qcow2"}));
    EXPECT_EQ(schema().matches("blockdev-add/arg-type/+*"),
              std::vector<std::string>{"blockdev-add/arg-type/+file"});
    EXPECT_EQ(schema().events(), (std::set<std::string, std::less<>>{"STOP"}));
}

/// A recording of a whole QEMU 7.1 when there is one beside the project.
TEST(QemuCapsDecode, ReadsARecordedQemu) {
    const auto* shared = std::getenv("CLOISTER_SHARED");
    const std::string path =
        std::string(shared ? shared : "") + "/corpus/vectors/support/qemucaps/caps_7.1.0.x86_64.replies";
    std::ifstream file(path);
    if (!file) GTEST_SKIP() << "this machine: no recorded conversation (set CLOISTER_SHARED)";
    std::stringstream text;
    text << file.rdbuf();
    const auto caps = decode_recorded(text.str(), "x86_64").value();
    EXPECT_EQ(caps.version, 7'000'050u);
    EXPECT_TRUE(caps.kvm);
    EXPECT_EQ(caps.default_machine()->alias, "pc");
    EXPECT_TRUE(caps.has_type("virtio-blk-pci"));
    EXPECT_TRUE(caps.has_property("virtio-blk-pci", "num-queues"));
    EXPECT_TRUE(caps.has_option("sandbox", "spawn"));
    EXPECT_TRUE(caps.has_schema("blockdev-add/arg-type/+file/aio/^io_uring"));
    EXPECT_TRUE(caps.has_schema("device_add/$json-cli"));
    EXPECT_EQ(caps.host_kvm->properties.at("vendor"), "AuthenticAMD");
    EXPECT_EQ(caps.host_tcg->model, "max");
    EXPECT_EQ(caps_from(caps_text(caps, ""), ""), caps);
}
