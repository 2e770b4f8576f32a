#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

constexpr std::string_view default_source = "/dev/urandom";

std::optional<std::string> model_text(RngModel model) {
    if (model == RngModel::virtio) return std::nullopt;
    return std::string(names<RngModel>.text(model));
}

} // namespace

template <> void complete<Rng>(Rng& rng, const CompleteContext&) {
    if (auto* random = std::get_if<RngRandom>(&rng.backend); random && !random->path)
        random->path = std::string(default_source);
    if (auto* egd = std::get_if<RngEgd>(&rng.backend)) complete_chardev(egd->chardev);
}

template <> Result<> check<Rng>(const Rng& rng, const CompleteContext&) {
    if (const auto* random = std::get_if<RngRandom>(&rng.backend);
        random && random->path && !random->path->starts_with('/'))
        return fail(Code::xml, tr("invalid file backend path for RNG device: '{0}'", *random->path));
    const auto* egd = std::get_if<RngEgd>(&rng.backend);
    if (!egd) return {};
    const auto& how = egd->chardev.how;
    if (std::holds_alternative<std::monostate>(how)) return fail(Code::xml, tr("missing EGD backend type"));
    if (const auto* udp = std::get_if<UdpChardev>(&how); udp && udp->sources.empty())
        return fail(Code::xml, tr("missing source for EGD backend"));
    if (!std::holds_alternative<TcpChardev>(how) && !std::holds_alternative<UdpChardev>(how) &&
        !std::holds_alternative<UnixChardev>(how) && !std::holds_alternative<PipeChardev>(how) &&
        !std::holds_alternative<DevChardev>(how) && !std::holds_alternative<FileChardev>(how))
        return fail(Code::config_unsupported, tr("unknown backend type for EGD"));
    return check_chardev(egd->chardev);
}

template <> Result<DevicePlan> plan<Rng>(const Rng& rng, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(rng.info, "rng", context.index);
    const auto why = "rng " + id;
    const auto object = "obj" + id;
    TRY(std::visit(
        overload{
            [&](const RngRandom& random) -> Result<> {
                const auto path = random.path.value_or(std::string(default_source));
                out.items.push_back(
                    {"object",
                     boost::json::object{{"qom-type", "rng-random"}, {"id", object}, {"filename", path}},
                     why});
                out.grants.push_back({.path = path,
                                      .kind = Kind::char_device,
                                      .access = Access::read,
                                      .sharing = Sharing::shared,
                                      .why = why});
                return {};
            },
            [&](const RngEgd& egd) -> Result<> {
                TRY(add_chardev(out, egd.chardev, std::nullopt, {.alias = id, .why = why}, context));
                out.items.push_back(
                    {"object",
                     boost::json::object{{"qom-type", "rng-egd"}, {"id", object}, {"chardev", "char" + id}},
                     why});
                return {};
            },
            [&](const RngBuiltin&) -> Result<> {
                if (!context.caps.has_type("rng-builtin"))
                    return fail(Code::config_unsupported,
                                tr("rng-builtin is not supported by this QEMU binary"));
                out.items.push_back(
                    {"object", boost::json::object{{"qom-type", "rng-builtin"}, {"id", object}}, why});
                return {};
            },
        },
        rng.backend));
    const auto driver = virtio_pci_driver("virtio-rng", model_text(rng.model));
    if (!context.caps.has_type(driver))
        return fail(Code::config_unsupported, tr("'{0}' is not supported in this QEMU binary", driver));
    boost::json::object props{{"driver", driver}};
    if (rng.driver) add_virtio_options(props, rng.driver->options);
    props["rng"] = object;
    props["id"] = id;
    if (rng.rate) {
        props["max-bytes"] = rng.rate->bytes;
        props["period"] = rng.rate->period_ms.value_or(1000);
    }
    TRY(add_address(props, rng.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
