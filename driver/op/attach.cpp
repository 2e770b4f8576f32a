#include "driver/op/attach.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/define.hpp"
#include "driver/driver.hpp"
#include "driver/launched.hpp"
#include "driver/log.hpp"
#include "driver/naming.hpp"
#include "driver/neighbours.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/parts.hpp"
#include "driver/plan/hotplug.hpp"
#include "driver/plan/named.hpp"
#include "driver/plan/paths_of_interest.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/qmp/client.hpp"
#include "driver/reserve.hpp"
#include "driver/stop.hpp"
#include "driver/store/journal.hpp"
#include "security/dac.hpp"
#include "security/kernel/apply.hpp"
#include "security/kernel/launch.hpp"

#include <algorithm>
#include <functional>

namespace cloister {

namespace {

using namespace std::chrono_literals;

enum class Verb { attach, detach, update };

constexpr std::uint32_t force = 4;

/// What a change of one device asks the host and the driver for.
struct Asked {
    std::shared_ptr<const QemuCaps> caps{};
    HostFacts facts{};
    Reserved reserved{};
};

Task<Result<Asked>> asked(Driver* driver, GuestPointer guest, Device device, bool bounded) {
    Asked out{.caps = guest->running->caps, .reserved = guest->running->reserved};
    if (!out.caps) {
        CO_TRY(caps, co_await driver->caps(guest->live->devices.emulator.value_or("")));
        out.caps = caps;
    }
    // Only the new device is looked at with its images; the others were, when they came.
    Domain alone = *guest->live;
    alone.devices.list.clear();
    alone.devices.list.push_back(std::move(device));
    HostQuestions questions{.owners = identities_of_interest(*guest->live, driver->conf()),
                            .devices = wants_host_devices(alone)};
    if (bounded) questions.within = driver->daemon().allowed_paths;
    for (auto& path : paths_of_interest(alone, driver->conf()))
        questions.paths.push_back({std::move(path), {}});
    // The last of two questions about one file is answered: the one about its chain.
    for (auto& image : images_of_interest(alone))
        questions.paths.push_back({image.path, image.format, image.alone});
    const auto lone = std::make_shared<const Domain>(alone);
    CO_TRY(known, co_await known_to_neighbours(*driver, lone));
    CO_TRY(facts, co_await driver->facts(std::move(questions)));
    out.facts = std::move(facts);
    out.facts.networks = std::move(known.networks);
    out.facts.volumes = std::move(known.volumes);
    CO_TRY(fresh, reserve_for_show(*driver, alone));
    out.reserved.taps = std::move(fresh.taps);
    take(*driver, Reserved{.id = out.reserved.id, .taps = out.reserved.taps});
    out.reserved.random.resize(32); // the master key stays; a MAC is new
    for (const auto byte : random_bytes(16)) out.reserved.random.push_back(byte);
    co_return out;
}

Result<HotPlan> planned(Verb verb, const Guest& guest, const Device& device, const Driver& driver,
                        const Asked& asked) {
    const HotContext context{*asked.caps, driver.conf(), asked.facts, asked.reserved,
                             guest.running->plan.paths};
    switch (verb) {
    case Verb::attach: return attach_device(*guest.live, device, context);
    case Verb::detach: return detach_device(*guest.live, device, context);
    case Verb::update: break;
    }
    return update_device(*guest.live, device, context);
}

// ---- what the host gives and takes back ---------------------------------------------------

struct Given {
    std::vector<Op> done{}, undo{};
    Opened opened{};
};

/// Takes `ops` back and out of the guest's list.
Task<void> take_back(Driver* driver, GuestPointer guest, std::vector<Op> ops) {
    if (ops.empty()) co_return;
    auto work = [ops, owners = driver->parts().launch.owners] { return release(ops, *owners); };
    const auto done = co_await offload(driver->workers(), std::move(work));
    if (!done) { // it stays in the guest's list: the guest's end tries again
        log(LogLevel::warning, "taking a device's host part back: " + full_text(done.error()));
        co_return;
    }
    if (!guest->running || !guest->running->process) co_return;
    std::erase_if(guest->running->process->undo,
                  [&](const Op& op) { return std::ranges::find(ops, op) != ops.end(); });
    note_changes(guest->running->process->lowered, ops);
    auto save = [folder = driver->folders().undo, journal = journal_of(*guest, driver->parts().boot)] {
        return store::save_journal(folder, journal);
    };
    const auto saved = co_await offload(driver->workers(), std::move(save));
    if (!saved) log(LogLevel::warning, "cannot save the undo journal: " + full_text(saved.error()));
}

bool wants_host(const DevicePlan& plan) {
    return !plan.grants.empty() || !plan.descriptors.empty() || !plan.directories.empty() ||
           !plan.files.empty();
}

Task<Result<std::shared_ptr<Given>>> give(Driver* driver, GuestPointer guest, DevicePlan added) {
    auto given = std::make_shared<Given>();
    if (!wants_host(added)) co_return given;
    if (!added.helpers.empty())
        co_return refuse(Code::operation_unsupported,
                         tr("a device with a helper process cannot be added to a running guest"));
    const auto& process = guest->running->process;
    if (!process) co_return refuse(Code::operation_invalid, tr("the guest's process is not known"));
    auto work = [given, plan = guest->running->plan, added = std::move(added), id = process->process,
                 cgroups = driver->parts().launch.cgroups, owners = driver->parts().launch.owners,
                 folder = driver->folders().undo,
                 journal = journal_of(*guest, driver->parts().boot)]() -> Result<> {
        const auto tell = [&](const std::vector<Op>& ops) {
            auto whole = journal;
            whole.undo.insert(whole.undo.begin(), ops.begin(), ops.end());
            return store::save_journal(folder, whole);
        };
        auto plugged = TRY(hotplug(plan, added, id, cgroups, tell, given->opened, *owners));
        given->done = std::move(plugged.done);
        given->undo = std::move(plugged.undo);
        return {};
    };
    CO_CHECK(co_await offload(driver->workers(), std::move(work)));
    if (!guest->running || !guest->running->process) { // its own list was taken back without this
        co_await take_back(driver, guest, given->undo);
        co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    }
    auto& undo = guest->running->process->undo;
    undo.insert(undo.begin(), given->undo.begin(), given->undo.end());
    note_changes(guest->running->process->lowered, given->done);
    co_return given;
}

/// The inverses that are about these grants: what a device that was there from the start leaves behind.
std::vector<Op> about(const std::vector<Op>& undo, const std::vector<Grant>& grants,
                      const std::string& guest) {
    std::vector<Op> out;
    for (const auto& op : undo) {
        const bool fits = std::visit(
            [&](const auto& o) {
                if constexpr (requires { std::string(o.holder); }) // another device may use the same file
                    return std::ranges::any_of(
                        grants, [&](const Grant& g) { return holder_of(guest, g) == o.holder; });
                else if constexpr (requires { std::string(o.path); })
                    return std::ranges::any_of(grants, [&](const Grant& g) { return g.path == o.path; });
                else
                    return false;
            },
            op);
        if (fits) out.push_back(op);
    }
    return out;
}

/// What a removed device had: its nodes in QEMU, then what the host gave.
Task<void> clean_up(Driver* driver, GuestPointer guest, std::uint64_t run, HotPlan plan) {
    for (auto& step : plan.afterwards) {
        if (guest->run != run || !guest->running || !guest->running->monitor) co_return;
        const auto monitor = guest->running->monitor;
        const auto done = co_await monitor->execute(step.command, step.arguments);
        if (!done) log(LogLevel::warning, "removing what a device had: " + full_text(done.error()));
    }
    if (guest->run != run || !guest->running || !guest->running->process) co_return;
    auto& running = *guest->running;
    std::erase_if(running.plan.grants, [&](const Grant& g) {
        return std::ranges::any_of(plan.released,
                                   [&](const Grant& r) { return r.path == g.path && r.why == g.why; });
    });
    auto plugged = running.process->plugged.extract(plan.alias);
    auto undo = plugged.empty() ? about(running.process->undo, plan.released, running.plan.name)
                                : std::move(plugged.mapped());
    // The process without its pidfd, which is not to be copied: only what the work reads.
    auto work = [left = running.plan, lowered = running.process->lowered, undo, released = plan.released,
                 id = running.process->process, cgroups = driver->parts().launch.cgroups,
                 owners = driver->parts().launch.owners] {
        return unplug(left, lowered, undo, released, id, cgroups, *owners);
    };
    auto taken = co_await offload(driver->workers(), std::move(work));
    if (!taken) log(LogLevel::warning, "unplugging: " + full_text(taken.error()));
    auto ops = taken ? std::move(*taken) : std::move(undo);
    co_await take_back(driver, guest, std::move(ops));
    co_await status_saved(driver, guest);
}

// ---- telling QEMU -----------------------------------------------------------------------------

Task<Result<>> tell(GuestPointer guest, const std::vector<HotStep>* steps, std::shared_ptr<Given> given) {
    CO_TRY(monitor, need_monitor(*guest));
    for (std::size_t done = 0; done < steps->size(); ++done) {
        const auto& step = (*steps)[done].run;
        std::vector<int> fds;
        for (const auto& symbol : step.fds)
            if (const auto found = given->opened.find(symbol); found != given->opened.end())
                fds.push_back(found->second.n());
        auto answer = co_await monitor->execute(step.command, step.arguments, 30s, fds);
        if (answer) continue;
        for (std::size_t i = done; i-- > 0;) {
            const auto& undo = (*steps)[i].undo;
            if (!undo) continue;
            auto back = co_await monitor->execute(undo->command, undo->arguments);
            // closefd after netdev_add took the descriptor fails, and means nothing
            if (!back && undo->command != "closefd")
                log(LogLevel::warning, "taking back " + step.command + ": " + full_text(back.error()));
        }
        co_return std::unexpected(std::move(answer).error());
    }
    co_return Result<>{};
}

Task<Result<>> add_or_change(Driver* driver, GuestPointer guest, Verb verb, std::shared_ptr<HotPlan> plan) {
    const auto run = guest->run;
    CO_TRY(given, co_await give(driver, guest, plan->host));
    auto told = co_await tell(guest, &plan->steps, given);
    if (!told) {
        co_await take_back(driver, guest, given->undo);
        co_return told;
    }
    if (guest->run != run || !guest->running)
        co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    auto& running = *guest->running;
    auto& grants = running.plan.grants;
    grants.insert(grants.end(), plan->host.grants.begin(), plan->host.grants.end());
    if (verb == Verb::attach && running.process) running.process->plugged[plan->alias] = given->undo;
    guest->live = std::make_shared<const Domain>(std::move(plan->after));
    co_await status_saved(driver, guest);
    if (verb == Verb::attach) driver->events().emit(event::DeviceAdded{guest->ref(), plan->alias});
    if (!plan->afterwards.empty() || !plan->released.empty()) {
        auto rest = *plan;
        rest.alias = plan->alias + "/old-media"; // never plugged by that name: found by its paths
        co_await clean_up(driver, guest, run, std::move(rest));
    }
    co_return Result<>{};
}

Task<Result<>> remove(Driver* driver, GuestPointer guest, std::shared_ptr<HotPlan> plan) {
    const auto run = guest->run;
    const auto alias = plan->alias;
    auto& waiting = guest->running->on_removed;
    waiting[alias] = [driver, guest, run, plan] {
        spawn(driver->executor(), clean_up(driver, guest, run, *plan));
        guest->changed();
    };
    auto told = co_await tell(guest, &plan->steps, std::make_shared<Given>());
    if (!told) {
        if (guest->running && guest->run == run) guest->running->on_removed.erase(alias);
        co_return told;
    }
    // The guest decides. Whoever is not done after 5 s is told by the event.
    // Named: g++ 12 destroys what a lambda captured twice when it is made inside of a co_await.
    std::function<bool()> gone = [guest, run, alias] {
        return guest->run != run || !guest->running || !guest->running->on_removed.contains(alias);
    };
    (void)co_await guest->wait_until(std::move(gone), 5s);
    co_return Result<>{};
}

// ---- the two sides of a change ----------------------------------------------------------------

/// `named`: what a client other than root says of the host in it; absent: it is root's, or names nothing new.
Task<Result<>> change_live(Driver* driver, GuestPointer guest, Device device, Verb verb,
                           std::optional<NamedThings> named) {
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(with, co_await asked(driver, guest, device, named.has_value()));
    if (!guest->running) co_return refuse(Code::operation_failed, tr("guest unexpectedly quit"));
    CO_TRY(made, planned(verb, *guest, device, *driver, with));
    auto plan = std::make_shared<HotPlan>(std::move(made));
    if (named) plan->host.bounds = bounds(*named, with.facts, driver->daemon().allowed_paths);
    if (verb == Verb::detach) co_return co_await remove(driver, guest, plan);
    co_return co_await add_or_change(driver, guest, verb, plan);
}

std::optional<NamedThings> named_in(const std::string& xml) {
    const auto root = xml::read(xml);
    return root ? std::optional(named(*root)) : std::nullopt;
}

Task<Result<std::shared_ptr<const Domain>>> changed_config(Driver* driver, GuestPointer guest, Device device,
                                                           Verb verb) {
    const auto& before = *guest->definition;
    if (verb == Verb::detach) {
        CO_TRY(after, detach_config(before, device));
        co_return std::make_shared<const Domain>(std::move(after));
    }
    CO_TRY(caps, co_await driver->caps(before.devices.emulator.value_or("")));
    if (verb == Verb::update) {
        CO_TRY(after, update_config(*guest->definition, std::move(device), *caps, driver->conf()));
        co_return std::make_shared<const Domain>(std::move(after));
    }
    CO_TRY(facts, co_await driver->facts(HostQuestions{}));
    const auto random = random_bytes(64);
    CO_TRY(after, attach_config(*guest->definition, std::move(device), *caps, driver->conf(), facts, random));
    co_return std::make_shared<const Domain>(std::move(after));
}

Task<Result<call::Nothing>> changed(Call call, call::DomainHandle handle, std::string xml,
                                    std::uint32_t flags, Verb verb, std::string function) {
    CO_CHECK(check_flags(flags, affect_live | affect_config | (verb == Verb::update ? force : 0), function));
    if (verb != Verb::detach) CO_CHECK(co_await may_name(call, xml));
    CO_TRY(device, read_device(xml));
    CO_TRY(guest, find(call, handle));
    CO_TRY(turn, co_await change(guest, function));
    CO_TRY(where, affect(*guest, flags & (affect_live | affect_config)));
    const bool names = verb != Verb::detach && call.rights;
    std::shared_ptr<const Domain> next;
    if (where.config) {
        CO_TRY(after, co_await changed_config(call.driver, guest, device, verb));
        next = after;
        if (names && !guest->bounded) CO_CHECK(co_await may_bound(call, next));
    }
    // Named: g++ 12 destroys twice what is made inside of a co_await.
    std::optional<NamedThings> what;
    if (names) what = named_in(xml);
    if (where.live) CO_CHECK(co_await change_live(call.driver, guest, device, verb, what));
    if (next) CO_CHECK(co_await store_definition(*call.driver, guest, next, names || guest->bounded));
    co_return call::Nothing{};
}

} // namespace

Task<Result<call::Nothing>> DomainAttachDevice::run(Call call, In in) {
    return changed(std::move(call), std::move(in.dom), std::move(in.xml.value), affect_live, Verb::attach,
                   "qemuDomainAttachDevice");
}
Task<Result<call::Nothing>> DomainAttachDeviceFlags::run(Call call, In in) {
    return changed(std::move(call), std::move(in.dom), std::move(in.xml.value), in.flags, Verb::attach,
                   "qemuDomainAttachDeviceLiveAndConfig");
}
Task<Result<call::Nothing>> DomainDetachDevice::run(Call call, In in) {
    return changed(std::move(call), std::move(in.dom), std::move(in.xml.value), affect_live, Verb::detach,
                   "qemuDomainDetachDevice");
}
Task<Result<call::Nothing>> DomainDetachDeviceFlags::run(Call call, In in) {
    return changed(std::move(call), std::move(in.dom), std::move(in.xml.value), in.flags, Verb::detach,
                   "qemuDomainDetachDeviceLiveAndConfig");
}
Task<Result<call::Nothing>> DomainUpdateDeviceFlags::run(Call call, In in) {
    return changed(std::move(call), std::move(in.dom), std::move(in.xml.value), in.flags, Verb::update,
                   "qemuDomainUpdateDeviceFlags");
}

Task<Result<call::Nothing>> DomainDetachDeviceAlias::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, affect_live | affect_config, "qemuDomainDetachDeviceAlias"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(turn, co_await change(guest, "qemuDomainDetachDeviceAlias"));
    CO_TRY(where, affect(*guest, in.flags));
    const auto with_alias = [&](const Domain& domain) -> Result<Device> {
        for (const auto& device : domain.devices.list)
            if (alias_of(device) == in.alias.value) return device;
        return refuse(Code::device_missing, tr("no device found with alias {0}", in.alias.value));
    };
    std::shared_ptr<const Domain> next;
    if (where.config) {
        CO_TRY(device, with_alias(*guest->definition));
        CO_TRY(after, co_await changed_config(call.driver, guest, device, Verb::detach));
        next = after;
    }
    if (where.live) {
        CO_TRY(device, with_alias(*guest->live));
        std::optional<NamedThings> nothing;
        CO_CHECK(co_await change_live(call.driver, guest, device, Verb::detach, nothing));
    }
    if (next) CO_CHECK(co_await store_definition(*call.driver, guest, next));
    co_return call::Nothing{};
}

} // namespace cloister
