/// The names that we have on the bus, and whether we may have them.
#pragma once

#include "conf/settings/daemon_conf.hpp"
#include "daemon/dbus/bus.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cloister::dbus {

/// How much a name is wanted. It is never taken from anybody.
enum class Wish {
    if_free, ///< only when nobody has it at that moment
    in_line, ///< else as soon as its owner gives it up
};
struct WantedName {
    std::string name{};
    Wish wish = Wish::if_free;
};
std::vector<WantedName> wanted_names(const DaemonConf& conf);

/// Asks for the names now, and again on every new connection; the log says who has what.
class Names {
public:
    Names(std::shared_ptr<Bus> bus, std::vector<WantedName> wanted);
    /// The objects behind the names are there.
    void ready();
    /// Gives them up: who calls from now on starts another daemon, or waits for the next one.
    void release();
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;

private:
    void request();

    std::shared_ptr<Bus> bus_;
    std::vector<WantedName> wanted_;
    bool ready_ = false;
    Bus::Token living_{}, acquired_{}, lost_{};
};

} // namespace cloister::dbus
