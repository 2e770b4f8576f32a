#include "device_world.hpp"

using namespace cloister;
using namespace cloister::test;

namespace {

TEST(RngPlan, AsksForItsHostDeviceReadOnly) {
    auto world = World{}.has({"virtio-rng-pci"});
    const auto made = world.planned<Rng>("<rng model='virtio'><rate bytes='123' period='1234'/><backend "
                                         "model='random'>/dev/hwrng</backend></rng>");
    EXPECT_EQ(
        World::words_of(made),
        (Words{"-object", R"({"qom-type":"rng-random","id":"objrng0","filename":"/dev/hwrng"})", "-device",
               R"({"driver":"virtio-rng-pci","rng":"objrng0","id":"rng0","max-bytes":123,"period":1234})"}));
    EXPECT_EQ(made.grants, (std::vector<Grant>{{.path = "/dev/hwrng",
                                                .kind = Kind::char_device,
                                                .access = Access::read,
                                                .sharing = Sharing::shared,
                                                .why = "rng rng0"}}));
}

TEST(RngPlan, AsksAnEntropyDaemonThroughAChardev) {
    const auto world = World{}.has({"virtio-rng-pci"});
    EXPECT_EQ(world.argv<Rng>("<rng model='virtio'><backend model='egd' type='tcp'>"
                              "<source mode='connect' host='1.2.3.4' service='1234'/></backend></rng>"),
              (Words{"-chardev", "socket,id=charrng0,host=1.2.3.4,port=1234", "-object",
                     R"({"qom-type":"rng-egd","id":"objrng0","chardev":"charrng0"})", "-device",
                     R"({"driver":"virtio-rng-pci","rng":"objrng0","id":"rng0"})"}));
}

TEST(RngPlan, SaysWhenThisQemuHasNoGeneratorOfItsOwn) {
    const auto r = World{}.plan_of<Rng>("<rng model='virtio'><backend model='builtin'/></rng>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Code::config_unsupported);
    EXPECT_EQ(r.error().message, "rng-builtin is not supported by this QEMU binary");
}

TEST(InputPlan, EmitsNothingForWhatTheMachineHas) {
    const auto world = World{}.has({"usb-tablet", "virtio-input-host-pci"});
    EXPECT_EQ(world.argv<Input>("<input type='mouse'/>"), Words{});
    EXPECT_EQ(world.argv<Input>("<input type='tablet'/>"),
              (Words{"-device", R"({"driver":"usb-tablet","id":"input0"})"}));
    const auto host = world.planned<Input>(
        "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event3'/></input>");
    EXPECT_EQ(World::words_of(host),
              (Words{"-device",
                     R"({"driver":"virtio-input-host-pci","id":"input0","evdev":"/dev/input/event3"})"}));
    EXPECT_EQ(host.grants, (std::vector<Grant>{{.path = "/dev/input/event3",
                                                .kind = Kind::char_device,
                                                .access = Access::read_write,
                                                .why = "input input0"}}));
}

TEST(InputPlan, GrabsAHostDeviceAsQemuDoes) {
    EXPECT_EQ(World{}.argv<Input>("<input type='evdev'><source dev='/dev/input/event1' grab='all' "
                                  "grabToggle='alt-alt' repeat='on'/></input>"),
              (Words{"-object", R"({"qom-type":"input-linux","id":"input0","evdev":"/dev/input/event1",)"
                                R"("repeat":true,"grab_all":true,"grab-toggle":"alt-alt"})"}));
}

TEST(SoundPlan, HasADuplexCodecUnlessToldOtherwise) {
    auto world = World{}.has({"intel-hda", "AC97"});
    world.domain.devices.list.emplace_back(Audio{.id = 1});
    EXPECT_EQ(
        world.argv<Sound>("<sound model='ich6'/>"),
        (Words{
            "-device", R"({"driver":"intel-hda","id":"sound0"})", "-device",
            R"({"driver":"hda-duplex","id":"sound0-codec0","bus":"sound0.0","cad":0,"audiodev":"audio1"})"}));
    EXPECT_EQ(world.argv<Sound>("<sound model='ac97'/>"),
              (Words{"-device", R"({"driver":"AC97","id":"sound0","audiodev":"audio1"})"}));
}

TEST(AudioPlan, TellsQemuWhatTheBackendKnows) {
    EXPECT_EQ(
        World{}.argv<Audio>("<audio id='2' type='oss' tryMMap='yes' dspPolicy='3'><input mixingEngine='yes' "
                            "dev='/dev/dsp0'><settings frequency='44100' format='s16'/></input></audio>"),
        (Words{"-audiodev",
               R"({"id":"audio2","driver":"oss","try-mmap":true,"dsp-policy":3,)"
               R"("in":{"mixing-engine":true,"frequency":44100,"format":"s16","dev":"/dev/dsp0"}})"}));
}

TEST(WatchdogPlan, PausesWhereTheDriverIsToDump) {
    const auto world = World{}.has({"ib700"});
    EXPECT_EQ(world.argv<Watchdog>("<watchdog model='ib700' action='dump'/>"),
              (Words{"-device", R"({"driver":"ib700","id":"watchdog0"})", "-watchdog-action", "pause"}));
    EXPECT_EQ(world.text<Watchdog>("<watchdog model='i6300esb'/>"),
              "<watchdog model='i6300esb' action='reset'/>\n");
}

TEST(MemballoonPlan, AsksTheGuestForItsStatistics) {
    const auto world = World{}.has({"virtio-balloon-pci"});
    const auto made = world.planned<Memballoon>(
        "<memballoon model='virtio' autodeflate='on'><stats period='10'/></memballoon>");
    EXPECT_EQ(World::words_of(made),
              (Words{"-device", R"({"driver":"virtio-balloon-pci","id":"balloon0","deflate-on-oom":true})"}));
    using Command = std::pair<std::string, boost::json::object>;
    EXPECT_EQ(made.monitor_commands, (std::vector<Command>{{"qom-set",
                                                            {{"path", "/machine/peripheral/balloon0"},
                                                             {"property", "guest-stats-polling-interval"},
                                                             {"value", 10}}}}));
    EXPECT_EQ(world.argv<Memballoon>("<memballoon model='none'/>"), Words{});
}

TEST(VsockPlan, TakesTheCidThatWasReserved) {
    auto world = World{}.has({"vhost-vsock-pci"});
    world.reserved.vsock_cids = {42};
    const auto made = world.planned<Vsock>("<vsock/>");
    EXPECT_EQ(World::words_of(made),
              (Words{"-device",
                     R"({"driver":"vhost-vsock-pci","id":"vsock0","guest-cid":42,"vhostfd":"{vsock0}"})"}));
    EXPECT_EQ(made.descriptors, (std::vector<Descriptor>{{"vsock0", VhostVsock{.cid = 42}, "vsock vsock0"}}));
    const auto r = world.checked<Vsock>("<vsock><cid auto='no' address='2'/></vsock>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "guest CID must be >= 3");
}

TEST(ShmemPlan, SharesAFileWithoutGivingItAway) {
    const auto world = World{}.has({"ivshmem-plain", "ivshmem-doorbell"});
    const auto made =
        world.planned<Shmem>("<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>8</size></shmem>");
    EXPECT_EQ(World::words_of(made),
              (Words{"-object",
                     R"({"qom-type":"memory-backend-file","id":"shmmem-shmem0","mem-path":"/dev/shm/s",)"
                     R"("size":8388608,"share":true})",
                     "-device", R"({"driver":"ivshmem-plain","id":"shmem0","memdev":"shmmem-shmem0"})"}));
    EXPECT_EQ(made.grants, (std::vector<Grant>{{.path = "/dev/shm/s",
                                                .access = Access::read_write,
                                                .sharing = Sharing::shared,
                                                .keep_owner = true,
                                                .optional = true,
                                                .why = "shmem shmem0"}}));
    const auto r = world.checked<Shmem>("<shmem name='../etc'><model type='ivshmem-plain'/></shmem>");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().message, "shmem name cannot include '/' character");
}

TEST(MemoryPlan, BacksAnNvdimmByItsFile) {
    const auto world = World{}.has({"nvdimm"});
    const auto made = world.planned<MemoryModule>(
        "<memory model='nvdimm' access='private'><source><path>/n</path></source><target>"
        "<size unit='MiB'>512</size><node>0</node><label><size unit='KiB'>128</size></label></target>"
        "<address type='dimm' slot='0'/></memory>");
    EXPECT_EQ(
        World::words_of(made),
        (Words{
            "-object",
            R"({"qom-type":"memory-backend-file","id":"memnvdimm0","mem-path":"/n",)"
            R"("share":false,"prealloc":true,"size":536870912})",
            "-device",
            R"({"driver":"nvdimm","node":0,"label-size":131072,"memdev":"memnvdimm0","id":"nvdimm0","slot":0})"}));
    EXPECT_EQ(made.grants,
              (std::vector<Grant>{{.path = "/n", .access = Access::read_write, .why = "memory nvdimm0"}}));
}

TEST(PanicPlan, PutsTheIsaDeviceAtItsPort) {
    const auto world = World{}.has({"pvpanic"});
    EXPECT_EQ(world.argv<Panic>("<panic><address type='isa' iobase='0x505'/></panic>"),
              (Words{"-device", R"({"driver":"pvpanic","ioport":1285})"}));
    EXPECT_EQ(world.text<Panic>("<panic/>"), "<panic model='isa'/>\n");
}

TEST(IommuPlan, SaysItsSwitchesAsQemuReadsThem) {
    auto world = World{}.has({"intel-iommu"});
    EXPECT_EQ(
        world.argv<Iommu>(
            "<iommu model='intel'><driver intremap='on' caching_mode='on' aw_bits='48'/></iommu>"),
        (Words{"-device", R"({"driver":"intel-iommu","intremap":"on","caching-mode":true,"aw-bits":48})"}));
}

TEST(CryptoPlan, PairsTheBackendWithTheDevice) {
    const auto world = World{}.has({"cryptodev-backend-builtin", "virtio-crypto-pci"});
    EXPECT_EQ(
        world.argv<Crypto>(
            "<crypto model='virtio' type='qemu'><backend model='builtin' queues='2'/></crypto>"),
        (Words{"-object", R"({"qom-type":"cryptodev-backend-builtin","id":"objcrypto0","queues":2})",
               "-device", R"({"driver":"virtio-crypto-pci","cryptodev":"objcrypto0","id":"crypto0"})"}));
}

} // namespace
