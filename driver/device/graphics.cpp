#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/audio.hpp"
#include "driver/device/display.hpp"
#include "driver/device/tls.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

const std::string why = "graphics";

bool wanted(std::optional<std::int32_t> port) { return port && *port > 0; }

Result<> check_listens(const std::vector<Listen>& listens, std::string_view type) {
    if (listens.size() > 1)
        return fail(Code::config_unsupported,
                    tr("qemu supports only one listen type per '{0}' graphics device", type));
    for (const auto& listen : listens)
        if (listen.type == ListenType::network && !listen.network)
            return fail(Code::xml, tr("'network' attribute is required for listen type 'network'"));
    return {};
}

/// The address to listen on: the definition's, else the administrator's.
std::string address_of_listen(const std::vector<Listen>& listens, const std::string& fallback) {
    if (!listens.empty() && listens.front().address) return *listens.front().address;
    return fallback;
}

std::string bracketed(const std::string& address) {
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

ListenType listen_type(const std::vector<Listen>& listens) {
    return listens.empty() ? ListenType::address : listens.front().type;
}

std::string socket_of(const std::vector<Listen>& listens, const LaunchPaths& paths, std::string_view name) {
    if (!listens.empty() && listens.front().socket) return *listens.front().socket;
    return paths.state_dir + "/" + std::string(name) + ".sock";
}

void add_password(DevicePlan& out, std::string_view protocol, const std::string& password,
                  const DisplayPassword& auth) {
    boost::json::object set{{"protocol", protocol}, {"password", password}};
    if (auth.connected) set["connected"] = names<WhenConnected>.text(*auth.connected);
    out.monitor_commands.emplace_back("set_password", std::move(set));
    const auto until = auth.valid_to ? utc_seconds(*auth.valid_to) : std::nullopt;
    out.monitor_commands.emplace_back(
        "expire_password",
        boost::json::object{{"protocol", protocol}, {"time", until ? std::to_string(*until) : "never"}});
}

void add_render_node(DevicePlan& out, KeyValues& item, const std::optional<DisplayGl>& gl,
                     const PlanContext& context) {
    const auto node = gl && gl->rendernode ? gl->rendernode : context.facts.render_node;
    if (!node) return;
    item.add("rendernode", *node);
    out.grants.push_back({.path = *node,
                          .kind = Kind::char_device,
                          .access = Access::read_write,
                          .sharing = Sharing::shared,
                          .why = why});
}

bool uses_gl(const std::optional<DisplayGl>& gl) { return gl && gl->enable == YesNo::yes; }

Result<DevicePlan> plan_vnc(const Vnc& vnc, const PlanContext& context) {
    TRY(check_listens(vnc.listens, "vnc"));
    DevicePlan out;
    const auto& conf = context.conf;
    std::string head;
    switch (listen_type(vnc.listens)) {
    case ListenType::socket: head = "vnc=unix:" + socket_of(vnc.listens, context.paths, "vnc"); break;
    case ListenType::none: head = "none"; break;
    case ListenType::address:
    case ListenType::network: {
        const auto port = wanted(vnc.port) ? *vnc.port : 5900;
        head = bracketed(address_of_listen(vnc.listens, conf.vnc_listen)) + ":" + std::to_string(port - 5900);
        break;
    }
    }
    std::string doubled;
    for (const char c : head) doubled.append(c == ',' ? 2u : 1u, c);
    KeyValues item{doubled};
    if (vnc.websocket && listen_type(vnc.listens) == ListenType::address) {
        auto port = *vnc.websocket;
        if (port < 0 && !context.reserved.websocket_ports.empty())
            port = context.reserved.websocket_ports.front();
        item.add("websocket", std::to_string(port));
    }
    if (vnc.share_policy) item.add("share", names<SharePolicy>.text(*vnc.share_policy));
    const auto password = vnc.password.passwd ? vnc.password.passwd : conf.vnc_password;
    if (password) {
        item.add("password", "on");
        add_password(out, "vnc", *password, vnc.password);
    }
    if (conf.vnc_tls) {
        const std::string id = "vnc-tls-creds0";
        TRY(add_tls_credentials(
            out,
            {.id = id,
             .directory = conf.vnc_tls_x509_cert_dir.value_or(
                 conf.default_tls_x509_cert_dir.value_or(std::string(default_tls_directory))),
             .server = true,
             .verify = conf.vnc_tls_x509_verify.value_or(conf.default_tls_x509_verify.value_or(false)),
             .secret = conf.vnc_tls_x509_secret_uuid ? conf.vnc_tls_x509_secret_uuid
                                                     : conf.default_tls_x509_secret_uuid,
             .secret_id = id + "-secret0",
             .why = why},
            context));
        item.add("tls-creds", id);
    }
    if (conf.vnc_sasl) {
        item.add("sasl", "on");
        if (conf.vnc_sasl_dir)
            out.env.push_back({"SASL_CONF_PATH", *conf.vnc_sasl_dir, "qemu.conf vnc_sasl_dir"});
    }
    if (vnc.power_control) item.add("power-control", vnc.power_control == YesNo::yes ? "on" : "off");
    if (const auto audio = audio_id(context.domain, vnc.audio)) item.add("audiodev", *audio);
    out.items.push_back({"vnc", item.text(), why});
    if (vnc.keymap) out.items.push_back({"k", *vnc.keymap, why});
    return out;
}

/// The ports, the address and what encrypts them.
Result<> add_spice_address(DevicePlan& out, KeyValues& item, const Spice& spice, const PlanContext& context) {
    const auto& conf = context.conf;
    const bool tls = wanted(spice.tls_port);
    switch (listen_type(spice.listens)) {
    case ListenType::socket:
        item.word("unix").add("addr", socket_of(spice.listens, context.paths, "spice"));
        break;
    case ListenType::none: item.add("port", "0"); break;
    case ListenType::address:
    case ListenType::network:
        if (tls && !conf.spice_tls)
            return fail(Code::config_unsupported,
                        tr("spice TLS port set in XML configuration, but TLS is disabled in qemu.conf"));
        if (wanted(spice.port)) item.add("port", std::to_string(*spice.port));
        if (tls) item.add("tls-port", std::to_string(*spice.tls_port));
        if (!wanted(spice.port) && !tls) item.add("port", "0");
        item.add("addr", address_of_listen(spice.listens, conf.spice_listen));
        break;
    }
    if (conf.spice_sasl) {
        item.add("sasl", "on");
        if (conf.spice_sasl_dir)
            out.env.push_back({"SASL_CONF_PATH", *conf.spice_sasl_dir, "qemu.conf spice_sasl_dir"});
    }
    const auto password = spice.password.passwd ? spice.password.passwd : conf.spice_password;
    if (password)
        add_password(out, "spice", *password, spice.password);
    else
        item.add("disable-ticketing", "on");
    if (tls)
        item.add("x509-dir", conf.spice_tls_x509_cert_dir.value_or(conf.default_tls_x509_cert_dir.value_or(
                                 std::string(default_tls_directory))));
    return {};
}

Result<> add_spice_channels(KeyValues& item, const Spice& spice) {
    const bool plain = wanted(spice.port), tls = wanted(spice.tls_port);
    const auto add = [&](SpiceSecurity mode, std::string_view name) -> Result<> {
        if (mode == SpiceSecurity::secure) {
            if (!tls)
                return fail(Code::config_unsupported,
                            tr("spice {0} set in XML configuration, but TLS is not "
                               "available",
                               name == "default" ? "defaultMode secure requested" : "secure channels"));
            item.add("tls-channel", name);
        } else if (mode == SpiceSecurity::insecure) {
            if (!plain)
                return fail(Code::config_unsupported,
                            tr("spice {0} set in XML configuration, but plain port "
                               "is not available",
                               name == "default" ? "defaultMode insecure requested" : "insecure channels"));
            item.add("plaintext-channel", name);
        }
        return {};
    };
    TRY(add(spice.default_mode.value_or(SpiceSecurity::any), "default"));
    for (const auto& channel : spice.channels)
        TRY(add(channel.mode, names<SpiceChannelName>.text(channel.name)));
    return {};
}

Result<DevicePlan> plan_spice(const Spice& spice, const PlanContext& context) {
    TRY(check_listens(spice.listens, "spice"));
    DevicePlan out;
    KeyValues item;
    TRY(add_spice_address(out, item, spice, context));
    TRY(add_spice_channels(item, spice));
    if (spice.image) item.add("image-compression", names<ImageCompression>.text(spice.image->compression));
    if (spice.jpeg) item.add("jpeg-wan-compression", names<WanCompression>.text(spice.jpeg->compression));
    if (spice.zlib) item.add("zlib-glz-wan-compression", names<WanCompression>.text(spice.zlib->compression));
    if (spice.playback) item.add("playback-compression", names<Switch>.text(spice.playback->compression));
    if (spice.streaming) item.add("streaming-video", names<StreamingMode>.text(spice.streaming->mode));
    if (spice.mouse) item.add("agent-mouse", spice.mouse->mode == MouseMode::server ? "off" : "on");
    if (spice.clipboard && spice.clipboard->copypaste == YesNo::no) item.add("disable-copy-paste", "on");
    if (spice.filetransfer && spice.filetransfer->enable == YesNo::no)
        item.add("disable-agent-file-xfer", "on");
    if (spice.gl && spice.gl->enable) {
        item.add("gl", uses_gl(spice.gl) ? "on" : "off");
        if (uses_gl(spice.gl)) add_render_node(out, item, spice.gl, context);
    }
    item.add("seamless-migration", "on");
    out.items.push_back({"spice", item.text(), why});
    if (spice.keymap) out.items.push_back({"k", *spice.keymap, why});
    return out;
}

Result<DevicePlan> plan_sdl(const Sdl& sdl, const PlanContext& context) {
    DevicePlan out;
    if (sdl.xauth) out.env.push_back({"XAUTHORITY", *sdl.xauth, why});
    if (sdl.display) out.env.push_back({"DISPLAY", *sdl.display, why});
    (void)context;
    KeyValues item{"sdl"};
    if (sdl.gl && sdl.gl->enable) item.add("gl", uses_gl(sdl.gl) ? "on" : "off");
    out.items.push_back({"display", item.text(), why});
    if (sdl.fullscreen == YesNo::yes) out.items.push_back({"full-screen", {}, why});
    return out;
}

Result<DevicePlan> plan_dbus(const DbusDisplay& dbus, const PlanContext& context) {
    DevicePlan out;
    KeyValues item{"dbus"};
    if (dbus.p2p == YesNo::yes)
        item.add("p2p", "on");
    else if (dbus.address)
        item.add("addr", *dbus.address);
    else
        return fail(Code::config_unsupported,
                    tr("a D-Bus display needs p2p='yes' or the address of a bus that already runs"));
    if (uses_gl(dbus.gl)) {
        item.add("gl", "on");
        add_render_node(out, item, dbus.gl, context);
    }
    if (dbus.audio) item.add("audiodev", "audio" + std::to_string(dbus.audio->id));
    out.items.push_back({"display", item.text(), why});
    return out;
}

} // namespace

