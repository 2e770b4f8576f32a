/// Messages for people: translated by gettext, with numbered places that translators can reorder.
#pragma once

#include <fmt/core.h>
#include <string>

namespace cloister {

/// The translation of `message`, or `message` itself. Domain "cloister".
const char* translated(const char* message);
/// A broken translation (a missing or ill-formed place) falls back to English.
std::string translated_format(fmt::string_view message, fmt::format_args args);

/// tr("cannot label '{0}' as {1}", path, context): a sentence, lower case, no full stop, quoted names.
/// The English text is checked at compile time.
template <class... A> std::string tr(fmt::format_string<A...> message, A&&... args) {
    return translated_format(message, fmt::make_format_args(args...));
}

} // namespace cloister
