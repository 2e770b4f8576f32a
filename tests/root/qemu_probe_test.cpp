/// Root: the real QEMU, launched confined and asked. Leaves nothing.
#include "driver/probe/host_probe.hpp"
#include "driver/probe/node.hpp"
#include "driver/probe/qemu_probe.hpp"
#include "driver/qmp/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <sys/prctl.h>
#include <unistd.h>

using namespace cloister;
using namespace std::chrono_literals;

namespace {

constexpr const char* qemu = "/usr/bin/qemu-system-x86_64";

struct Probing : testing::Test {
    std::string folder;
    boost::asio::io_context io;
    boost::asio::thread_pool workers{4};

    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "this machine: not root";
        if (::access(qemu, X_OK) != 0) GTEST_SKIP() << "this machine: no QEMU";
        ::prctl(PR_SET_CHILD_SUBREAPER, 1); // process 1 of a bare container does not reap
        char name[] = "/tmp/cloister-probe-XXXXXX";
        folder = ::mkdtemp(name);
        std::filesystem::permissions(folder, std::filesystem::perms(0755));
    }
    void TearDown() override {
        workers.join();
        if (!folder.empty()) std::filesystem::remove_all(folder);
    }
    ProbeSetup setup() const {
        const auto ids = ids_of("nobody", "nogroup").value();
        return {.cache = folder + "/cache",
                .runtime = folder + "/run",
                .helper = std::getenv("CLOISTER_CONFINE"),
                .runs_as = ids,
                .try_kvm = kvm_usable(ids)};
    }
    using Answer = Result<std::shared_ptr<const QemuCaps>>;
    std::vector<Answer> ask(QemuProbe& probe, std::vector<std::string> paths) {
        std::vector<Answer> out(paths.size());
        for (std::size_t i = 0; i < paths.size(); ++i)
            boost::asio::co_spawn(
                io,
                [](QemuProbe& from, std::string path, Answer& to) -> Task<void> {
                    to = co_await from.probe(path);
                }(probe, paths[i], out[i]),
                boost::asio::detached);
        io.restart();
        io.run_for(60s);
        return out;
    }
    std::size_t left_in(const std::string& name) const {
        std::size_t count = 0;
        if (std::filesystem::exists(folder + name))
            for (const auto& one : std::filesystem::directory_iterator(folder + name))
                count += !one.path().empty();
        return count;
    }
};

std::chrono::milliseconds since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
}

} // namespace

TEST_F(Probing, AsksOnceAndRemembers) {
    const auto began = std::chrono::steady_clock::now();
    std::shared_ptr<const QemuCaps> cold;
    {
        QemuProbe probe(workers, setup());
        const auto answers = ask(probe, {qemu, qemu, qemu});
        for (const auto& answer : answers) ASSERT_TRUE(answer) << answer.error().message;
        cold = *answers[0];
        EXPECT_EQ(answers[1].value(), cold); // the same object: asked once
        std::cerr << "cold: " << since(began).count() << " ms\n";
        EXPECT_EQ(ask(probe, {qemu})[0].value(), cold);
    }
    EXPECT_GE(cold->version, 7'000'000u);
    EXPECT_EQ(cold->arch, "x86_64");
    EXPECT_TRUE(cold->has_type("virtio-blk-pci"));
    EXPECT_TRUE(cold->has_option("sandbox", "spawn"));
    EXPECT_TRUE(cold->has_schema("device_add/$json-cli"));
    EXPECT_NE(cold->machine("q35"), nullptr);
    EXPECT_TRUE(cold->host_tcg);
    EXPECT_GT(cold->models_tcg.size(), 20u);
    EXPECT_EQ(left_in("/run"), 0u);

    const auto again = std::chrono::steady_clock::now();
    QemuProbe fresh(workers, setup());
    const auto warm = ask(fresh, {qemu});
    ASSERT_TRUE(warm[0]);
    std::cerr << "warm: " << since(again).count() << " ms\n";
    EXPECT_EQ(**warm[0], *cold);
}

TEST_F(Probing, SaysWhatIsWrongWithABinary) {
    QemuProbe probe(workers, setup());
    const auto gone = ask(probe, {"/bin/nope"});
    ASSERT_FALSE(gone[0]);
    EXPECT_EQ(gone[0].error().code, Code::system);
    EXPECT_EQ(gone[0].error().message, "Cannot check QEMU binary /bin/nope: No such file or directory");

    const auto plain = folder + "/plain";
    std::ofstream(plain) << "x";
    EXPECT_EQ(ask(probe, {plain})[0].error().message,
              "QEMU binary " + plain + " is not executable: Permission denied");

    const auto speaking = folder + "/speaking";
    std::ofstream(speaking) << "#!/bin/sh\necho I am no QEMU >&2\nexit 3\n";
    std::filesystem::permissions(speaking, std::filesystem::perms(0755));
    const auto began = std::chrono::steady_clock::now();
    const auto no_qemu = ask(probe, {speaking});
    ASSERT_FALSE(no_qemu[0]);
    EXPECT_EQ(no_qemu[0].error().code, Code::internal);
    EXPECT_NE(no_qemu[0].error().message.find("I am no QEMU"), std::string::npos)
        << no_qemu[0].error().message;
    EXPECT_LT(since(began), 5s);
    EXPECT_EQ(left_in("/run"), 0u);
}

TEST_F(Probing, AsksAgainWhenTheBinaryChanges) {
    const auto copy = folder + "/qemu"; // not a real copy: QEMU finds its modules beside itself
    std::ofstream(copy) << "#!/bin/sh\nexec " << qemu << " \"$@\"\n";
    std::filesystem::permissions(copy, std::filesystem::perms(0755));
    QemuProbe probe(workers, setup());
    const auto first = ask(probe, {copy})[0];
    ASSERT_TRUE(first) << first.error().message;
    std::filesystem::last_write_time(copy, std::filesystem::file_time_type::clock::now() - 1h);
    const auto second = ask(probe, {copy})[0];
    ASSERT_TRUE(second);
    EXPECT_NE(*first, *second);   // another object
    EXPECT_EQ(**first, **second); // that says the same
}

TEST(HostProbe, CountsTheMachine) {
    const auto topology = host_topology("");
    const auto info = node_info(topology);
    EXPECT_EQ(info.cpus, topology.online.size());
    EXPECT_EQ(info.nodes * info.sockets * info.cores * info.threads, info.cpus);
    EXPECT_GT(info.memory_kib, 0u);
    EXPECT_GT(free_memory(), 0u);
    EXPECT_EQ(cpu_counters(std::nullopt)->size(), 4u);
    EXPECT_EQ(cpu_counters(100000).error().message, "Invalid cpuNum in virHostCPUGetStatsLinux");
    EXPECT_EQ(memory_counters(std::nullopt)->at(0).first, "total");
    EXPECT_FALSE(memory_counters(7000));
    EXPECT_EQ(free_pages(0, 77).error().message, "page size 77 is not available on node 0");
}

TEST(HostProbe, KnowsUsersByNameAndNumber) {
    EXPECT_EQ(ids_of("root:root").value().uid, 0u);
    EXPECT_EQ(ids_of("+4711:+4712").value(), (Ids{4711, 4712, {4712}}));
    EXPECT_EQ(ids_of("4711", "4712").value(), (Ids{4711, 4712, {4712}}));
    EXPECT_FALSE(ids_of("no-such-user:root"));
    EXPECT_FALSE(ids_of("+root:root"));
    EXPECT_TRUE(kvm_usable({0, 0, {}}) == std::filesystem::exists("/dev/kvm"));
}
