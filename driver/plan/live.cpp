#include "driver/plan/live.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/channel.hpp"
#include "driver/device/image_chain.hpp"
#include "driver/plan/alias.hpp"
#include "driver/plan/firmware.hpp"
#include "driver/plan/graphics_ports.hpp"
#include "driver/plan/mac.hpp"
#include "driver/plan/parts.hpp"
#include "driver/plan/usb.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

namespace cloister {

namespace {

/// Takes what was reserved, one after the other.
template <class T> class Supply {
public:
    explicit Supply(const std::vector<T>& all) : all_(all) {}
    Result<T> next(const char* what) {
        if (at_ >= all_.size())
            return fail(Code::internal, tr("too few reserved {0}: {1}", what, all_.size()));
        return all_[at_++];
    }

private:
    const std::vector<T>& all_;
    std::size_t at_ = 0;
};

struct Supplies {
    Supply<std::uint16_t> displays, websockets;
    Supply<std::string> taps;
    Supply<std::uint32_t> cids;
};

void place_listens(std::vector<Listen>& listens, const std::string& configured, const std::string& socket,
                   bool prefer_socket) {
    if (listens.empty()) listens.push_back({});
    auto& listen = listens.front();
    if (prefer_socket && listen.type == ListenType::address && !listen.address)
        listen.type = ListenType::socket;
    switch (listen.type) {
    case ListenType::address:
    case ListenType::network:
        if (!listen.address) {
            listen.address = configured;
            listen.from_config = YesNo::yes;
        }
        break;
    case ListenType::socket:
        if (!listen.socket) {
            listen.socket = socket;
            listen.auto_generated = YesNo::yes;
        }
        break;
    case ListenType::none: break;
    }
}

Result<> place_graphics(Graphics& graphics, Supplies& supplies, const QemuConf& conf,
                        const LaunchPaths& paths) {
    return std::visit(overload{
                          [&](Vnc& vnc) -> Result<> {
                              if (vnc_port_needed(vnc, conf))
                                  vnc.port = TRY(supplies.displays.next("display ports"));
                              if (vnc_websocket_needed(vnc, conf))
                                  vnc.websocket = TRY(supplies.websockets.next("websocket ports"));
                              place_listens(vnc.listens, conf.vnc_listen, paths.state_dir + "/vnc.sock",
                                            conf.vnc_auto_unix_socket);
                              return {};
                          },
                          [&](Spice& spice) -> Result<> {
                              const auto need = spice_ports_needed(spice, conf);
                              if (need.tls && !conf.spice_tls)
                                  return fail(Code::config_unsupported,
                                              tr("Auto allocation of spice TLS port requested but "
                                                 "spice TLS is disabled in qemu.conf"));
                              if (need.plain) spice.port = TRY(supplies.displays.next("display ports"));
                              if (need.tls) spice.tls_port = TRY(supplies.displays.next("display ports"));
                              place_listens(spice.listens, conf.spice_listen, paths.state_dir + "/spice.sock",
                                            conf.spice_auto_unix_socket);
                              return {};
                          },
                          [](auto&) -> Result<> { return {}; },
                      },
                      graphics.kind);
}

Result<> place_devices(Domain& live, const Reserved& reserved, const QemuConf& conf,
                       const LaunchPaths& paths) {
    Supplies supplies{Supply(reserved.display_ports), Supply(reserved.websocket_ports), Supply(reserved.taps),
                      Supply(reserved.vsock_cids)};
    for (auto& device : live.devices.list) {
        if (auto* graphics = std::get_if<Graphics>(&device))
            TRY(place_graphics(*graphics, supplies, conf, paths));
        if (auto* interface = std::get_if<Interface>(&device); interface && tap_needed(*interface)) {
            if (!interface->target) interface->target.emplace();
            interface->target->dev = TRY(supplies.taps.next("tap names"));
        }
        if (auto* channel = std::get_if<Channel>(&device))
            if (const auto path = automatic_path(*channel, paths)) {
                auto& socket = std::get<UnixChardev>(channel->chardev.how);
                if (!socket.source) socket.source.emplace();
                socket.source->path = *path;
                socket.source->mode = SocketMode::bind;
            }
        if (auto* vsock = std::get_if<Vsock>(&device);
            vsock && vsock->cid && vsock->cid->automatic == YesNo::yes && !reserved.vsock_cids.empty())
            vsock->cid->address = TRY(supplies.cids.next("vsock addresses"));
    }
    return {};
}

/// The mandatory one first, as the models are stacked.
Result<> label_for_mac(Domain& live, const QemuConf& conf, const HostFacts& facts, const Reserved& reserved) {
    const auto labels = TRY(mac_labels(live, conf, facts, reserved));
    if (labels.process.empty()) return {};
    const auto& image = labels.model == "apparmor" ? labels.process : labels.image;
    auto own =
        std::ranges::find_if(live.seclabels, [&](const SecLabel& l) { return l.model == labels.model; });
    if (own == live.seclabels.end())
        own = live.seclabels.insert(live.seclabels.begin(), SecLabel{.type = SecLabelType::dynamic,
                                                                     .model = std::string(labels.model),
                                                                     .relabel = YesNo::yes});
    own->label = labels.process;
    if (labels.relabel) own->imagelabel = image;
    return {};
}

void label(Domain& live, const QemuConf& conf, const HostFacts& facts) {
    if (conf.security_driver && conf.security_driver->empty()) return;
    if (!facts.emulator_ids || !facts.privileged) return;
    const auto own = std::ranges::find_if(live.seclabels, [](const SecLabel& l) { return l.model == "dac"; });
    const auto text = fmt::format("+{}:+{}", facts.emulator_ids->uid, facts.emulator_ids->gid);
    if (own == live.seclabels.end()) {
        const bool none = std::ranges::any_of(live.seclabels, [](const SecLabel& l) {
            return l.type == SecLabelType::none && (!l.model || l.model == "none");
        });
        if (!conf.security_default_confined || none) return;
        live.seclabels.push_back({.type = SecLabelType::dynamic,
                                  .model = "dac",
                                  .relabel = YesNo::yes,
                                  .label = text,
                                  .imagelabel = text});
        return;
    }
    if (own->type == SecLabelType::dynamic && !own->label) own->label = own->imagelabel = text;
    if (own->type == SecLabelType::static_ && own->relabel == YesNo::yes && !own->imagelabel)
        own->imagelabel = own->label;
}

/// QEMU takes whole MiB: the running guest says what it got.
void align_memory(Domain& live) {
    if (!live.memory) return;
    std::uint64_t modules = 0;
    for_each<MemoryModule>(live, [&](MemoryModule& m) {
        if (!m.target || !m.target->size) return;
        auto& kib = m.target->size->kib;
        if (m.model == MemoryModel::dimm) kib = (kib + 1023) / 1024 * 1024;
        modules += kib;
    });
    const bool all = live.current_memory && live.current_memory->kib == live.memory->kib;
    if (live.cpu && live.cpu->numa)
        for (auto& cell : live.cpu->numa->cells) cell.memory_kib = (cell.memory_kib + 1023) / 1024 * 1024;
    live.memory->kib = initial_memory_kib(live) + modules;
    if (all) live.current_memory->kib = live.memory->kib;
}

/// Errors: config_unsupported for what no alignment can mend, and for a NUMA node that the host has not.
Result<> check_start(const Domain& live, const HostFacts& facts) {
    if (live.cpu && live.cpu->numa)
        for (std::uint32_t i = 0; i < live.cpu->numa->cells.size(); ++i) {
            const auto& cell = live.cpu->numa->cells[i];
            if (cell.memory_kib > (UINT64_MAX >> 10) - 1024)
                return fail(
                    Code::config_unsupported,
                    tr("memory size of NUMA node '{0}' overflowed after alignment", cell.id.value_or(i)));
        }
    const auto there = [&](const CpuSet& nodes) -> Result<> {
        for (const auto node : nodes.cpus)
            if (std::ranges::find(facts.numa_nodes, node) == facts.numa_nodes.end())
                return fail(Code::config_unsupported, tr("NUMA node {0} is unavailable", node));
        return {};
    };
    if (!live.numatune) return {};
    if (live.numatune->memory && live.numatune->memory->nodeset) TRY(there(*live.numatune->memory->nodeset));
    for (const auto& node : live.numatune->nodes) TRY(there(node.nodeset));
    return {};
}

} // namespace

std::string launch_folder_name(int id, std::string_view name) {
    // cut between characters of UTF-8, never inside one
    auto end = std::min<std::size_t>(name.size(), 20);
    while (end > 0 && end < name.size() && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    return fmt::format("domain-{}-{}", id, name.substr(0, end));
}

LaunchPaths launch_paths(const Folders& folders, const Domain& domain, int id) {
    const auto own = launch_folder_name(id, domain.name);
    const auto uuid = domain.uuid ? printed(*domain.uuid) : domain.name;
    LaunchPaths paths;
    paths.state_dir = folders.state + "/" + own;
    paths.channel_dir = folders.state + "/channel/target/" + own;
    paths.monitor = folders.runtime + "/monitor/" + own + "/monitor.sock";
    paths.log = folders.log + "/" + domain.name + ".log";
    paths.master_key = paths.state_dir + "/master-key.aes";
    paths.tpm_state = folders.state + "/swtpm/" + uuid;
    paths.tpm_log = paths.tpm_state + "/swtpm.log"; // where swtpm's own user may write
    return paths;
}

Result<Domain> live_copy(const Domain& domain, const QemuCaps&, const QemuConf& conf, const HostFacts& facts,
                         const Reserved& reserved, const LaunchPaths& paths, const Folders& folders) {
    Domain live = domain;
    live.id = reserved.id;
    TRY(check_start(live, facts));
    TRY(choose_firmware(live, conf, facts, folders));
    if (!live.resource) live.resource.emplace();
    if (!live.resource->partition) live.resource->partition = "/machine";
    align_memory(live);
    TRY(assign_usb_addresses(live)); // a definition stored by others may leave them to the start
    assign_aliases(live);
    TRY(place_devices(live, reserved, conf, paths));
    prepare_disks(live, facts);
    TRY(label_for_mac(live, conf, facts, reserved));
    label(live, conf, facts);
    return live;
}

} // namespace cloister
