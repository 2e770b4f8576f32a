#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/base/uuid.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/domain_define.hpp"

#include <charconv>
#include <cmath>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

namespace cloister::client {

std::string Given::value(std::string_view name, std::string_view otherwise) const {
    const auto found = values.find(name);
    return found == values.end() ? std::string(otherwise) : found->second;
}
std::optional<std::string> Given::maybe(std::string_view name) const {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
}

std::array<std::span<const Verb>, 7> families() {
    return {host_verbs(),    domain_verbs(), define_verbs(), device_verbs(),
            monitor_verbs(), own_verbs(),    guests_verbs()};
}

Result<Connection*> Session::connection() {
    if (!connection_)
        connection_ = std::make_unique<Connection>(TRY(Connection::open(socket_, uri_, read_only_)));
    return connection_.get();
}

Result<call::DomainHandle> Session::domain(const std::string& what) {
    auto& c = *TRY(connection());
    int id = 0;
    const auto [end, ec] = std::from_chars(what.data(), what.data() + what.size(), id);
    if (ec == std::errc{} && end == what.data() + what.size() && id >= 0) {
        const auto found =
            c.call<call::DomainLookupByIdOut>("DOMAIN_LOOKUP_BY_ID", call::DomainLookupByIdIn{.id = id});
        if (found) return found->dom;
    }
    if (const auto uuid = parse_uuid(what)) {
        const auto found = c.call<call::DomainLookupByUuidOut>(
            "DOMAIN_LOOKUP_BY_UUID", call::DomainLookupByUuidIn{.uuid = uuid->bytes});
        if (found) return found->dom;
    }
    return TRY(c.call<call::DomainLookupByNameOut>("DOMAIN_LOOKUP_BY_NAME",
                                                   call::DomainLookupByNameIn{.name = {what}}))
        .dom;
}

Result<std::string> Session::xml(const call::DomainHandle& domain, std::uint32_t flags) {
    auto& c = *TRY(connection());
    return TRY(c.call<call::DomainGetXmlDescOut>("DOMAIN_GET_XML_DESC",
                                                 call::DomainGetXmlDescIn{.dom = domain, .flags = flags}))
        .xml.value;
}

Result<std::uint32_t> affected(const Given& given) {
    const bool live = given.has("live"), config = given.has("config") || given.has("persistent");
    if (given.has("current") && (live || config))
        return fail(Code::invalid_arg, tr("--current goes neither with --live nor with --config"));
    return (live ? 1u : 0u) | (config ? 2u : 0u);
}

Result<std::uint64_t> kibibytes(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (ec != std::errc{} || end == text.data())
        return fail(Code::invalid_arg, tr("'{0}' is not a size", text));
    std::uint64_t bytes = 1024; // without a unit: KiB
    constexpr std::string_view letters = "kmgtp";
    if (unit == "b" || unit == "bytes")
        bytes = 1;
    else if (!unit.empty()) {
        const auto power = letters.find(static_cast<char>(std::tolower(static_cast<unsigned char>(unit[0]))));
        const auto rest = unit.substr(1);
        if (power == std::string_view::npos || !(rest.empty() || rest == "iB" || rest == "B"))
            return fail(Code::invalid_arg, tr("unknown suffix '{0}'", unit));
        bytes = 1;
        for (std::size_t i = 0; i <= power; ++i) bytes *= rest == "B" ? 1000u : 1024u;
    }
    if (value && bytes > UINT64_MAX / value) return fail(Code::overflow, tr("'{0}' is too large", text));
    return (value * bytes + 1023) / 1024;
}

Result<std::uint32_t> number(std::string_view text, std::string_view what) {
    std::uint32_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size())
        return fail(Code::invalid_arg, tr("'{0}' is not a number, for {1}", text, what));
    return value;
}

Result<std::string> file_content(const std::string& path) {
    std::ostringstream content;
    if (path == "-") {
        content << std::cin.rdbuf();
        return content.str();
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::unexpected(system_error(errno, tr("cannot open file '{0}'", path)));
    content << file.rdbuf();
    return content.str();
}

} // namespace cloister::client
