#include "driver/op/autostart.hpp"

#include "conf/base/tr.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/store/definitions.hpp"

namespace cloister {

Task<Result<DomainGetAutostart::Out>> DomainGetAutostart::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    co_return Out{guest->autostart ? 1 : 0};
}

Task<Result<DomainSetAutostart::Out>> DomainSetAutostart::run(Call call, In in) {
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(turn, co_await change(guest, "virDomainSetAutostart"));
    if (!guest->persistent)
        co_return refuse(Code::operation_invalid, tr("cannot set autostart for transient domain"));
    const bool on = in.autostart != 0;
    if (on == guest->autostart) co_return Out{};
    auto link = [folders = call.driver->folders(), name = guest->name, on] {
        return store::save_autostart(folders, name, on);
    };
    CO_CHECK(co_await offload(call.driver->workers(), std::move(link)));
    guest->autostart = on;
    co_return Out{};
}

} // namespace cloister
