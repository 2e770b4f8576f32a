/// The objects that we have on the bus: finds who is meant by a message, asks the bus who sent it, and
/// answers. Reactor thread only.
#pragma once

#include "daemon/dbus/method.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cloister::dbus {

class Objects {
public:
    /// `front` outlives this; this outlives the bus's connection.
    explicit Objects(const Front& front);
    Objects(const Objects&) = delete;
    Objects& operator=(const Objects&) = delete;

    /// A method call for one of our paths. False: no object of ours has such a path.
    bool called(Message call);

private:
    struct Target {
        Place place{};
        const Interface* interface = nullptr;
        const Method* method = nullptr;
    };
    Task<void> answer(Message call, Target target);
    Task<Result<>> introspect(Request who, Message reply) const;
    Task<Result<>> properties(Request who, std::string member, Message call, Message reply) const;
    Task<Result<>> all_properties(Request who, const Interface* interface, Message call, Message reply) const;
    bool enter(const std::string& sender);
    void leave(const std::string& sender);

    const Front& front_;
    std::map<std::string, unsigned> inside_{}; ///< calls in progress of each sender
    unsigned all_inside_ = 0;
    Bus::Token living_{};
};

} // namespace cloister::dbus
