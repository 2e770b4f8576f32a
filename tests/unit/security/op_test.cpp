#include "conf/base/overload.hpp"
#include "security/apply_all.hpp"
#include "security/op.hpp"
#include "security/op_json.hpp"
#include "security/script.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace cloister {
namespace {

const ProcessId guest{4711, 123456789012345678, "516f7848-e448-4ae0-8284-58724e510000"};
const std::vector<DeviceRule> rules{{NodeType::char_device, 10, 232, true, true, false},
                                    {NodeType::block_device, 7, {}, true, false, true}};

/// One of each, every member away from its default.
const std::vector<Op> all{
    MakeDirectory{"/a", 0750, {1, 2}, false, "u:r:t:s0"},
    RemoveDirectory{"/a", true},
    MakeFile{
        "/f", std::string("\0\x7f\xff secret", 10), "/t", 0640, {3, 4}, false, "u:r:t:s0:c1,c2", "u:r:b:s0"},
    RemoveFile{"/f"},
    Chown{"/d \xc3\xa4", {254, 99}, {5, 6}, {7, 8}},
    GiveFile{"/g", {254, 98}, {5, 6}, {7, 8}, {9, 10}, "vm: disk vda", true},
    ReturnFile{"/r", {254, 97}, {5, 6}, {9, 10}, "vm: disk vda", true},
    LabelFile{"/g", {254, 98}, "u:r:t:s0:c1,c2", "u:r:w:s0", "u:r:b:s0", "vm: disk vda", true},
    ReturnLabel{"/r", {254, 97}, "u:r:t:s0:c1,c2", "u:r:b:s0", "vm: disk vda", true},
    LabelTree{"/tpm", "u:r:t:s0:c1,c2"},
    LoadProfile{"cloister-x", "profile cloister-x {\n}\n", "profile cloister-x {}\n"},
    RemoveProfile{"cloister-x"},
    SetMode{"/d", {254, 99}, 0600, 0644},
    MakeNode{guest, "/dev/x", NodeType::block_device, 7, 1, 0660, {9, 10}, std::string("\2\0\0\0", 4)},
    MakeLink{guest, "/dev/l", "../x"},
    BindMount{guest, "/dev/s", "/dev/t", {1, 2}, true},
    RemoveNode{guest, "/dev/x", true},
    MapOwner{guest, "/m", {254, 96}, {1, 2}, {3, 4}},
    UnmapOwner{guest, "/m"},
    MakeCgroup{"/sys/fs/cgroup/cpu", "machine/q", {"cpu", "io"}, "0-1", "0", false},
    RemoveCgroup{"/sys/fs/cgroup/cpu", "machine/q", true},
    SetCgroupValue{"/sys/fs/cgroup/pids/x/pids.max", "33", "max"},
    MoveToCgroup{{"/g1", "/g2"}, 4711},
    DeviceAcl{DeviceBackend::bpf, "/g", rules},
    AddDevices{DeviceBackend::v1, "/g", rules},
    RemoveDevices{DeviceBackend::bpf, "/g", rules},
    BindSocket{"monitor", "/s", 0700, {11, 12}, "u:r:f:s0", "u:r:s:s0"},
    MakeTap{"tap0", "vnet0", "br0", "fe:54:00:00:00:01", 1400, true, true, false},
    RemoveTap{"vnet0"},
    OpenFile{"log", "/l", true, true, true, true, true, "u:r:l:s0"},
    OpenVsock{"vsock0", 3},
    StopProcess{guest, "swtpm"},
};

TEST(Op, EveryOneIsInTheTests) {
    ASSERT_EQ(all.size(), std::variant_size_v<Op>);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].index(), i);
}

TEST(Op, ReadsBackFromJsonWhole) {
    const auto text = boost::json::serialize(to_json(all));
    const auto read = ops_from_json(boost::json::parse(text));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, all);
    for (const char c : text)
        EXPECT_TRUE(c >= 0x20 && c < 0x7f) << "bytes are escaped: JSON is UTF-8, paths are not";
}

