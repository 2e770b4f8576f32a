/// One command of the client: its name, what it takes, what it does. The tables of verbs make the command
/// line, the help and the shell completion.
#pragma once

#include "client/answer.hpp"
#include "client/connection.hpp"
#include "conf/call/common.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cloister::client {

enum class Takes { positional, optional_positional, option, flag, rest };

struct Arg {
    std::string_view name{}; ///< "domain", "--live" without the dashes
    Takes takes = Takes::positional;
    std::string_view help{}; ///< marked for translation by tr_later
};

/// What the user gave for one verb.
struct Given {
    std::map<std::string, std::string, std::less<>> values{};
    std::set<std::string, std::less<>> flags{};
    std::vector<std::string> rest{};

    bool has(std::string_view flag) const { return flags.contains(flag); }
    std::string value(std::string_view name, std::string_view otherwise = {}) const;
    std::optional<std::string> maybe(std::string_view name) const;
};

/// How to reach the daemon; connects at the first use.
class Session {
public:
    Session(std::string socket, std::string uri, bool read_only)
        : socket_(std::move(socket)), uri_(std::move(uri)), read_only_(read_only) {}
    Result<Connection*> connection();
    const std::string& uri() const { return uri_; }

    /// A domain by id, uuid or name, as virsh takes it. Errors: no_domain.
    Result<call::DomainHandle> domain(const std::string& what);
    /// Its XML. Flags as virDomainGetXMLDesc's.
    Result<std::string> xml(const call::DomainHandle& domain, std::uint32_t flags);

private:
    std::string socket_, uri_;
    bool read_only_;
    std::unique_ptr<Connection> connection_{};
};

struct Verb {
    std::string_view name{};
    std::string_view help{};
    std::span<const Arg> args{};
    Result<Answer> (*run)(Session&, const Given&) = nullptr;
};

/// Marks a text in a table for translation; it is translated where it is printed.
constexpr std::string_view tr_later(std::string_view text) { return text; }

/// The families, in the order of the help.
std::span<const Verb> host_verbs();
std::span<const Verb> domain_verbs();
std::span<const Verb> define_verbs();
std::span<const Verb> device_verbs();
std::span<const Verb> monitor_verbs();
std::span<const Verb> own_verbs();
std::span<const Verb> guests_verbs();
/// All of them.
std::array<std::span<const Verb>, 7> families();

/// VIR_DOMAIN_AFFECT_*: --live 1, --config 2, --current 0. Errors: invalid_arg when they exclude each other.
Result<std::uint32_t> affected(const Given& given);
/// "512", "512M", "1GiB" … as KiB. Errors: invalid_arg.
Result<std::uint64_t> kibibytes(std::string_view text);
Result<std::uint32_t> number(std::string_view text, std::string_view what);
/// A whole file; "-" or "/dev/stdin" is the input. Errors: open_failed.
Result<std::string> file_content(const std::string& path);

/// Joins the terminal with the console until ^] or its end.
Result<> join_console(Connection& connection);
/// The script for `shell` (bash, zsh, fish). Errors: invalid_arg.
Result<std::string> completion_script(std::string_view shell);

} // namespace cloister::client
