/// Operations about the hypervisor as a whole: versions, names, capabilities.
#pragma once

#include "conf/call/connect.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

/// "QEMU".
struct ConnectGetType {
    using In = call::Nothing;
    using Out = call::ConnectGetTypeOut;
    static constexpr std::array needs{Permission{"connect", "getattr"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Of the host architecture's QEMU: major*1000000 + minor*1000 + micro. Errors: internal when there is none.
struct ConnectGetVersion {
    using In = call::Nothing;
    using Out = call::ConnectGetVersionOut;
    static constexpr std::array needs{Permission{"connect", "getattr"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The version of libvirt's interface that this daemon offers.
struct ConnectGetLibVersion {
    using In = call::Nothing;
    using Out = call::ConnectGetLibVersionOut;
    static constexpr std::array needs{Permission{"connect", "getattr"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The host's full name when it is known to the resolver.
struct ConnectGetHostname {
    using In = call::Nothing;
    using Out = call::ConnectGetHostnameOut;
    static constexpr std::array needs{Permission{"connect", "getattr"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: invalid_arg for a type other than "qemu" and "kvm".
struct ConnectGetMaxVcpus {
    using In = call::ConnectGetMaxVcpusIn;
    using Out = call::ConnectGetMaxVcpusOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// An emulator that cannot be asked is left out.
struct ConnectGetCapabilities {
    using In = call::Nothing;
    using Out = call::ConnectGetCapabilitiesOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: invalid_arg for what the emulator does not do, config_unsupported when there is none, system when
/// it cannot be asked.
struct ConnectGetDomainCapabilities {
    using In = call::ConnectGetDomainCapabilitiesIn;
    using Out = call::ConnectGetDomainCapabilitiesOut;
    static constexpr std::array needs{Permission{"connect", "write"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The named models that QEMU has. Errors: invalid_arg, no_support.
struct ConnectGetCpuModelNames {
    using In = call::ConnectGetCpuModelNamesIn;
    using Out = call::ConnectGetCpuModelNamesOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// The host's SMBIOS strings as XML. Errors: config_unsupported when it has none.
struct ConnectGetSysinfo {
    using In = call::ConnectGetSysinfoIn;
    using Out = call::ConnectGetSysinfoOut;
    static constexpr std::array needs{Permission{"connect", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
