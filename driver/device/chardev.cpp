#include "driver/device/chardev.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/tls.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

/// One -chardev under construction.
struct Builder {
    DevicePlan& out;
    const ChardevUse& use;
    const PlanContext& context;
    std::string id = "char" + use.alias;

    KeyValues head(std::string_view backend) const {
        KeyValues item{std::string(backend)};
        item.add("id", id);
        return item;
    }
    void grant(const std::string& path, Kind kind, const std::vector<DeviceSecLabel>& seclabels) {
        out.grants.push_back({.path = path,
                              .kind = kind,
                              .access = Access::read_write,
                              .overrides = overrides_of(seclabels),
                              .why = use.why});
    }
    /// A file that the daemon opens: QEMU gets it as /dev/fdset/N. The set has the descriptor's own number,
    /// so that sets need no counter.
    std::string fdset(const std::string& role, OpenedFile file) {
        const auto symbol = use.alias + "-" + role;
        KeyValues item{};
        item.add("set", fd_symbol(symbol)).add("fd", fd_symbol(symbol)).add("opaque", symbol);
        out.items.push_back({"add-fd", item.text(), use.why});
        out.descriptors.push_back({symbol, std::move(file), use.why});
        return "/dev/fdset/" + fd_symbol(symbol);
    }
    bool logged_by_daemon() const { return context.conf.stdio_handler == "logd"; }
};

void add_reconnect(KeyValues& item, const std::optional<Reconnect>& reconnect) {
    if (!reconnect) return;
    if (reconnect->enabled == YesNo::yes)
        item.add("reconnect", std::to_string(reconnect->timeout.value_or(0)));
    else
        item.add("reconnect", "0");
}

Result<KeyValues> file_item(Builder& b, const FileChardev& file) {
    const auto source = file.source.value_or(FileSource{});
    auto item = b.head("file");
    const auto path = source.path.value_or("");
    if (b.logged_by_daemon()) {
        item.add("path", b.fdset("source", {.path = path,
                                            .access = Access::read_write,
                                            .append = true,
                                            .create = true,
                                            .truncate = source.append != Switch::on}));
        item.add("append", "on");
    } else {
        item.add("path", path);
        if (source.append) item.add("append", names<Switch>.text(*source.append));
        b.grant(path, Kind::file, source.seclabels);
    }
    return item;
}

Result<KeyValues> pipe_item(Builder& b, const PipeChardev& pipe) {
    const auto source = pipe.source.value_or(PathSource{});
    const auto path = source.path.value_or("");
    auto item = b.head("pipe");
    item.add("path", path);
    // QEMU takes PATH.in and PATH.out where they exist, and PATH for both ways otherwise
    const auto& known = b.context.facts.paths;
    const auto there = [&](const std::string& p) {
        const auto found = known.find(p);
        return found != known.end() && found->second.kind != PathKind::absent;
    };
    if (there(path + ".in") && there(path + ".out")) {
        b.grant(path + ".in", Kind::fifo, source.seclabels);
        b.grant(path + ".out", Kind::fifo, source.seclabels);
    } else {
        b.grant(path, Kind::fifo, source.seclabels);
    }
    return item;
}

Result<KeyValues> udp_item(Builder& b, const UdpChardev& udp) {
    UdpSource to, from;
    for (const auto& source : udp.sources) (source.mode == SocketMode::bind ? from : to) = source;
    auto item = b.head("udp");
    item.add("host", to.host.value_or("")).add("port", to.service.value_or(""));
    item.add("localaddr", from.host.value_or("")).add("localport", from.service.value_or("0"));
    return item;
}

Result<KeyValues> tcp_item(Builder& b, const TcpChardev& tcp) {
    const auto source = tcp.source.value_or(TcpSource{});
    const bool server = source.mode == SocketMode::bind;
    const bool tls = source.tls ? source.tls == YesNo::yes : b.context.conf.chardev_tls;
    auto item = b.head("socket");
    item.add("host", source.host.value_or("")).add("port", source.service.value_or(""));
    if (tcp.protocol && tcp.protocol->type == ChardevProtocol::telnet) item.add("telnet", "on");
    if (server)
        item.add("server", "on").add("wait", "off");
    else
        add_reconnect(item, source.reconnect);
    if (tls) {
        const auto& conf = b.context.conf;
        const auto creds = "obj" + b.id + "_tls0";
        TRY(add_tls_credentials(
            b.out,
            {.id = creds,
             .directory = conf.chardev_tls_x509_cert_dir.value_or(
                 conf.default_tls_x509_cert_dir.value_or(std::string(default_tls_directory))),
             .server = server,
             .verify = !server ||
                       conf.chardev_tls_x509_verify.value_or(conf.default_tls_x509_verify.value_or(true)),
             .secret = conf.chardev_tls_x509_secret_uuid ? conf.chardev_tls_x509_secret_uuid
                                                         : conf.default_tls_x509_secret_uuid,
             .secret_id = b.id + "-secret0",
             .why = b.use.why},
            b.context));
        item.add("tls-creds", creds);
    }
    return item;
}

