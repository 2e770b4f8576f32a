#include "driver/plan/named.hpp"

#include <gtest/gtest.h>

namespace cloister {
namespace {

NamedThings of(std::string_view xml) { return named(xml::read(xml).value()); }

TEST(Named, FindsPathsWhereverTheyStand) {
    EXPECT_EQ(
        of("<domain><name>/x</name><os><kernel>/k</kernel><nvram "
           "template='/t'>/n</nvram><cmdline>/c</cmdline></os>"
           "<devices><disk><source file='/d'><host transport='unix' socket='/s'/></source><target dev='vda'/>"
           "<serial>/no</serial></disk><rng><backend model='random'>/dev/r</backend></rng>"
           "<serial type='pty'><log file='/log'/></serial></devices></domain>")
            .paths,
        (std::vector<std::string>{"/k", "/t", "/n", "/d", "/s", "/dev/r", "/log"}));
}

TEST(Named, LeavesTheGuestsOwnTextsAlone) {
    EXPECT_EQ(of("<domain><title>/a</title><metadata><m xmlns='urn:m'>/b</m></metadata>"
                 "<resource><partition>/machine</partition></resource><devices><disk type='network'>"
                 "<source protocol='http' name='/path' query='/q'/></disk>"
                 "<filesystem><target dir='/share'/></filesystem></devices></domain>"),
              NamedThings{});
}

TEST(Named, NoticesRelativePaths) {
    EXPECT_EQ(of("<disk><source file='etc/shadow'/></disk>").relative,
              (std::vector<std::string>{"etc/shadow"}));
    EXPECT_EQ(of("<disk><source dev='dev/sda'/></disk>").relative, (std::vector<std::string>{"dev/sda"}));
    EXPECT_TRUE(of("<interface><source dev='eth0'/></interface>").relative.empty());
    EXPECT_EQ(of("<os><kernel>etc/shadow</kernel><initrd> /i</initrd></os>").relative,
              (std::vector<std::string>{"etc/shadow", " /i"}));
    EXPECT_EQ(of("<rng><backend model='random'>dev/sda</backend></rng>").relative,
              (std::vector<std::string>{"dev/sda"}));
}

TEST(Named, KnowsWhatNeedsAnActionOfItsOwn) {
    const auto all = of("<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
                        "<devices><emulator>/usr/bin/other</emulator><disk><source file='/d'>"
                        "<seclabel model='dac'><label>a:root</label></seclabel></source></disk></devices>"
                        "<seclabel type='none'/><q:commandline><q:arg value='/x'/></q:commandline></domain>");
    EXPECT_EQ(all.emulator, "/usr/bin/other");
    EXPECT_EQ(all.labels, (std::vector<std::string>{"a:root"}));
    EXPECT_TRUE(all.unlabelled);
    EXPECT_TRUE(all.passthrough);
    EXPECT_EQ(all.paths, (std::vector<std::string>{"/d", "/x"}));
}

TEST(Named, KnowsRootByNameAndNumber) {
    for (const auto* label : {"root", "0:0", "+0:kvm", "kvm:root", "a:+0", "00:kvm", "+000", "kvm:00"})
        EXPECT_TRUE(names_root(label)) << label;
    for (const auto* label : {"kvm", "libvirt-qemu:kvm", "00root:x", ""})
        EXPECT_FALSE(names_root(label)) << label;
}

TEST(Named, BoundsAreOfVolumesAndOfWhatImagesStandOn) {
    HostFacts facts;
    facts.volumes["pool/vol"] = {.path = "/srv/pool/vol"};
    facts.volumes["pool/behind"] = {.kind = PathKind::absent, .iscsi_name = "iqn/1"};
    facts.paths["/srv/top"] = {.backing = {{"/srv/base", "raw"}}};
    facts.paths["/srv/pool/vol"] = {.backing = {{"/srv/pool/base", "qcow2"}}};
    const NamedThings what{.paths = {"/srv/top"}, .volumes = {{"pool", "vol"}, {"pool", "behind"}}};
    EXPECT_EQ(
        bounds(what, facts, {"/srv"}),
        (Bounds{.paths = {"/srv/base", "/srv/pool/base", "/srv/pool/vol", "/srv/top"}, .within = {"/srv"}}));
}

} // namespace
} // namespace cloister
