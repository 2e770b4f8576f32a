#include "driver/define.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/guest.hpp"
#include "driver/log.hpp"
#include "driver/naming.hpp"
#include "driver/offload.hpp"
#include "driver/op/identity.hpp"
#include "driver/parts.hpp"
#include "driver/plan/complete.hpp"
#include "driver/probe/host_probe.hpp"
#include "driver/reserve.hpp"
#include "driver/stop.hpp"
#include "driver/store/definitions.hpp"
#include "driver/store/files.hpp"

namespace cloister {

namespace {

Task<Result<>> save(Driver* driver, std::string name, std::shared_ptr<const Domain> definition,
                    bool bounded) {
    auto text = print_domain(*definition, {.flavour = xml::Flavour::inactive, .secure = true});
    auto write = [folders = driver->folders(), name, text, bounded] {
        return store::save_definition(folders, name, text, bounded);
    };
    co_return co_await offload(driver->workers(), std::move(write));
}

/// Two errors of a definition whose text and origin clients print themselves.
Result<Domain> as_clients_know_it(Result<Domain> read) {
    if (read) return read;
    auto& error = read.error();
    if (error.code == Code::xml_detail) error.domain = ErrorDomain::domain;
    if (error.code == Code::no_name) error.bare = true;
    return read;
}

/// The system's QEMU for the guest's architecture, when the definition names none.
Result<std::string> emulator_of(const Domain& domain) {
    if (domain.devices.emulator) return *domain.devices.emulator;
    const auto arch = domain.os.type.arch.value_or("x86_64");
    auto path = "/usr/bin/qemu-system-" + (arch == "i686" ? std::string("i386") : arch);
    if (!store::exists(path))
        return fail(Code::config_unsupported, tr("No emulator found for arch '{0}'", arch));
    return path;
}

} // namespace

Task<Result<std::shared_ptr<const Domain>>> complete_definition(Call call, std::string xml) {
    auto& driver = *call.driver;
    CO_CHECK(co_await may_name(call, xml));
    CO_TRY(domain, as_clients_know_it(read_domain(xml)));
    CO_CHECK(as_asked(call, domain.name, domain.uuid));
    CO_CHECK(store::check_name(domain.name));
    CO_TRY(emulator, emulator_of(domain));
    domain.devices.emulator = emulator;
    CO_TRY(caps, co_await driver.caps(emulator));
    HostQuestions nothing;
    CO_TRY(facts, co_await driver.facts(std::move(nothing)));
    const auto random = random_bytes(random_bytes_needed(domain));
    CO_CHECK(complete_domain(domain, caps.get(), driver.conf(), facts, random));
    co_return std::make_shared<const Domain>(std::move(domain));
}

Task<Result<std::shared_ptr<Guest>>> define(Call call, std::string xml) {
    auto& driver = *call.driver;
    CO_TRY(definition, co_await complete_definition(call, std::move(xml)));
    CO_TRY(alone, co_await driver.parts().definitions.turn("virDomainDefineXMLFlags"));
    const bool bounded = call.rights != nullptr;
    const auto uuid = definition->uuid.value_or(Uuid{});
    CO_TRY(guest, driver.registry().matching(definition->name, uuid));
    const bool known = guest && guest->persistent;
    if (guest) {
        CO_TRY(turn, co_await guest->jobs.turn("virDomainDefineXMLFlags"));
        CO_CHECK(co_await store_definition(driver, guest, definition, bounded));
        if (guest->removed) { // it was transient and ended while its definition was being written
            guest->removed = false;
            driver.registry().add(guest);
        }
        guest->persistent = true;
    } else {
        CO_CHECK(co_await save(&driver, definition->name, definition, bounded));
        guest = std::make_shared<Guest>(driver.executor(), definition);
        guest->persistent = true;
        guest->bounded = bounded;
        driver.registry().add(guest);
    }
    emit_life(driver, *guest, {Life::defined, known ? Defined::updated : Defined::added});
    co_return guest;
}

Task<Result<>> store_definition(Driver& driver, std::shared_ptr<Guest> guest,
                                std::shared_ptr<const Domain> definition, std::optional<bool> bounded) {
    const bool is_bounded = bounded.value_or(guest->bounded);
    CO_CHECK(co_await save(&driver, guest->name, definition, is_bounded));
    guest->bounded = is_bounded;
    guest->definition = std::move(definition);
    guest->updated = guest->active();
    co_return Result<>{};
}

Task<Result<>> undefine(Driver& driver, std::shared_ptr<Guest> guest) {
    auto remove = [folders = driver.folders(), name = guest->name] {
        return store::remove_definition(folders, name);
    };
    CO_CHECK(co_await offload(driver.workers(), std::move(remove)));
    guest->persistent = guest->autostart = false;
    if (!guest->active() && !guest->removed) {
        guest->removed = true;
        driver.registry().remove(*guest);
    }
    emit_life(driver, *guest, {Life::undefined, Undefined::removed});
    co_return Result<>{};
}

Task<Result<>> rename(Driver& driver, std::shared_ptr<Guest> guest, std::string name) {
    const auto refused = [](std::string why) { return fail(Code::operation_invalid, std::move(why)); };
    if (!guest->persistent) co_return refused(tr("cannot rename a transient domain"));
    if (guest->active()) co_return refused(tr("cannot rename active domain"));
    if (name.empty() || name.find('/') != std::string::npos)
        co_return fail(Code::xml, tr("name {0} cannot contain '/'", name));
    CO_CHECK(store::check_name(name));
    CO_TRY(alone, co_await driver.parts().definitions.turn("virDomainRename"));
    if (name == guest->name) co_return fail(Code::operation_invalid, tr("Can't rename domain to itself"));
    if (driver.registry().by_name(name))
        co_return fail(Code::operation_invalid, tr("domain with name '{0}' already exists", name));
    auto next = *guest->definition;
    next.name = name;
    const auto definition = std::make_shared<const Domain>(std::move(next));
    CO_CHECK(co_await save(&driver, name, definition, guest->bounded));
    const auto old = guest->name;
    auto move_files = [folders = driver.folders(), old, name, on = guest->autostart] {
        if (on)
            if (auto linked = store::save_autostart(folders, name, true); !linked) return linked;
        return store::remove_definition(folders, old);
    };
    auto removed = co_await offload(driver.workers(), std::move(move_files));
    if (!removed) { // two files of one uuid would be a riddle at the next start
        auto take_back = [folders = driver.folders(), name] { // the first error is told
            return store::remove_definition(folders, name);
        };
        (void)co_await offload(driver.workers(), std::move(take_back));
        co_return std::unexpected(std::move(removed).error());
    }
    emit_life(driver, *guest, {Life::undefined, Undefined::renamed});
    driver.registry().rename(guest, name);
    guest->definition = definition;
    emit_life(driver, *guest, {Life::defined, Defined::renamed});
    co_return Result<>{};
}

} // namespace cloister
