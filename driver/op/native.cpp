#include "driver/op/native.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain.hpp"
#include "driver/define.hpp"
#include "driver/facts/host_facts.hpp"
#include "driver/op/find.hpp"
#include "driver/plan/native.hpp"
#include "driver/probe/host_probe.hpp"

namespace cloister {

Task<Result<ConnectDomainXmlToNative::Out>> ConnectDomainXmlToNative::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuConnectDomainXMLToNative"));
    if (in.native_format.value != "qemu-argv")
        co_return refuse(Code::invalid_arg, tr("unsupported config type {0}", in.native_format.value));
    CO_TRY(domain, co_await complete_definition(call, in.domain_xml.value));
    CO_TRY(caps, co_await call.driver->caps(domain->devices.emulator.value_or("")));
    HostQuestions nothing; // images are not looked at: the line is about the definition alone
    CO_TRY(facts, co_await call.driver->facts(std::move(nothing)));
    CO_TRY(line, native_command(*domain, *caps, call.driver->conf(), facts, call.driver->folders()));
    co_return Out{.native_config = {std::move(line)}};
}

} // namespace cloister