TEST(Op, JsonOfAnotherShapeIsRefused) {
    for (const char* text : {R"({"chown":{"path":"/d"}})",                                 // members missing
                             R"({"remove-file":{"path":"/d","more":1}})",                  // one too many
                             R"({"remove-file":{"path":5}})",                              // another type
                             R"({"remove-file":{"path":{"hex":"0g"}}})",                   // no digit
                             R"({"remove-file":{"path":{"hex":"0"}}})",                    // half a byte
                             R"({"format-disk":{"path":"/d"}})",                           // unknown
                             R"({"remove-file":{"path":"/d"},"remove-tap":{"name":"x"}})", // two
                             R"({"open-vsock":{"symbol":"v","cid":-1}})",                  // out of range
                             R"({"open-vsock":{"symbol":"v","cid":1.5}})",                 // no integer
                             R"({"device-acl":{"backend":7,"group":"/g","rules":[]}})",    // no such backend
                             R"(["remove-file"])", R"("x")", R"(null)", R"({})"}) {
        const auto read = op_from_json(boost::json::parse(text));
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().code, Code::internal);
    }
    EXPECT_FALSE(ops_from_json(boost::json::parse("{}")));
}

TEST(Op, InversesTakeBackNewestFirst) {
    EXPECT_EQ(inverses(all),
              (std::vector<Op>{
                  RemoveTap{"vnet0"}, RemoveFile{"/s"}, RemoveDevices{DeviceBackend::v1, "/g", rules},
                  SetCgroupValue{"/sys/fs/cgroup/pids/x/pids.max", "max", "33"},
                  RemoveCgroup{"/sys/fs/cgroup/cpu", "machine/q", false}, UnmapOwner{guest, "/m"},
                  RemoveNode{guest, "/dev/t", true}, RemoveNode{guest, "/dev/l", false},
                  RemoveNode{guest, "/dev/x", false}, SetMode{"/d", {254, 99}, 0644, 0600},
                  LoadProfile{"cloister-x", "profile cloister-x {}\n", "profile cloister-x {\n}\n"},
                  LabelTree{"/tpm", ""},
                  ReturnLabel{"/g", {254, 98}, "u:r:t:s0:c1,c2", "u:r:b:s0", "vm: disk vda", true},
                  ReturnFile{"/g", {254, 98}, {5, 6}, {9, 10}, "vm: disk vda", true},
                  Chown{"/d \xc3\xa4", {254, 99}, {7, 8}, {5, 6}}, RemoveFile{"/f"}, RemoveDirectory{"/a"}}));
}

TEST(Op, WhatIsKeptOrNotOursHasNoInverse) {
    EXPECT_EQ(inverse(MakeDirectory{"/a", 0755, {}, true}), (std::optional<Op>{RemoveDirectory{"/a", true}}));
    EXPECT_EQ(inverses({MakeFile{.path = "/nvram", .keep = true},
                        MakeTap{.symbol = "t", .name = "admin0", .existing = true},
                        SetCgroupValue{"/f", "1", std::nullopt}}),
              std::vector<Op>{});
    EXPECT_EQ(inverse(MakeFile{.path = "/nvram", .keep = true, .label = "a", .label_back = "b"}),
              (std::optional<Op>{ReturnLabel{.path = "/nvram", .given = "a", .back = "b"}}))
        << "it stays, but not this guest's";
    EXPECT_EQ(inverse(LoadProfile{"p", "profile p {}\n", ""}), (std::optional<Op>{RemoveProfile{"p"}}));
    EXPECT_EQ(inverse(LabelTree{"/tpm", ""}), std::nullopt);
    EXPECT_EQ(inverse(MakeCgroup{.root = "/r", .path = "machine", .partition = true}),
              (std::optional<Op>{RemoveCgroup{"/r", "machine", true}}));
}

TEST(Op, AnInverseOfAnInverseIsTheOp) {
    for (const auto& op : {all[4], all[12], all[21]}) EXPECT_EQ(inverse(*inverse(op)), op);
}

