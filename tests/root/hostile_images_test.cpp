/// Suite root. Disk images that mean harm, made from a table: each is refused with itself named, or planned
/// safely, exactly as the table says.
#include "driver/probe/host_probe.hpp"
#include "driver/probe/images.hpp"
#include "tests/image_bytes.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace cloister;
using namespace cloister::image_bytes;
using namespace std::string_literals;

namespace {

/// "@" in what is expected is the test's folder.
struct Case {
    const char* what;
    std::string bytes; ///< of @/top
    std::string expected;
    std::string format = "qcow2";
    std::vector<std::pair<std::string, std::string>> others{}; ///< name and bytes
    bool restricted = false;                                   ///< to @/allowed and @/link-to-allowed
};

const auto no_header = "image '@/top' has no valid header of the format 'qcow2'"s;
const auto bad_name =
    "the header of image '@/top' names a file in a way that is not allowed: empty, too long, cut off "
    "or with control characters"s;
const auto many_files =
    "image '@/top' only describes a disk whose data is in other files, which is not supported"s;
const auto loops = "backing store for '@/top' is self-referential"s;
std::string number(const std::string& format = "qcow2") {
    return "the header of image '@/top' holds a number that no image of the format '" + format + "' can have";
}
std::string protocol(const std::string& written, const std::string& scheme) {
    return "the backing file '" + written + "' of image '@/top' uses the protocol '" + scheme +
           "', which is not supported";
}
std::string unreachable(const std::string& path, const std::string& why) {
    return "Cannot access storage file '" + path + "': " + why;
}
std::string outside(const std::string& path) {
    return "the file '" + path +
           "' that image '@/top' names is in no folder of 'backing_chain_paths' in qemu.conf";
}
std::string elsewhere(const std::string& path) {
    return "image '@/top' keeps its data in another file, '" + path + "', which is not supported";
}
std::string unrecorded(const std::string& path) {
    return "format of backing image '" + path +
           "' of image '@/top' was not specified in the image metadata (See "
           "https://libvirt.org/kbase/backing_chains.html for troubleshooting)";
}
std::string strange(const std::string& path) { return "'" + path + "' is neither a file nor a block device"; }
std::string stored_in(const std::string& file) {
    return qcow2({.extensions = extension(data_file, file) + end, .incompatible = 4});
}

const std::vector<Case> table{
    // cut off, or something else
    {"is empty", "", no_header},
    {"has a mark and nothing more", "QFI\xfb\0\0\0\x03"s, no_header},
    {"is cut in the header", on("base").substr(0, 90), no_header},
    {"is cut in the extensions", qcow2({.extensions = extension(7, "x")}), no_header},
    {"is cut in the backing name", on("base-of-it").substr(0, on("base-of-it").size() - 3), bad_name},
    {"is of another format", qed("base", 1), no_header},
    {"is of a version to come", qcow2({.version = 9}), no_header},
    {"is text", "#!/bin/sh\nrm -rf /\n", no_header},
    // absurd numbers
    {"has 16 EiB", qcow2({.size = ~std::uint64_t{0}}), number()},
    {"has clusters of 2^63 bytes", qcow2({.cluster_bits = 63}), number()},
    {"has clusters of one byte", qcow2({.cluster_bits = 0}), number()},
    {"has a cipher that nobody knows", qcow2({.crypt = 0xffffffff}), number()},
    {"has a header of 8 bytes", qcow2({.length = 8}), number()},
    {"has a header of 4 GiB", qcow2({.length = 0xffffffff}), no_header},
    {"has an extension of 4 GiB", qcow2({.extensions = big(std::uint32_t{7}) + big(~std::uint32_t{0})}),
     number()},
    {"has extensions that wrap round",
     qcow2({.extensions = big(std::uint32_t{7}) + big(std::uint32_t{0xfffffff8}) + end}), number()},
    {"has its name at 2^64", with(on("base"), 8, big(~std::uint64_t{0})), bad_name},
    {"has its name at 1 TiB", with(on("base"), 8, big(std::uint64_t{1} << 40)), bad_name},
    {"has a name of 4 GiB", with(on("base"), 16, big(~std::uint32_t{0})), bad_name},
    {"has a qed of 16 EiB", qed("base", 1, ~std::uint64_t{0}), number("qed"), "qed"},
    {"has qed features that nobody knows", qed("base", 0xff), number("qed"), "qed"},
    {"has a vmdk of 2^64 sectors", vmdk("", ~std::uint64_t{0}), number("vmdk"), "vmdk"},
    {"has a vmdk description of 2^64 sectors", vmdk("", 8, ~std::uint64_t{0}), number("vmdk"), "vmdk"},
    {"has a qcow of 16 EiB", qcow("base", ~std::uint64_t{0}), number("qcow"), "qcow"},
    // names
    {"names nothing", with(on("base"), 16, big(std::uint32_t{0})), bad_name},
    {"names a NUL", on("ba\0se"s), bad_name},
    {"names a newline", on("base\n/etc/shadow"), bad_name},
    {"names an escape", on("\x1b[2Jbase"), bad_name},
    {"names what is not UTF-8", on("base\xff"), bad_name},
    {"names an overlong slash",
     on("..\xc0\xaf..\xc0\xaf"
        "etc"),
     bad_name},
    {"names 1024 bytes", on(std::string(1024, 'a')), bad_name},
    {"names 1023 bytes", on(std::string(1023, 'a')),
     unreachable("@/" + std::string(1023, 'a'), "File name too long")},
    {"names a format with a newline", on("base", "raw\n"), bad_name},
    {"names two formats",
     qcow2({.backing = "base",
            .extensions = extension(backing_format, "raw") + extension(backing_format, "qcow2") + end}),
     bad_name},
    {"names a format that nobody knows", on("base", "vvfat"),
     "image '@/top' says that its backing file 'base' has the format 'vvfat', which is not known"},
    {"names a protocol as a format", on("base", "nbd"),
     "image '@/top' says that its backing file 'base' has the format 'nbd', which is not known"},
    // protocols
    {"stands on json", on("json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}"),
     protocol("json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}", "json")},
    {"stands on nbd", on("nbd://h/x"), protocol("nbd://h/x", "nbd")},
    {"stands on nbd through a socket", on("nbd:unix:/run/x"), protocol("nbd:unix:/run/x", "nbd")},
    {"stands on ssh", on("ssh://h/x"), protocol("ssh://h/x", "ssh")},
    {"stands on rbd", on("rbd:pool/x"), protocol("rbd:pool/x", "rbd")},
    {"stands on https", on("https://h/x"), protocol("https://h/x", "https")},
    {"stands on a folder as FAT", on("fat:rw:/etc"), protocol("fat:rw:/etc", "fat")},
    {"stands on a descriptor", on("fd:3"), protocol("fd:3", "fd")},
    {"stands on a hidden protocol", on("file:nbd:h:1"), protocol("file:nbd:h:1", "nbd")},
    {"stands on another host's file", on("file://h/x"),
     "the file 'file://h/x' of image '@/top' is on another host, which is not supported"},
    {"stands on an empty file name", on("file:"), "the file 'file:' of image '@/top' has no name"},
    {"has a protocol in a qed", qed("nbd:h:1", 1), protocol("nbd:h:1", "nbd"), "qed"},
    {"has a protocol in a qcow", qcow("https://h/x"), protocol("https://h/x", "https"), "qcow"},
    {"has a protocol in a vmdk", vmdk("parentFileNameHint=\"nbd:h:1\"\n"), protocol("nbd:h:1", "nbd"),
     "vmdk"},
    // what is no image
    {"stands on a folder", on("allowed"), strange("@/allowed")},
    {"stands on a pipe", on("pipe"), strange("@/pipe")},
    {"stands on a character device", on("/dev/zero"), strange("/dev/zero")},
    {"stands on a descriptor of the daemon", on("/proc/self/fd/0"),
     unreachable("/proc/self/fd/0", "Too many levels of symbolic links")},
    {"stands on the daemon's root", on("/proc/self/root/etc/passwd"),
     unreachable("/proc/self/root/etc/passwd", "Too many levels of symbolic links")},
    {"stands on nothing", on("gone"), unreachable("@/gone", "No such file or directory")},
    {"stands on a file below a file", on("base/x"), unreachable("@/base/x", "Not a directory")},
    {"stands on a symlink to itself", on("circle"),
     unreachable("@/circle", "Too many levels of symbolic links")},
    // loops
    {"stands on itself", on("top", "qcow2"), loops},
    {"stands on itself by another way", on("./allowed/../top", "qcow2"), loops},
    {"stands on itself through a symlink", on("top-link", "qcow2"), loops},
    {"stands on itself through a hard link", on("top-hard", "qcow2"), loops},
    {"stands on itself as raw", on("top", "raw"), loops},
    {"stands on what stands on it",
     on("a", "qcow2"),
     loops,
     "qcow2",
     {{"a", on("b", "qcow2")}, {"b", on("top", "qcow2")}}},
    // formats that are not recorded
    {"does not record that it stands on qcow2",
     qcow2({.backing = "a"}),
     unrecorded("@/a"),
     "qcow2",
     {{"a", on("/etc/shadow")}}},
    {"does not record that it stands on vmdk",
     qcow("a"),
     unrecorded("@/a"),
     "qcow",
     {{"a", "# Disk DescriptorFile\n"}}},
    {"does not record that it stands on raw", qcow2({.backing = "base"}), "@/base:raw"},
    {"hides a qcow2 in a raw layer", on("a", "raw"), "@/a:raw", "qcow2", {{"a", on("/etc/shadow")}}},
    {"hides a qcow2 in a raw disk", on("/etc/shadow"), "", "raw"},
    {"hides one as a device", on("base", "host_device"), "@/base:raw"},
    // data elsewhere
    {"keeps its data in /etc/shadow", stored_in("/etc/shadow"), elsewhere("/etc/shadow")},
    {"keeps its data beside itself", stored_in("base"), elsewhere("base")},
    {"keeps its data behind a protocol", stored_in("nbd://h/x"), elsewhere("nbd://h/x")},
    {"keeps its data in an allowed folder",
     stored_in("allowed/base"),
     elsewhere("allowed/base"),
     "qcow2",
     {},
     true},
    {"keeps its data in a file with a newline", stored_in("a\nb"), bad_name},
    {"keeps its data in a file without a name", qcow2({.incompatible = 4}), bad_name},
    {"names a data file without saying so", qcow2({.extensions = extension(data_file, "/etc/shadow") + end}),
     bad_name},
    {"stands on one that keeps its data elsewhere",
     on("a", "qcow2"),
     "image '@/a' keeps its data in another file, '/etc/shadow', which is not supported",
     "qcow2",
     {{"a", stored_in("/etc/shadow")}}},
    {"is a description of other files", "# Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0\n", many_files,
     "vmdk"},
    {"is a vmdk that hides a description", vmdk("RW 1 FLAT \"/etc/shadow\" 0\n", 0), many_files, "vmdk"},
    // what is allowed
    {"stands on an allowed file", on("allowed/base"), "@/allowed/base:raw", "qcow2", {}, true},
    {"stands on an allowed file through a symlink",
     on("way-in/base"),
     "@/allowed/base:raw",
     "qcow2",
     {},
     true},
    {"stands on a file beside", on("base"), outside("@/base"), "qcow2", {}, true},
    {"stands on /etc/passwd", on("/etc/passwd"), outside("/etc/passwd"), "qcow2", {}, true},
    {"climbs out", on("allowed/../base"), outside("@/allowed/../base"), "qcow2", {}, true},
    {"follows a symlink out", on("allowed/way-out"), outside("@/allowed/way-out"), "qcow2", {}, true},
    {"stands on a folder with the same beginning",
     on("allowed-not/base"),
     outside("@/allowed-not/base"),
     "qcow2",
     {},
     true},
};

std::string in_folder(std::string text, const std::string& folder) {
    for (auto at = text.find('@'); at != text.npos; at = text.find('@', at + folder.size()))
        text.replace(at, 1, folder);
    return text;
}

struct HostileImages : testing::Test {
    std::string folder;

    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "this machine: not root";
        ::prctl(PR_SET_CHILD_SUBREAPER, 1); // process 1 of a bare container does not reap
        char name[] = "/tmp/cloister-images-XXXXXX";
        folder = ::mkdtemp(name);
        for (const auto* sub : {"allowed", "allowed-not"})
            std::filesystem::create_directory(folder + "/" + sub);
        for (const auto* file : {"base", "allowed/base", "allowed-not/base"}) write(file, "x");
        ASSERT_EQ(::mkfifo((folder + "/pipe").c_str(), 0600), 0);
        link("circle", "circle");
        link("top", "top-link");
        link("allowed", "way-in");
        link("../base", "allowed/way-out");
        link("allowed", "link-to-allowed");
    }
    void TearDown() override {
        if (!folder.empty()) std::filesystem::remove_all(folder);
    }
    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(folder + "/" + name, std::ios::binary) << bytes;
    }
    void link(const char* target, const std::string& name) const {
        ASSERT_EQ(::symlink(target, (folder + "/" + name).c_str()), 0);
    }
    /// The layers as "PATH:FORMAT …", or why there are none.
    std::string outcome(ImageReader& reader, const std::string& format, bool restricted) const {
        const auto allowed = restricted ? std::vector{folder + "/link-to-allowed", folder + "/gone"}
                                        : std::vector<std::string>{};
        const auto chain = backing_chain(reader, {.chain = allowed}, folder + "/top", format);
        if (!chain) return chain.error().message;
        std::string out;
        for (const auto& layer : *chain) out += (out.empty() ? "" : " ") + layer.path + ":" + layer.format;
        return out;
    }
};

} // namespace

