#include "driver/reload.hpp"

#include "conf/domain/domain_xml.hpp"
#include "driver/guest.hpp"
#include "driver/log.hpp"
#include "driver/offload.hpp"
#include "driver/op/call.hpp"
#include "driver/store/definitions.hpp"

#include <fmt/core.h>

namespace cloister {
namespace {

/// A definition that is as it was changes nothing; another one counts from the next start.
Task<void> take_over(Driver& driver, store::DefinitionText file) {
    auto domain = read_domain(file.text);
    if (domain && !domain->uuid) domain = fail(Code::xml, "it has no uuid");
    if (!domain) {
        log(LogLevel::error, fmt::format("'{}' is left out: {}", file.path, full_text(domain.error())));
        co_return;
    }
    auto same = driver.registry().matching(domain->name, *domain->uuid);
    if (!same) {
        log(LogLevel::error, fmt::format("'{}' is left out: {}", file.path, full_text(same.error())));
        co_return;
    }
    auto read = std::make_shared<const Domain>(*std::move(domain));
    if (!*same) {
        auto guest = std::make_shared<Guest>(driver.executor(), std::move(read));
        guest->persistent = true;
        guest->autostart = file.autostart;
        driver.registry().add(std::move(guest));
        co_return;
    }
    const auto guest = *same;
    auto turn = co_await guest->jobs.turn("reload");
    if (!turn || guest->removed || *guest->definition == *read) co_return;
    guest->definition = std::move(read);
    guest->persistent = true;
}

} // namespace

boost::asio::awaitable<Result<>> reload_definitions(Driver& driver) {
    CO_TRY(pass, driver.gate().enter());
    auto load = [folders = driver.folders()] { return store::load_definitions(folders); };
    const auto found = co_await offload(driver.workers(), std::move(load));
    for (const auto& bad : found.unreadable)
        log(LogLevel::error, fmt::format("'{}' is left out: {}", bad.path, full_text(bad.why)));
    for (const auto& file : found.found) co_await take_over(driver, file);
    co_return Result<>{};
}

} // namespace cloister
