#include "conf/domain/domain_xml.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/device_codec.hpp"
#include "conf/domain/domain_parts.hpp"
#include "conf/domain/passthrough_xml.hpp"

#include <algorithm>

namespace cloister {
namespace {

bool takes_name(std::string_view name, const xml::Node* child) { return child && name == "name"; }
bool takes_metadata(std::string_view name, const xml::Node* child) { return child && name == "metadata"; }
bool takes_devices(std::string_view name, const xml::Node* child) { return child && name == "devices"; }

// ---- metadata: kept as it is, one element per namespace -----------------------------------

using Names = std::vector<xml::Attribute>;

bool declared(const Names& names, const std::string& prefix) {
    return std::ranges::any_of(names, [&](const xml::Attribute& d) { return d.name == prefix; });
}

/// Adds to `missing` the prefixes that `node` uses and nothing up to the metadata child declares.
void undeclared(const xml::Node& node, Names known, Names& missing) {
    known.insert(known.end(), node.declarations.begin(), node.declarations.end());
    const auto want = [&](const std::string& prefix, const std::string& ns) {
        if (!ns.empty() && prefix != "xml" && !declared(known, prefix) && !declared(missing, prefix))
            missing.push_back({.name = prefix, .value = ns});
    };
    want(node.prefix, node.ns);
    for (const auto& a : node.attributes) want(a.prefix, a.ns);
    for (const auto& c : node.children) undeclared(c, known, missing);
}

xml::Node sanitized_metadata(const xml::Node& node) {
    xml::Node out{.name = "metadata", .line = node.line};
    for (const auto& child : node.children) {
        if (child.kind != xml::Node::Kind::element || child.ns.empty()) continue;
        if (std::ranges::any_of(out.children, [&](const xml::Node& n) { return n.ns == child.ns; })) continue;
        auto& kept = out.children.emplace_back(child);
        kept.verbatim = true;
        Names missing;
        undeclared(kept, {}, missing);
        kept.declarations.insert(kept.declarations.begin(), missing.begin(), missing.end());
    }
    return out;
}

Result<> read_metadata(const xml::Node& domain, Domain& out, xml::Flavour) {
    if (const auto* node = domain.child("metadata")) out.metadata = sanitized_metadata(*node);
    return {};
}
void write_metadata(const Domain& domain, xml::Node& out, const xml::Style&) {
    if (domain.metadata) out.children.push_back(*domain.metadata);
}

// ---- name ---------------------------------------------------------------------------------

Result<> read_name(const xml::Node& domain, Domain& out, xml::Flavour) {
    const auto* node = domain.child("name");
    auto missing = fail(Code::no_name, tr("missing name information"));
    missing.error().domain = ErrorDomain::domain;
    if (!node || node->text.empty()) return missing;
    if (node->text.find('/') != std::string::npos)
        return std::unexpected(xml::fault(*node, tr("name {0} cannot contain '/'", node->text)));
    if (node->text.find('\n') != std::string::npos) {
        auto bad = fail(Code::xml_detail, tr("invalid char in name: {0}", '\n'));
        bad.error().domain = ErrorDomain::xml;
        return bad;
    }
    out.name = node->text;
    return {};
}
void write_name(const Domain& domain, xml::Node& out, const xml::Style&) {
    out.add("name").text = domain.name;
}

// ---- devices ------------------------------------------------------------------------------

Result<> read_devices(const xml::Node& domain, Domain& out, xml::Flavour flavour) {
    for (const auto& devices : domain.children) {
        if (!xml::is(devices, "devices")) continue;
        for (const auto& node : devices.children) {
            if (node.kind != xml::Node::Kind::element || !node.ns.empty()) continue;
            if (node.name.find(':') != std::string::npos) continue;
            if (node.name == "emulator") {
                if (!out.devices.emulator && !node.text.empty()) out.devices.emulator = node.text;
                continue;
            }
            out.devices.list.push_back(TRY(device_from_node(node, flavour)));
        }
    }
    std::ranges::stable_sort(out.devices.list, {}, &Device::index);
    return {};
}
void write_devices(const Domain& domain, xml::Node& out, const xml::Style& style) {
    auto& devices = out.add("devices");
    if (domain.devices.emulator) devices.add("emulator").text = *domain.devices.emulator;
    for (std::size_t kind = 0; kind < std::variant_size_v<DeviceKinds>; ++kind)
        for (const auto& device : domain.devices.list)
            if (device.index() == kind) devices.children.push_back(node_of_device(device, style));
}

Error wrong_root(const xml::Node& node, const char* expected) {
    return {.code = Code::xml,
            .message = tr("expecting root element of '{0}', not '{1}'", expected, node.name),
            .domain = ErrorDomain::xml};
}

} // namespace

template <> inline constexpr auto fields<Domain> = xml::table(
    xml::attr("type", &Domain::type), xml::live(xml::attr("id", &Domain::id)),
    xml::special<Domain>(takes_name, read_name, write_name), xml::leaf("uuid", &Domain::uuid),
    xml::child("genid", &Domain::genid), xml::leaf("title", &Domain::title),
    xml::leaf("description", &Domain::description),
    xml::special<Domain>(takes_metadata, read_metadata, write_metadata),
    xml::child("maxMemory", &Domain::max_memory), xml::child("memory", &Domain::memory),
    xml::child("currentMemory", &Domain::current_memory), xml::child("blkiotune", &Domain::blkiotune),
    xml::child("memtune", &Domain::memtune), xml::child("memoryBacking", &Domain::memory_backing),
    xml::child("vcpu", &Domain::vcpu), xml::child("vcpus", &Domain::vcpus),
    xml::leaf("iothreads", &Domain::iothreads), xml::child("iothreadids", &Domain::iothreadids),
    xml::child("defaultiothread", &Domain::defaultiothread), xml::child("cputune", &Domain::cputune),
    xml::child("numatune", &Domain::numatune), xml::child("resource", &Domain::resource),
    xml::child("sysinfo", &Domain::sysinfo), xml::child("os", &Domain::os),
    xml::child("idmap", &Domain::idmap), xml::child("features", &Domain::features),
    xml::child("cpu", &Domain::cpu), xml::child("clock", &Domain::clock),
    xml::leaf("on_poweroff", &Domain::on_poweroff), xml::leaf("on_reboot", &Domain::on_reboot),
    xml::leaf("on_crash", &Domain::on_crash), xml::leaf("on_lockfailure", &Domain::on_lockfailure),
    xml::child("pm", &Domain::pm), xml::child("perf", &Domain::perf),
    xml::special<Domain>(takes_devices, read_devices, write_devices),
    xml::child("seclabel", &Domain::seclabels));

Result<Domain> domain_from_node(const xml::Node& node, xml::Flavour flavour) {
    if (node.name != "domain" || !node.ns.empty()) return std::unexpected(wrong_root(node, "domain"));
    Domain early;
    TRY(read_name(node, early, flavour)); // the reference complains of the name before all else
    const auto* os = node.child("os");
    const auto* type = os ? os->child("type") : nullptr;
    if (!type || type->text.empty())
        return std::unexpected(xml::fault(node, tr("an os <type> must be specified")));
    auto domain = TRY(xml::parse<Domain>(node, flavour));
    std::erase_if(domain.rest.children, [](const xml::Node& c) { return c.name == "commandline"; });
    domain.passthrough = TRY(read_passthrough(node));
    if (flavour == xml::Flavour::inactive)
        for (auto& label : domain.seclabels) // the next start makes another
            if (label.type.value_or(SecLabelType::dynamic) == SecLabelType::dynamic) label.label.reset();
    return domain;
}

Result<Domain> read_domain(std::string_view text, xml::Flavour flavour) {
    return domain_from_node(TRY(xml::read(text)), flavour);
}

xml::Node node_of_domain(const Domain& domain, const xml::Style& style) {
    auto node = xml::formatted(domain, "domain", style);
    write_passthrough(domain.passthrough, node);
    return node;
}
std::string print_domain(const Domain& domain, const xml::Style& style) {
    return xml::print(node_of_domain(domain, style));
}

Result<Device> read_device(std::string_view text, xml::Flavour flavour) {
    const auto node = TRY(xml::read(text, "(device_definition)"));
    auto device = TRY(device_from_node(node, flavour));
    if (std::holds_alternative<UnmodelledDevice>(device))
        return fail(Code::xml, tr("unknown device type '{0}'", node.name));
    return device;
}
std::string print_device(const Device& device, const xml::Style& style) {
    return xml::print(node_of_device(device, style));
}

std::vector<xml::Unmodelled> unmodelled(const Domain& domain) {
    std::vector<xml::Unmodelled> out;
    xml::unmodelled(domain, "domain", out);
    for (const auto& device : domain.devices.list) unmodelled_in(device, out);
    return out;
}

} // namespace cloister
