#include "conf/settings/keys.hpp"
#include "conf/settings/read.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

QemuConf qemu(std::string_view text) {
    std::vector<std::string> warnings;
    auto conf = read_qemu_conf(text, "qemu.conf", warnings);
    EXPECT_TRUE(conf) << (conf ? "" : conf.error().message);
    return conf ? *conf : QemuConf{};
}
std::string refusal(std::string_view text) {
    std::vector<std::string> warnings;
    const auto conf = read_qemu_conf(text, "qemu.conf", warnings);
    return conf ? "" : conf.error().message;
}
std::vector<std::string> warned(std::string_view text) {
    std::vector<std::string> warnings;
    (void)read_qemu_conf(text, "qemu.conf", warnings);
    return warnings;
}

TEST(QemuConf, ReadsEachKindOfKeyAndItsLine) {
    const auto conf = qemu("user = \"root\"\nseccomp_sandbox = 0\nnamespaces = []\nmax_core = \"unlimited\"\n"
                           "cgroup_device_acl = [ \"/dev/null\", ]\nsecurity_driver = 'none'\n");
    EXPECT_EQ(conf.user, "root");
    EXPECT_EQ(conf.seccomp_sandbox, 0);
    EXPECT_EQ(conf.namespaces, std::vector<std::string>{});
    EXPECT_EQ(conf.max_core, UINT64_MAX);
    EXPECT_EQ(conf.cgroup_device_acl, std::vector<std::string>{"/dev/null"});
    EXPECT_EQ(conf.security_driver, std::vector<std::string>{"none"});
    EXPECT_EQ(conf.lines.at("namespaces"), 3);
    EXPECT_EQ(qemu("seccomp_sandbox = -1").seccomp_sandbox, -1);
}

TEST(QemuConf, StopsAtAWrongValueWithFileLineKeyAndWhatIsAllowed) {
    EXPECT_EQ(refusal("\nuser = 107"), "qemu.conf:2: 'user': expected a quoted string, found integer");
    EXPECT_EQ(refusal("dynamic_ownership = 2"), "qemu.conf:1: 'dynamic_ownership': the value must be 0 or 1");
    EXPECT_EQ(refusal("seccomp_sandbox = 2"), "qemu.conf:1: 'seccomp_sandbox': 2 is not between 0 and 1");
    EXPECT_EQ(refusal("namespaces = [ 'net' ]"), "qemu.conf:1: 'namespaces': 'net' is none of: mount");
    EXPECT_EQ(refusal("security_driver = [ 'selinux', 'selinux' ]"),
              "qemu.conf:1: 'security_driver': 'selinux' is named twice");
    EXPECT_EQ(refusal("remote_display_port_min = 80"),
              "qemu.conf:1: 'remote_display_port_min': 80 is not between 5900 and 65535");
    EXPECT_EQ(refusal("remote_display_port_max = 5950\nremote_display_port_min = 6000"),
              "qemu.conf:2: 'remote_display_port_min' is greater than 'remote_display_port_max'");
}

TEST(QemuConf, WarnsOfUnknownAndMisspeltKeys) {
    EXPECT_EQ(
        warned("dynamic_ownersip = 1"),
        std::vector<std::string>{
            "qemu.conf:1: unknown key 'dynamic_ownersip' is ignored; did you mean 'dynamic_ownership'?"});
    EXPECT_EQ(warned("zzz = 1"), std::vector<std::string>{"qemu.conf:1: unknown key 'zzz' is ignored"});
    std::vector<std::string> warnings;
    EXPECT_FALSE(read_qemu_conf("security_default_confied = 0", "f", warnings)->security_default_confined);
    EXPECT_EQ(warnings, std::vector<std::string>{
                            "f:1: 'security_default_confied' is taken as 'security_default_confined'"});
}

TEST(QemuConf, ShipsAFileThatSaysTheDefaultsAndNothingElse) {
    std::string uncommented;
    std::string text = shipped_qemu_conf();
    for (std::size_t at = 0; at < text.size();) { // take the comment sign off every "#key = value"
        const auto end = text.find('\n', at);
        auto line = text.substr(at, end - at);
        if (line.size() > 1 && line[0] == '#' && line[1] != ' ' && !line.ends_with("="))
            uncommented += line.substr(1) + "\n";
        at = end + 1;
    }
    auto conf = qemu(uncommented);
    const QemuConf defaults;
    conf.lines = {};
    conf.file = defaults.file;
    EXPECT_EQ(conf, defaults);
}

TEST(DaemonConf, ReadsModesAndLimits) {
    std::vector<std::string> warnings;
    const auto conf =
        read_daemon_conf("unix_sock_rw_perms = \"0770\"\nmax_client_requests = 9", "d", warnings).value();
    EXPECT_EQ(conf.unix_sock_rw_perms, "0770");
    EXPECT_EQ(conf.max_client_requests, 9u);
    EXPECT_FALSE(read_daemon_conf("unix_sock_rw_perms = \"rw\"", "d", warnings));
}

} // namespace
