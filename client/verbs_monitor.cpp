#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/call/connect.hpp"
#include "conf/call/domain_device.hpp"
#include "conf/call/domain_guest.hpp"
#include "conf/call/event.hpp"
#include "conf/call/qemu.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>

namespace cloister::client {
namespace {

Result<Answer> console(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    call::DomainOpenConsoleIn in{.dom = TRY(session.domain(given.value("domain")))};
    if (const auto device = given.maybe("devname")) in.dev_name = Text<>{*device};
    in.flags = (given.has("force") ? 1u : 0) | (given.has("safe") ? 2u : 0);
    TRY(c.order("DOMAIN_OPEN_CONSOLE", in));
    std::cerr << tr("Connected to domain '{0}'", given.value("domain")) << "\n"
              << tr("Escape character is {0}", "^]") << std::endl;
    TRY(join_console(c));
    return Answer{};
}

Result<Answer> screenshot(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto dom = TRY(session.domain(given.value("domain")));
    const auto screen = TRY(number(given.value("screen", "0"), tr("the screen")));
    const auto out = TRY(c.call<call::DomainScreenshotOut>(
        "DOMAIN_SCREENSHOT", call::DomainScreenshotIn{.dom = dom, .screen = screen}));
    const auto mime = out.mime ? out.mime->value : "image/x-portable-pixmap";
    const auto path = given.value("file", dom.name.value + (mime == "image/png" ? ".png" : ".ppm"));
    std::ofstream file(path, std::ios::binary);
    if (!file) return std::unexpected(system_error(errno, tr("cannot make file '{0}'", path)));
    while (const auto bytes = TRY(c.stream_receive()))
        file.write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    TRY(c.stream_finish());
    if (!file.flush()) return fail(Code::write_failed, tr("cannot write file '{0}'", path));
    return Answer{Done{tr("Screenshot saved to {0}, with type of {1}", path, mime)}};
}

/// Linux's numbers of the keys that people name most. Source: linux/input-event-codes.h.
constexpr std::array<std::pair<std::string_view, std::uint32_t>, 68> keys{{
    {"KEY_ESC", 1},    {"KEY_1", 2},          {"KEY_2", 3},        {"KEY_3", 4},          {"KEY_4", 5},
    {"KEY_5", 6},      {"KEY_6", 7},          {"KEY_7", 8},        {"KEY_8", 9},          {"KEY_9", 10},
    {"KEY_0", 11},     {"KEY_MINUS", 12},     {"KEY_EQUAL", 13},   {"KEY_BACKSPACE", 14}, {"KEY_TAB", 15},
    {"KEY_Q", 16},     {"KEY_W", 17},         {"KEY_E", 18},       {"KEY_R", 19},         {"KEY_T", 20},
    {"KEY_Y", 21},     {"KEY_U", 22},         {"KEY_I", 23},       {"KEY_O", 24},         {"KEY_P", 25},
    {"KEY_ENTER", 28}, {"KEY_LEFTCTRL", 29},  {"KEY_A", 30},       {"KEY_S", 31},         {"KEY_D", 32},
    {"KEY_F", 33},     {"KEY_G", 34},         {"KEY_H", 35},       {"KEY_J", 36},         {"KEY_K", 37},
    {"KEY_L", 38},     {"KEY_LEFTSHIFT", 42}, {"KEY_Z", 44},       {"KEY_X", 45},         {"KEY_C", 46},
    {"KEY_V", 47},     {"KEY_B", 48},         {"KEY_N", 49},       {"KEY_M", 50},         {"KEY_COMMA", 51},
    {"KEY_DOT", 52},   {"KEY_SLASH", 53},     {"KEY_LEFTALT", 56}, {"KEY_SPACE", 57},     {"KEY_F1", 59},
    {"KEY_F2", 60},    {"KEY_F3", 61},        {"KEY_F4", 62},      {"KEY_F5", 63},        {"KEY_F6", 64},
    {"KEY_F7", 65},    {"KEY_F8", 66},        {"KEY_F9", 67},      {"KEY_F10", 68},       {"KEY_F11", 87},
    {"KEY_F12", 88},   {"KEY_SYSRQ", 99},     {"KEY_UP", 103},     {"KEY_LEFT", 105},     {"KEY_RIGHT", 106},
    {"KEY_DOWN", 108}, {"KEY_DELETE", 111},   {"KEY_POWER", 116},
}};
Result<Answer> send_key(Session& session, const Given& given) {
    static constexpr std::array<std::string_view, 11> sets{
        "linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "rfb", "qnum"};
    const auto set = given.value("codeset", "linux");
    const auto found = std::ranges::find(sets, set);
    if (found == sets.end()) return fail(Code::invalid_arg, tr("unknown codeset: '{0}'", set));
    call::DomainSendKeyIn in{.dom = TRY(session.domain(given.value("domain")))};
    in.codeset = static_cast<std::uint32_t>(found - sets.begin());
    in.holdtime = TRY(number(given.value("holdtime", "0"), tr("how long the keys are held")));
    for (const auto& word : given.rest) {
        const auto key = std::ranges::find(keys, word, &std::pair<std::string_view, std::uint32_t>::first);
        if (key != keys.end() && in.codeset == 0)
            in.keycodes.items.push_back(key->second);
        else
            in.keycodes.items.push_back(TRY(number(word, tr("a key"))));
    }
    if (in.keycodes.items.empty()) return fail(Code::invalid_arg, tr("no key was named"));
    if (in.keycodes.items.size() > 16) return fail(Code::invalid_arg, tr("too many keycodes"));
    TRY((*TRY(session.connection())).order("DOMAIN_SEND_KEY", in));
    return Answer{};
}

Result<Answer> monitor_command(Session& session, const Given& given) {
    std::string command;
    for (const auto& word : given.rest) command += (command.empty() ? "" : " ") + word;
    const auto out =
        TRY((*TRY(session.connection()))
                .call<call::QemuDomainMonitorCommandOut>(
                    "DOMAIN_MONITOR_COMMAND",
                    call::QemuDomainMonitorCommandIn{.dom = TRY(session.domain(given.value("domain"))),
                                                     .cmd = {command},
                                                     .flags = given.has("hmp") ? 1u : 0},
                    Program::qemu));
    return Answer{Document{out.result.value + "\n"}};
}
Result<Answer> to_native(Session& session, const Given& given) {
    std::string text;
    if (const auto domain = given.maybe("domain"))
        text = TRY(session.xml(TRY(session.domain(*domain)), 2 | 1));
    else
        text = TRY(file_content(given.value("xml")));
    const auto out = TRY((*TRY(session.connection()))
                             .call<call::ConnectDomainXmlToNativeOut>(
                                 "CONNECT_DOMAIN_XML_TO_NATIVE",
                                 call::ConnectDomainXmlToNativeIn{.native_format = {given.value("format")},
                                                                  .domain_xml = {text}}));
    return Answer{Document{out.native_config.value + "\n"}};
}

struct EventKind {
    int id;
    std::int32_t procedure;
    std::string_view name;
};
/// Source: facts/protocol.md 6.
constexpr std::array<EventKind, 27> kinds{{{0, 318, "lifecycle"},
                                           {1, 319, "reboot"},
                                           {2, 320, "rtc-change"},
                                           {3, 321, "watchdog"},
                                           {4, 322, "io-error"},
                                           {5, 323, "graphics"},
                                           {6, 324, "io-error-reason"},
                                           {7, 325, "control-error"},
                                           {8, 326, "block-job"},
                                           {9, 327, "disk-change"},
                                           {10, 328, "tray-change"},
                                           {11, 329, "pm-wakeup"},
                                           {12, 330, "pm-suspend"},
                                           {13, 331, "balloon-change"},
                                           {14, 332, "pm-suspend-disk"},
                                           {15, 333, "device-removed"},
                                           {16, 339, "block-job-2"},
                                           {17, 346, "tunable"},
                                           {18, 348, "agent-lifecycle"},
                                           {19, 354, "device-added"},
                                           {20, 359, "migration-iteration"},
                                           {21, 363, "job-completed"},
                                           {22, 367, "device-removal-failed"},
                                           {23, 379, "metadata-change"},
                                           {24, 385, "block-threshold"},
                                           {25, 423, "memory-failure"},
                                           {26, 438, "memory-device-size-change"}}};
std::string lifecycle_text(int event, int detail) {
    static constexpr std::array<std::string_view, 9> events{"Defined",   "Undefined",   "Started",
                                                            "Suspended", "Resumed",     "Stopped",
                                                            "Shutdown",  "PMSuspended", "Crashed"};
    static constexpr std::array<std::array<std::string_view, 8>, 9> details{
        {{"Added", "Updated", "Renamed", "Snapshot"},
         {"Removed", "Renamed"},
         {"Booted", "Migrated", "Restored", "Snapshot", "Event wakeup"},
         {"Paused", "Migrated", "I/O Error", "Watchdog", "Restored", "Snapshot", "API error", "Post-copy"},
         {"Unpaused", "Migrated", "Snapshot", "Post-copy"},
         {"Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot"},
         {"Finished", "Finished after guest request", "Finished after host request"},
         {"Memory", "Disk"},
         {"Panicked", "Crashloaded"}}};
    if (event < 0 || event > 8 || detail < 0 || detail > 7) return tr("event {0}, detail {1}", event, detail);
    return std::string(events.at(static_cast<std::size_t>(event))) + " " +
           std::string(details.at(static_cast<std::size_t>(event)).at(static_cast<std::size_t>(detail)));
}
std::string event_text(const rpc::Frame& frame) {
    const auto kind = std::ranges::find(kinds, frame.header.procedure, &EventKind::procedure);
    if (kind == kinds.end()) return {};
    if (kind->id == 0) {
        const auto m = xdr::decode<call::DomainEventCallbackLifecycleMsg>(frame.body);
        return m ? tr("event '{0}' for domain '{1}': {2}", kind->name, m->msg.dom.name.value,
                      lifecycle_text(m->msg.event, m->msg.detail))
                 : "";
    }
    // The message's domain stands first, after the callback's id; behind a reason in the three of power
    // management.
    struct Plain {
        std::int32_t callback = 0;
        call::DomainHandle dom{};
    };
    struct WithReason {
        std::int32_t callback = 0, reason = 0;
        call::DomainHandle dom{};
    };
    std::string name;
    if (kind->id == 11 || kind->id == 12 || kind->id == 14) {
        if (const auto m = xdr::decode<WithReason>(frame.body)) name = m->dom.name.value;
    } else if (const auto m = xdr::decode<Plain>(frame.body))
        name = m->dom.name.value;
    return tr("event '{0}' for domain '{1}'", kind->name, name);
}
Result<Answer> event(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    if (given.has("list")) {
        std::string names;
        for (const auto& kind : kinds) names += std::string(kind.name) + "\n";
        return Answer{Document{names}};
    }
    call::ConnectDomainEventCallbackRegisterAnyIn in;
    if (const auto domain = given.maybe("domain")) in.dom = TRY(session.domain(*domain));
    const auto wanted = given.value("event", given.has("all") ? "" : "-");
    if (wanted == "-") return fail(Code::invalid_arg, tr("name an event, or give --all or --list"));
    bool any = false;
    for (const auto& kind : kinds) {
        if (!wanted.empty() && wanted != kind.name) continue;
        in.event_id = kind.id;
        (void)TRY(c.call<call::ConnectDomainEventCallbackRegisterAnyOut>(
            "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", in));
        any = true;
    }
    if (!any) return fail(Code::invalid_arg, tr("unknown event type {0}", wanted));
    const auto seconds = TRY(number(given.value("timeout", "0"), tr("the seconds to wait")));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    int seen = 0;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (seconds && left.count() <= 0) break;
        const auto frame = TRY(c.event(seconds ? left : std::chrono::milliseconds(60000)));
        if (!frame) continue;
        if (const auto text = event_text(*frame); !text.empty()) {
            std::cout << text << std::endl;
            ++seen;
            if (!given.has("loop")) break;
        }
    }
    return Answer{Done{tr("events received: {0}", seen)}};
}

constexpr Arg domain_arg{"domain", Takes::positional, tr_later("name, id or uuid of the domain")};
constexpr Arg console_args[] = {domain_arg,
                                {"devname", Takes::option, tr_later("the alias of the console")},
                                {"force", Takes::flag, tr_later("take it from whoever has it")},
                                {"safe", Takes::flag, tr_later("only if nobody else can have it")}};
constexpr Arg screenshot_args[] = {domain_arg,
                                   {"file", Takes::optional_positional, tr_later("where to store it")},
                                   {"screen", Takes::option, tr_later("which screen")}};
constexpr Arg key_args[] = {domain_arg,
                            {"keycode", Takes::rest, tr_later("names or numbers of keys")},
                            {"codeset", Takes::option, tr_later("linux, xt, usb, qnum …")},
                            {"holdtime", Takes::option, tr_later("milliseconds")}};
constexpr Arg monitor_args[] = {domain_arg,
                                {"cmd", Takes::rest, tr_later("the command")},
                                {"hmp", Takes::flag, tr_later("the human monitor's language")}};
constexpr Arg native_args[] = {{"format", Takes::positional, tr_later("qemu-argv")},
                               {"xml", Takes::optional_positional, tr_later("a file with XML")},
                               {"domain", Takes::option, tr_later("a domain instead")}};
constexpr Arg event_args[] = {{"domain", Takes::option, tr_later("only of this domain")},
                              {"event", Takes::option, tr_later("which event")},
                              {"all", Takes::flag, tr_later("every event")},
                              {"loop", Takes::flag, tr_later("not only the first")},
                              {"timeout", Takes::option, tr_later("seconds to wait")},
                              {"list", Takes::flag, tr_later("list the kinds of event")}};
constexpr std::array table{
    Verb{"console", tr_later("join a domain's console"), console_args, console},
    Verb{"screenshot", tr_later("store a picture of a domain's screen"), screenshot_args, screenshot},
    Verb{"send-key", tr_later("press keys"), key_args, send_key},
    Verb{"event", tr_later("wait for events"), event_args, event},
    Verb{"qemu-monitor-command", tr_later("say something to QEMU's monitor"), monitor_args, monitor_command},
    Verb{"domxml-to-native", tr_later("the command line that a definition makes"), native_args, to_native},
};

} // namespace

std::span<const Verb> monitor_verbs() { return table; }

} // namespace cloister::client
