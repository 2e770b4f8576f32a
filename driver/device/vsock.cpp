#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

std::optional<std::string> model_text(const Vsock& vsock) {
    if (!vsock.model || vsock.model == VsockModel::virtio) return std::nullopt;
    return std::string(names<VsockModel>.text(*vsock.model));
}

} // namespace

template <> void complete<Vsock>(Vsock& vsock, const CompleteContext&) {
    if (!vsock.model) vsock.model = VsockModel::virtio;
    auto& cid = vsock.cid ? *vsock.cid : vsock.cid.emplace();
    if (!cid.automatic) cid.automatic = cid.address ? YesNo::no : YesNo::yes;
}

template <> Result<> check<Vsock>(const Vsock& vsock, const CompleteContext&) {
    if (vsock.cid && vsock.cid->automatic == YesNo::no && !vsock.cid->address)
        return fail(Code::xml, tr("guest CID must be >= 3"));
    if (vsock.cid && vsock.cid->address && *vsock.cid->address < 3)
        return fail(Code::xml, tr("guest CID must be >= 3"));
    return {};
}

template <> Result<DevicePlan> plan<Vsock>(const Vsock& vsock, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(vsock.info, "vsock", context.index);
    const auto why = "vsock " + id;
    const auto driver = virtio_pci_driver("vhost-vsock", model_text(vsock));
    if (!context.caps.has_type(driver))
        return fail(Code::config_unsupported, tr("vsock device is not supported with this QEMU binary"));
    // an automatic CID is taken from the kernel before planning, like every other number that must be unique
    const bool automatic = !vsock.cid || vsock.cid->automatic != YesNo::no;
    std::uint32_t cid = vsock.cid ? vsock.cid->address.value_or(0) : 0;
    if (automatic && context.index < context.reserved.vsock_cids.size())
        cid = context.reserved.vsock_cids[context.index];
    boost::json::object props{{"driver", driver}};
    if (vsock.driver) add_virtio_options(props, vsock.driver->options);
    props["id"] = id;
    props["guest-cid"] = cid;
    props["vhostfd"] = fd_symbol(id);
    TRY(add_address(props, vsock.info, context.domain));
    out.descriptors.push_back({id, VhostVsock{.cid = cid}, why});
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
