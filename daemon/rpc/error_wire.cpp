#include "daemon/rpc/error_wire.hpp"

#include "conf/base/tr.hpp"
#include "daemon/rpc/xdr.hpp"

namespace cloister::rpc {
namespace {

/// Error texts that no protocol limit lets through would lose the whole answer: cut them instead.
std::string bounded(std::string text) {
    constexpr std::size_t most = 1'000'000;
    if (text.size() > most) text.resize(most);
    while (text.find('\0') != std::string::npos) text.erase(text.find('\0'), 1);
    return text;
}

} // namespace

WireError wire_error(const Error& error) {
    const auto code = error.code == Code::ok ? Code::internal : error.code; // 0 would read as success
    auto message = error.message.empty() ? tr("unknown error") : bounded(error.message);
    WireError out{.code = static_cast<std::int32_t>(code), .domain = static_cast<std::int32_t>(error.domain)};
    const std::string before(error.bare ? std::string_view() : prefix(code));
    out.message = Text<>{before + message};
    out.str1 = Text<>{before + "%s"};
    out.str2 = Text<>{std::move(message)};
    if (error.sys_errno != 0) out.int1 = error.sys_errno;
    return out;
}

Bytes printed(const Error& error) {
    xdr::Writer writer;
    xdr::write(writer, wire_error(error));
    return writer.take();
}

Error unknown_procedure(std::int32_t number) {
    // Not translated: client libraries look for these words.
    return rpc_error("unknown procedure: " + std::to_string(number));
}

Error rpc_error(std::string message, Code code) {
    return {.code = code, .message = std::move(message), .domain = ErrorDomain::rpc};
}

} // namespace cloister::rpc
