#include "conf/device/graphics.hpp"

#include "conf/base/tr.hpp"

namespace cloister {

namespace {

Result<> read_number(const xml::Node& node, const char* name, std::optional<std::int32_t>& out) {
    const auto* text = node.attribute(name);
    if (!text) return {};
    out = xml::Scalar<std::int32_t>::read(*text);
    if (!out) return std::unexpected(xml::bad_value(node, name, *text));
    return {};
}

Result<> read_autoport(const xml::Node& node, std::optional<YesNo>& out) {
    const auto* text = node.attribute("autoport");
    if (!text) return {};
    out = xml::Scalar<YesNo>::read(*text);
    if (!out) return std::unexpected(xml::bad_value(node, "autoport", *text));
    return {};
}

Result<> read_listens(const xml::Node& node, std::vector<Listen>& out, bool socket_attribute) {
    const auto* socket = socket_attribute ? node.attribute("socket") : nullptr;
    const auto* address = node.attribute("listen");
    if (address && address->empty()) address = nullptr;
    for (const auto& c : node.children)
        if (xml::is(c, "listen")) out.push_back(TRY(xml::parse<Listen>(c)));
    if (out.empty()) {
        if (socket)
            out.push_back({.type = ListenType::socket, .socket = *socket});
        else if (address)
            out.push_back({.type = ListenType::address, .address = *address});
        return {};
    }
    auto& first = out.front();
    if (socket) {
        if (first.type == ListenType::socket && !first.socket)
            first.socket = *socket;
        else if (first.type == ListenType::socket && *first.socket != *socket)
            return std::unexpected(
                xml::fault(node, tr("graphics 'socket' attribute '{0}' must match 'socket' attribute of "
                                    "first listen element (found '{1}')",
                                    *socket, *first.socket)));
    }
    if (address && first.type == ListenType::address) {
        if (!first.address)
            first.address = *address;
        else if (*first.address != *address)
            return std::unexpected(
                xml::fault(node, tr("graphics 'listen' attribute '{0}' must match 'address' attribute of "
                                    "first listen element (found '{1}')",
                                    *address, *first.address)));
    }
    return {};
}

/// In a definition, what the daemon chose is not written.
bool stored(const xml::Style& style) { return style.flavour == xml::Flavour::inactive; }

std::optional<std::string> shown_address(const Listen& listen, const xml::Style& style) {
    if (listen.from_config == YesNo::yes && stored(style)) return std::nullopt;
    if (listen.type == ListenType::network && stored(style)) return std::nullopt;
    if (listen.type == ListenType::address || listen.type == ListenType::network) return listen.address;
    return std::nullopt;
}

bool by_tcp(const std::vector<Listen>& listens) {
    return listens.empty() || listens.front().type == ListenType::address ||
           listens.front().type == ListenType::network;
}

void put_listens(const std::vector<Listen>& listens, xml::Node& node, const xml::Style& style) {
    for (const auto& listen : listens) xml::format_into(listen, node.add("listen"), style);
}

} // namespace

void format_listen_address(const Listen& listen, xml::Node& node, const xml::Style& style) {
    if (const auto address = shown_address(listen, style)) node.set("address", *address);
}

Result<> read_vnc_head(const xml::Node& node, Vnc& out, xml::Flavour flavour) {
    TRY(read_number(node, "port", out.port));
    TRY(read_autoport(node, out.autoport));
    TRY(read_number(node, "websocket", out.websocket));
    if (out.autoport == YesNo::yes && (flavour == xml::Flavour::inactive || !out.port)) out.port = -1;
    TRY(read_listens(node, out.listens, true));
    if (!by_tcp(out.listens)) { // nobody listens at a port then, and none is printed
        out.port.reset();
        out.autoport.reset();
        out.websocket.reset();
    }
    return {};
}

void format_vnc_head(const Vnc& vnc, xml::Node& node, const xml::Style& style) {
    if (by_tcp(vnc.listens)) {
        const bool automatic = vnc.autoport == YesNo::yes;
        if (automatic && (stored(style) || !vnc.port))
            node.set("port", "-1");
        else if (vnc.port)
            node.set("port", std::to_string(*vnc.port));
        if (vnc.autoport) node.set("autoport", std::string(names<YesNo>.text(*vnc.autoport)));
        if (vnc.websocket) node.set("websocket", std::to_string(*vnc.websocket));
        if (!vnc.listens.empty())
            if (const auto address = shown_address(vnc.listens.front(), style)) node.set("listen", *address);
    } else if (const auto& first = vnc.listens.front(); first.type == ListenType::socket && first.socket) {
        node.set("socket", *first.socket);
    }
    put_listens(vnc.listens, node, style);
}

Result<> read_spice_head(const xml::Node& node, Spice& out, xml::Flavour flavour) {
    TRY(read_number(node, "port", out.port));
    TRY(read_number(node, "tlsPort", out.tls_port));
    TRY(read_autoport(node, out.autoport));
    if (out.autoport == YesNo::yes && flavour == xml::Flavour::inactive) {
        out.port.reset();
        out.tls_port.reset();
    }
    TRY(read_listens(node, out.listens, false));
    if (!by_tcp(out.listens)) {
        out.port.reset();
        out.tls_port.reset();
        out.autoport.reset();
    }
    return {};
}

void format_spice_head(const Spice& spice, xml::Node& node, const xml::Style& style) {
    if (by_tcp(spice.listens)) {
        const bool hidden = spice.autoport == YesNo::yes && stored(style);
        if (spice.port && !hidden) node.set("port", std::to_string(*spice.port));
        if (spice.tls_port && !hidden) node.set("tlsPort", std::to_string(*spice.tls_port));
        if (spice.autoport) node.set("autoport", std::string(names<YesNo>.text(*spice.autoport)));
        if (!spice.listens.empty())
            if (const auto address = shown_address(spice.listens.front(), style))
                node.set("listen", *address);
    }
    put_listens(spice.listens, node, style);
}

} // namespace cloister
