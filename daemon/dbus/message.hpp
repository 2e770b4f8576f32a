/// A D-Bus message, shared. What is in it is read and written with sd-bus, in this folder only.
#pragma once

#include <utility>

struct sd_bus_message;

namespace cloister::dbus {

/// Owns one reference; copies share the message.
class Message {
public:
    Message() = default;
    /// Takes over the caller's reference.
    explicit Message(sd_bus_message* taken) : raw_(taken) {}
    /// A reference of its own.
    static Message shared(sd_bus_message* message);
    Message(const Message& other);
    Message(Message&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    Message& operator=(Message other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~Message();

    explicit operator bool() const { return raw_ != nullptr; }
    sd_bus_message* raw() const { return raw_; }

private:
    sd_bus_message* raw_ = nullptr;
};

} // namespace cloister::dbus
