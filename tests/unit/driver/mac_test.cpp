#include "conf/settings/read.hpp"
#include "driver/plan/mac.hpp"
#include "tests/unit/driver/plan_world.hpp"

#include <gtest/gtest.h>

namespace cloister::test {
namespace {

/// A host with SELinux and the policy of a fictitious distribution.
PlanWorld enforcing(std::string_view conf = "") {
    PlanWorld world;
    std::vector<std::string> warnings;
    world.conf = read_qemu_conf(conf, "qemu.conf", warnings).value();
    world.facts.selinux = "enforcing";
    world.facts.selinux_policy = {.process = "system_u:system_r:svirt_t:s0",
                                  .process_tcg = "system_u:system_r:svirt_tcg_t:s0",
                                  .image = "system_u:object_r:svirt_image_t:s0",
                                  .content = "system_u:object_r:virt_content_t:s0",
                                  .daemon = "system_u:system_r:cloisterd_t:s0-s0:c0.c1023"};
    return world;
}
std::string with(std::string_view label, std::string_view devices = "") {
    auto text = guest("pc", devices);
    text.insert(text.rfind("</domain>"), label);
    return text;
}
Identity identity(const PlanWorld& world, std::string_view label = "") {
    const auto plan = world.planned(with(label));
    EXPECT_TRUE(plan) << (plan ? "" : plan.error().message);
    return plan ? plan->identity : Identity{};
}
std::string refusal(const PlanWorld& world, std::string_view label) {
    const auto plan = world.planned(with(label));
    return plan ? "" : plan.error().message;
}

TEST(MacModel, IsWhatTheHostHasUnlessQemuConfNamesOne) {
    const auto model = [](const PlanWorld& world) { return mac_model(world.conf, world.facts); };
    PlanWorld bare;
    EXPECT_EQ(model(bare), "none");
    bare.facts.apparmor = true;
    EXPECT_EQ(model(bare), "apparmor");
    EXPECT_EQ(model(enforcing()), "selinux");
    EXPECT_EQ(model(enforcing("security_driver = 'selinux'")), "selinux");
    for (const char* off : {"security_driver = []", "security_driver = 'none'"})
        EXPECT_EQ(model(enforcing(off)), "none") << off;
}

TEST(MacSelinux, ConfinesAGuestThatSaysNothing) {
    const auto who = identity(enforcing());
    EXPECT_EQ(who.process_context, "system_u:system_r:svirt_tcg_t:s0:c1,c2") << "type='qemu' is TCG";
    EXPECT_EQ(who.image_context, "system_u:object_r:svirt_image_t:s0:c1,c2");
    EXPECT_EQ(who.shared_context, "system_u:object_r:svirt_image_t:s0");
    EXPECT_EQ(who.content_context, "system_u:object_r:virt_content_t:s0");
    EXPECT_TRUE(who.relabel_selinux);
}
TEST(MacSelinux, LeavesAloneWhatIsNotToBeConfined) {
    for (const auto& [conf, label] :
         std::vector<std::pair<const char*, const char*>>{{"", "<seclabel type='none' model='selinux'/>"},
                                                          {"", "<seclabel type='none'/>"},
                                                          {"security_default_confined = 0", ""},
                                                          {"security_driver = []", ""},
                                                          {"security_driver = 'none'", ""}}) {
        const auto who = identity(enforcing(conf), label);
        EXPECT_EQ(who.process_context, "") << conf << label;
        EXPECT_FALSE(who.relabel_selinux) << conf << label;
    }
    EXPECT_NE(
        identity(enforcing("security_default_confined = 0"), "<seclabel type='dynamic' model='selinux'/>")
            .process_context,
        "")
        << "who asks for it is confined";
}
TEST(MacSelinux, AStaticLabelIsTheAdministratorsAndFilesStayUnlessHeSaysSo) {
    const auto label = [](const char* relabel) {
        return fmt::format("<seclabel type='static' model='selinux'{}>"
                           "<label>system_u:system_r:svirt_t:s0:c392,c662</label></seclabel>",
                           relabel);
    };
    const auto kept = identity(enforcing(), label(""));
    EXPECT_EQ(kept.process_context, "system_u:system_r:svirt_t:s0:c392,c662");
    EXPECT_FALSE(kept.relabel_selinux);
    EXPECT_EQ(kept.image_context, "system_u:object_r:svirt_image_t:s0:c392,c662") << "of what is made for it";
    EXPECT_TRUE(identity(enforcing(), label(" relabel='yes'")).relabel_selinux);
}
TEST(MacSelinux, ABaseLabelGivesTheType) {
    EXPECT_EQ(identity(enforcing(), "<seclabel type='dynamic' model='selinux'>"
                                    "<baselabel>system_u:system_r:my_svirt_t:s0</baselabel></seclabel>")
                  .process_context,
              "system_u:system_r:my_svirt_t:s0:c1,c2");
}
TEST(MacSelinux, IsRefusedWithTheReason) {
    EXPECT_EQ(refusal(enforcing("security_require_confined = 1"), "<seclabel type='none' model='selinux'/>"),
              "Unconfined guests are not allowed on this host");
    EXPECT_EQ(refusal(enforcing("security_require_confined = 1\nsecurity_default_confined = 0"), ""),
              "Unconfined guests are not allowed on this host");
    EXPECT_EQ(refusal(enforcing("security_driver = 'none'"), "<seclabel type='dynamic' model='selinux'/>"),
              "Security driver model 'selinux' is not available");
    EXPECT_EQ(refusal(enforcing(), "<seclabel type='dynamic' model='apparmor'/>"),
              "Security driver model 'apparmor' is not available");
    EXPECT_EQ(
        refusal(enforcing(), "<seclabel type='static' model='selinux'><label>svirt_t</label></seclabel>"),
        "the SELinux context 'svirt_t' of <seclabel> is not valid");
    auto poor = enforcing();
    poor.facts.selinux_policy = {.daemon = "a:b:c:s0"};
    EXPECT_EQ(refusal(poor, ""), "the SELinux policy of this host names no contexts for guests "
                                 "(virtual_domain_context, virtual_image_context)");
}
TEST(MacSelinux, ARunningGuestKeepsTheLabelsThatItWasStartedWith) {
    auto world = enforcing();
    auto domain = world.defined(with("")).value();
    domain.seclabels = {{.type = SecLabelType::dynamic,
                         .model = "selinux",
                         .relabel = YesNo::yes,
                         .label = "u:r:svirt_t:s0:c7,c9",
                         .imagelabel = "u:object_r:svirt_image_t:s0:c7,c9"}};
    const auto labels = mac_labels(domain, world.conf, world.facts, {}).value();
    EXPECT_EQ(labels.process, "u:r:svirt_t:s0:c7,c9") << "the daemon may have another context now";
    EXPECT_EQ(labels.image, "u:object_r:svirt_image_t:s0:c7,c9");
}
TEST(MacSelinux, TheRunningGuestsXmlShowsItBeforeTheOwner) {
    const auto world = enforcing();
    const auto domain = world.defined(with("")).value();
    const auto live =
        live_copy(domain, world.caps, world.conf, world.facts, Reserved{.id = 1, .mcs = "c1,c2"},
                  launch_paths(world.folders, domain, 1), world.folders)
            .value();
    const auto text = print_domain(live, {.flavour = xml::Flavour::live});
    const auto at = text.find("  <seclabel");
    EXPECT_EQ(text.substr(at, text.find("</domain>") - at),
              "  <seclabel type='dynamic' model='selinux' relabel='yes'>\n"
              "    <label>system_u:system_r:svirt_tcg_t:s0:c1,c2</label>\n"
              "    <imagelabel>system_u:object_r:svirt_image_t:s0:c1,c2</imagelabel>\n"
              "  </seclabel>\n"
              "  <seclabel type='dynamic' model='dac' relabel='yes'>\n"
              "    <label>+64055:+64055</label>\n"
              "    <imagelabel>+64055:+64055</imagelabel>\n"
              "  </seclabel>\n");
}

TEST(MacAppArmor, GivesEachGuestAProfileOfItsOwn) {
    PlanWorld world;
    world.facts.apparmor = true;
    const auto who = identity(world);
    EXPECT_EQ(who.apparmor_profile, "cloister-c7a5fdbd-edaf-9455-926a-d65c16db1809");
    EXPECT_TRUE(who.make_apparmor_profile);
    EXPECT_EQ(who.process_context, "");
    const auto own =
        identity(world, "<seclabel type='static' model='apparmor'><label>mine</label></seclabel>");
    EXPECT_EQ(own.apparmor_profile, "mine");
    EXPECT_FALSE(own.make_apparmor_profile);
    EXPECT_EQ(identity(world, "<seclabel type='none' model='apparmor'/>").apparmor_profile, "");
    EXPECT_EQ(identity(world, "<seclabel type='none'/>").apparmor_profile, "");
}

} // namespace
} // namespace cloister::test
