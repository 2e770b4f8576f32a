#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

template <> void complete<Iommu>(Iommu& iommu, const CompleteContext&) {
    // without interrupt remapping there is no extended interrupt mode, and with it guests expect the former
    if (iommu.model == IommuModel::intel && iommu.driver && iommu.driver->eim == Switch::on &&
        !iommu.driver->intremap)
        iommu.driver->intremap = Switch::on;
}

template <> Result<> check<Iommu>(const Iommu& iommu, const CompleteContext& context) {
    switch (iommu.model) {
    case IommuModel::intel:
        if (!is_q35(context.domain))
            return fail(Code::config_unsupported,
                        tr("IOMMU device: '{0}' is only supported with Q35 machines",
                           names<IommuModel>.text(iommu.model)));
        break;
    case IommuModel::smmuv3:
        return fail(Code::config_unsupported,
                    tr("IOMMU device: '{0}' is only supported with ARM Virt machines",
                       names<IommuModel>.text(iommu.model)));
    case IommuModel::virtio:
        if (!is_q35(context.domain))
            return fail(Code::config_unsupported,
                        tr("IOMMU device: '{0}' is only supported with Q35 and ARM Virt machines",
                           names<IommuModel>.text(iommu.model)));
        if (!context.domain.features || !context.domain.features->acpi)
            return fail(Code::config_unsupported,
                        tr("IOMMU device: '{0}' requires ACPI", names<IommuModel>.text(iommu.model)));
        if (iommu.info.address && !address_of<PciAddress>(iommu.info) &&
            !std::holds_alternative<std::monostate>(iommu.info.address->where))
            return fail(Code::config_unsupported,
                        tr("IOMMU device: '{0}' needs a PCI address", names<IommuModel>.text(iommu.model)));
        if (iommu.driver && (iommu.driver->intremap || iommu.driver->caching_mode || iommu.driver->eim ||
                             iommu.driver->iotlb || iommu.driver->aw_bits))
            return fail(Code::config_unsupported,
                        tr("iommu model '{0}' doesn't support additional attributes",
                           names<IommuModel>.text(iommu.model)));
        break;
    }
    if (iommu.driver && iommu.driver->eim == Switch::on && iommu.driver->intremap == Switch::off)
        return fail(Code::config_unsupported, tr("IOMMU interrupt remapping is required for extended "
                                                 "interrupt mode"));
    return {};
}

template <> Result<DevicePlan> plan<Iommu>(const Iommu& iommu, const PlanContext& context) {
    DevicePlan out;
    const std::string why = "iommu";
    const std::string driver = iommu.model == IommuModel::virtio ? "virtio-iommu" : "intel-iommu";
    if (!context.caps.has_type(driver) && !context.caps.has_type(driver + "-pci"))
        return fail(Code::config_unsupported, tr("IOMMU device: '{0}' is not supported with this QEMU binary",
                                                 names<IommuModel>.text(iommu.model)));
    boost::json::object props{{"driver", driver}};
    if (iommu.model == IommuModel::virtio) {
        props["id"] = id_of(iommu.info, "iommu", context.index);
        TRY(add_address(props, iommu.info, context.domain));
    } else if (iommu.driver) {
        const auto& d = *iommu.driver;
        const auto text = [](Switch s) { return names<Switch>.text(s); };
        if (d.intremap) props["intremap"] = text(*d.intremap);
        if (d.caching_mode) props["caching-mode"] = d.caching_mode == Switch::on;
        if (d.eim) props["eim"] = text(*d.eim);
        if (d.iotlb) props["device-iotlb"] = d.iotlb == Switch::on;
        if (d.aw_bits) props["aw-bits"] = *d.aw_bits;
    }
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
