#include "security/kernel/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace cloister {

void Fd::close() {
    if (n_ >= 0) ::close(std::exchange(n_, -1));
}

Fd Fd::copy() const { return Fd(::fcntl(n_, F_DUPFD_CLOEXEC, 3)); }

} // namespace cloister
