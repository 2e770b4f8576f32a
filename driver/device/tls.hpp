/// The -object of X.509 credentials for what QEMU serves or calls over TLS. Pure.
#pragma once

#include "driver/device/device.hpp"

namespace cloister {

inline constexpr std::string_view default_tls_directory = "/etc/pki/qemu";

struct TlsCredentials {
    std::string id{};
    std::string directory{}; ///< ca-cert.pem, server-cert.pem … of the administrator
    bool server = false;
    bool verify = true;
    std::optional<std::string> secret{}; ///< UUID: the key file is encrypted
    std::string secret_id{};             ///< of the secret object
    std::string why{};
};

/// Appends the credentials object, and its password. Errors: no_secret.
Result<> add_tls_credentials(DevicePlan& out, const TlsCredentials& tls, const PlanContext& context);

} // namespace cloister
