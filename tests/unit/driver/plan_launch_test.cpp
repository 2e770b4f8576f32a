#include "conf/settings/read.hpp"
#include "driver/plan/confinement.hpp"
#include "driver/plan/native.hpp"
#include "driver/plan/passthrough.hpp"
#include "tests/unit/driver/plan_world.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace cloister::test {

namespace {

std::string with_args(std::initializer_list<const char*> args) {
    auto text = guest("pc", "<memballoon model='none'/>");
    std::string lines = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>";
    for (const auto* arg : args) lines += fmt::format("<qemu:arg value='{}'/>", arg);
    text.insert(text.rfind("</domain>"), lines + "</qemu:commandline>");
    return text;
}
std::string refusal(const std::string& text, const PlanWorld& world = {}) {
    const auto plan = world.planned(text);
    return plan ? "" : full_text(plan.error());
}
LaunchPlan planned(const std::string& text, const PlanWorld& world = {}) {
    auto plan = world.planned(text);
    EXPECT_TRUE(plan) << full_text(plan.error());
    return plan ? *plan : LaunchPlan{};
}
std::size_t place_of(const LaunchPlan& plan, std::string_view option) {
    const auto at = std::ranges::find(plan.items, option, &QemuItem::option);
    return static_cast<std::size_t>(at - plan.items.begin());
}

} // namespace

TEST(PassthroughArguments, AreReadAsQemuReadsThem) {
    const std::vector<PassthroughOption> expected{
        {.name = "drive", .value = "-sandbox", .place = 1}, // the value of -drive, whatever it looks like
        {.name = "snapshot", .place = 3},
        {.name = "device", .value = "x", .place = 4}, // two dashes are as good as one
        {.value = "disk.img", .place = 6},
    };
    EXPECT_EQ(read_options({"-drive", "-sandbox", "-snapshot", "--device", "x", "disk.img"}), expected);
}

TEST(PassthroughArguments, ThatUndoTheConfinementAreRefusedByName) {
    struct Case {
        std::vector<std::string> args;
        const char* refused; ///< null: accepted
    };
    const Case cases[] = {
        {{"-sandbox", "off"}, "qemu:arg 1 '-sandbox'"},
        {{"--sandbox", "off"}, "qemu:arg 1 '--sandbox'"},
        {{"-snapshot", "-runas", "root"}, "qemu:arg 2 '-runas'"},
        {{"-chroot", "/"}, "qemu:arg 1 '-chroot'"},
        {{"-daemonize"}, "qemu:arg 1 '-daemonize'"},
        {{"-pidfile", "/x"}, "qemu:arg 1 '-pidfile'"},
        {{"-S"}, "qemu:arg 1 '-S'"},
        {{"-incoming", "defer"}, "qemu:arg 1 '-incoming'"},
        {{"-preconfig"}, "qemu:arg 1 '-preconfig'"},
        {{"-device"}, "qemu:arg 1 '-device' needs a value"},
        {{"-device", "vmcoreinfo"}, nullptr},
        {{"-name", "-sandbox"}, nullptr}, // a value that looks like an option
        {{"-global", "foo.bar=1"}, nullptr},
        {{"-unknown", "parameter"}, nullptr}, // QEMU itself says no
    };
    for (const auto& c : cases) {
        const auto result = check_passthrough({.args = c.args});
        EXPECT_EQ(result.has_value(), c.refused == nullptr) << c.args.front();
        if (result || !c.refused) continue;
        EXPECT_NE(result.error().message.find(c.refused), std::string::npos) << result.error().message;
    }
}

TEST(Plan, PlacesPassthroughBeforeTheSandbox) {
    const auto plan = planned(with_args({"-global", "foo.bar=1"}));
    const auto at = std::ranges::find(plan.items, "qemu:arg 1", &QemuItem::why);
    ASSERT_NE(at, plan.items.end());
    EXPECT_LT(static_cast<std::size_t>(at - plan.items.begin()), place_of(plan, "sandbox"));
    EXPECT_EQ(plan.taints, std::vector<std::string>{"custom-argv"});
}

TEST(Plan, RefusesAPassthroughSandboxAtStartAndTakesItAtDefine) {
    EXPECT_TRUE(PlanWorld().defined(with_args({"-sandbox", "off"})));
    EXPECT_EQ(refusal(with_args({"-sandbox", "off"})),
              "unsupported configuration: qemu:arg 1 '-sandbox' is refused: it would change how the guest is "
              "started or confined");
}