std::optional<std::int64_t> utc_seconds(std::string_view text) {
    const auto number = [&](std::size_t at, std::size_t count) -> std::optional<int> {
        if (text.size() < at + count) return std::nullopt;
        return xml::Scalar<int>::read(text.substr(at, count));
    };
    if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
        text[16] != ':')
        return std::nullopt;
    const auto year = number(0, 4), month = number(5, 2), day = number(8, 2);
    const auto hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month(unsigned(*month)),
                                           std::chrono::day(unsigned(*day))};
    const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
    return std::int64_t{days} * 86400 + *hour * 3600 + *minute * 60 + *second;
}

namespace {

/// A socket in the folder of an earlier run ("domain-3-NAME") was the daemon's choice, not the user's.
void forget_generated(std::vector<Listen>& listens, const Domain& domain) {
    if (listens.empty() || listens.front().type != ListenType::socket || !listens.front().socket) return;
    const auto& path = *listens.front().socket;
    const auto end = path.rfind('/');
    if (end == std::string::npos || end == 0) return;
    const auto begin = path.rfind('/', end - 1) + 1;
    auto folder = std::string_view(path).substr(begin, end - begin);
    constexpr std::string_view head = "domain-";
    if (!folder.starts_with(head)) return;
    folder.remove_prefix(head.size());
    const auto digits = folder.find_first_not_of("0123456789");
    if (digits == std::string_view::npos || digits == 0 || folder[digits] != '-') return;
    if (folder.substr(digits + 1) == std::string_view(domain.name).substr(0, 20)) listens.clear();
}

} // namespace

