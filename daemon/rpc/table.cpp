#include "daemon/rpc/table.hpp"

#include "conf/call/procedure.hpp"

namespace cloister::rpc {
namespace {

void add(std::vector<const Entry*>& to, std::span<const Entry> entries) {
    for (const auto& entry : entries) {
        const auto at = static_cast<std::size_t>(entry.number);
        if (to.size() <= at) to.resize(at + 1);
        to[at] = &entry;
    }
}

} // namespace

Table::Table() {
    for (const auto entries : {connect_entries, node_entries, domain_entries, domain_device_entries,
                               domain_guest_entries, domain_tune_entries})
        add(remote_, entries);
    add(qemu_, qemu_entries);
    add(cloister_, cloister_entries);
}

Table::Table(std::span<const Entry> remote) { add(remote_, remote); }

const Entry* Table::find(std::uint32_t program, std::int32_t number) const {
    const auto& all = program == call::qemu_program       ? qemu_
                      : program == call::cloister_program ? cloister_
                                                          : remote_;
    if (number < 0 || static_cast<std::size_t>(number) >= all.size()) return nullptr;
    return all[static_cast<std::size_t>(number)];
}

std::vector<Entry> Table::all(std::uint32_t program) const {
    std::vector<Entry> out;
    for (std::int32_t n = 0; n < 10'000; ++n)
        if (const auto* entry = find(program, n)) out.push_back(*entry);
    return out;
}

} // namespace cloister::rpc
