#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <fmt/format.h>

namespace cloister {

namespace {

constexpr std::string_view default_database = "/etc/pki/nssdb";

Result<boost::json::object> emulated(const SmartcardCertificates& card, DevicePlan& out,
                                     const std::string& why) {
    boost::json::object props{{"driver", "ccid-card-emulated"}, {"backend", "certificates"}};
    for (std::size_t i = 0; i < card.certificates.size() && i < 3; ++i)
        props[fmt::format("cert{}", i + 1)] = card.certificates[i];
    const auto database = card.database.value_or(std::string(default_database));
    props["db"] = database;
    out.grants.push_back({.path = database,
                          .kind = Kind::directory,
                          .access = Access::read,
                          .sharing = Sharing::shared,
                          .keep_owner = true,
                          .why = why});
    return props;
}

} // namespace

template <> void complete(Smartcard& device, const CompleteContext&) {
    if (auto* pass = std::get_if<SmartcardPassthrough>(&device.mode)) complete_chardev(pass->chardev);
}

template <> Result<> check(const Smartcard& device, const CompleteContext&) {
    if (const auto* card = std::get_if<SmartcardCertificates>(&device.mode)) {
        if (card->certificates.size() != 3)
            return fail(Code::xml, tr("host-certificates mode needs exactly three certificates"));
        if (card->database && !card->database->starts_with('/'))
            return fail(Code::xml, tr("expecting absolute path: {0}", *card->database));
    }
    if (const auto* pass = std::get_if<SmartcardPassthrough>(&device.mode))
        return check_chardev(pass->chardev);
    return {};
}

template <> Result<DevicePlan> plan(const Smartcard& device, const PlanContext& context) {
    const auto id = id_of(device.info, "smartcard", context.index);
    const auto why = "smartcard " + id;
    DevicePlan out;
    auto props = TRY(std::visit(
        overload{
            [](const SmartcardHost&) -> Result<boost::json::object> {
                return boost::json::object{{"driver", "ccid-card-emulated"}, {"backend", "nss-emulated"}};
            },
            [&](const SmartcardCertificates& card) { return emulated(card, out, why); },
            [&](const SmartcardPassthrough& pass) -> Result<boost::json::object> {
                TRY(add_chardev(out, pass.chardev, {}, {.alias = id, .why = why, .spice_name = "smartcard"},
                                context));
                return boost::json::object{{"driver", "ccid-card-passthru"}, {"chardev", "char" + id}};
            },
        },
        device.mode));
    const std::string driver(props["driver"].as_string());
    if (!context.caps.has_type(driver))
        return fail(Code::config_unsupported,
                    tr("this QEMU binary lacks smartcard support: it has no '{0}'", driver));
    props["id"] = id;
    TRY(add_address(props, device.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
