#include "device_world.hpp"
#include "driver/device/display.hpp"

using namespace cloister;
using namespace cloister::test;

namespace {

TEST(Vnc, ListensWhereTheAdministratorSaysUnlessTheDefinitionDoes) {
    World world;
    EXPECT_EQ(world.text<Graphics>("<graphics type='vnc'/>"),
              "<graphics type='vnc' port='-1' autoport='yes'>\n  <listen type='address'/>\n</graphics>\n");
    world.conf.vnc_listen = "0.0.0.0";
    EXPECT_EQ(world.argv<Graphics>("<graphics type='vnc' port='5903'/>"), (Words{"-vnc", "0.0.0.0:3"}));
    EXPECT_EQ(world.argv<Graphics>("<graphics type='vnc' port='5903' listen='2001::1'/>"),
              (Words{"-vnc", "[2001::1]:3"}));
    EXPECT_EQ(world.argv<Graphics>("<graphics type='vnc' socket='/a=b,c'/>"),
              (Words{"-vnc", "vnc=unix:/a=b,,c"}));
    EXPECT_EQ(world.argv<Graphics>("<graphics type='vnc'><listen type='none'/></graphics>"),
              (Words{"-vnc", "none"}));
}

TEST(Vnc, SaysTheListenAddressTwiceAsOldClientsWantIt) {
    EXPECT_EQ(World{}.text<Graphics>("<graphics type='vnc' port='5903' listen='127.0.0.1'/>"),
              "<graphics type='vnc' port='5903' autoport='no' listen='127.0.0.1'>\n"
              "  <listen type='address' address='127.0.0.1'/>\n</graphics>\n");
    const auto r = device_from_node(
        xml::read(
            "<graphics type='vnc' listen='1.1.1.1'><listen type='address' address='2.2.2.2'/></graphics>")
            .value(),
        xml::Flavour::inactive);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message,
              "graphics 'listen' attribute '1.1.1.1' must match 'address' attribute of first "
              "listen element (found '2.2.2.2')");
}

TEST(Vnc, NeverPutsAPasswordOnTheCommandLine) {
    const auto made = World{}.planned<Graphics>("<graphics type='vnc' port='5900' passwd='s3cret' "
                                                "passwdValidTo='2011-05-31T16:11:22' connected='keep'/>");
    EXPECT_EQ(World::words_of(made), (Words{"-vnc", "127.0.0.1:0,password=on"}));
    using Command = std::pair<std::string, boost::json::object>;
    EXPECT_EQ(made.monitor_commands,
              (std::vector<Command>{
                  {"set_password", {{"protocol", "vnc"}, {"password", "s3cret"}, {"connected", "keep"}}},
                  {"expire_password", {{"protocol", "vnc"}, {"time", "1306858282"}}}}));
}

TEST(Vnc, EncryptsAndAuthenticatesAsTheSettingsSay) {
    World world;
    world.conf.vnc_tls = true;
    world.conf.vnc_tls_x509_verify = true;
    world.conf.vnc_sasl = true;
    world.conf.vnc_sasl_dir = "/sasl";
    const auto made = world.planned<Graphics>("<graphics type='vnc' port='5903'/>");
    EXPECT_EQ(World::words_of(made),
              (Words{"-object",
                     R"({"qom-type":"tls-creds-x509","id":"vnc-tls-creds0","dir":"/etc/pki/qemu",)"
                     R"("endpoint":"server","verify-peer":true})",
                     "-vnc", "127.0.0.1:3,tls-creds=vnc-tls-creds0,sasl=on"}));
    EXPECT_EQ(made.env, (std::vector<EnvVar>{{"SASL_CONF_PATH", "/sasl", "qemu.conf vnc_sasl_dir"}}));
}

