/// Suite root. The child that reads images: what it is, what it cannot do, and what the daemon makes of one
/// that has been taken over.
#include "driver/probe/images.hpp"
#include "security/kernel/image_reader.hpp"
#include "security/kernel/seccomp.hpp"
#include "tests/image_bytes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace cloister;
using namespace cloister::image_bytes;
using namespace std::chrono_literals;

namespace {

std::string status_line(std::int32_t pid, const std::string& key) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(key + ":"))
            return line.substr(std::min(line.size(), line.find_first_not_of(" \t", key.size() + 1)));
    return "";
}
std::string space_of(const std::string& process, const std::string& kind) {
    return std::filesystem::read_symlink("/proc/" + process + "/ns/" + kind).string();
}
std::size_t entries_of(const std::string& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

struct Reading : testing::Test {
    std::string folder;

    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "this machine: not root";
        ::prctl(PR_SET_CHILD_SUBREAPER, 1); // process 1 of a bare container does not reap
        char name[] = "/tmp/cloister-reader-XXXXXX";
        folder = ::mkdtemp(name);
        write("top", on("base"));
        write("base", "x");
    }
    void TearDown() override {
        if (!folder.empty()) std::filesystem::remove_all(folder);
    }
    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(folder + "/" + name, std::ios::binary) << bytes;
    }
    Fd image() const { return Fd(::open((folder + "/top").c_str(), O_RDONLY | O_CLOEXEC)); }
    /// A program in the reader's place, which takes the filter and the request, and then does as it likes.
    std::string script(const std::string& text) const {
        write("script", "#!/bin/sh\ndd bs=9000 count=2 >/dev/null 2>&1\n" + text + "\n");
        ::chmod((folder + "/script").c_str(), 0755);
        return folder + "/script";
    }
};

/// What happened to a call in the sandbox: "ok", an errno's text, or the signal that ended the process.
std::string attempted(const std::string& how, const std::string& call, int image) {
    std::array<int, 2> pair{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
    const Fd socket(pair[0]);
    Fd theirs(pair[1]);
    auto probe = spawn({.program = std::getenv("CLOISTER_IMAGE_PROBE"),
                        .argv = {"image-probe", how, call},
                        .env = {},
                        .fds = {theirs.n()},
                        .namespaces = image_namespaces});
    EXPECT_TRUE(probe) << probe.error().message;
    if (!probe) return "";
    theirs.close();
    const auto filter = compiled(image_seccomp()).value();
    EXPECT_GT(::send(socket.n(), filter.data(), filter.size(), MSG_NOSIGNAL), 0);
    char byte = '?';
    iovec what{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &what;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* const passed = CMSG_FIRSTHDR(&message);
    passed->cmsg_level = SOL_SOCKET;
    passed->cmsg_type = SCM_RIGHTS;
    passed->cmsg_len = CMSG_LEN(sizeof image);
    std::memcpy(CMSG_DATA(passed), &image, sizeof image);
    EXPECT_GT(::sendmsg(socket.n(), &message, MSG_NOSIGNAL), 0);

    const auto ended = wait_exit(probe->pidfd, 10s);
    EXPECT_TRUE(ended) << call << " hangs";
    if (!ended) (void)send_signal(probe->pidfd, SIGKILL);
    std::array<char, 64> said{};
    const auto got = ::recv(socket.n(), said.data(), said.size(), MSG_DONTWAIT);
    if (ended && ended->signal != 0) return ::sigabbrev_np(ended->signal);
    if (got <= 0) return "step " + std::to_string(ended ? ended->code : -1);
    const std::string text(said.data(), static_cast<std::size_t>(got));
    return text == "ok" ? text : ::strerrorname_np(std::atoi(text.c_str()));
}

} // namespace

TEST_F(Reading, IsDoneByAChildThatHasNothingElse) {
    ImageReader reader(std::getenv("CLOISTER_IMAGE"));
    const int secret = ::open("/etc/passwd", O_RDONLY); // not closed on exec: a careless library's
    const auto read = reader.read(image().n(), "qcow2", "/i");
    ::close(secret);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->backing, "base");

    const auto pid = reader.process().pid;
    const auto process = std::to_string(pid);
    for (const auto* ids : {"Uid", "Gid"})
        EXPECT_EQ(status_line(pid, ids), "65534\t65534\t65534\t65534") << ids;
    EXPECT_EQ(status_line(pid, "Groups"), "");
    for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        EXPECT_EQ(status_line(pid, set), "0000000000000000") << set;
    EXPECT_EQ(status_line(pid, "NoNewPrivs"), "1");
    EXPECT_EQ(status_line(pid, "Seccomp"), "2");
    for (const auto* kind : {"mnt", "pid", "net", "ipc", "uts", "cgroup"})
        EXPECT_NE(space_of(process, kind), space_of("self", kind)) << kind;
    if (space_of(process, "user") == space_of("self", "user"))
        std::cerr << "this kernel gives nobody a user namespace\n";
    EXPECT_EQ(entries_of("/proc/" + process + "/fd"), 1u);
    EXPECT_TRUE(std::filesystem::read_symlink("/proc/" + process + "/fd/0").string().starts_with("socket:"));
    EXPECT_EQ(entries_of("/proc/" + process + "/root/"), 0u);
    std::ifstream mounts("/proc/" + process + "/mountinfo");
    std::string first, second;
    std::getline(mounts, first);
    EXPECT_NE(first.find(" / / ro,nosuid,nodev,noexec"), std::string::npos) << first;
    EXPECT_FALSE(std::getline(mounts, second)) << second;
}

