#include "tests/root/private_bus.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <spawn.h>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cloister::test {

Child::Child(std::vector<std::string> argv, std::vector<std::string> more_environment) {
    std::vector<char*> arguments, environment;
    for (auto& word : argv) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    for (char** e = environ; *e; ++e) environment.push_back(*e);
    for (auto& line : more_environment) environment.push_back(line.data());
    environment.push_back(nullptr);
    if (::posix_spawnp(&pid_, arguments[0], nullptr, nullptr, arguments.data(), environment.data()) != 0)
        throw std::runtime_error("cannot start " + argv[0]);
}

void Child::end() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

Scratch::Scratch() {
    std::string name = "/tmp/cloister-bus-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    folder = name;
    ::chmod(name.c_str(), 0755); // polkitd is not root
    std::ofstream(folder / "bus.conf")
        << R"(<busconfig><listen>)" << address() << R"(</listen><auth>EXTERNAL</auth>
        <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
        <allow own="*"/><allow user="*"/></policy></busconfig>)";
}

Scratch::~Scratch() {
    std::error_code ignored; // nothing could be done about it
    std::filesystem::remove_all(folder, ignored);
}

std::vector<std::string> Scratch::bus() const {
    return {"dbus-daemon", "--nofork", "--nosyslog", "--config-file=" + (folder / "bus.conf").string()};
}

} // namespace cloister::test
