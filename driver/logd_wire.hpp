/// What cloisterd and cloister-logd say to each other over a SOCK_SEQPACKET socket: a Request with
/// descriptors, an Answer. Both run on one host, from one build or from two that follow each other.
///
///     open    name, limits     + the read end of the guest's pipe, its log, the backups   -> error
///     drain   name                                  -> when all that is in the pipe is in the log
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cloister::logd {

inline constexpr std::uint32_t protocol = 1; ///< another one is refused: the field stays where it is
inline constexpr std::size_t most_backups = 16;

enum class Word : std::uint32_t { open = 1, drain = 2 };

struct Request {
    std::uint32_t version = protocol;
    Word word = Word::open;
    std::uint64_t max_size = 0; ///< bytes of the log; open only
    std::uint32_t backups = 0;  ///< how many there are: so many descriptors follow the log's
    std::uint32_t unused = 0;
    std::array<char, 256> name{}; ///< the guest's, NUL-terminated
};
struct Answer {
    std::int32_t error = 0; ///< errno
};

} // namespace cloister::logd
