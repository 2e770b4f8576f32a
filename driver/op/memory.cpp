#include "driver/op/memory.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/define.hpp"
#include "driver/op/find.hpp"
#include "driver/qmp/client.hpp"
#include "driver/stop.hpp"

namespace cloister {

namespace {

namespace json = boost::json;

constexpr std::uint32_t maximum = 4;

std::uint64_t kib_of(const std::optional<MemorySize>& size) { return size ? size->kib : 0; }

void set_kib(std::optional<MemorySize>& size, std::uint64_t kib) {
    if (!size) size.emplace();
    size->kib = kib;
}

Memballoon* balloon_of(Domain& domain) {
    for (auto* balloon : devices_of<Memballoon>(domain))
        if (balloon->model != BalloonModel::none) return balloon;
    return nullptr;
}

/// A copy to be changed; the old value stays as it is for whoever reads it.
Domain copy_of(const std::shared_ptr<const Domain>& domain) { return *domain; }

std::shared_ptr<const Domain> frozen(Domain domain) {
    return std::make_shared<const Domain>(std::move(domain));
}

Task<Result<>> set_memory(Call call, call::DomainHandle handle, std::uint64_t kib, std::uint32_t flags) {
    CO_CHECK(check_flags(flags, affect_live | affect_config | maximum, "qemuDomainSetMemoryFlags"));
    CO_TRY(guest, find(call, handle));
    CO_TRY(turn, co_await change(guest, "virDomainSetMemoryFlags"));
    CO_TRY(where, affect(*guest, flags));
    if (flags & maximum) {
        if (where.live)
            co_return refuse(Code::operation_invalid,
                             tr("cannot resize the maximum memory on an active domain"));
        auto next = copy_of(guest->definition);
        set_kib(next.memory, kib);
        if (kib_of(next.current_memory) > kib) set_kib(next.current_memory, kib);
        co_return co_await store_definition(*call.driver, guest, frozen(std::move(next)));
    }
    const auto too_much = [&](const Domain& domain) { return kib > kib_of(domain.memory); };
    if ((where.live && too_much(*guest->live)) || (where.config && too_much(*guest->definition)))
        co_return refuse(Code::invalid_arg, tr("cannot set memory higher than max memory"));
    if (where.live) {
        auto live = copy_of(guest->live);
        if (!balloon_of(live))
            co_return refuse(
                Code::operation_invalid,
                tr("Unable to change memory of active domain without the balloon device and guest "
                   "OS balloon driver"));
        CO_TRY(monitor, need_monitor(*guest));
        json::object target{{"value", kib * 1024}};
        CO_TRY(done, co_await monitor->execute("balloon", std::move(target)));
    }
    if (where.config) {
        auto next = copy_of(guest->definition);
        set_kib(next.current_memory, kib);
        CO_CHECK(co_await store_definition(*call.driver, guest, frozen(std::move(next))));
    }
    co_return Result<>{};
}

} // namespace

Task<Result<DomainGetMaxMemory::Out>> DomainGetMaxMemory::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    co_return Out{kib_of(guest->current()->memory)};
}

Task<Result<DomainSetMaxMemory::Out>> DomainSetMaxMemory::run(Call call, In in) {
    CO_CHECK(co_await set_memory(std::move(call), std::move(in.dom), in.memory, maximum));
    co_return Out{};
}
Task<Result<DomainSetMemory::Out>> DomainSetMemory::run(Call call, In in) {
    CO_CHECK(co_await set_memory(std::move(call), std::move(in.dom), in.memory, affect_live));
    co_return Out{};
}
Task<Result<DomainSetMemoryFlags::Out>> DomainSetMemoryFlags::run(Call call, In in) {
    CO_CHECK(co_await set_memory(std::move(call), std::move(in.dom), in.memory, in.flags));
    co_return Out{};
}

Task<Result<DomainSetMemoryStatsPeriod::Out>> DomainSetMemoryStatsPeriod::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, affect_live | affect_config, "qemuDomainSetMemoryStatsPeriod"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(turn, co_await change(guest, "virDomainSetMemoryStatsPeriod"));
    CO_TRY(where, affect(*guest, in.flags));
    if (in.period < 0) co_return refuse(Code::invalid_arg, tr("invalid value for collection period"));
    const auto none = [] {
        return refuse(Code::operation_invalid, tr("Memory balloon model must be virtio to set the collection "
                                                  "period"));
    };
    const auto set_period = [&](Memballoon& balloon) {
        balloon.stats.reset();
        if (in.period > 0) balloon.stats = BalloonStats{.period = in.period};
    };
    std::shared_ptr<const Domain> stored;
    if (where.config) {
        auto next = copy_of(guest->definition);
        auto* balloon = balloon_of(next);
        if (!balloon) co_return none();
        set_period(*balloon);
        stored = frozen(std::move(next));
    }
    if (where.live) {
        auto next = copy_of(guest->live);
        auto* balloon = balloon_of(next);
        if (!balloon || !balloon->info.alias) co_return none();
        set_period(*balloon);
        const auto path = "/machine/peripheral/" + balloon->info.alias->name;
        CO_TRY(monitor, need_monitor(*guest));
        json::object setting{
            {"path", path}, {"property", "guest-stats-polling-interval"}, {"value", in.period}};
        CO_TRY(done, co_await monitor->execute("qom-set", std::move(setting)));
        if (guest->running) {
            guest->live = frozen(std::move(next));
            co_await status_saved(call.driver, guest);
        }
    }
    if (stored) CO_CHECK(co_await store_definition(*call.driver, guest, stored));
    co_return Out{};
}

} // namespace cloister
