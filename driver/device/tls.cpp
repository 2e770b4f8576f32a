#include "driver/device/tls.hpp"

#include "driver/device/secret.hpp"

#include <boost/json/value.hpp>

namespace cloister {

Result<> add_tls_credentials(DevicePlan& out, const TlsCredentials& tls, const PlanContext& context) {
    boost::json::object props{{"qom-type", "tls-creds-x509"},
                              {"id", tls.id},
                              {"dir", tls.directory},
                              {"endpoint", tls.server ? "server" : "client"},
                              {"verify-peer", tls.verify}};
    if (tls.secret) {
        const auto value = TRY(secret_value(*tls.secret, context.reserved));
        out.items.push_back(TRY(secret_object(tls.secret_id, value, context.reserved, tls.why)));
        props["passwordid"] = tls.secret_id;
    }
    out.items.push_back({"object", std::move(props), tls.why});
    return {};
}

} // namespace cloister
