/// One request on its way through the driver, and what every operation declares.
#pragma once

#include "conf/base/result.hpp"
#include "conf/base/uuid.hpp"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

template <class T> using Task = boost::asio::awaitable<T>;

/// One permission of the access control list, in libvirt's names: {"domain", "start"}, {"connect",
/// "getattr"}. Source: facts/wire.json, "acl".
struct Permission {
    std::string_view object{};
    std::string_view permission{};
    bool operator==(const Permission&) const = default;
};

/// The process at the other end, as it was when it connected.
struct Caller {
    std::uint32_t uid = 0, gid = 0;
    std::int32_t pid = 0;
    bool read_only = false;       ///< came through the read-only socket, or asked to be
    std::uint64_t start_time = 0; ///< of the process, in clock ticks since boot: a pid alone is used again;
                                  ///< 0: not known
};

/// Which domain a permission is about.
struct DomainIdentity {
    std::string name{};         ///< empty: about no domain, or none that is known yet
    std::optional<Uuid> uuid{}; ///< absent: a definition that leaves it to us
    bool operator==(const DomainIdentity&) const = default;
};

/// What the access policy lets one caller do. The daemon implements it, operations ask it what the procedure
/// alone does not tell: which domains of a list may be seen, whether a definition may name what it names.
class Rights {
public:
    virtual ~Rights() = default;
    /// Errors: access_denied; also when nobody could be asked.
    virtual Task<Result<>> may(Permission what, DomainIdentity about) const = 0;
};

/// Two-way bytes between a client's stream and what the driver opened (a console, a screenshot).
/// The daemon implements it on a connection, the driver only uses it. Lives until both ends let go.
class Pipe {
public:
    virtual ~Pipe() = default;
    /// Takes bytes for the client; completes when they may be followed by more (flow control).
    virtual Task<Result<>> to_client(std::vector<std::byte> bytes) = 0;
    /// The next bytes of the client; empty: the client finished.
    virtual Task<Result<std::vector<std::byte>>> from_client() = 0;
    /// No more bytes will come from the driver; with an error the stream is broken.
    virtual void finish(Result<> how) = 0;
};

class Driver; // driver/driver.hpp
class Fd;     // security/kernel/fd.hpp

/// Copied into every coroutine that serves the request.
struct Call {
    Driver* driver = nullptr; ///< outlives every call: shutdown waits for them
    Caller caller{};
    std::shared_ptr<Pipe> stream{};              ///< set for procedures with a stream
    std::shared_ptr<std::vector<Fd>> files_in{}; ///< descriptors that came with the call
    std::shared_ptr<std::vector<Fd>> files_out{};
    std::uint64_t connection = 0;           ///< which connection: autodestroy, event callbacks
    std::shared_ptr<const Rights> rights{}; ///< null: this caller may do everything (root)
    DomainIdentity about{};                 ///< what the caller's permission was asked for
};

} // namespace cloister
