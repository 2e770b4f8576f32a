/// A file descriptor with one owner.
#pragma once

#include <utility>

namespace cloister {

class Fd {
public:
    Fd() = default;
    explicit Fd(int n) : n_(n) {}
    Fd(Fd&& other) noexcept : n_(std::exchange(other.n_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            close();
            n_ = std::exchange(other.n_, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { close(); }

    int n() const { return n_; } ///< -1: none
    explicit operator bool() const { return n_ >= 0; }
    int release() { return std::exchange(n_, -1); } ///< the caller owns it from here
    void close();
    /// Another descriptor of the same open file, closed on exec; empty when the process has too many.
    Fd copy() const;

private:
    int n_ = -1;
};

} // namespace cloister