TEST_F(HostileImages, AreRefusedOrPlannedAsTheTableSays) {
    EXPECT_GE(table.size(), 40u);
    ImageReader reader(std::getenv("CLOISTER_IMAGE"));
    for (const auto& one : table) {
        SCOPED_TRACE("an image that " + std::string(one.what));
        write("top", one.bytes);
        for (const auto& [name, bytes] : one.others) write(name, bytes);
        std::filesystem::remove(folder + "/top-hard");
        std::filesystem::create_hard_link(folder + "/top", folder + "/top-hard");
        EXPECT_EQ(outcome(reader, one.format, one.restricted), in_folder(one.expected, folder));
        for (const auto& [name, bytes] : one.others) std::filesystem::remove(folder + "/" + name);
    }
}

TEST_F(HostileImages, LeaveTheReaderAloneWhenTheyAreRaw) {
    ImageReader reader(std::getenv("CLOISTER_IMAGE"));
    write("top", on("/etc/shadow"));
    EXPECT_EQ(outcome(reader, "raw", false), "");
    EXPECT_EQ(reader.process().pid, 0); // never started
}

TEST_F(HostileImages, MayNotKeepTheirDataElsewhereWhenTheirChainIsKnown) {
    ImageReader reader(std::getenv("CLOISTER_IMAGE"));
    write("top", on("nbd://h/x"));
    EXPECT_TRUE(check_image(reader, folder + "/top", "qcow2")); // what it stands on does not matter
    EXPECT_TRUE(check_image(reader, folder + "/gone", "raw"));
    write("top", stored_in("/etc/shadow"));
    EXPECT_EQ(check_image(reader, folder + "/top", "qcow2").error().message,
              in_folder(elsewhere("/etc/shadow"), folder));
    EXPECT_TRUE(check_image(reader, folder + "/top", "raw"));
}

