#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <fmt/format.h>

namespace cloister {

namespace {

using boost::json::object;

bool is_virtiofs(const Filesystem& fs) { return fs.driver && fs.driver->type == "virtiofs"; }

const char* security_model(AccessMode mode) {
    switch (mode) {
    case AccessMode::passthrough: return "passthrough";
    case AccessMode::mapped: return "mapped";
    case AccessMode::squash: break;
    }
    return "none";
}

Result<DevicePlan> plan_9p(const Filesystem& fs, const std::string& id, const std::string& why,
                           const PlanContext& context) {
    DevicePlan out;
    const auto path = fs.source->dir.value_or("");
    KeyValues text(fs.driver && fs.driver->type == "handle" ? "handle" : "local");
    if (text.text() == "local")
        text.add("security_model", security_model(fs.accessmode.value_or(AccessMode::passthrough)));
    if (fs.fmode) text.add("fmode", xml::Scalar<OctalMode>::write(*fs.fmode));
    if (fs.dmode) text.add("dmode", xml::Scalar<OctalMode>::write(*fs.dmode));
    if (fs.multidevs && *fs.multidevs != Multidevs::automatic)
        text.add("multidevs", names<Multidevs>.text(*fs.multidevs));
    if (fs.driver && fs.driver->wrpolicy) text.add("writeout", *fs.driver->wrpolicy);
    text.add("id", "fsdev-" + id).add("path", path);
    if (fs.readonly) text.word("readonly");
    out.items.push_back({"fsdev", text.text(), why});
    // A tree of files: owners below it are the guest's own business, so nothing of it is relabelled.
    out.grants.push_back({.path = path,
                          .kind = Kind::directory,
                          .access = fs.readonly ? Access::read : Access::read_write,
                          .sharing = Sharing::shared,
                          .keep_owner = true,
                          .why = why});
    object props{{"driver", virtio_pci_driver("virtio-9p", fs.model)}};
    if (fs.driver) add_virtio_options(props, fs.driver->virtio);
    props["id"] = id;
    props["fsdev"] = "fsdev-" + id;
    props["mount_tag"] = fs.target->dir.value_or("");
    TRY(add_address(props, fs.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

/// virtiofsd serves the directory; QEMU only knows its socket.
HelperProcess virtiofsd(const Filesystem& fs, const std::string& id, const std::string& socket,
                        const std::string& why, const PlanContext& context) {
    const auto& binary = fs.binary ? *fs.binary : FilesystemBinary{};
    std::string options = "source=" + fs.source->dir.value_or("");
    const auto flag = [&](const std::optional<Switch>& value, const char* on, const char* off) {
        if (value) options += std::string(",") + (*value == Switch::on ? on : off);
    };
    if (binary.cache && binary.cache->mode) options += ",cache=" + *binary.cache->mode;
    flag(binary.xattr, "xattr", "no_xattr");
    if (binary.lock) {
        flag(binary.lock->flock, "flock", "no_flock");
        flag(binary.lock->posix, "posix_lock", "no_posix_lock");
    }
    if (binary.sandbox && binary.sandbox->mode) options += ",sandbox=" + *binary.sandbox->mode;
    std::vector<std::string> argv{binary.path.value_or("/usr/lib/qemu/virtiofsd"), "--socket-path=" + socket,
                                  "-o", options};
    if (binary.thread_pool && binary.thread_pool->size)
        argv.push_back(fmt::format("--thread-pool-size={}", *binary.thread_pool->size));
    if (context.conf.virtiofsd_debug) argv.emplace_back("-d");
    return {.name = "virtiofsd-" + id, .argv = std::move(argv), .socket = socket, .why = why};
}

Result<DevicePlan> plan_virtiofs(const Filesystem& fs, const std::string& id, const std::string& why,
                                 const PlanContext& context) {
    DevicePlan out;
    const bool external = fs.source->socket.has_value();
    const auto socket =
        external ? *fs.source->socket : fmt::format("{}/{}-fs.sock", context.paths.state_dir, id);
    if (!external) out.helpers.push_back(virtiofsd(fs, id, socket, why, context));
    if (external)
        out.grants.push_back({.path = socket,
                              .kind = Kind::socket,
                              .access = Access::read_write,
                              .sharing = Sharing::shared,
                              .why = why});
    KeyValues chardev("socket");
    chardev.add("id", "chr-vu-" + id).add("path", socket);
    out.items.push_back({"chardev", chardev.text(), why});
    object props{{"driver", virtio_pci_driver("vhost-user-fs", fs.model)}};
    if (fs.driver) add_virtio_options(props, fs.driver->virtio);
    props["id"] = id;
    props["chardev"] = "chr-vu-" + id;
    if (fs.driver && fs.driver->queue) props["queue-size"] = *fs.driver->queue;
    props["tag"] = fs.target->dir.value_or("");
    if (fs.info.boot) add_boot_index(props, fs.info.boot->order);
    TRY(add_address(props, fs.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

/// A vhost-user device reads the guest's memory: it must be shared.
bool has_shared_memory(const Domain& domain) {
    if (domain.memory_backing && domain.memory_backing->access &&
        domain.memory_backing->access->mode == "shared")
        return true;
    if (domain.cpu && domain.cpu->numa && !domain.cpu->numa->cells.empty()) {
        for (const auto& cell : domain.cpu->numa->cells)
            if (cell.access != MemoryAccess::shared) return false;
        return true;
    }
    return false;
}

} // namespace

template <> void complete(Filesystem& fs, const CompleteContext&) {
    if (!fs.type) fs.type = FilesystemType::mount;
    if (!fs.accessmode) fs.accessmode = AccessMode::passthrough;
    if (fs.multidevs == Multidevs::automatic) fs.multidevs.reset();
    if (fs.driver && fs.driver->queue == 0u) fs.driver->queue.reset();
}

template <> Result<> check(const Filesystem& fs, const CompleteContext& context) {
    if (fs.type.value_or(FilesystemType::mount) != FilesystemType::mount)
        return fail(Code::config_unsupported, tr("only supports mount filesystem type"));
    if (!fs.source || !(fs.source->dir || fs.source->socket)) return fail(Code::no_source, {});
    if (!fs.target || !fs.target->dir) return fail(Code::no_target, fs.source->dir.value_or(""));
    if (is_virtiofs(fs)) {
        if (fs.accessmode && *fs.accessmode != AccessMode::passthrough)
            return fail(Code::config_unsupported, tr("virtiofs only supports passthrough accessmode"));
        if (fs.readonly)
            return fail(Code::config_unsupported, tr("virtiofs does not yet support read-only mode"));
        if (fs.driver->wrpolicy)
            return fail(Code::config_unsupported, tr("virtiofs does not support wrpolicy"));
        if (fs.fmode || fs.dmode)
            return fail(Code::config_unsupported, tr("virtiofs does not support fmode and dmode"));
        if (!has_shared_memory(context.domain))
            return fail(Code::config_unsupported, tr("virtiofs requires shared memory"));
        return {};
    }
    if ((fs.fmode || fs.dmode) && fs.accessmode.value_or(AccessMode::passthrough) != AccessMode::mapped)
        return fail(Code::config_unsupported, tr("fmode and dmode must be used with accessmode=mapped"));
    if (fs.info.boot) return fail(Code::config_unsupported, tr("boot order is only supported for virtiofs"));
    return {};
}

template <> Result<DevicePlan> plan(const Filesystem& fs, const PlanContext& context) {
    const auto id = id_of(fs.info, "fs", context.index);
    const auto why = "filesystem " + id;
    if (!fs.source || !fs.target) return fail(Code::internal, tr("filesystem '{0}' has no source", id));
    return is_virtiofs(fs) ? plan_virtiofs(fs, id, why, context) : plan_9p(fs, id, why, context);
}

} // namespace cloister