TEST(Plan, KeepsTheSandboxThatAPassthroughCapabilityWouldTakeAway) {
    auto text = guest("pc", "");
    text.insert(text.rfind("</domain>"),
                "<qemu:capabilities xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                "<qemu:del capability='seccomp-sandbox'/></qemu:capabilities>");
    const auto plan = planned(text);
    const auto words = argv(plan);
    const auto at = std::ranges::find(words, "-sandbox");
    ASSERT_NE(at, words.end());
    EXPECT_EQ(*std::next(at), "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    EXPECT_EQ(
        std::ranges::count_if(plan.warnings,
                              [](const auto& w) { return w.find("seccomp-sandbox") != std::string::npos; }),
        1);
}

TEST(Plan, RefusesWhatIsNotModelledWithItsLine) {
    const auto text = guest("pc", "\n<teleporter range='5'/>");
    EXPECT_TRUE(PlanWorld().defined(text));
    EXPECT_NE(refusal(text).find("teleporter"), std::string::npos) << refusal(text);
    EXPECT_NE(refusal(text).find("line 2"), std::string::npos) << refusal(text);
}

TEST(Plan, GivesQemuAFixedEnvironmentThatTheUserMayReplaceInPlace) {
    auto text = guest("pc", "");
    text.insert(text.rfind("</domain>"),
                "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                "<qemu:env name='HOME' value='/x'/><qemu:env name='A'/></qemu:commandline>");
    const auto plan = planned(text);
    ASSERT_GE(plan.env.size(), 4u);
    EXPECT_EQ(plan.env[0], (EnvVar{"LC_ALL", "C", "fixed"}));
    EXPECT_EQ(plan.env[2], (EnvVar{"HOME", "/x", "qemu:env HOME"}));
    EXPECT_EQ(plan.env.back(), (EnvVar{"A", "", "qemu:env A"}));
}

TEST(Plan, GrantsTheKernelReadOnlyAndSaysWhy) {
    auto text = guest("pc", "");
    text.insert(text.find("</os>"), "<kernel>/boot/vmlinuz</kernel>");
    const Grant expected{.path = "/boot/vmlinuz",
                         .kind = Kind::file,
                         .access = Access::read,
                         .sharing = Sharing::shared,
                         .why = "os kernel"};
    EXPECT_EQ(std::ranges::count(planned(text).grants, expected), 1);
}

TEST(Identity, IsTheConfiguredUserUnlessALabelSaysOtherwise) {
    EXPECT_EQ(planned(guest("pc", "")).identity.uid, 64055u);
    auto text = guest("pc", "");
    text.insert(text.rfind("</domain>"),
                "<seclabel type='static' model='dac' relabel='no'><label>root:root</label></seclabel>");
    const auto plan = planned(text);
    EXPECT_EQ(plan.identity.uid, 0u);
    EXPECT_FALSE(plan.identity.relabel_dac);
    EXPECT_EQ(plan.taints, std::vector<std::string>{"high-privileges"});
}

TEST(Identity, WithoutSecurityDriversStaysTheDaemonsAndTaints) {
    PlanWorld world;
    world.conf.security_driver.emplace();
    const auto plan = planned(guest("pc", ""), world);
    EXPECT_FALSE(plan.identity.set_ids);
    EXPECT_FALSE(plan.identity.relabel_dac);
    EXPECT_EQ(plan.taints, std::vector<std::string>{"high-privileges"});
    EXPECT_FALSE(plan.confinement.relaxations.empty());
}

TEST(Identity, RefusesALabelOfASecurityModelThatIsNotHere) {
    auto text = guest("pc", "");
    text.insert(text.rfind("</domain>"), "<seclabel type='none' model='selinux'/>");
    EXPECT_EQ(refusal(text), "unsupported configuration: Security driver model 'selinux' is not available");
}

TEST(Identity, BothSpellingsOfNoSelinuxAreOneWhereThereIsSelinux) {
    PlanWorld world;
    const auto labels = [&](const std::string& written) {
        auto text = guest("pc", "");
        text.insert(text.rfind("</domain>"), written);
        const auto printed = print_domain(world.defined(text).value());
        const auto at = printed.find("  <seclabel");
        return at == std::string::npos ? "" : printed.substr(at, printed.find("</domain>") - at);
    };
    const std::string none = "  <seclabel type='none' model='none'/>\n",
                      off = "  <seclabel type='none' model='selinux'/>\n";
    EXPECT_EQ(labels("<seclabel type='none'/>"), none);
    EXPECT_EQ(labels("<seclabel type='none' model='none'/>"), none);
    world.facts.selinux = "enforcing";
    for (const char* spelling :
         {"<seclabel type='none'/>", "<seclabel model='none'/>", "<seclabel type='none' model='none'/>",
          "<seclabel type='none' model='selinux'/>"})
        EXPECT_EQ(labels(spelling), off) << spelling;
    EXPECT_EQ(labels("<seclabel type='none' model='none'/><seclabel type='none' model='dac'/>"),
              off + "  <seclabel type='none' model='dac'/>\n");
}

TEST(Identity, ThatIsNotConfinedIsRefusedWhereConfinementIsRequired) {
    PlanWorld world;
    world.conf.security_require_confined = true;
    for (const char* label : {"<seclabel type='none'/>", "<seclabel type='none' model='dac'/>"}) {
        auto text = guest("pc", "");
        text.insert(text.rfind("</domain>"), label);
        EXPECT_EQ(refusal(text, world),
                  "unsupported configuration: Unconfined guests are not allowed on this host");
    }
}

TEST(Identity, CarriesTheOwnershipThatQemuConfAsksFor) {
    PlanWorld world;
    EXPECT_TRUE(planned(guest("pc", ""), world).identity.remember_owner);
    EXPECT_FALSE(planned(guest("pc", ""), world).identity.map_owner);
    world.conf.remember_owner = false;
    world.conf.ownership = "idmap";
    EXPECT_FALSE(planned(guest("pc", ""), world).identity.remember_owner);
    EXPECT_TRUE(planned(guest("pc", ""), world).identity.map_owner);
    world.conf.namespaces.emplace();
    EXPECT_EQ(refusal(guest("pc", ""), world),
              "unsupported configuration: ownership = \"idmap\" needs the private "
              "mount namespace: qemu.conf namespaces");
}

TEST(Confinement, NamesTheLineOfEachRelaxation) {
    PlanWorld world;
    world.conf.file = "qemu.conf";
    world.conf.seccomp_sandbox = 0;
    world.conf.lines["seccomp_sandbox"] = 12;
    const auto plan = planned(guest("pc", ""), world);
    EXPECT_FALSE(plan.confinement.own_seccomp);
    EXPECT_EQ(plan.confinement.relaxations,
              std::vector<std::string>{"no syscall is denied to QEMU: qemu.conf line 12: seccomp_sandbox"});
}

TEST(Confinement, IsWeakerByEachLineOfQemuConfThatMakesItSo) {
    const auto relaxed_by = [](std::string_view text, std::optional<std::string> selinux = {}) {
        PlanWorld world;
        std::vector<std::string> warnings;
        world.conf = read_qemu_conf(text, "qemu.conf", warnings).value();
        world.facts.selinux = std::move(selinux);
        const auto plan = planned(guest("pc", ""), world);
        EXPECT_EQ(plan.taints.empty(), plan.confinement.relaxations.empty());
        return plan.confinement.relaxations;
    };
    using Lines = std::vector<std::string>;
    EXPECT_EQ(relaxed_by(""), Lines{});
    EXPECT_EQ(relaxed_by("namespaces = []"),
              Lines{"QEMU sees the whole /dev of the host: qemu.conf line 1: namespaces"});
    EXPECT_EQ(relaxed_by("\nseccomp_sandbox = 0"),
              Lines{"no syscall is denied to QEMU: qemu.conf line 2: seccomp_sandbox"});
    EXPECT_EQ(relaxed_by("cgroup_controllers = [ 'cpu' ]"),
              Lines{"no device list stands between QEMU and the devices of the host: qemu.conf line 1: "
                    "cgroup_controllers"});
    EXPECT_EQ(relaxed_by("cgroup_device_acl = [ '/dev/null', '/dev/fuse' ]"),
              Lines{"every guest may use /dev/fuse: qemu.conf line 1: cgroup_device_acl"});
    EXPECT_EQ(relaxed_by("dynamic_ownership = 0"),
              Lines{"owners of files are left alone: qemu.conf line 1: dynamic_ownership"});
    EXPECT_EQ(relaxed_by("max_core = 1"), Lines{"QEMU may leave core files: qemu.conf line 1: max_core"});
    EXPECT_EQ(relaxed_by("security_driver = []"),
              Lines{"QEMU keeps the identity of the daemon, and no owner is changed: qemu.conf line 1: "
                    "security_driver = []"});
    EXPECT_EQ(relaxed_by("security_driver = 'none'"), Lines{}) << "there is no SELinux to do without";
    EXPECT_EQ(
        relaxed_by("security_driver = 'none'", "enforcing"),
        Lines{"SELinux does not confine a guest whose definition does not ask for it: qemu.conf line 1: "
              "security_driver"});
    EXPECT_EQ(
        relaxed_by("security_default_confined = 0", "enforcing"),
        Lines{"SELinux does not confine a guest whose definition does not ask for it: qemu.conf line 1: "
              "security_default_confined"});
}

TEST(Confinement, RunsAsRootOnlyWithATaintAndTheLine) {
    PlanWorld world;
    std::vector<std::string> warnings;
    world.conf = read_qemu_conf("group = 'root'\nuser = 'root'", "qemu.conf", warnings).value();
    world.facts.emulator_ids = Ids{.uid = 0, .gid = 0, .groups = {0}};
    const auto plan = planned(guest("pc", ""), world);
    EXPECT_EQ(plan.taints, std::vector<std::string>{"high-privileges"});
    EXPECT_EQ(plan.confinement.relaxations,
              std::vector<std::string>{"QEMU runs as root: qemu.conf line 2: user"});
    world.facts.emulator_ids = Ids{.uid = 64055, .gid = 0, .groups = {0}};
    EXPECT_EQ(planned(guest("pc", ""), world).confinement.relaxations,
              std::vector<std::string>{"QEMU runs in the group of root: qemu.conf line 1: group"});
}

TEST(Hostdev, BehindASwitchWithoutAcsIsRefusedUnlessQemuConfAllowsIt) {
    PlanWorld world;
    world.facts.not_kept_apart = {"0000:06:12.5"};
    const auto text = guest("q35", "<hostdev mode='subsystem' type='pci' managed='no'><source><address "
                                   "domain='0' bus='6' slot='0x12' function='5'/></source></hostdev>");
    EXPECT_NE(refusal(text, world).find("the PCI device 0000:06:12.5 is behind a switch that lacks ACS"),
              std::string::npos)
        << refusal(text, world);
    world.conf.relaxed_acs_check = true;
    EXPECT_EQ(planned(text, world).confinement.relaxations,
              std::vector<std::string>{"PCI devices that reach each other without passing the IOMMU may be "
                                       "assigned: qemu.conf relaxed_acs_check"});
}

TEST(Firmware, OfQemuConfCountsOnlyWithoutDescriptors) {
    PlanWorld world;
    world.conf.nvram = {"/fw/CODE.fd:/fw/VARS.fd"};
    auto text = guest("q35", "");
    text.insert(text.find("</os>"), "<loader readonly='yes' type='pflash'>/fw/CODE.fd</loader>");
    const auto has_template = [&] {
        const auto plan = planned(text, world);
        return std::ranges::any_of(plan.files, [](const MadeFile& f) { return f.copy_of == "/fw/VARS.fd"; });
    };
    world.facts.firmware.clear();
    EXPECT_TRUE(has_template());
    world.facts.firmware = {Firmware{.descriptor = "/usr/share/qemu/firmware/x.json"}};
    EXPECT_FALSE(has_template());
}

TEST(Confinement, GivesMachinesNamesWithoutOddCharacters) {
    EXPECT_EQ(machine_name(1, "vm"), "qemu-1-vm");
    EXPECT_EQ(machine_name(7, "a b/c..d--e-"), "qemu-7-abc.d-e");
    EXPECT_EQ(machine_name(7, std::string(100, 'x')).size(), 64u);
}

TEST(Native, ShowsSocketsByPathAndUserNetworksAsTaps) {
    const PlanWorld world;
    const auto domain =
        world.defined(guest("pc", "<interface type='user'><model type='virtio'/></interface>"));
    ASSERT_TRUE(domain);
    const auto line = native_command(*domain, world.caps, world.conf, world.facts, world.folders);
    ASSERT_TRUE(line) << full_text(line.error());
    EXPECT_NE(line->find("id=charmonitor,path=/run/cloister/qemu/monitor/domain--1-vm/monitor.sock"),
              std::string::npos);
    EXPECT_NE(line->find("\"type\":\"tap\""), std::string::npos);
    EXPECT_EQ(line->find('\n'), std::string::npos);
}

} // namespace cloister::test
