#include "conf/settings/keys.hpp"
#include "conf/settings/log_rules.hpp"
#include "conf/settings/provenance.hpp"
#include "conf/settings/read.hpp"
#include "conf/settings/saved.hpp"

#include <gtest/gtest.h>
#include <set>

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
              "qemu.conf:2: 'remote_display_port_min': the range is empty: 'remote_display_port_min' is "
              "greater than 'remote_display_port_max'");
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

TEST(QemuConf, TellsEveryWrongKeyAndNotOnlyTheFirst) {
    const auto all = check_qemu_conf("user = 1\nvnc_tls = 'yes'\nzzz = 1\ngroup = 'kvm'\n", "f");
    ASSERT_EQ(all.errors.size(), 2u);
    EXPECT_EQ(all.errors[0].message, "f:1: 'user': expected a quoted string, found integer");
    EXPECT_EQ(all.errors[1].message, "f:2: 'vnc_tls': expected 0 or 1, found string");
    EXPECT_EQ(all.warnings, std::vector<std::string>{"f:3: unknown key 'zzz' is ignored"});
    EXPECT_EQ(all.conf.group, "kvm");
}

TEST(QemuConf, SaysAtStartWhatHasNoEffect) {
    EXPECT_EQ(warned("mac_filter = 1"),
              std::vector<std::string>{"qemu.conf:1: 'mac_filter' has no effect in this version"});
    EXPECT_EQ(warned("clear_emulator_capabilities = 0").size(), 1u);
    EXPECT_EQ(warned("namespaces = []").size(), 0u);
}

TEST(QemuConf, RefusesProbingForDiskFormats) {
    EXPECT_EQ(warned("allow_disk_format_probing = 0").size(), 0u);
    EXPECT_EQ(refusal("allow_disk_format_probing = 1"),
              "qemu.conf:1: 'allow_disk_format_probing': only 0 is left: what 1 asks for is gone");
}

TEST(QemuConf, KnowsWhatATextIsFor) {
    EXPECT_EQ(refusal("user = ''"), "qemu.conf:1: 'user': it must not be empty");
    EXPECT_EQ(refusal("cgroup_device_acl = [ '/dev/null', 'kvm' ]"),
              "qemu.conf:1: 'cgroup_device_acl': 'kvm' is no absolute path");
    EXPECT_EQ(refusal("migration_host = 'localhost'"),
              "qemu.conf:1: 'migration_host': 'localhost' cannot be reached from other hosts");
    EXPECT_EQ(refusal("migration_address = '127.0.0.1'"),
              "qemu.conf:1: 'migration_address': '127.0.0.1' cannot be reached from other hosts");
    EXPECT_EQ(refusal("vnc_tls_x509_secret_uuid = 'x'"),
              "qemu.conf:1: 'vnc_tls_x509_secret_uuid': 'x' is no uuid");
    EXPECT_EQ(refusal("nvram = [ '/a' ]"),
              "qemu.conf:1: 'nvram': '/a' is no pair of absolute paths, CODE:VARS");
    EXPECT_EQ(qemu("hugetlbfs_mount = ''").hugetlbfs_mount, std::vector<std::string>{""});
    EXPECT_EQ(refusal("hugetlbfs_mount = [ 'x' ]"),
              "qemu.conf:1: 'hugetlbfs_mount': 'x' is no absolute path");
}

