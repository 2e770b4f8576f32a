#include "driver/device/blockdev_network.hpp"

#include "conf/base/tr.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::array;
using boost::json::object;

std::string port_of(const SourceHost& host, std::string_view otherwise) {
    return host.port ? *host.port : std::string(otherwise);
}

/// {"type":"inet",…} or {"type":"unix",…}. Errors: config_unsupported for RDMA.
Result<object> server(const SourceHost& host, std::string_view port) {
    if (host.transport == "unix") return object{{"type", "unix"}, {"path", host.socket.value_or("")}};
    if (host.transport && *host.transport != "tcp")
        return fail(Code::config_unsupported, tr("transport '{0}' is not yet supported", *host.transport));
    return object{{"type", "inet"}, {"host", host.name.value_or("")}, {"port", port_of(host, port)}};
}

Result<const SourceHost*> only_host(const Source& source, std::string_view protocol) {
    if (source.hosts.size() != 1)
        return fail(Code::internal, tr("{0} protocol accepts only one host", protocol));
    return &source.hosts.front();
}

std::pair<std::string, std::string> split(const std::string& text, char at) {
    const auto where = text.find(at);
    if (where == std::string::npos) return {text, {}};
    return {text.substr(0, where), text.substr(where + 1)};
}

Result<object> nbd(const Source& source, const NodeNames& names, bool tls) {
    const auto* host = TRY(only_host(source, "nbd"));
    object out{{"driver", "nbd"}, {"server", TRY(server(*host, "10809"))}};
    if (source.name) out["export"] = *source.name;
    if (tls) {
        out["tls-creds"] = names.tls_creds;
        if (source.tls_hostname) out["tls-hostname"] = *source.tls_hostname;
    }
    if (source.reconnect && source.reconnect->enabled == YesNo::yes && source.reconnect->timeout)
        out["reconnect-delay"] = *source.reconnect->timeout;
    return out;
}

Result<object> rbd(const Source& source, const NodeNames& names) {
    auto [pool, image] = split(source.name.value_or(""), '/');
    if (image.empty())
        return fail(Code::config_unsupported,
                    tr("image of '{0}' is not given as 'POOL/IMAGE'", source.name.value_or("")));
    object out{{"driver", "rbd"}, {"pool", pool}};
    if (auto [ns, inner] = split(image, '/'); !inner.empty()) {
        out["namespace"] = ns;
        image = inner;
    }
    out["image"] = image;
    if (source.snapshot) out["snapshot"] = source.snapshot->name;
    if (source.config) out["conf"] = source.config->file;
    if (!source.hosts.empty()) {
        array servers;
        for (const auto& host : source.hosts)
            servers.push_back(object{{"host", host.name.value_or("")}, {"port", port_of(host, "6789")}});
        out["server"] = std::move(servers);
    }
    if (source.encryption && source.encryption->engine == EncryptionEngine::librbd)
        out["encrypt"] = object{{"format", source.encryption->format}, {"key-secret", names.key_secret}};
    if (source.auth) {
        out["user"] = source.auth->username;
        out["auth-client-required"] = array{"cephx", "none"};
        out["key-secret"] = names.auth_secret;
    }
    return out;
}

Result<object> gluster(const Source& source, unsigned debug_level) {
    const auto [volume, path] = split(source.name.value_or(""), '/');
    object out{{"driver", "gluster"}, {"volume", volume}, {"path", path}};
    array servers;
    for (const auto& host : source.hosts) servers.push_back(TRY(server(host, "24007")));
    out["server"] = std::move(servers);
    out["debug"] = debug_level;
    return out;
}

