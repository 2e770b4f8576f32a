/// The command line that a definition makes, without starting it.
#pragma once

#include "conf/call/connect.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// domxml-to-native. Errors: invalid_arg for a format that is not "qemu-argv".
struct ConnectDomainXmlToNative {
    using In = call::ConnectDomainXmlToNativeIn;
    using Out = call::ConnectDomainXmlToNativeOut;
    static constexpr std::array needs{Permission{"connect", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