/// Values that a key of this type and range must not take, as the file writes them.
std::vector<std::string> wrong_values(settings::Type type, const settings::Range& range) {
    using settings::Form;
    using settings::Type;
    std::vector<std::string> out;
    switch (type) {
    case Type::zero_or_one: out = {"2", "-1", "'1'", "[]"}; break;
    case Type::integer:
        out = {"'many'", "[ 1 ]", "-2", "18446744073709551615"};
        if (range.most == UINT64_MAX) out.back() = "18446744073709551616";
        if (range.least > 0) out.push_back(std::to_string(range.least - 1));
        if (range.most < UINT64_MAX) out.push_back(std::to_string(range.most + 1));
        if (!range.signed_number) out.emplace_back("-1");
        break;
    case Type::text: out = {"7", "[ 'a' ]"}; break;
    case Type::list:
        out = {"7", "[ 7 ]", "[ [ 'a' ] ]"};
        if (!range.bare_string) out.emplace_back("'a'");
        break;
    }
    const auto wrong_text = [&](const std::string& text) {
        out.push_back(type == Type::list ? "[ '" + text + "' ]" : "'" + text + "'");
    };
    if (!range.choices.empty()) wrong_text("no-such-choice");
    switch (range.form) {
    case Form::any: break;
    case Form::filled: wrong_text(""); break;
    case Form::path: wrong_text(""); [[fallthrough]];
    case Form::path_or_none: wrong_text("relative"); break;
    case Form::uuid: wrong_text("1234"); break;
    case Form::octal_mode: wrong_text("0999"); break;
    case Form::far_address: wrong_text("localhost"); break;
    case Form::firmware_pair: wrong_text("/code"); break;
    }
    for (const char* broken : {"yes", "", "'open", "0x1", "[ 'a'", "1 2"}) out.emplace_back(broken);
    return out;
}

/// Puts each wrong value of each key into the third line of a file.
template <class Conf> void expect_refusals(std::span<const settings::Key<Conf>> keys, auto read) {
    for (const auto& key : keys)
        for (const auto& value : wrong_values(key.type, key.range)) {
            const auto text = "# first\n\n" + std::string(key.name) + " = " + value;
            std::vector<std::string> warnings;
            const auto conf = read(text, "F", warnings);
            ASSERT_FALSE(conf) << text;
            EXPECT_TRUE(conf.error().message.starts_with("F:3: ")) << text << "\n" << conf.error().message;
            EXPECT_EQ(conf.error().code, Code::conf_syntax);
        }
}

TEST(EveryKey, StopsAtAWrongValueInItsLine) {
    expect_refusals(settings::qemu_keys(), read_qemu_conf);
    expect_refusals(settings::daemon_keys(), read_daemon_conf);
}

template <class Conf> void expect_defaults(std::span<const settings::Key<Conf>> keys, auto read) {
    const Conf defaults;
    for (const auto& key : keys) {
        const auto value = key.print(defaults);
        if (value.empty()) continue; // unset is not the same as any value
        std::vector<std::string> warnings;
        auto conf = read(std::string(key.name) + " = " + value, defaults.file, warnings);
        ASSERT_TRUE(conf) << key.name << conf.error().message;
        EXPECT_EQ(conf->lines.at(std::string(key.name)), 1);
        conf->lines.clear();
        EXPECT_EQ(*conf, defaults) << key.name;
        EXPECT_EQ(warnings.empty(), key.effect == settings::Effect::acts) << key.name;
    }
}

TEST(EveryKey, TakesItsOwnDefaultAndStaysThere) {
    expect_defaults(settings::qemu_keys(), read_qemu_conf);
    expect_defaults(settings::daemon_keys(), read_daemon_conf);
}

TEST(EveryKey, IsNamedOnceAndExplained) {
    std::set<std::string_view> names;
    for (const auto& key : settings::qemu_keys()) {
        EXPECT_TRUE(names.insert(key.name).second) << key.name;
        EXPECT_FALSE(key.help.empty()) << key.name;
    }
}

TEST(Provenance, NamesTheLineOfASetKeyAndOnlyTheKeyOfADefault) {
    const auto conf = qemu("\n\nnamespaces = []");
    EXPECT_EQ(key_why(conf, "namespaces"), "qemu.conf line 3: namespaces");
    EXPECT_EQ(key_why(conf, "user"), "qemu.conf user");
    EXPECT_EQ(key_error(conf, "namespaces", "no").message, "qemu.conf:3: 'namespaces': no");
    EXPECT_EQ(key_error(conf, "user", "no").message, "qemu.conf: 'user': no");
}