TEST_F(Reading, TakesManyImagesInOneChildAndLeavesNoneBehind) {
    const auto before = entries_of("/proc/self/fd");
    ProcessId process;
    {
        ImageReader reader(std::getenv("CLOISTER_IMAGE"));
        for (int i = 0; i < 50; ++i) {
            ASSERT_TRUE(reader.read(image().n(), "qcow2", "/i"));
            if (i == 0) process = reader.process();
            EXPECT_EQ(reader.process(), process);
        }
        EXPECT_EQ(reader.read(image().n(), "", "/i")->format, "qcow2");
        EXPECT_EQ(reader.read(image().n(), "qed", "/i").error().message,
                  "image '/i' has no valid header of the format 'qed'");
        EXPECT_TRUE(open_process(process));
    }
    EXPECT_FALSE(identify(process.pid)); // gone, and reaped
    EXPECT_EQ(entries_of("/proc/self/fd"), before);
}

TEST_F(Reading, KillsTheChildForEveryCallItDoesNotNeed) {
    for (const auto* call :
         {"open",   "escape",  "create",  "proc",   "connect", "execve",         "execveat", "fork",
          "clone3", "socket",  "netlink", "ptrace", "kill",    "ioctl",          "mmap",     "mprotect",
          "mount",  "unshare", "setuid",  "dup",    "sendmsg", "io_uring_setup", "bpf"})
        EXPECT_EQ(attempted("filtered", call, image().n()), "SYS") << call;
    EXPECT_EQ(attempted("filtered", "write-image", image().n()), "EBADF"); // it is open for reading only
}

TEST_F(Reading, IsConfinedWithoutItsFilterToo) {
    const std::pair<const char*, const char*> outcomes[]{
        {"open", "ENOENT"},   {"escape", "ENOENT"},       {"create", "EROFS"}, {"proc", "ENOENT"},
        {"execve", "ENOENT"}, {"execveat", "EACCES"},     {"mount", "EPERM"},  {"setuid", "EINVAL"},
        {"dup", "EMFILE"},    {"connect", "ENETUNREACH"}, {"fork", "EAGAIN"},  {"write-image", "EBADF"}};
    for (const auto& [call, outcome] : outcomes)
        EXPECT_EQ(attempted("bare", call, image().n()), outcome) << call;
}

TEST_F(Reading, BelievesNothingThatNoImageCanSay) {
    const auto said_by = [&](const std::string& text) {
        ImageReader reader(script(text), 2s);
        const auto read = reader.read(image().n(), "qcow2", "/i");
        return read ? "taken" : read.error().message;
    };
    const std::string nonsense = "the reader of image '/i' gave an answer that cannot be";
    EXPECT_EQ(said_by("printf garbage >&0"), nonsense);
    EXPECT_EQ(said_by(R"(printf '{"header":{}}' >&0)"), nonsense);
    EXPECT_EQ(said_by("printf '%9000d' 1 >&0"), nonsense);
    EXPECT_EQ(said_by(R"(printf '{"fault":"name"}' >&0)"),
              "the header of image '/i' names a file in a way that is not allowed: empty, too long, cut off "
              "or with "
              "control characters");
    EXPECT_EQ(said_by("exit 3"), "the reader of image '/i' ended with status 3, signal 0");
    EXPECT_EQ(ImageReader("/nowhere").read(image().n(), "qcow2", "/i").error().message,
              "cannot start '/nowhere': No such file or directory");
}

TEST_F(Reading, HoldsALyingChildToWhatIsAllowed) {
    const auto lie = script(
        R"(printf '{"header":{"size":1,"encrypted":false,"format":"qcow2","features":[],"backing":"/etc/passwd","backing_format":"raw"}}' >&0; sleep 5)");
    ImageReader reader(lie);
    EXPECT_EQ(backing_chain(reader, {.chain = {folder}}, folder + "/top", "qcow2").error().code,
              Code::operation_denied);
}

TEST_F(Reading, DoesNotWaitForAChildThatHangs) {
    ImageReader reader(script("exec sleep 60"), 300ms);
    const auto began = std::chrono::steady_clock::now();
    const auto read = reader.read(image().n(), "qcow2", "/i");
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
    EXPECT_EQ(read.error().code, Code::operation_timeout);
    EXPECT_EQ(reader.process().pid, 0); // it is gone already
}

TEST_F(Reading, CostsLittle) {
    std::vector<double> took;
    for (int i = 0; i < 20; ++i) {
        const auto began = std::chrono::steady_clock::now();
        {
            ImageReader reader(std::getenv("CLOISTER_IMAGE"));
            ASSERT_TRUE(backing_chain(reader, {}, folder + "/top", "qcow2"));
        }
        took.push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
    }
    std::ranges::sort(took);
    std::cerr << "one chain, child included: median " << took[10] << " ms, fastest " << took[0] << " ms\n";
    EXPECT_LT(took[10], 100.0);
}
