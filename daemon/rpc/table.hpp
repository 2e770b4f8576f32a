/// Procedure number -> operation. Adding an API is one line in the table of its family.
#pragma once

#include "daemon/acl/acl.hpp"
#include "daemon/rpc/frame.hpp"

#include <span>
#include <vector>

namespace cloister::rpc {

/// One operation behind a number.
struct Entry {
    std::int32_t number = 0;
    std::span<const Permission>
        needs{}; ///< what the operation declares; a test compares it with the protocol's
    Task<Result<Bytes>> (*serve)(Call call, Bytes body, acl::Route route) = nullptr;
};

/// Each family in a source of its own: every operation instantiates a coroutine and two codecs. Sorted by
/// number. Data, so that nobody visits the code of all operations to know them.
extern const std::span<const Entry> connect_entries;
extern const std::span<const Entry> node_entries;
extern const std::span<const Entry> domain_entries;
extern const std::span<const Entry> domain_device_entries;
extern const std::span<const Entry> domain_guest_entries;
extern const std::span<const Entry> domain_tune_entries;
extern const std::span<const Entry> qemu_entries;
extern const std::span<const Entry> cloister_entries;

/// All families by program and number.
class Table {
public:
    Table();
    /// Of other operations of the remote program: for tests.
    explicit Table(std::span<const Entry> remote);
    /// Null when nothing serves that number.
    const Entry* find(std::uint32_t program, std::int32_t number) const;
    /// The entries of a program, sorted.
    std::vector<Entry> all(std::uint32_t program) const;

private:
    std::vector<const Entry*> remote_{}, qemu_{}, cloister_{}; ///< by number
};

} // namespace cloister::rpc