Result<KeyValues> unix_item(Builder& b, const UnixChardev& local) {
    const auto source = local.source.value_or(UnixSource{});
    const auto path = source.path.value_or("");
    auto item = b.head("socket");
    if (source.mode == SocketMode::bind) {
        b.out.descriptors.push_back({b.id, ListenSocket{.path = path, .guest_owned = true}, b.use.why});
        item.add("fd", fd_symbol(b.id)).add("server", "on").add("wait", "off");
    } else {
        item.add("path", path);
        add_reconnect(item, source.reconnect);
        b.grant(path, Kind::socket, source.seclabels);
    }
    return item;
}

Result<KeyValues> vdagent_item(Builder& b, const VdagentChardev& agent) {
    auto item = b.head("qemu-vdagent");
    item.add("name", b.use.spice_name);
    if (agent.source && agent.source->clipboard)
        item.add("clipboard", agent.source->clipboard->copypaste == YesNo::yes ? "on" : "off");
    if (agent.source && agent.source->mouse)
        item.add("mouse", agent.source->mouse->mode == MouseMode::client ? "on" : "off");
    return item;
}

Result<KeyValues> port_item(Builder& b, std::string_view backend,
                            const std::optional<ChannelSource>& source) {
    auto item = b.head(backend);
    item.add("name", source ? source->channel.value_or("") : "");
    return item;
}

Result<KeyValues> chardev_item(Builder& b, const Chardev& chardev) {
    return std::visit(overload{
                          [&](const std::monostate&) -> Result<KeyValues> { return b.head("pty"); },
                          [&](const NullChardev&) -> Result<KeyValues> { return b.head("null"); },
                          [&](const VcChardev&) -> Result<KeyValues> { return b.head("vc"); },
                          [&](const PtyChardev&) -> Result<KeyValues> { return b.head("pty"); },
                          [&](const StdioChardev&) -> Result<KeyValues> { return b.head("stdio"); },
                          [&](const DevChardev& c) -> Result<KeyValues> {
                              const auto source = c.source.value_or(PathSource{});
                              auto item = b.head(b.use.parallel ? "parport" : "tty");
                              item.add("path", source.path.value_or(""));
                              b.grant(source.path.value_or(""), Kind::char_device, source.seclabels);
                              return item;
                          },
                          [&](const FileChardev& c) { return file_item(b, c); },
                          [&](const PipeChardev& c) { return pipe_item(b, c); },
                          [&](const UdpChardev& c) { return udp_item(b, c); },
                          [&](const TcpChardev& c) { return tcp_item(b, c); },
                          [&](const UnixChardev& c) { return unix_item(b, c); },
                          [&](const SpiceVmcChardev&) -> Result<KeyValues> {
                              auto item = b.head("spicevmc");
                              item.add("name", b.use.spice_name);
                              return item;
                          },
                          [&](const SpicePortChardev& c) { return port_item(b, "spiceport", c.source); },
                          [&](const VdagentChardev& c) { return vdagent_item(b, c); },
                          [&](const DbusChardev& c) { return port_item(b, "dbus", c.source); },
                      },
                      chardev.how);
}

} // namespace

std::string id_of(const DeviceInfo& info, std::string_view prefix, unsigned index) {
    if (info.alias) return info.alias->name;
    return std::string(prefix) + std::to_string(index);
}

void add_port(boost::json::object& props, const DeviceInfo& info, const Domain& domain) {
    const auto* port = address_of<VirtioSerialAddress>(info);
    if (!port) return;
    const auto controller =
        controller_id(domain, ControllerType::virtio_serial, port->controller.value_or(0));
    props["bus"] = controller + "." + std::to_string(port->bus.value_or(0));
    props["nr"] = port->port.value_or(0);
}

std::vector<LabelOverride> overrides_of(const std::vector<DeviceSecLabel>& seclabels) {
    std::vector<LabelOverride> out;
    for (const auto& s : seclabels)
        out.push_back({.model = s.model.value_or(""), .relabel = s.relabel != YesNo::no, .label = s.label});
    return out;
}

