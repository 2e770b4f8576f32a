#include "conf/base/result.hpp"

#include <system_error>

namespace cloister {

std::string full_text(const Error& error) {
    return error.bare ? error.message : std::string(prefix(error.code)) + error.message;
}

Error system_error(int sys_errno, std::string message, Layer layer, std::source_location where) {
    return Error{.code = Code::system,
                 .message = std::move(message) + ": " + std::generic_category().message(sys_errno),
                 .sys_errno = sys_errno,
                 .layer = layer,
                 .where = where};
}

} // namespace cloister
