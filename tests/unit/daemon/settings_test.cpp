#include "daemon/options.hpp"
#include "daemon/rpc/listener.hpp"
#include "daemon/setup.hpp"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace cloister {
namespace {

Result<Options> options(std::vector<std::string> arguments) {
    std::vector<char*> raw;
    arguments.insert(arguments.begin(), "cloisterd");
    for (auto& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    return read_options(static_cast<int>(arguments.size()), raw.data());
}

TEST(Options, AreReadByName) {
    EXPECT_EQ(options({"--config", "a", "--qemu-conf=b", "--state-root", "/c", "--socket-dir", "/d",
                       "--timeout", "30", "--verbose"})
                  .value(),
              (Options{.config = "a",
                       .qemu_conf = "b",
                       .state_root = "/c",
                       .socket_dir = "/d",
                       .timeout = std::chrono::seconds(30),
                       .verbose = true}));
}

TEST(Options, ThatMakeNoSenseAreNamed) {
    EXPECT_EQ(full_text(options({"--timeout", "soon"}).error()),
              "invalid argument: 'soon' is no number of seconds");
    EXPECT_EQ(full_text(options({"--nonsense"}).error()),
              "invalid argument: unknown or incomplete argument '--nonsense'");
    EXPECT_EQ(full_text(options({"here"}).error()), "invalid argument: unexpected argument 'here'");
}

TEST(Setup, MovesEveryFolderBelowTheStateRoot) {
    std::vector<std::string> warnings;
    Options given;
    given.state_root = "/root/of/it/";
    const auto setup = read_setup(given, warnings).value();
    EXPECT_EQ(setup.folders, (Folders{.definitions = "/root/of/it/etc/cloister/qemu",
                                      .autostart = "/root/of/it/etc/cloister/qemu/autostart",
                                      .state = "/root/of/it/var/lib/cloister/qemu",
                                      .cache = "/root/of/it/var/cache/cloister/qemu",
                                      .runtime = "/root/of/it/run/cloister/qemu",
                                      .log = "/root/of/it/var/log/cloister/qemu",
                                      .undo = "/root/of/it/var/lib/cloister/undo"}));
    EXPECT_EQ(setup.daemon.unix_sock_dir, "/root/of/it/run/cloister");
}

TEST(Setup, MissesOnlyFilesThatWereNamed) {
    std::vector<std::string> warnings;
    Options given;
    given.config = "/nonexistent/cloisterd.conf";
    EXPECT_EQ(full_text(read_setup(given, warnings).error()),
              "cannot read '/nonexistent/cloisterd.conf': No such file or directory");
}

/// A folder of its own, gone at the end.
class Listeners : public testing::Test {
protected:
    std::string folder = "/tmp/cloister-listener-XXXXXX";
    DaemonConf conf{};
    std::vector<std::string> warnings{};
    void SetUp() override {
        ASSERT_TRUE(::mkdtemp(folder.data()));
        conf.unix_sock_dir = folder + "/made";
    }
    void TearDown() override { std::filesystem::remove_all(folder); }
    static mode_t mode(const std::string& path) {
        struct stat found{};
        return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 0777 : 0;
    }
};

TEST_F(Listeners, ComeInPairsWithTheModesOfTheSettings) {
    conf.unix_sock_rw_perms = "0770";
    const auto made = rpc::sockets(conf, warnings).value();
    ASSERT_EQ(made.size(), 2u);
    EXPECT_FALSE(made[0].read_only);
    EXPECT_TRUE(made[1].read_only);
    EXPECT_EQ(mode(folder + "/made/cloister-sock"), 0770u);
    EXPECT_EQ(mode(folder + "/made/cloister-sock-ro"), 0777u);
}

TEST_F(Listeners, TakeADeadDaemonsPlaceButNotALivingOnes) {
    auto first = rpc::sockets(conf, warnings);
    ASSERT_TRUE(first);
    const auto second = rpc::sockets(conf, warnings);
    ASSERT_FALSE(second);
    EXPECT_EQ(full_text(second.error()), "Requested operation is not valid: somebody else listens on '" +
                                             conf.unix_sock_dir + "/cloister-sock'");
    first->clear(); // the daemon dies and leaves its files
    EXPECT_TRUE(rpc::sockets(conf, warnings));
}

} // namespace
} // namespace cloister
