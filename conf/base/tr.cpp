#include "conf/base/tr.hpp"

#include <fmt/format.h>
#include <libintl.h>

namespace cloister {

const char* translated(const char* message) { return ::dgettext("cloister", message); }

std::string translated_format(fmt::string_view message, fmt::format_args args) {
    const std::string english(message.data(), message.size());
    try {
        return fmt::vformat(translated(english.c_str()), args);
    } catch (const fmt::format_error&) { // the translation's fault: English was checked by the compiler
        return fmt::vformat(english, args);
    }
}

} // namespace cloister