TEST_F(HostileImages, AreKnownStillWhenTheirPathIsAskedAboutAgain) {
    write("top", on("base"));
    const auto top = folder + "/top";
    const HostQuestions questions{.paths = {{top, "qcow2"}, {top, ""}}};
    const auto facts = host_facts(QemuConf{}, questions, std::getenv("CLOISTER_IMAGE"));
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_EQ(
        facts->paths.at(top),
        (PathFact{.kind = PathKind::file, .backing = {{folder + "/base", "raw"}}, .chain_probed = true}));
}

TEST_F(HostileImages, MayBeTwoHundredDeepAndNoDeeper) {
    ImageReader reader(std::getenv("CLOISTER_IMAGE"));
    for (int i = 0; i < 200; ++i)
        write("l" + std::to_string(i), i == 199 ? qcow2({}) : on("l" + std::to_string(i + 1), "qcow2"));
    write("top", on("l0", "qcow2"));
    const auto chain = backing_chain(reader, {}, folder + "/top", "qcow2");
    ASSERT_TRUE(chain) << chain.error().message;
    EXPECT_EQ(chain->size(), 200u);
    write("l199", on("base"));
    EXPECT_EQ(outcome(reader, "qcow2", false),
              "the backing chain of '" + folder + "/top' has more than 200 images");
}