TEST(Op, IsPrintedForPeople) {
    EXPECT_EQ(printed(all[4]), "chown +5:+6 '/d \xc3\xa4' (was +7:+8)");
    EXPECT_EQ(printed(all[23]), "device list of '/g' (bpf): c 10:232 rw, b 7:* rm");
    for (const auto& op : all) EXPECT_FALSE(printed(op).empty());
}

/// A host in memory: which Ops were applied, and at which one it fails.
struct Host {
    std::vector<Op> applied{};
    std::optional<std::size_t> fails_at{};
    Result<> operator()(const Op& op) {
        if (applied.size() == fails_at) {
            fails_at.reset();
            return fail(Code::system, "no");
        }
        applied.push_back(op);
        return {};
    }
};

TEST(ApplyAll, TellsTheJournalBeforeItTouchesTheHost) {
    Host host;
    const std::vector<Op> ops{MakeDirectory{"/a"}, BindSocket{"s", "/a/s"}};
    std::vector<Op> journalled;
    const auto undo = apply_all(
        ops,
        [&](const std::vector<Op>& inverses) -> Result<> {
            EXPECT_TRUE(host.applied.empty());
            journalled = inverses;
            return {};
        },
        host);
    ASSERT_TRUE(undo);
    EXPECT_EQ(*undo, (std::vector<Op>{RemoveFile{"/a/s"}, RemoveDirectory{"/a"}}));
    EXPECT_EQ(journalled, *undo);
    EXPECT_EQ(host.applied, ops);
}

TEST(ApplyAll, TakesEverythingBackWhenOneFails) {
    Host host{.fails_at = 2};
    const auto done = apply_all(
        {MakeDirectory{"/a"}, MakeDirectory{"/b"}, MakeDirectory{"/c"}, MakeDirectory{"/d"}}, {}, host);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "no");
    EXPECT_EQ(host.applied, (std::vector<Op>{MakeDirectory{"/a"}, MakeDirectory{"/b"}, RemoveDirectory{"/c"},
                                             RemoveDirectory{"/b"}, RemoveDirectory{"/a"}}));
}

TEST(ApplyAll, TouchesNothingWhenTheJournalCannotBeWritten) {
    Host host;
    const auto done = apply_all(
        {MakeDirectory{"/a"}}, [](const std::vector<Op>&) -> Result<> { return fail(Code::system, "full"); },
        host);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "full");
    EXPECT_TRUE(host.applied.empty());
}

Script full_script() {
    return {.mount_namespace = false,
            .dev_submounts = {"/dev/pts", "/dev/shm"},
            .umask = 2,
            .limits = {{4, 0}, {8, ~std::uint64_t{0}}},
            .set_ids = true,
            .uid = 64055,
            .gid = 107,
            .groups = {107, 64055},
            .kept_capabilities = 1U << 17,
            .last_capability = 41,
            .clear_capabilities = true,
            .no_new_privs = true,
            .seccomp = std::string("\0\1\2", 3),
            .landlock = true,
            .landlock_fs = 1,
            .landlock_allow = 2,
            .landlock_scoped = 3,
            .selinux_exec = "system_u:system_r:svirt_t:s0:c1,c2",
            .selinux_dev = "system_u:object_r:device_t:s0",
            .apparmor_exec = "cloister-x",
            .program = "/usr/bin/qemu",
            .argv = {"qemu", "", "-x"},
            .env = {"A=1"}};
}

TEST(Script, ReadsBackWhole) { EXPECT_EQ(decode_script(encode(full_script())), full_script()); }

TEST(Script, IsRefusedWhenItIsCutOrLonger) {
    const auto bytes = encode(full_script());
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode_script(bytes.substr(0, size))) << size;
    EXPECT_FALSE(decode_script(bytes + "x"));
    auto huge = encode(Script{});
    huge.replace(18, 8, 8, '\xff'); // a list with more elements than there are bytes
    EXPECT_FALSE(decode_script(huge));
}

} // namespace
} // namespace cloister