template <> void complete<Graphics>(Graphics& graphics, const CompleteContext& context) {
    std::visit(overload{
                   [&](Vnc& vnc) {
                       if (!context.live) forget_generated(vnc.listens, context.domain);
                       if (vnc.listens.empty()) vnc.listens.push_back({.type = ListenType::address});
                       const auto type = listen_type(vnc.listens);
                       if (type != ListenType::address && type != ListenType::network) return;
                       if (!vnc.port || *vnc.port == -1) vnc.autoport = YesNo::yes;
                       if (!vnc.autoport) vnc.autoport = YesNo::no;
                       if (vnc.autoport == YesNo::yes && !vnc.port) vnc.port = -1;
                   },
                   [&](Spice& spice) {
                       if (spice.port == -1 && spice.tls_port == -1) spice.autoport = YesNo::yes;
                       const bool tcp = spice.autoport == YesNo::yes || wanted(spice.port) ||
                                        wanted(spice.tls_port) || spice.port == -1 || spice.tls_port == -1;
                       if (spice.listens.empty()) {
                           spice.listens.push_back({.type = tcp ? ListenType::address : ListenType::none});
                       } else if (listen_type(spice.listens) == ListenType::address && !tcp) {
                           spice.listens.front() = Listen{.type = ListenType::none};
                       }
                       if (tcp && !spice.autoport) spice.autoport = YesNo::no;
                   },
                   [](auto&) {},
               },
               graphics.kind);
}