TEST(SavedSettings, AreTheSameAgainWithTheirLines) {
    auto conf =
        qemu("namespaces = []\n\nuser = \"+107\"\nmax_core = \"unlimited\"\nsecurity_driver = 'none'\n"
             "remember_owner = 1\nvnc_password = \"\"\"it's \"so\" here\"\"\"\n");
    conf.memory_backing_dir = "/moved"; // by the daemon, not by the file
    const auto kept = saved(conf);
    EXPECT_EQ(kept.keys.size(), 7u);
    EXPECT_EQ(restored(kept).value(), conf);
    EXPECT_EQ(restored(saved({})).value(), QemuConf{});
    EXPECT_EQ(restored({.file = "f", .keys = {{"gone", "7", 3}}}).value(), (QemuConf{.file = "f"}));
    EXPECT_FALSE(restored({.file = "f", .keys = {{"user", "7", 3}}}));
}

std::string log_refusal(std::string_view text) {
    std::vector<std::string> warnings;
    const auto conf = read_daemon_conf(text, "d", warnings);
    return conf ? "" : conf.error().message;
}

TEST(LogRules, AreReadAsLibvirtWritesThem) {
    DaemonConf conf;
    conf.log_filters = "1:driver/qmp 4:daemon";
    conf.log_outputs = "3:stderr 1:file:/var/log/x.log 2:syslog:cloisterd 2:journald";
    EXPECT_EQ(log_rules(conf).value(), (LogRules{.level = 3,
                                                 .filters = {{1, "driver/qmp"}, {4, "daemon"}},
                                                 .outputs = {{3, LogPlace::stderr_, ""},
                                                             {1, LogPlace::file, "/var/log/x.log"},
                                                             {2, LogPlace::syslog, "cloisterd"},
                                                             {2, LogPlace::journald, ""}}}));
    EXPECT_EQ(log_rules({}).value(), (LogRules{.level = 3, .outputs = {{}}}));
}

TEST(LogRules, TheFirstFilterThatFitsDecides) {
    const LogRules rules{.level = 3, .filters = {{1, "driver/qmp"}, {4, "driver"}}};
    EXPECT_EQ(least_level(rules, "../driver/qmp/client.cpp"), 1u);
    EXPECT_EQ(least_level(rules, "../driver/launch.cpp"), 4u);
    EXPECT_EQ(least_level(rules, "../daemon/main.cpp"), 3u);
}

TEST(LogRules, ThatAreWrongNameFileLineKeyAndWord) {
    EXPECT_EQ(log_refusal("\nlog_filters = '5:x'"),
              "d:2: 'log_filters': '5:x' is no LEVEL:PART with a level from 1 to 4");
    EXPECT_EQ(log_refusal("log_outputs = '1:file:x'"),
              "d:1: 'log_outputs': '1:file:x' names no absolute path");
    EXPECT_EQ(log_refusal("log_outputs = '1:syslog:'"),
              "d:1: 'log_outputs': '1:syslog:' does not say under which name");
    EXPECT_EQ(log_refusal("log_outputs = 'stderr'"),
              "d:1: 'log_outputs': 'stderr' does not begin with a level from 1 to 4 and a colon");
    EXPECT_EQ(log_refusal("log_outputs = '1:tape'"),
              "d:1: 'log_outputs': '1:tape' is none of: LEVEL:stderr LEVEL:file:PATH LEVEL:syslog:NAME "
              "LEVEL:journald");
}

TEST(DaemonConf, SaysWhyAKeyOfAnotherDaemonMeansNothing) {
    std::vector<std::string> warnings;
    EXPECT_TRUE(read_daemon_conf("listen_tcp = 1\nadmin_max_clients = 5", "d", warnings));
    EXPECT_EQ(warnings, (std::vector<std::string>{
                            "d:1: 'listen_tcp' has no effect: this daemon listens on UNIX sockets only",
                            "d:2: 'admin_max_clients' has no effect: this daemon has no admin socket"}));
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