Result<> add_chardev(DevicePlan& out, const Chardev& chardev, const std::optional<ChardevLog>& log,
                     const ChardevUse& use, const PlanContext& context) {
    Builder b{out, use, context};
    auto item = TRY(chardev_item(b, chardev));
    if (log) {
        if (b.logged_by_daemon()) {
            item.add("logfile", b.fdset("log", {.path = log->file,
                                                .access = Access::read_write,
                                                .append = true,
                                                .create = true,
                                                .truncate = log->append != Switch::on}));
            item.add("logappend", "on");
        } else {
            item.add("logfile", log->file);
            if (log->append) item.add("logappend", names<Switch>.text(*log->append));
            b.grant(log->file, Kind::file, {});
        }
    }
    out.items.push_back({"chardev", item.text(), use.why});
    return {};
}

void complete_chardev(Chardev& chardev) {
    if (std::holds_alternative<std::monostate>(chardev.how)) chardev.how = PtyChardev{};
    if (auto* tcp = std::get_if<TcpChardev>(&chardev.how)) {
        if (tcp->source && !tcp->source->mode) tcp->source->mode = SocketMode::connect;
        if (!tcp->protocol) tcp->protocol = Protocol{};
    }
    if (auto* local = std::get_if<UnixChardev>(&chardev.how))
        if (local->source && local->source->path && !local->source->mode)
            local->source->mode = SocketMode::connect;
    if (auto* udp = std::get_if<UdpChardev>(&chardev.how)) {
        for (auto& source : udp->sources)
            if (!source.mode) source.mode = SocketMode::connect;
        if (udp->sources.size() == 2 && udp->sources[1].mode == SocketMode::bind &&
            udp->sources[0].mode == SocketMode::connect)
            std::swap(udp->sources[0], udp->sources[1]);
    }
}

Result<> check_chardev(const Chardev& chardev, bool may_lack_path) {
    const auto no_path = [] { return fail(Code::xml, tr("Missing source path attribute for char device")); };
    const auto no_host = [] { return fail(Code::xml, tr("Missing source host attribute for char device")); };
    const auto no_service = [] {
        return fail(Code::xml, tr("Missing source service attribute for char device"));
    };
    const auto reconnect = [](const std::optional<Reconnect>& r, std::optional<SocketMode> mode) -> Result<> {
        if (r && r->enabled == YesNo::yes && mode == SocketMode::bind)
            return fail(Code::config_unsupported, tr("chardev reconnect is possible only for connect mode"));
        return {};
    };
    return std::visit(
        overload{
            [](const auto&) -> Result<> { return {}; },
            [&](const DevChardev& c) -> Result<> {
                if (!c.source || !c.source->path) return no_path();
                return {};
            },
            [&](const FileChardev& c) -> Result<> {
                if (!c.source || !c.source->path) return no_path();
                return {};
            },
            [&](const PipeChardev& c) -> Result<> {
                if (!c.source || !c.source->path) return no_path();
                return {};
            },
            [&](const TcpChardev& c) -> Result<> {
                if (!c.source || !c.source->host) return no_host();
                if (!c.source->service) return no_service();
                if (c.protocol && (c.protocol->type == ChardevProtocol::telnets ||
                                   c.protocol->type == ChardevProtocol::tls))
                    return fail(Code::config_unsupported,
                                tr("'{0}' protocol is not supported by QEMU's sockets",
                                   names<ChardevProtocol>.text(c.protocol->type)));
                return reconnect(c.source->reconnect, c.source->mode);
            },
            [&](const UdpChardev& c) -> Result<> {
                for (const auto& source : c.sources)
                    if (source.mode != SocketMode::bind && source.service) return {};
                return no_service();
            },
            [&](const UnixChardev& c) -> Result<> {
                if (!c.source || !c.source->path) {
                    if (may_lack_path) return {};
                    return no_path();
                }
                return reconnect(c.source->reconnect, c.source->mode);
            },
            [](const SpicePortChardev& c) -> Result<> {
                if (!c.source || !c.source->channel)
                    return fail(Code::xml, tr("Missing source channel attribute for char device"));
                return {};
            },
            [](const DbusChardev& c) -> Result<> {
                if (!c.source || !c.source->channel)
                    return fail(Code::xml, tr("Missing source channel attribute for char device"));
                return {};
            },
        },
        chardev.how);
}

} // namespace cloister
