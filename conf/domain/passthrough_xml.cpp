#include "conf/domain/passthrough_xml.hpp"

#include "conf/base/names.hpp"
#include "conf/base/tr.hpp"

namespace cloister {

template <> inline constexpr auto names<OverrideType> =
    make_names<OverrideType>({"string", "signed", "unsigned", "bool", "remove"});
static_assert(names<OverrideType>.covers(OverrideType::remove));

namespace {

bool ours(const xml::Node& node, std::string_view name) {
    return node.kind == xml::Node::Kind::element && node.ns == passthrough_ns && node.name == name;
}
template <class F> Result<> each(const xml::Node& parent, std::string_view name, F&& f) {
    for (const auto& c : parent.children)
        if (ours(c, name)) TRY(f(c));
    return {};
}
std::unexpected<Error> wrong(std::string message) {
    auto error = fail(Code::internal, std::move(message));
    error.error().domain = ErrorDomain::qemu;
    return error;
}

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

Result<PassthroughEnv> read_env(const xml::Node& node) {
    const auto* name = node.attribute("name");
    if (!name) return wrong(tr("No qemu environment name specified"));
    if (name->empty()) return wrong(tr("Empty qemu environment name specified"));
    if (!letter(name->front()))
        return wrong(tr("Invalid environment name, it must begin with a letter or underscore"));
    for (const char c : *name)
        if (!letter(c) && !digit(c))
            return wrong(tr("Invalid environment name, it must contain only alphanumerics and underscore"));
    PassthroughEnv env{.name = *name};
    if (const auto* value = node.attribute("value")) env.value = *value;
    return env;
}

Result<std::string> capability(const xml::Node& node) {
    const auto* name = node.attribute("capability");
    if (!name) return wrong(tr("missing capability name"));
    return *name;
}

Result<OverrideProperty> read_property(const xml::Node& node) {
    const auto* name = node.attribute("name");
    if (!name || name->empty()) return wrong(tr("missing or empty 'name' attribute of <qemu:property>"));
    if (*name == "id") return wrong(tr("property 'id' can't be overridden"));
    const auto* type = node.attribute("type");
    const auto known = type ? names<OverrideType>.value(*type) : std::nullopt;
    if (!known) return wrong(tr("invalid 'type' attribute of <qemu:property name='{0}'>", *name));
    OverrideProperty property{.name = *name, .type = *known};
    const auto* value = node.attribute("value");
    if (*known != OverrideType::remove) {
        if (!value) return wrong(tr("missing 'value' attribute of <qemu:property name='{0}'>", *name));
        property.value = *value;
    }
    return property;
}

Result<> read_frontend(const xml::Node& node, OverrideDevice& out) {
    return each(node, "property", [&](const xml::Node& p) -> Result<> {
        out.properties.push_back(TRY(read_property(p)));
        return {};
    });
}
Result<> read_override(const xml::Node& node, Passthrough& out) {
    return each(node, "device", [&](const xml::Node& n) -> Result<> {
        const auto* alias = n.attribute("alias");
        if (!alias || alias->empty()) return wrong(tr("missing device alias in <qemu:device>"));
        auto& device = out.overrides.emplace_back(OverrideDevice{.alias = *alias});
        return each(n, "frontend",
                    [&](const xml::Node& frontend) { return read_frontend(frontend, device); });
    });
}

Result<> read_commandline(const xml::Node& line, Passthrough& out) {
    auto done = each(line, "arg", [&](const xml::Node& n) -> Result<> {
        const auto* value = n.attribute("value");
        if (!value) return wrong(tr("No qemu command-line argument specified"));
        out.args.push_back(*value);
        return {};
    });
    if (!done) return done;
    return each(line, "env", [&](const xml::Node& n) -> Result<> {
        out.envs.push_back(TRY(read_env(n)));
        return {};
    });
}
Result<> read_capabilities(const xml::Node& caps, Passthrough& out) {
    auto done = each(caps, "add", [&](const xml::Node& n) -> Result<> {
        out.capabilities_add.push_back(TRY(capability(n)));
        return {};
    });
    if (!done) return done;
    return each(caps, "del", [&](const xml::Node& n) -> Result<> {
        out.capabilities_del.push_back(TRY(capability(n)));
        return {};
    });
}

xml::Node element_named(const char* name) { return {.name = name, .ns = passthrough_ns, .prefix = "qemu"}; }
xml::Node& add(xml::Node& parent, const char* name) {
    parent.children.push_back(element_named(name));
    return parent.children.back();
}

} // namespace

Result<Passthrough> read_passthrough(const xml::Node& domain) {
    Passthrough out;
    for (const auto& c : domain.children) {
        if (ours(c, "commandline")) TRY(read_commandline(c, out));
        if (ours(c, "capabilities")) TRY(read_capabilities(c, out));
        if (ours(c, "override")) TRY(read_override(c, out));
        if (const auto* behavior = ours(c, "deprecation") ? c.attribute("behavior") : nullptr)
            out.deprecation = *behavior;
    }
    return out;
}

void write_passthrough(const Passthrough& p, xml::Node& domain) {
    if (p.empty()) return;
    domain.declarations.push_back({.name = "qemu", .value = passthrough_ns});
    if (!p.args.empty() || !p.envs.empty()) {
        auto& line = add(domain, "commandline");
        for (const auto& arg : p.args) add(line, "arg").set("value", arg);
        for (const auto& env : p.envs) {
            auto& node = add(line, "env").set("name", env.name);
            if (env.value) node.set("value", *env.value);
        }
    }
    if (!p.capabilities_add.empty() || !p.capabilities_del.empty()) {
        auto& caps = add(domain, "capabilities");
        for (const auto& name : p.capabilities_add) add(caps, "add").set("capability", name);
        for (const auto& name : p.capabilities_del) add(caps, "del").set("capability", name);
    }
    if (!p.overrides.empty()) {
        auto& override = add(domain, "override");
        for (const auto& device : p.overrides) {
            auto& frontend = add(add(override, "device").set("alias", device.alias), "frontend");
            for (const auto& property : device.properties) {
                auto& node = add(frontend, "property").set("name", property.name);
                node.set("type", std::string(names<OverrideType>.text(property.type)));
                if (property.value) node.set("value", *property.value);
            }
        }
    }
    if (p.deprecation) add(domain, "deprecation").set("behavior", *p.deprecation);
}

} // namespace cloister
