#include "device_world.hpp"

using namespace cloister;
using namespace cloister::test;

namespace {

World serial_world() { return World{}.has({"isa-serial", "pci-serial", "usb-serial", "isa-debugcon"}); }

TEST(Chardev, MakesAPtyOfASerialPortThatSaysNothing) {
    const auto world = serial_world();
    EXPECT_EQ(world.text<Serial>("<serial/>"), "<serial type='pty'>\n"
                                               "  <target type='isa-serial' port='0'>\n"
                                               "    <model name='isa-serial'/>\n"
                                               "  </target>\n"
                                               "</serial>\n");
    EXPECT_EQ(world.argv<Serial>("<serial/>"),
              (Words{"-chardev", "pty,id=charserial0", "-device",
                     R"({"driver":"isa-serial","chardev":"charserial0","id":"serial0","index":0})"}));
}

TEST(Chardev, OpensALogFileForQemuAndPassesTheDescriptor) {
    const auto made = serial_world().planned<Serial>("<serial type='file'><source path='/log/a'/></serial>");
    EXPECT_EQ(World::words_of(made),
              (Words{"-add-fd", "set={serial0-source},fd={serial0-source},opaque=serial0-source", "-chardev",
                     "file,id=charserial0,path=/dev/fdset/{serial0-source},append=on", "-device",
                     R"({"driver":"isa-serial","chardev":"charserial0","id":"serial0","index":0})"}));
    EXPECT_EQ(made.descriptors, (std::vector<Descriptor>{{"serial0-source",
                                                          OpenedFile{.path = "/log/a",
                                                                     .access = Access::read_write,
                                                                     .append = true,
                                                                     .create = true,
                                                                     .truncate = true},
                                                          "serial serial0"}}));
    EXPECT_EQ(made.grants, std::vector<Grant>{});
}

TEST(Chardev, LetsQemuOpenTheFileWhenTheSettingsSaySo) {
    auto world = serial_world();
    world.conf.stdio_handler = "file";
    const auto made = world.planned<Serial>("<serial type='file'><source path='/a,b' append='on'>"
                                            "<seclabel model='dac' relabel='no'/></source></serial>");
    EXPECT_EQ(World::words_of(made)[1], "file,id=charserial0,path=/a,,b,append=on");
    EXPECT_EQ(made.grants, (std::vector<Grant>{{.path = "/a,b",
                                                .kind = Kind::file,
                                                .access = Access::read_write,
                                                .overrides = {{.model = "dac", .relabel = false}},
                                                .why = "serial serial0"}}));
}

TEST(Chardev, ListensOnAUnixSocketByDescriptorAndConnectsByPath) {
    const auto listening =
        serial_world().planned<Serial>("<serial type='unix'><source mode='bind' path='/run/s'/></serial>");
    EXPECT_EQ(World::words_of(listening)[1], "socket,id=charserial0,fd={charserial0},server=on,wait=off");
    EXPECT_EQ(listening.descriptors,
              (std::vector<Descriptor>{
                  {"charserial0", ListenSocket{.path = "/run/s", .guest_owned = true}, "serial serial0"}}));
    const auto calling =
        serial_world().planned<Serial>("<serial type='unix'><source path='/run/s'><reconnect enabled='yes' "
                                       "timeout='10'/></source></serial>");
    EXPECT_EQ(World::words_of(calling)[1], "socket,id=charserial0,path=/run/s,reconnect=10");
    EXPECT_EQ(calling.grants, (std::vector<Grant>{{.path = "/run/s",
                                                   .kind = Kind::socket,
                                                   .access = Access::read_write,
                                                   .why = "serial serial0"}}));
}

TEST(Chardev, SpeaksTcpTelnetAndUdp) {
    const auto world = serial_world();
    EXPECT_EQ(world.argv<Serial>("<serial type='tcp'><source mode='bind' host='::1' service='99'/>"
                                 "<protocol type='telnet'/></serial>")[1],
              "socket,id=charserial0,host=::1,port=99,telnet=on,server=on,wait=off");
    EXPECT_EQ(world.argv<Serial>("<serial type='udp'><source mode='connect' host='a' service='1'/>"
                                 "<source mode='bind' host='b' service='2'/></serial>")[1],
              "udp,id=charserial0,host=a,port=1,localaddr=b,localport=2");
    EXPECT_EQ(world.argv<Serial>("<serial type='udp'><source mode='connect' service='1'/></serial>")[1],
              "udp,id=charserial0,host=,port=1,localaddr=,localport=0");
}

TEST(Chardev, EncryptsTcpWithTheAdministratorsCertificates) {
    auto world = serial_world();
    world.conf.chardev_tls = true;
    world.conf.chardev_tls_x509_cert_dir = "/pki";
    EXPECT_EQ(
        world.argv<Serial>("<serial type='tcp'><source mode='connect' host='h' service='1'/></serial>"),
        (Words{"-object",
               R"({"qom-type":"tls-creds-x509","id":"objcharserial0_tls0","dir":"/pki",)"
               R"("endpoint":"client","verify-peer":true})",
               "-chardev", "socket,id=charserial0,host=h,port=1,tls-creds=objcharserial0_tls0", "-device",
               R"({"driver":"isa-serial","chardev":"charserial0","id":"serial0","index":0})"}));
    EXPECT_EQ(world.argv<Serial>(
                  "<serial type='tcp'><source mode='connect' host='h' service='1' tls='no'/></serial>")[1],
              "socket,id=charserial0,host=h,port=1");
}

TEST(Chardev, NamesWhatASourceLacks) {
    const auto world = serial_world();
    const auto said = [&](std::string_view text) {
        const auto r = world.checked<Serial>(text);
        return r ? std::string("accepted") : r.error().message;
    };
    EXPECT_EQ(said("<serial type='file'/>"), "Missing source path attribute for char device");
    EXPECT_EQ(said("<serial type='tcp'><source mode='bind' service='1'/></serial>"),
              "Missing source host attribute for char device");
    EXPECT_EQ(said("<serial type='tcp'><source mode='bind' host='h'/></serial>"),
              "Missing source service attribute for char device");
    EXPECT_EQ(said("<serial type='unix'><source mode='bind' path='/a'>"
                   "<reconnect enabled='yes'/></source></serial>"),
              "chardev reconnect is possible only for connect mode");
}

TEST(Channel, ChoosesThePathOfAnAgentsSocket) {
    const auto made = World{}.planned<Channel>(
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>");
    EXPECT_EQ(
        made.descriptors,
        (std::vector<Descriptor>{
            {"charchannel0", ListenSocket{.path = "/channel/org.qemu.guest_agent.0", .guest_owned = true},
             "channel channel0"}}));
    EXPECT_EQ(World::words_of(made),
              (Words{"-chardev", "socket,id=charchannel0,fd={charchannel0},server=on,wait=off", "-device",
                     R"({"driver":"virtserialport","chardev":"charchannel0","id":"channel0",)"
                     R"("name":"org.qemu.guest_agent.0"})"}));
}

TEST(Channel, ForwardsAGuestAddressThroughAUserNetwork) {
    EXPECT_EQ(World{}.argv<Channel>("<channel type='null'>"
                                    "<target type='guestfwd' address='10.0.2.1' port='4600'/></channel>"),
              (Words{"-chardev", "null,id=charchannel0", "-netdev",
                     "user,guestfwd=tcp:10.0.2.1:4600-chardev:charchannel0,id=channel0"}));
}

TEST(Channel, GivesSpicesAgentItsName) {
    EXPECT_EQ(World{}.text<Channel>("<channel type='spicevmc'><target type='virtio'/></channel>"),
              "<channel type='spicevmc'>\n  <target type='virtio' name='com.redhat.spice.0'/>\n</channel>\n");
    EXPECT_EQ(World{}.argv<Channel>("<channel type='qemu-vdagent'><source><clipboard copypaste='yes'/>"
                                    "<mouse mode='server'/></source><target type='virtio'/></channel>")[1],
              "qemu-vdagent,id=charchannel0,name=vdagent,clipboard=on,mouse=off");
}

TEST(Console, OfASerialPortIsNoDeviceOfItsOwn) {
    EXPECT_EQ(World{}.argv<Console>("<console type='pty'/>"), Words{});
    EXPECT_EQ(World{}.argv<Console>("<console type='pty'><target type='virtio' port='1'/></console>"),
              (Words{"-chardev", "pty,id=charconsole0", "-device",
                     R"({"driver":"virtconsole","chardev":"charconsole0","id":"console0"})"}));
}

TEST(Parallel, GivesTheGuestAHostPort) {
    const auto made =
        World{}.planned<Parallel>("<parallel type='dev'><source path='/dev/parport0'/></parallel>");
    EXPECT_EQ(World::words_of(made),
              (Words{"-chardev", "parport,id=charparallel0,path=/dev/parport0", "-device",
                     R"({"driver":"isa-parallel","chardev":"charparallel0",)"
                     R"("id":"parallel0"})"}));
    EXPECT_EQ(made.grants, (std::vector<Grant>{{.path = "/dev/parport0",
                                                .kind = Kind::char_device,
                                                .access = Access::read_write,
                                                .why = "parallel parallel0"}}));
}

TEST(ChardevText, WritesWhatItRead) {
    for (const auto* text :
         {"<serial type='tcp'>\n  <source mode='bind' host='h' service='1' tls='no'/>\n"
          "  <protocol type='raw'/>\n  <log file='/l' append='off'/>\n  <target type='isa-serial' port='0'>\n"
          "    <model name='isa-serial'/>\n  </target>\n</serial>\n",
          "<serial type='dbus'>\n  <source channel='org.x'/>\n  <target type='isa-serial' port='0'>\n"
          "    <model name='isa-serial'/>\n  </target>\n</serial>\n"})
        EXPECT_EQ(serial_world().text<Serial>(text), text);
    EXPECT_EQ(serial_world().text<Serial>("<serial type='null'><source path='/x'/></serial>"),
              "<serial type='null'>\n  <target type='isa-serial' port='0'>\n    <model name='isa-serial'/>\n"
              "  </target>\n</serial>\n");
}

} // namespace