Result<object> iscsi(const Source& source, const NodeNames& names) {
    const auto* host = TRY(only_host(source, "iscsi"));
    auto [target, lun] = split(source.name.value_or(""), '/');
    int unit = 0;
    if (!lun.empty()) {
        const auto [end, ec] = std::from_chars(lun.data(), lun.data() + lun.size(), unit);
        if (ec != std::errc{} || end != lun.data() + lun.size())
            return fail(Code::internal, tr("cannot parse target for lunID '{0}'", source.name.value_or("")));
    }
    const auto name = host->name.value_or("");
    const auto portal = name.find(':') != std::string::npos
                            ? fmt::format("[{}]:{}", name, port_of(*host, "3260"))
                            : fmt::format("{}:{}", name, port_of(*host, "3260"));
    object out{
        {"driver", "iscsi"}, {"portal", portal}, {"target", target}, {"lun", unit}, {"transport", "tcp"}};
    if (source.auth) {
        out["user"] = source.auth->username;
        out["password-secret"] = names.auth_secret;
    }
    if (source.initiator) out["initiator-name"] = source.initiator->iqn.name;
    return out;
}

Result<object> web(const Source& source, const NodeNames& names, std::string_view protocol,
                   std::string_view port) {
    const auto* host = TRY(only_host(source, protocol));
    const auto path = source.name.value_or("");
    auto url = fmt::format("{}://{}:{}{}{}", protocol, host->name.value_or(""), port_of(*host, port),
                           path.starts_with('/') ? "" : "/", path);
    if (source.query) url += "?" + *source.query;
    object out{{"driver", protocol}, {"url", url}};
    if (source.auth) {
        out["username"] = source.auth->username;
        out["password-secret"] = names.auth_secret;
    }
    if (source.ssl) out["sslverify"] = source.ssl->verify == YesNo::yes;
    if (source.cookies && !source.cookies->cookies.empty()) out["cookie-secret"] = names.cookie_secret;
    if (source.readahead) out["readahead"] = source.readahead->size;
    if (source.timeout) out["timeout"] = source.timeout->seconds;
    return out;
}

/// "+N" as the number it stands for; names are resolved before planning.
Result<std::uint32_t> id_number(const std::string& text) {
    std::uint32_t id = 0;
    const auto* first = text.data() + (text.starts_with('+') ? 1 : 0);
    const auto [end, ec] = std::from_chars(first, text.data() + text.size(), id);
    if (ec != std::errc{} || end != text.data() + text.size())
        return fail(Code::config_unsupported,
                    tr("the user '{0}' of an NFS share must be given as a number", text));
    return id;
}

Result<object> nfs(const Source& source) {
    const auto* host = TRY(only_host(source, "nfs"));
    object out{{"driver", "nfs"},
               {"server", object{{"host", host->name.value_or("")}, {"type", "inet"}}},
               {"path", source.name.value_or("")}};
    if (source.identity) {
        if (source.identity->user) out["user"] = TRY(id_number(*source.identity->user));
        if (source.identity->group) out["group"] = TRY(id_number(*source.identity->group));
    }
    return out;
}

} // namespace

bool wants_tls(const Source& source, const QemuConf& conf) {
    if (source.protocol != "nbd") return false;
    return source.tls ? *source.tls == YesNo::yes : conf.nbd_tls;
}

Result<boost::json::object> network_driver(const Source& source, const NodeNames& names,
                                           const QemuConf& conf) {
    const auto protocol = source.protocol.value_or("");
    if (protocol == "nbd") return nbd(source, names, wants_tls(source, conf));
    if (protocol == "rbd") return rbd(source, names);
    if (protocol == "gluster") return gluster(source, conf.gluster_debug_level);
    if (protocol == "iscsi") return iscsi(source, names);
    if (protocol == "sheepdog") {
        const auto* host = TRY(only_host(source, protocol));
        return object{{"driver", "sheepdog"},
                      {"server", TRY(server(*host, "7000"))},
                      {"vdi", source.name.value_or("")}};
    }
    if (protocol == "http") return web(source, names, protocol, "80");
    if (protocol == "https") return web(source, names, protocol, "443");
    if (protocol == "ftp") return web(source, names, protocol, "21");
    if (protocol == "ftps") return web(source, names, protocol, "990");
    if (protocol == "nfs") return nfs(source);
    return fail(Code::config_unsupported, tr("QEMU has no driver for disks with protocol '{0}'", protocol));
}

} // namespace cloister