template <> Result<> check<Graphics>(const Graphics& graphics, const CompleteContext& context) {
    return std::visit(
        overload{
            [](const Vnc& vnc) -> Result<> {
                if (vnc.autoport != YesNo::yes && vnc.port && *vnc.port != -1 &&
                    (*vnc.port < 5900 || *vnc.port > 65535))
                    return fail(Code::config_unsupported, tr("VNC port must be in range [5900,65535]"));
                if (vnc.password.valid_to && !utc_seconds(*vnc.password.valid_to))
                    return fail(Code::xml, tr("cannot parse password validity time '{0}', expect "
                                              "YYYY-MM-DDTHH:MM:SS",
                                              *vnc.password.valid_to));
                if (vnc.password.connected == WhenConnected::disconnect)
                    return fail(Code::config_unsupported, tr("VNC supports connected='keep' only"));
                return {};
            },
            [](const Spice& spice) -> Result<> {
                if (spice.password.valid_to && !utc_seconds(*spice.password.valid_to))
                    return fail(Code::xml, tr("cannot parse password validity time '{0}', expect "
                                              "YYYY-MM-DDTHH:MM:SS",
                                              *spice.password.valid_to));
                return {};
            },
            [&](const EglHeadless&) -> Result<> { return {}; },
            [](const Sdl&) -> Result<> { return {}; },
            [](const DbusDisplay&) -> Result<> { return {}; },
            [](const Rdp&) -> Result<> {
                return fail(Code::config_unsupported, tr("unsupported graphics type '{0}'", "rdp"));
            },
            [](const DesktopDisplay&) -> Result<> {
                return fail(Code::config_unsupported, tr("unsupported graphics type '{0}'", "desktop"));
            },
        },
        graphics.kind);
    (void)context;
}

template <> Result<DevicePlan> plan<Graphics>(const Graphics& graphics, const PlanContext& context) {
    return std::visit(
        overload{
            [&](const Vnc& vnc) { return plan_vnc(vnc, context); },
            [&](const Spice& spice) { return plan_spice(spice, context); },
            [&](const EglHeadless& egl) -> Result<DevicePlan> {
                DevicePlan out;
                KeyValues item{"egl-headless"};
                add_render_node(out, item, egl.gl, context);
                out.items.push_back({"display", item.text(), why});
                return out;
            },
            [&](const Sdl& sdl) { return plan_sdl(sdl, context); },
            [&](const DbusDisplay& dbus) { return plan_dbus(dbus, context); },
            [](const Rdp&) -> Result<DevicePlan> {
                return fail(Code::config_unsupported, tr("unsupported graphics type '{0}'", "rdp"));
            },
            [](const DesktopDisplay&) -> Result<DevicePlan> {
                return fail(Code::config_unsupported, tr("unsupported graphics type '{0}'", "desktop"));
            },
        },
        graphics.kind);
}

} // namespace cloister
