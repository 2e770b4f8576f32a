/// Suite corpus. Other people's configuration files: every key of libvirt's qemu.conf is known, takes the
/// value that stands there, and has it as its default where the file shows defaults.
#include "conf/settings/keys.hpp"
#include "conf/settings/read.hpp"
#include "conf/text/keyfile.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

using namespace cloister;
namespace fs = std::filesystem;

namespace {

fs::path vectors() {
    const char* const shared = std::getenv("CLOISTER_SHARED");
    return fs::path(shared != nullptr ? shared : "../shared") / "corpus/vectors/conf";
}
std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

/// The statements that the file shows commented out: "#key = value", lists over several lines.
std::map<std::string, std::string> shown(const std::string& text) {
    std::map<std::string, std::string> out;
    std::istringstream lines(text);
    std::string open;
    for (std::string line; std::getline(lines, line);) {
        const bool begins = line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' &&
                            line.find(" = ") != std::string::npos;
        if (open.empty() && !begins) continue;
        if (open.empty()) open = line.substr(1, line.find(' ') - 1);
        out[open] += line.substr(1) + "\n";
        const auto& whole = out[open];
        if (whole.find('[') == std::string::npos || whole.find(']') != std::string::npos) open.clear();
    }
    for (auto& [key, statement] : out)
        for (const auto* place : {"@QEMU_USER@", "@QEMU_GROUP@"})
            if (const auto at = statement.find(place); at != std::string::npos)
                statement.replace(at, std::string_view(place).size(), "libvirt-qemu");
    return out;
}

class Conf : public testing::Test {
protected:
    void SetUp() override {
        if (!fs::exists(vectors())) GTEST_SKIP() << "there is no " << vectors();
    }
};

/// Keys whose line is an example of another value (most zero-or-ones: what uncommenting is good for), whose
/// default is found out on the host, or is a folder of this daemon's own.
const std::set<std::string_view> examples{"auto_dump_path",
                                          "backup_tls_x509_cert_dir",
                                          "backup_tls_x509_secret_uuid",
                                          "backup_tls_x509_verify",
                                          "bridge_helper",
                                          "capability_filters",
                                          "cgroup_controllers",
                                          "chardev_tls",
                                          "chardev_tls_x509_cert_dir",
                                          "chardev_tls_x509_secret_uuid",
                                          "chardev_tls_x509_verify",
                                          "default_tls_x509_cert_dir",
                                          "default_tls_x509_secret_uuid",
                                          "default_tls_x509_verify",
                                          "dump_guest_core",
                                          "gluster_debug_level",
                                          "hugetlbfs_mount",
                                          "lock_manager",
                                          "log_timestamp",
                                          "mac_filter",
                                          "max_core",
                                          "memory_backing_dir",
                                          "migrate_tls_x509_cert_dir",
                                          "migrate_tls_x509_secret_uuid",
                                          "migrate_tls_x509_verify",
                                          "migration_address",
                                          "migration_host",
                                          "namespaces",
                                          "nbd_tls",
                                          "nbd_tls_x509_cert_dir",
                                          "nbd_tls_x509_secret_uuid",
                                          "nographics_allow_host_audio",
                                          "relaxed_acs_check",
                                          "seccomp_sandbox",
                                          "security_driver",
                                          "security_require_confined",
                                          "set_process_name",
                                          "spice_auto_unix_socket",
                                          "spice_listen",
                                          "spice_password",
                                          "spice_sasl",
                                          "spice_sasl_dir",
                                          "spice_tls",
                                          "spice_tls_x509_cert_dir",
                                          "virtiofsd_debug",
                                          "vnc_auto_unix_socket",
                                          "vnc_listen",
                                          "vnc_password",
                                          "vnc_sasl",
                                          "vnc_sasl_dir",
                                          "vnc_tls",
                                          "vnc_tls_x509_cert_dir",
                                          "vnc_tls_x509_secret_uuid",
                                          "vnc_tls_x509_verify",
                                          "vxhs_tls",
                                          "vxhs_tls_x509_cert_dir",
                                          "vxhs_tls_x509_secret_uuid"};

TEST_F(Conf, EveryKeyOfLibvirtsFileIsKnownAndTakesTheValueThatStandsThere) {
    const auto statements = shown(slurp(vectors() / "qemu/qemu.conf.in"));
    ASSERT_GT(statements.size(), 80u);
    for (const auto& [name, statement] : statements) {
        const auto all = check_qemu_conf(statement, "f");
        ASSERT_TRUE(all.errors.empty()) << statement << all.errors.front().message;
        const auto key = std::ranges::find(settings::qemu_keys(), name, &settings::Key<QemuConf>::name);
        ASSERT_NE(key, settings::qemu_keys().end()) << name << " is not known";
        auto value = keyfile::read(statement, "f").value().at(0).value;
        if (key->type == settings::Type::list && std::holds_alternative<std::string>(value.what))
            value = {.what = keyfile::List{value}};
        EXPECT_EQ(key->print(all.conf), keyfile::print(value)) << statement;
        if (examples.contains(name)) continue;
        EXPECT_EQ(key->print(QemuConf{}), keyfile::print(value)) << name;
    }
}

TEST_F(Conf, TheWholeOfLibvirtsFileIsOneGoodFile) {
    std::string text;
    for (const auto& [name, statement] : shown(slurp(vectors() / "qemu/qemu.conf.in"))) text += statement;
    const auto all = check_qemu_conf(text, "f");
    EXPECT_TRUE(all.errors.empty()) << all.errors.front().message;
    for (const auto& warning : all.warnings)
        EXPECT_NE(warning.find("has no effect in this version"), std::string::npos) << warning;
}

TEST_F(Conf, TheGrammarReadsWhatLibvirtsReads) {
    for (const auto& file : fs::directory_iterator(vectors() / "virconfdata")) {
        if (file.path().extension() != ".conf") continue;
        auto printed = file.path();
        printed.replace_extension(".out");
        const auto ours = keyfile::read(slurp(file.path()), "f"), theirs = keyfile::read(slurp(printed), "f");
        ASSERT_TRUE(ours) << file.path() << ours.error().message;
        ASSERT_TRUE(theirs) << printed << theirs.error().message;
        ASSERT_EQ(ours->size(), theirs->size()) << file.path();
        for (std::size_t i = 0; i < ours->size(); ++i) {
            EXPECT_EQ((*ours)[i].name, (*theirs)[i].name);
            EXPECT_EQ((*ours)[i].value, (*theirs)[i].value) << (*ours)[i].name;
        }
    }
}

TEST_F(Conf, LibvirtsDaemonFileIsGoodHere) {
    const auto all = check_daemon_conf(slurp(vectors() / "virconfdata/libvirtd.conf"), "f");
    EXPECT_TRUE(all.errors.empty()) << all.errors.front().message;
    for (const auto& warning : all.warnings)
        EXPECT_NE(warning.find("has no effect"), std::string::npos) << warning;
}

} // namespace
