#include "driver/neighbours.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "conf/text/xml_node.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/parts.hpp"

namespace cloister {
namespace {

Result<std::string> bridge_in(const std::string& xml, const std::string& name) {
    const auto node = TRY(xml::read(xml, "(network_definition)"));
    const auto* bridge = node.child("bridge");
    const auto* device = bridge ? bridge->attribute("name") : nullptr;
    if (device) return *device;
    return fail(Code::config_unsupported,
                tr("network '{0}' has no bridge: only networks with a bridge are supported", name));
}

Result<VolumeFact> volume_in(const std::string& xml, const std::string& name) {
    const auto node = TRY(xml::read(xml, "(volume_definition)"));
    const auto* type = node.attribute("type");
    const auto* target = node.child("target");
    const auto* path = target ? target->child("path") : nullptr;
    if (!path || !path->text.starts_with('/') || (type && (*type == "network" || *type == "netdir")))
        return fail(Code::config_unsupported, tr("volume '{0}' is not on this host", name));
    VolumeFact out{.kind = PathKind::file, .path = path->text};
    if (type && *type == "block") out.kind = PathKind::block_device;
    if (type && (*type == "dir" || *type == "ploop")) out.kind = PathKind::directory;
    return out;
}

} // namespace

void use_neighbours(Driver& driver, std::shared_ptr<Neighbours> neighbours) {
    driver.parts().neighbours = std::move(neighbours);
}

boost::asio::awaitable<Result<std::string>> path_of_volume(Driver& driver, std::string pool,
                                                           std::string name) {
    const auto neighbours = driver.parts().neighbours;
    if (!neighbours) co_return fail(Code::no_support, tr("no daemon of libvirt serves this"));
    CO_TRY(xml, co_await neighbours->volume(std::move(pool), name));
    CO_TRY(fact, volume_in(xml, name));
    co_return std::move(fact.path);
}

boost::asio::awaitable<Result<HostFacts>> known_to_neighbours(Driver& driver,
                                                              std::shared_ptr<const Domain> domain) {
    HostFacts out;
    const auto neighbours = driver.parts().neighbours;
    if (!neighbours) co_return out; // planning says what is missing
    for (const auto* nic : devices_of<Interface>(*domain)) {
        if (nic->type != InterfaceType::network || !nic->source || !nic->source->network) continue;
        const auto& name = *nic->source->network;
        if (out.networks.contains(name)) continue;
        auto xml = co_await neighbours->network(name);
        if (!xml && xml.error().code == Code::no_support) continue; // likewise
        CO_CHECK(xml);
        CO_TRY(bridge, bridge_in(*xml, name));
        out.networks[name] = bridge;
    }
    for (const auto* disk : devices_of<Disk>(*domain)) {
        if (!disk->source || !disk->source->pool || !disk->source->volume) continue;
        const auto &pool = *disk->source->pool, &volume = *disk->source->volume;
        const auto key = pool + "/" + volume;
        if (out.volumes.contains(key)) continue;
        auto xml = co_await neighbours->volume(pool, volume);
        if (!xml && xml.error().code == Code::no_support) continue;
        CO_CHECK(xml);
        CO_TRY(fact, volume_in(*xml, volume));
        out.volumes[key] = fact;
    }
    co_return out;
}

} // namespace cloister
