#include "driver/op/list.hpp"

#include "driver/op/find.hpp"
#include "driver/op/identity.hpp"

#include <algorithm>

namespace cloister {

namespace {

/// One group of filter bits: when any of them is set, the domain must fit one that is set.
struct Fits {
    std::uint32_t bit;
    bool fits;
};
bool passes(std::uint32_t flags, std::initializer_list<Fits> group) {
    bool asked = false;
    for (const auto& [bit, fits] : group) {
        if (!(flags & bit)) continue;
        if (fits) return true;
        asked = true;
    }
    return !asked;
}

} // namespace

bool listed(const Guest& guest, std::uint32_t flags) {
    const auto state = guest.status.state;
    const bool running = state == State::running, paused = state == State::paused,
               shutoff = state == State::shutoff;
    return passes(flags, {{1, guest.active()}, {2, !guest.active()}}) &&
           passes(flags, {{4, guest.persistent}, {8, !guest.persistent}}) &&
           passes(flags,
                  {{16, running}, {32, paused}, {64, shutoff}, {128, !running && !paused && !shutoff}}) &&
           passes(flags, {{256, false}, {512, true}}) &&
           passes(flags, {{1024, guest.autostart}, {2048, !guest.autostart}}) &&
           passes(flags, {{4096, false}, {8192, true}}) && passes(flags, {{16384, false}, {32768, true}});
}

namespace {

std::size_t bounded(std::int32_t most) { return most < 0 ? 0 : static_cast<std::size_t>(most); }

/// What the caller may see of everything that is there.
Task<Registry::All> seen(Call call) {
    auto all = call.driver->registry().all();
    co_return co_await visible(std::move(call), std::move(all));
}

} // namespace

Task<Result<DomainLookupById::Out>> DomainLookupById::run(Call call, In in) {
    CO_TRY(guest, call.driver->registry().find(in.id));
    co_return Out{handle(*guest)};
}
Task<Result<DomainLookupByName::Out>> DomainLookupByName::run(Call call, In in) {
    CO_TRY(guest, call.driver->registry().find(in.name.value));
    co_return Out{handle(*guest)};
}
Task<Result<DomainLookupByUuid::Out>> DomainLookupByUuid::run(Call call, In in) {
    CO_TRY(guest, call.driver->registry().find(Uuid{in.uuid}));
    co_return Out{handle(*guest)};
}

Task<Result<ConnectListAllDomains::Out>> ConnectListAllDomains::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0xffff, "qemuConnectListAllDomains"));
    Out out;
    const auto all = co_await seen(std::move(call));
    if (in.need_results) out.domains.items.reserve(all->size());
    for (const auto& guest : *all) {
        if (!listed(*guest, in.flags)) continue;
        ++out.ret;
        if (in.need_results) out.domains.items.push_back(handle(*guest));
    }
    co_return out;
}

Task<Result<ConnectListDomains::Out>> ConnectListDomains::run(Call call, In in) {
    Out out;
    const auto all = co_await seen(std::move(call));
    for (const auto& guest : *all)
        if (guest->active() && out.ids.items.size() < bounded(in.maxids))
            out.ids.items.push_back(guest->id());
    co_return out;
}
Task<Result<ConnectNumOfDomains::Out>> ConnectNumOfDomains::run(Call call, In) {
    const auto all = co_await seen(std::move(call));
    co_return Out{static_cast<std::int32_t>(
        std::count_if(all->begin(), all->end(), [](const auto& guest) { return guest->active(); }))};
}
Task<Result<ConnectListDefinedDomains::Out>> ConnectListDefinedDomains::run(Call call, In in) {
    Out out;
    const auto all = co_await seen(std::move(call));
    for (const auto& guest : *all)
        if (!guest->active() && out.names.items.size() < bounded(in.maxnames))
            out.names.items.push_back({guest->name});
    co_return out;
}
Task<Result<ConnectNumOfDefinedDomains::Out>> ConnectNumOfDefinedDomains::run(Call call, In) {
    const auto all = co_await seen(std::move(call));
    co_return Out{static_cast<std::int32_t>(
        std::count_if(all->begin(), all->end(), [](const auto& guest) { return !guest->active(); }))};
}

} // namespace cloister
