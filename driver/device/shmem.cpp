#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <bit>
#include <boost/json/value.hpp>

namespace cloister {

namespace {

ShmemModelType type_of(const Shmem& shmem) {
    if (shmem.model) return shmem.model->type;
    return shmem.server ? ShmemModelType::ivshmem_doorbell : ShmemModelType::ivshmem_plain;
}

} // namespace

template <> void complete<Shmem>(Shmem& shmem, const CompleteContext&) {
    if (!shmem.model) shmem.model = ShmemModel{.type = ShmemModelType::ivshmem};
    if (shmem.model->type != ShmemModelType::ivshmem_doorbell && !shmem.size) shmem.size = MibSize{.mib = 4};
}

template <> Result<> check<Shmem>(const Shmem& shmem, const CompleteContext&) {
    if (shmem.name.find('/') != std::string::npos)
        return fail(Code::xml, tr("shmem name cannot include '/' character"));
    if (shmem.name.empty() || shmem.name == "." || shmem.name == "..")
        return fail(Code::xml, tr("shmem name cannot be '{0}'", shmem.name));
    if (shmem.size && (shmem.size->mib < 1 || !std::has_single_bit(shmem.size->mib)))
        return fail(Code::xml, tr("shmem size must be a power of 2"));
    if (shmem.msi && !shmem.server) return fail(Code::xml, tr("msi option is only supported with a server"));
    switch (type_of(shmem)) {
    case ShmemModelType::ivshmem:
    case ShmemModelType::ivshmem_plain: break;
    case ShmemModelType::ivshmem_doorbell:
        if (shmem.size)
            return fail(Code::config_unsupported, tr("shmem size should be set for 'ivshmem-plain' only"));
        break;
    }
    return {};
}

template <> Result<DevicePlan> plan<Shmem>(const Shmem& shmem, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(shmem.info, "shmem", context.index);
    const auto why = "shmem " + id;
    const auto type = type_of(shmem);
    const std::string driver(names<ShmemModelType>.text(type));
    if (type == ShmemModelType::ivshmem || !context.caps.has_type(driver))
        return fail(Code::config_unsupported,
                    tr("shmem model '{0}' is not supported by this QEMU binary", driver));
    boost::json::object props{{"driver", driver}, {"id", id}};
    if (type == ShmemModelType::ivshmem_plain) {
        const auto path = "/dev/shm/" + shmem.name;
        out.items.push_back({"object",
                             boost::json::object{{"qom-type", "memory-backend-file"},
                                                 {"id", "shmmem-" + id},
                                                 {"mem-path", path},
                                                 {"size", (shmem.size ? shmem.size->mib : 4) << 20},
                                                 {"share", true}},
                             why});
        // the first guest makes it; it is not ours to give away, so owner and label stay
        out.grants.push_back({.path = path,
                              .access = Access::read_write,
                              .sharing = Sharing::shared,
                              .keep_owner = true,
                              .optional = true,
                              .why = why});
        props["memdev"] = "shmmem-" + id;
        if (shmem.role) props["master"] = shmem.role == ShmemRole::master ? "on" : "off";
    } else {
        const auto path = shmem.server && shmem.server->path
                              ? *shmem.server->path
                              : "/var/lib/libvirt/shmem-" + shmem.name + "-sock";
        const auto chardev = "char" + id;
        out.items.push_back(
            {"chardev", KeyValues{"socket"}.add("id", chardev).add("path", path).text(), why});
        out.grants.push_back({.path = path,
                              .kind = Kind::socket,
                              .access = Access::read_write,
                              .sharing = Sharing::shared,
                              .why = why});
        props["chardev"] = chardev;
        if (shmem.msi && shmem.msi->vectors) props["vectors"] = *shmem.msi->vectors;
        if (shmem.msi && shmem.msi->ioeventfd) props["ioeventfd"] = shmem.msi->ioeventfd == Switch::on;
        if (shmem.role) props["master"] = shmem.role == ShmemRole::master ? "on" : "off";
    }
    TRY(add_address(props, shmem.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
