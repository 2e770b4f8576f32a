#include "driver/plan/paths_of_interest.hpp"

#include "conf/base/overload.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/image_chain.hpp"
#include "driver/plan/graphics_ports.hpp"

#include <algorithm>

namespace cloister {

namespace {

class Paths {
public:
    void add(const std::string& path) {
        if (path.starts_with('/') && std::ranges::find(out_, path) == out_.end()) out_.push_back(path);
    }
    void add(const std::optional<std::string>& path) {
        if (path) add(*path);
    }
    std::vector<std::string> take() { return std::move(out_); }

private:
    std::vector<std::string> out_{};
};

void add_source(Paths& paths, const Source& source) {
    paths.add(source.file);
    paths.add(source.dev);
    paths.add(source.dir);
    paths.add(source.path);
}
void add_chain(Paths& paths, const BackingStore& layer) {
    if (layer.source) add_source(paths, *layer.source);
    for (const auto& below : layer.below) add_chain(paths, below);
}
template <class S> void add_path(Paths& paths, const std::optional<S>& source) {
    if (source) paths.add(source->path);
}
void add_chardev(Paths& paths, const Chardev& chardev) {
    std::visit(overload{
                   [&](const DevChardev& c) { add_path(paths, c.source); },
                   [&](const FileChardev& c) { add_path(paths, c.source); },
                   [&](const UnixChardev& c) { add_path(paths, c.source); },
                   [&](const PipeChardev& c) {
                       if (!c.source || !c.source->path) return;
                       paths.add(*c.source->path);
                       paths.add(*c.source->path + ".in");
                       paths.add(*c.source->path + ".out");
                   },
                   [](const auto&) {},
               },
               chardev.how);
}

void add_device(Paths& paths, const Device& device) {
    std::visit(overload{
                   [&](const Disk& d) {
                       if (d.source) add_source(paths, *d.source);
                       if (d.backing_store) add_chain(paths, *d.backing_store);
                   },
                   [&](const Interface& i) {
                       if (i.source) paths.add(i.source->path);
                       if (i.source) paths.add(i.source->dev);
                       paths.add(std::string("/dev/vhost-net"));
                   },
                   [&](const Filesystem& f) {
                       if (!f.source) return;
                       paths.add(f.source->dir);
                       paths.add(f.source->socket);
                   },
                   [&](const Serial& c) { add_chardev(paths, c.chardev); },
                   [&](const Parallel& c) { add_chardev(paths, c.chardev); },
                   [&](const Console& c) { add_chardev(paths, c.chardev); },
                   [&](const Channel& c) { add_chardev(paths, c.chardev); },
                   [&](const Redirdev& c) { add_chardev(paths, c.chardev); },
                   [&](const Smartcard& c) {
                       if (const auto* p = std::get_if<SmartcardPassthrough>(&c.mode))
                           add_chardev(paths, p->chardev);
                   },
                   [&](const Rng& r) {
                       if (const auto* random = std::get_if<RngRandom>(&r.backend)) paths.add(random->path);
                       if (const auto* egd = std::get_if<RngEgd>(&r.backend))
                           add_chardev(paths, egd->chardev);
                   },
                   [&](const Input& i) {
                       if (!i.source) return;
                       paths.add(i.source->evdev);
                       paths.add(i.source->dev);
                   },
                   [&](const Tpm& t) {
                       if (const auto* p = std::get_if<TpmPassthrough>(&t.backend))
                           paths.add(p->device ? p->device->path.value_or("/dev/tpm0") : "/dev/tpm0");
                   },
                   [&](const MemoryModule& m) {
                       if (m.source) paths.add(m.source->path);
                   },
                   [&](const Shmem& s) { paths.add("/dev/shm/" + s.name); },
                   [](const auto&) {},
               },
               device);
}

void note_secret(std::vector<std::string>& out, const SecretRef& secret, std::string_view usage_type) {
    if (secret.uuid)
        out.push_back("uuid:" + printed(*secret.uuid));
    else if (secret.usage)
        out.push_back("usage:" + std::string(usage_type) + ":" + *secret.usage);
}
void note_secrets(std::vector<std::string>& out, const Source& source) {
    if (source.auth) note_secret(out, source.auth->secret, source.auth->secret.type);
    if (source.encryption)
        for (const auto& secret : source.encryption->secrets) note_secret(out, secret, "volume");
}

} // namespace

std::vector<std::string> paths_of_interest(const Domain& domain, const QemuConf&) {
    Paths paths;
    paths.add(domain.devices.emulator);
    const auto& os = domain.os;
    for (const auto& path : {os.kernel, os.initrd, os.dtb}) paths.add(path);
    if (os.loader) paths.add(os.loader->path);
    if (os.nvram) {
        paths.add(os.nvram->path);
        paths.add(os.nvram->template_path);
        if (os.nvram->source) add_source(paths, *os.nvram->source);
    }
    if (os.acpi)
        for (const auto& table : os.acpi->tables) paths.add(table.path);
    for (const auto& sysinfo : domain.sysinfo)
        for (const auto& entry : sysinfo.entries) paths.add(entry.file);
    for (const auto& device : domain.devices.list) add_device(paths, device);
    return paths.take();
}

std::vector<ImageOfInterest> images_of_interest(const Domain& domain) {
    std::vector<ImageOfInterest> out;
    for (const auto* disk : devices_of<Disk>(domain)) {
        const auto chain = images(*disk);
        for (const auto& image : chain) {
            if (!image.source || image.type == SourceType::dir) continue; // a folder has no header
            const auto* path = local_path(image.type, *image.source);
            const bool alone = chain_ends(*disk) || &image != &chain.back();
            if (path) out.push_back({*path, std::string(image.format), alone});
        }
    }
    return out;
}

std::vector<std::string> identities_of_interest(const Domain& domain, const QemuConf& conf) {
    std::vector<std::string> out;
    for (const auto* tpm : devices_of<Tpm>(domain))
        if (std::holds_alternative<TpmEmulator>(tpm->backend))
            out.push_back(conf.swtpm_user + ":" + conf.swtpm_group);
    for (const auto& label : domain.seclabels)
        if (label.model == "dac" && label.type == SecLabelType::static_ && label.label)
            out.push_back(*label.label);
    return out;
}

std::vector<std::string> secrets_of_interest(const Domain& domain, const QemuConf& conf) {
    std::vector<std::string> out;
    const auto note_uuid = [&](const std::optional<std::string>& uuid) {
        if (uuid) out.push_back("uuid:" + *uuid);
    };
    for (const auto* disk : devices_of<Disk>(domain)) {
        if (disk->auth) note_secret(out, disk->auth->secret, disk->auth->secret.type);
        if (disk->encryption)
            for (const auto& secret : disk->encryption->secrets) note_secret(out, secret, "volume");
        for (const auto& image : images(*disk))
            if (image.source) note_secrets(out, *image.source);
    }
    for (const auto* hostdev : devices_of<Hostdev>(domain))
        if (const auto* scsi = std::get_if<ScsiHostdev>(&hostdev->host);
            scsi && scsi->source && scsi->source->auth)
            note_secret(out, scsi->source->auth->secret, scsi->source->auth->secret.type);
    for (const auto* tpm : devices_of<Tpm>(domain))
        if (const auto* emulator = std::get_if<TpmEmulator>(&tpm->backend); emulator && emulator->encryption)
            out.push_back("uuid:" + printed(emulator->encryption->secret));
    if (domain.os.nvram && domain.os.nvram->source) note_secrets(out, *domain.os.nvram->source);
    note_uuid(conf.default_tls_x509_secret_uuid);
    note_uuid(conf.vnc_tls_x509_secret_uuid);
    note_uuid(conf.chardev_tls_x509_secret_uuid);
    note_uuid(conf.nbd_tls_x509_secret_uuid);
    note_uuid(conf.vxhs_tls_x509_secret_uuid);
    std::ranges::sort(out);
    out.erase(std::ranges::unique(out).begin(), out.end());
    return out;
}

std::vector<PortNeed> ports_needed(const Domain& domain, const QemuConf& conf) {
    std::vector<PortNeed> out;
    const auto address = [](const std::vector<Listen>& listens, const std::string& configured) {
        return listens.empty() ? configured : listens.front().address.value_or(configured);
    };
    for (const auto* graphics : devices_of<Graphics>(domain)) {
        if (const auto* vnc = std::get_if<Vnc>(&graphics->kind)) {
            const auto where = address(vnc->listens, conf.vnc_listen);
            if (vnc_port_needed(*vnc, conf)) out.push_back({PortNeed::Range::display, where});
            if (vnc_websocket_needed(*vnc, conf)) out.push_back({PortNeed::Range::websocket, where});
        }
        if (const auto* spice = std::get_if<Spice>(&graphics->kind)) {
            const auto need = spice_ports_needed(*spice, conf);
            const auto where = address(spice->listens, conf.spice_listen);
            if (need.plain) out.push_back({PortNeed::Range::display, where});
            if (need.tls) out.push_back({PortNeed::Range::display, where});
        }
    }
    return out;
}

unsigned taps_needed(const Domain& domain) {
    unsigned n = 0;
    for_each<Interface>(domain, [&](const Interface& i) {
        if (tap_needed(i)) ++n;
    });
    return n;
}
unsigned vsock_cids_needed(const Domain& domain) {
    unsigned n = 0;
    for_each<Vsock>(domain, [&](const Vsock& v) {
        if (v.cid && v.cid->automatic == YesNo::yes) ++n;
    });
    return n;
}

bool wants_host_devices(const Domain& domain) {
    return std::ranges::any_of(domain.devices.list, [](const Device& device) {
        const auto* disk = std::get_if<Disk>(&device);
        return std::holds_alternative<Hostdev>(device) || (disk && disk->type == SourceType::nvme);
    });
}

} // namespace cloister
