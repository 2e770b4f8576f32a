#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

template <> void complete<Crypto>(Crypto&, const CompleteContext&) {}

template <> Result<> check<Crypto>(const Crypto&, const CompleteContext&) { return {}; }

template <> Result<DevicePlan> plan<Crypto>(const Crypto& crypto, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(crypto.info, "crypto", context.index);
    const auto why = "crypto " + id;
    const auto object = "obj" + id;
    const auto backend =
        "cryptodev-backend-" + std::string(names<CryptoBackendModel>.text(crypto.backend.model));
    for (const auto& type :
         {std::string("cryptodev-backend-builtin"), std::string("virtio-crypto-pci"), backend})
        if (!context.caps.has_type(type))
            return fail(Code::config_unsupported, tr("'{0}' is not supported in this QEMU binary", type));
    boost::json::object props{{"qom-type", backend}, {"id", object}};
    if (crypto.backend.queues) props["queues"] = *crypto.backend.queues;
    out.items.push_back({"object", std::move(props), why});
    boost::json::object device{{"driver", "virtio-crypto-pci"}};
    if (crypto.driver) add_virtio_options(device, crypto.driver->options);
    device["cryptodev"] = object;
    device["id"] = id;
    TRY(add_address(device, crypto.info, context.domain));
    out.items.push_back({"device", std::move(device), why});
    return out;
}

} // namespace cloister
