#include "driver/op/define.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain.hpp"
#include "driver/define.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/op/identity.hpp"
#include "driver/store/files.hpp"

namespace cloister {

namespace {

constexpr std::uint32_t undefine_nvram = 4, undefine_keep_nvram = 8, undefine_known = 0x7f;

Task<Result<>> forget(Call call, call::DomainHandle domain, std::uint32_t flags) {
    CO_CHECK(check_flags(flags, undefine_known, "qemuDomainUndefineFlags"));
    if ((flags & undefine_nvram) && (flags & undefine_keep_nvram))
        co_return refuse(Code::invalid_arg, tr("cannot both keep and delete NVRAM"));
    CO_TRY(guest, find(call, domain));
    CO_TRY(turn, co_await change(guest, "virDomainUndefineFlags"));
    if (!guest->persistent) co_return refuse(Code::operation_invalid, tr("cannot undefine transient domain"));
    auto& driver = *call.driver;
    const auto& nvram = guest->definition->os.nvram;
    if (nvram && nvram->path && !(flags & undefine_keep_nvram)) {
        auto look = [path = *nvram->path] { return store::exists(path); };
        const auto there = co_await offload(driver.workers(), std::move(look));
        if (there && !(flags & undefine_nvram))
            co_return refuse(Code::operation_invalid, tr("cannot undefine domain with nvram"));
        auto remove = [path = *nvram->path] { return store::remove_file(path); };
        if (there) CO_CHECK(co_await offload(driver.workers(), std::move(remove)));
    }
    co_return co_await undefine(driver, guest);
}

} // namespace

Task<Result<DomainDefineXml::Out>> DomainDefineXml::run(Call call, In in) {
    CO_TRY(guest, co_await define(std::move(call), std::move(in.xml.value)));
    co_return Out{handle(*guest)};
}

Task<Result<DomainDefineXmlFlags::Out>> DomainDefineXmlFlags::run(Call call, In in) {
    constexpr std::uint32_t validate = 1;
    CO_CHECK(check_flags(in.flags, validate, "qemuDomainDefineXMLFlags"));
    CO_TRY(guest, co_await define(std::move(call), std::move(in.xml.value)));
    co_return Out{handle(*guest)};
}

Task<Result<DomainUndefine::Out>> DomainUndefine::run(Call call, In in) {
    CO_CHECK(co_await forget(std::move(call), std::move(in.dom), 0));
    co_return Out{};
}
Task<Result<DomainUndefineFlags::Out>> DomainUndefineFlags::run(Call call, In in) {
    CO_CHECK(co_await forget(std::move(call), std::move(in.dom), in.flags));
    co_return Out{};
}

Task<Result<DomainRename::Out>> DomainRename::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainRename"));
    CO_TRY(guest, find(call, in.dom));
    if (!in.new_name) co_return refuse(Code::invalid_arg, tr("a new name is needed"));
    CO_TRY(turn, co_await change(guest, "virDomainRename"));
    CO_CHECK(co_await rename(*call.driver, guest, in.new_name->value));
    co_return Out{0};
}

} // namespace cloister
