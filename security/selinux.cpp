#include "security/selinux.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <utility>
#include <vector>

namespace cloister {
namespace {

std::optional<std::uint32_t> category(std::string_view text) {
    std::uint32_t value = 0;
    const auto* const end = text.data() + text.size();
    if (!text.starts_with('c')) return std::nullopt;
    const auto [at, wrong] = std::from_chars(text.data() + 1, end, value);
    if (wrong != std::errc{} || at != end) return std::nullopt;
    return value;
}

std::string pair_text(std::uint32_t a, std::uint32_t b) {
    return fmt::format("c{},c{}", std::min(a, b), std::max(a, b));
}

/// "c0.c3,c9": every category once, lowest first. Absent when it is no list of categories.
std::optional<std::vector<std::uint32_t>> categories(std::string_view text) {
    std::vector<std::uint32_t> out;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto part = text.substr(0, comma);
        text.remove_prefix(std::min(comma + 1, text.size()));
        const auto dot = part.find('.');
        const auto first = category(part.substr(0, dot));
        const auto last = dot == std::string_view::npos ? first : category(part.substr(dot + 1));
        if (!first || !last || *first > *last || *last > 65535) return std::nullopt;
        for (auto c = *first; c <= *last; ++c) out.push_back(c);
    }
    std::ranges::sort(out);
    const auto [from, to] = std::ranges::unique(out);
    out.erase(from, to);
    return out;
}

Result<SelinuxContext> context_or_refusal(const std::string& text, std::string_view whose) {
    if (auto context = selinux_context(text)) return std::move(*context);
    return fail(Code::config_unsupported, tr("the SELinux context '{0}' of {1} is not valid", text, whose));
}

std::string with_range(SelinuxContext context, std::string_view sensitivity, std::string_view pair,
                       bool mls) {
    context.range = mls ? fmt::format("{}:{}", sensitivity, pair) : std::string();
    return printed(context);
}

/// The lines that say something, without blanks at their ends.
std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
            line.remove_suffix(1);
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (!line.empty() && line.front() != '#') out.emplace_back(line);
    }
    return out;
}

} // namespace

std::optional<SelinuxContext> selinux_context(std::string_view text) {
    SelinuxContext out;
    for (auto* part : {&out.user, &out.role, &out.type}) {
        const auto colon = std::min(text.find(':'), text.size());
        *part = text.substr(0, colon);
        if (part->empty()) return std::nullopt;
        text.remove_prefix(std::min(colon + 1, text.size()));
    }
    out.range = text; // may hold colons of its own
    return out;
}

std::string printed(const SelinuxContext& context) {
    auto out = context.user + ":" + context.role + ":" + context.type;
    if (!context.range.empty()) out += ":" + context.range;
    return out;
}

std::optional<McsRange> mcs_range(std::string_view range) {
    const auto dash = range.find('-');
    const auto low = range.substr(0, dash);
    const auto high = dash == std::string_view::npos ? low : range.substr(dash + 1);
    McsRange out{.sensitivity = std::string(low.substr(0, low.find(':')))};
    if (out.sensitivity.empty()) return std::nullopt;
    const auto colon = high.find(':');
    if (colon == std::string_view::npos) return out;
    const auto dot = high.find('.', colon);
    const auto first =
        category(high.substr(colon + 1, dot == std::string_view::npos ? dot : dot - colon - 1));
    const auto last = dot == std::string_view::npos ? first : category(high.substr(dot + 1));
    if (!first || !last || *last < *first + 7) return std::nullopt;
    out.first = *first;
    out.last = *last;
    return out;
}

Result<std::string> mcs_pair(const McsRange& range, const std::multiset<std::string>& taken,
                             std::uint64_t random) {
    const std::uint64_t width = range.last - range.first + 1;
    const std::uint64_t all = width * (width - 1) / 2;
    // Every unordered pair has one number: (a, b) with a < b is a + b * (b - 1) / 2.
    auto number = all == 0 ? 0 : random % all;
    for (std::uint64_t tried = 0; tried < all; ++tried, number = (number + 1) % all) {
        std::uint64_t b = 1;
        while (b * (b + 1) / 2 <= number) ++b;
        const auto a = number - b * (b - 1) / 2;
        auto pair = pair_text(range.first + static_cast<std::uint32_t>(a),
                              range.first + static_cast<std::uint32_t>(b));
        if (!taken.contains(pair)) return pair;
    }
    return fail(Code::internal, tr("every pair of SELinux categories is taken"));
}

std::optional<std::string> pair_in(const SelinuxContext& context) {
    const auto low = std::string_view(context.range).substr(0, context.range.find('-'));
    const auto colon = low.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto found = categories(low.substr(colon + 1));
    if (!found || found->size() != 2) return std::nullopt;
    return pair_text((*found)[0], (*found)[1]);
}

SelinuxPolicy selinux_policy_in(std::string_view domain_file, std::string_view image_file, std::string daemon,
                                bool mls) {
    const auto domains = lines_of(domain_file), images = lines_of(image_file);
    const auto nth = [](const std::vector<std::string>& lines, std::size_t n) {
        return n < lines.size() ? lines[n] : std::string();
    };
    return {.process = nth(domains, 0),
            .process_tcg = nth(domains, 1),
            .image = nth(images, 0),
            .content = nth(images, 1),
            .daemon = std::move(daemon),
            .mls = mls};
}

Result<SelinuxLabels> selinux_labels(const SelinuxPolicy& policy, const SelinuxWish& wish,
                                     std::string_view sensitivity, std::string_view pair, bool tcg) {
    SelinuxLabels out;
    if (wish.type == SelinuxWish::Type::none) return out;
    auto image = TRY(context_or_refusal(policy.image, "images"));
    if (wish.type == SelinuxWish::Type::fixed) {
        const auto process = TRY(context_or_refusal(wish.label, "<seclabel>"));
        out.process = wish.label; // to the letter: what the administrator labels by hand has to match
        image.range = process.range;
        out.image = printed(image);
        return out;
    }
    auto process = TRY(context_or_refusal(
        tcg && !policy.process_tcg.empty() ? policy.process_tcg : policy.process, "guests"));
    if (!wish.base.empty()) process.type = TRY(context_or_refusal(wish.base, "<baselabel>")).type;
    const auto daemon = TRY(context_or_refusal(policy.daemon, "the daemon"));
    process.user = image.user = daemon.user; // a user may not make files of another
    process.role = daemon.role;              // of files it stays object_r
    out.process = with_range(std::move(process), sensitivity, pair, policy.mls);
    out.image = with_range(std::move(image), sensitivity, pair, policy.mls);
    return out;
}

} // namespace cloister