TEST_F(HostileImages, OfQemusOwnMakingAreRead) {
    const auto create = [&](const std::string& image, const std::string& options) {
        const auto command = "qemu-img create -q -u -f " + options + " " + folder + "/" + image + " 1M";
        ASSERT_EQ(std::system(command.c_str()), 0) << command;
    };
    if (std::system("command -v qemu-img >/dev/null") != 0) GTEST_SKIP() << "this machine: no qemu-img";
    create("a", "qcow2 -b base -F raw");
    create("b", "qed -b a -F qcow2");
    write("c", qcow("base")); // which has no place for the format, so qemu-img makes it no more
    create("top", "qcow2 -o compat=0.10 -b a -F qcow2");
    ImageReader reader(std::getenv("CLOISTER_IMAGE"));
    EXPECT_EQ(outcome(reader, "qcow2", false), folder + "/a:qcow2 " + folder + "/base:raw");
    EXPECT_EQ(backing_chain(reader, {}, folder + "/c", "qcow").value(),
              (std::vector<ImageLayer>{{folder + "/base", "raw"}}));
    EXPECT_EQ(backing_chain(reader, {}, folder + "/b", "qed").error().message,
              "format of backing image '" + folder + "/a' of image '" + folder +
                  "/b' was not specified in the image metadata (See "
                  "https://libvirt.org/kbase/backing_chains.html for troubleshooting)");
    for (const auto* format :
         {"qcow2", "qed", "qcow", "vmdk", "vdi", "vhdx -o subformat=fixed", "vpc -o force_size=on"}) {
        create("sized", format);
        const std::string name(format, 0, std::string_view(format).find(' '));
        EXPECT_EQ(image_size(reader, folder + "/sized", name).value(), name == "vhdx" ? 0u : 1u << 20)
            << format;
    }
    ASSERT_EQ(
        std::system(("qemu-img create -q -f qcow2 -o data_file=" + folder + "/data.raw " + folder + "/top 1M")
                        .c_str()),
        0);
    EXPECT_EQ(outcome(reader, "qcow2", false), in_folder(elsewhere("@/data.raw"), folder));
}
