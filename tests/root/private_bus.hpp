/// A message bus of a test's own: a real dbus-daemon below a temporary folder, and a real polkitd on it.
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace cloister::test {

/// A child that ends with the value, by its pid.
class Child {
public:
    explicit Child(std::vector<std::string> argv, std::vector<std::string> more_environment = {});
    ~Child() { end(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    void end();

private:
    pid_t pid_ = 0;
};

struct Scratch {
    std::filesystem::path folder{};
    Scratch();
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::string socket() const { return folder / "bus"; }
    std::string address() const { return "unix:path=" + socket(); }
    /// The argv of a bus where everybody may do everything.
    std::vector<std::string> bus() const;
};

} // namespace cloister::test
