/// What the protocol says of each procedure: its number, its name, who may call it, which way its stream
/// goes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace cloister::call {

/// When a permission is needed.
enum class When {
    always,
    flag_set,   ///< `flags` of the arguments has one bit of `value`
    flag_clear, ///< `flags` has no bit of `value`
    parameter,  ///< the argument `parameter` equals `value`
};

/// One line of a procedure's access control list, in libvirt's names.
struct Need {
    std::string_view object{}, permission{};
    When when = When::always;
    std::uint32_t value = 0;
    std::string_view parameter{};
};

enum class Stream { none, to_client, to_server };
enum class Kind { call, event };

struct Procedure {
    std::int32_t number = 0;
    std::string_view name{}; ///< "DOMAIN_CREATE_XML"
    std::string_view api{};  ///< "virDomainCreateXML"; empty: the client library has no function of its own
    std::span<const Need> needs{};
    std::span<const Need> filter{}; ///< asked of every object of the answer, those refused are left out
    Stream stream = Stream::none;
    Kind kind = Kind::call;
    bool high_priority = false; ///< never waits for a monitor
};

inline constexpr std::uint32_t remote_program = 0x20008086, qemu_program = 0x20008087;
/// Our own (conf/call/cloister.hpp).
inline constexpr std::uint32_t cloister_program = 0x20c10157;

/// Sorted by number. Only what a hypervisor's driver serves: connect, domain, node, auth and their events.
std::span<const Procedure> remote_procedures();
std::span<const Procedure> qemu_procedures();
std::span<const Procedure> cloister_procedures();
/// Null for one that is not in the table of that program.
const Procedure* find_procedure(std::uint32_t program, std::int32_t number);

} // namespace cloister::call
