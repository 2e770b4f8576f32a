/// The table of our own program: number -> operation.
#include "daemon/rpc/serve.hpp"
#include "driver/op/explain.hpp"

namespace cloister::rpc {
namespace {

constexpr std::array entries{
    entry<Explain>(1),
    entry<ShowConfinement>(2),
    entry<ImportCheck>(3),
};
static_assert(sorted_once(entries));

} // namespace

constinit const std::span<const Entry> cloister_entries = entries;

} // namespace cloister::rpc