TEST(Vnc, RefusesPortsBelowTheFirstDisplay) {
    const auto r = World{}.checked<Graphics>("<graphics type='vnc' port='80'/>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "VNC port must be in range [5900,65535]");
}

TEST(SpiceDisplay, SaysItsOptionsInOrder) {
    World world;
    world.conf.spice_tls = true;
    world.conf.spice_tls_x509_cert_dir = "/pki";
    EXPECT_EQ(world.argv<Graphics>(
                  "<graphics type='spice' port='5903' tlsPort='5904' defaultMode='secure'>"
                  "<channel name='inputs' mode='insecure'/><image compression='auto_glz'/>"
                  "<jpeg compression='auto'/><zlib compression='never'/><playback compression='on'/>"
                  "<streaming mode='filter'/><mouse mode='client'/><clipboard copypaste='no'/>"
                  "<filetransfer enable='no'/></graphics>"),
              (Words{"-spice",
                     "port=5903,tls-port=5904,addr=127.0.0.1,disable-ticketing=on,x509-dir=/pki,"
                     "tls-channel=default,plaintext-channel=inputs,image-compression=auto_glz,"
                     "jpeg-wan-compression=auto,zlib-glz-wan-compression=never,playback-compression=on,"
                     "streaming-video=filter,agent-mouse=on,disable-copy-paste=on,disable-agent-file-xfer=on,"
                     "seamless-migration=on"}));
}

TEST(SpiceDisplay, RefusesSecurePortsWithoutCertificates) {
    const auto r = World{}.plan_of<Graphics>("<graphics type='spice' tlsPort='5904'/>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "spice TLS port set in XML configuration, but TLS is disabled in qemu.conf");
}

TEST(SpiceDisplay, WithoutAPortIsNotReachable) {
    EXPECT_EQ(World{}.text<Graphics>("<graphics type='spice'/>"),
              "<graphics type='spice'>\n  <listen type='none'/>\n</graphics>\n");
    EXPECT_EQ(World{}.text<Graphics>("<graphics type='spice' autoport='yes'/>"),
              "<graphics type='spice' autoport='yes'>\n  <listen type='address'/>\n</graphics>\n");
}

TEST(SpiceDisplay, GrantsTheRenderNodeItDrawsWith) {
    World world;
    world.facts.render_node = "/dev/dri/renderD128";
    const auto made = world.planned<Graphics>(
        "<graphics type='spice'><listen type='socket' socket='/s'/><gl enable='yes'/></graphics>");
    EXPECT_EQ(World::words_of(made)[1],
              "unix,addr=/s,disable-ticketing=on,gl=on,rendernode=/dev/dri/renderD128,"
              "seamless-migration=on");
    EXPECT_EQ(made.grants, (std::vector<Grant>{{.path = "/dev/dri/renderD128",
                                                .kind = Kind::char_device,
                                                .access = Access::read_write,
                                                .sharing = Sharing::shared,
                                                .why = "graphics"}}));
}

TEST(LocalDisplay, GetsItsDisplayThroughTheEnvironment) {
    const auto made = World{}.planned<Graphics>("<graphics type='sdl' display=':0.1' xauth='/x'/>");
    EXPECT_EQ(World::words_of(made), (Words{"-display", "sdl"}));
    EXPECT_EQ(made.env,
              (std::vector<EnvVar>{{"XAUTHORITY", "/x", "graphics"}, {"DISPLAY", ":0.1", "graphics"}}));
}

TEST(UtcSeconds, CountsFromTheEpochAndRefusesNonsense) {
    EXPECT_EQ(utc_seconds("1970-01-01T00:00:00"), 0);
    EXPECT_EQ(utc_seconds("2011-05-31T16:11:22"), 1306858282);
    EXPECT_EQ(utc_seconds("2011-13-31T16:11:22"), std::nullopt);
    EXPECT_EQ(utc_seconds("tomorrow"), std::nullopt);
}

TEST(VideoCard, HasTheMemoryOfItsKind) {
    auto world = World{}.has({"cirrus-vga", "qxl-vga", "VGA", "virtio-vga", "virtio-vga-gl"});
    EXPECT_EQ(world.text<Video>("<video/>"),
              "<video>\n  <model type='cirrus' vram='16384' heads='1' primary='yes'/>\n</video>\n");
    EXPECT_EQ(world.argv<Video>("<video><model type='qxl' vgamem='9000'/></video>"),
              (Words{"-device", R"({"driver":"qxl-vga","id":"video0","max_outputs":1,"ram_size":67108864,)"
                                R"("vram_size":67108864,"vram64_size_mb":0,"vgamem_mb":16})"}));
    EXPECT_EQ(world.argv<Video>("<video><model type='vga'/></video>"),
              (Words{"-device", R"({"driver":"VGA","id":"video0","vgamem_mb":16})"}));
    EXPECT_EQ(world.argv<Video>("<video><model type='virtio'><acceleration accel3d='yes'/></model></video>"),
              (Words{"-device", R"({"driver":"virtio-vga-gl","id":"video0","max_outputs":1})"}));
    EXPECT_EQ(world.argv<Video>("<video><model type='none'/></video>"), Words{});
    world.caps.types.erase("cirrus-vga");
    EXPECT_EQ(world.read<Video>("<video/>").model->type, VideoType::vga);
}

} // namespace
