#include "conf/part/cpuset.hpp"

#include <algorithm>
#include <set>

namespace cloister {
namespace {

constexpr std::uint32_t most_cpus = 16384; // libvirt's bound on a CPU mask

std::string_view trimmed(std::string_view t) {
    const auto first = t.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return t.substr(first, t.find_last_not_of(" \t\r\n") - first + 1);
}
std::optional<std::uint32_t> number(std::string_view t) {
    const auto v = xml::Scalar<std::uint32_t>::read(trimmed(t));
    return v && *v < most_cpus ? v : std::nullopt;
}

} // namespace

bool CpuSet::contains(std::uint32_t cpu) const { return std::ranges::binary_search(cpus, cpu); }

std::optional<CpuSet> parse_cpuset(std::string_view text) {
    std::set<std::uint32_t> set;
    for (bool more = true; more;) {
        const auto comma = text.find(',');
        auto item = trimmed(text.substr(0, comma));
        more = comma != std::string_view::npos;
        if (more) text.remove_prefix(comma + 1);
        const bool exclude = item.starts_with('^');
        if (exclude) item.remove_prefix(1);
        const auto dash = item.find('-');
        const auto first = number(item.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : number(item.substr(dash + 1));
        if (!first || !last || *last < *first || (exclude && dash != std::string_view::npos))
            return std::nullopt;
        for (auto cpu = *first; cpu <= *last; ++cpu)
            if (exclude)
                set.erase(cpu);
            else
                set.insert(cpu);
    }
    return CpuSet{{set.begin(), set.end()}};
}

std::string printed(const CpuSet& set) {
    std::string out;
    for (std::size_t i = 0; i < set.cpus.size();) {
        auto last = i;
        while (last + 1 < set.cpus.size() && set.cpus[last + 1] == set.cpus[last] + 1) ++last;
        if (!out.empty()) out += ',';
        out += std::to_string(set.cpus[i]);
        if (last > i) out += '-' + std::to_string(set.cpus[last]);
        i = last + 1;
    }
    return out;
}

} // namespace cloister
