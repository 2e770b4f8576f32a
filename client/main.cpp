/// `cloister`: virsh's verbs, and what only our daemon can say. The tables of verbs make the command line.
#include "client/verb.hpp"
#include "conf/base/tr.hpp"

#include <CLI/CLI.hpp>
#include <clocale>
#include <cstdlib>
#include <iostream>
#include <libintl.h>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace cloister;
using namespace cloister::client;

namespace {

/// The width of the terminal; 0 when the output is none.
std::size_t width() {
    winsize size{};
    if (!::isatty(STDOUT_FILENO) || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0) return 0;
    return size.ws_col;
}

/// Where one verb's arguments land while CLI11 reads them. Addresses must stay, so it is never copied.
struct Slots {
    const Verb* verb = nullptr;
    std::map<std::string, std::string> values{};
    std::map<std::string, bool> flags{};
    std::vector<std::string> rest{};

    Given given() const {
        Given out{.rest = rest};
        for (const auto& [name, value] : values)
            if (!value.empty()) out.values[name] = value;
        for (const auto& [name, set] : flags)
            if (set) out.flags.insert(name);
        return out;
    }
};

void declare(CLI::App& app, const Verb& verb, Slots& slots) {
    slots.verb = &verb;
    for (const auto& arg : verb.args) {
        const std::string name(arg.name), help = translated(std::string(arg.help).c_str());
        switch (arg.takes) {
        case Takes::positional:
            app.add_option(name + ",--" + name, slots.values[name], help)->required();
            break;
        case Takes::optional_positional: app.add_option(name + ",--" + name, slots.values[name], help); break;
        case Takes::option: app.add_option("--" + name, slots.values[name], help); break;
        case Takes::flag: app.add_flag("--" + name, slots.flags[name], help); break;
        case Takes::rest: app.add_option(name, slots.rest, help); break;
        }
    }
}

std::string default_socket(bool read_only) {
    if (const char* given = std::getenv("CLOISTER_SOCKET"); given && *given) return given;
    return read_only ? "/run/cloister/cloister-sock-ro" : "/run/cloister/cloister-sock";
}

void complain(const Error& error) {
    std::cerr << tr("error: {0}", full_text(error)) << "\n";
    for (const auto& context : error.context) std::cerr << tr("  while {0}", context) << "\n";
}

} // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_ALL, "");
    ::bindtextdomain("cloister", CLOISTER_LOCALEDIR);
    CLI::App app{translated("Talks to cloisterd, the daemon that launches confined QEMU guests."),
                 "cloister"};
    app.require_subcommand(1);
    app.set_version_flag("--version", "cloister " CLOISTER_VERSION);
    std::string socket, uri = "qemu:///system", format = "text";
    bool read_only = false;
    app.add_option("-s,--socket", socket,
                   translated("the daemon's socket (default: $CLOISTER_SOCKET, else the system's)"));
    app.add_option("-c,--connect", uri, translated("the URI to open"));
    app.add_flag("-r,--readonly", read_only, translated("look, but do not touch"));
    app.add_option("--format", format, translated("text or json"))->check(CLI::IsMember({"text", "json"}));

    std::map<std::string, Slots> slots;
    for (const auto family : families())
        for (const auto& verb : family) {
            const std::string name(verb.name);
            declare(*app.add_subcommand(name, translated(std::string(verb.help).c_str())), verb, slots[name]);
        }
    CLI11_PARSE(app, argc, argv);

    const auto& chosen = slots.at(app.get_subcommands().front()->get_name());
    Session session(socket.empty() ? default_socket(read_only) : socket, uri, read_only);
    auto given = chosen.given();
    if (format == "json" && !given.values.contains("form") &&
        (chosen.verb->name == "explain" || chosen.verb->name == "confinement")) {
        given.values["form"] = "json"; // these make their own JSON
        format = "text";
    }
    const auto answer = chosen.verb->run(session, given);
    if (!answer) {
        complain(answer.error());
        return 1;
    }
    std::cout << (format == "json" ? json_of(*answer) : text_of(*answer, width()));
    return std::cout.flush() ? 0 : 1;
}
