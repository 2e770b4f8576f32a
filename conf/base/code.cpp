#include "conf/base/code.hpp"

namespace cloister {

std::string_view prefix(Code code) {
    switch (code) { // clients and people's scripts match on these; every other code shows its detail alone
    case Code::internal: return "internal error: ";
    case Code::no_support: return "this function is not supported by the connection driver: ";
    case Code::no_connect: return "no connection driver available for ";
    case Code::invalid_arg: return "invalid argument: ";
    case Code::operation_failed: return "operation failed: ";
    case Code::no_name: return "missing name information in ";
    case Code::no_os: return "missing operating system information for ";
    case Code::xml: return "XML error: ";
    case Code::operation_denied: return "operation forbidden: ";
    case Code::conf_syntax: return "configuration file syntax error: ";
    case Code::no_domain: return "Domain not found: ";
    case Code::auth_failed: return "authentication failed: ";
    case Code::no_security_model: return "Security model not found: ";
    case Code::operation_invalid: return "Requested operation is not valid: ";
    case Code::config_unsupported: return "unsupported configuration: ";
    case Code::operation_timeout: return "Timed out during operation: ";
    case Code::hook_script_failed: return "Hook script execution failed: ";
    case Code::no_domain_snapshot: return "Domain snapshot not found: ";
    case Code::argument_unsupported: return "argument unsupported: ";
    case Code::operation_aborted: return "operation aborted: ";
    case Code::auth_cancelled: return "authentication cancelled: ";
    case Code::no_domain_metadata: return "metadata not found: ";
    case Code::overflow: return "numerical overflow: ";
    case Code::operation_unsupported: return "Operation not supported: ";
    case Code::agent_unresponsive: return "Guest agent is not responding: ";
    case Code::resource_busy: return "resource busy: ";
    case Code::access_denied: return "access denied: ";
    case Code::xml_invalid_schema: return "XML document failed to validate against schema: ";
    case Code::auth_unavailable: return "authentication unavailable: ";
    case Code::device_missing: return "device not found: ";
    case Code::no_hostname: return "no hostname found: ";
    case Code::no_domain_checkpoint: return "Domain checkpoint not found: ";
    default: return "";
    }
}

} // namespace cloister
