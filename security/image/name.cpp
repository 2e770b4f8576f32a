#include "security/image/header.hpp"

namespace cloister {

namespace {

/// How many bytes the UTF-8 character at the beginning of `text` has; 0 for none. Shortest forms only, no
/// surrogates, nothing above U+10FFFF.
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t i) -> std::uint32_t {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
    };
    const auto first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) return 0;
    std::uint32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
        code = code << 6 | (byte(i) & 0x3f);
    }
    constexpr std::uint32_t least[]{0, 0, 0x80, 0x800, 0x10000};
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
    return code < 0xa0 ? 0 : length; // U+0080 to U+009F are control characters too
}

void add_text(std::string& out, std::string_view key, std::string_view value) {
    out += ",\"" + std::string(key) + "\":\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

} // namespace

bool is_plain_name(std::string_view name) {
    if (name.empty() || name.size() > longest_image_name) return false;
    while (!name.empty()) {
        const auto first = static_cast<unsigned char>(name[0]);
        const auto length = first < 0x20 || first == 0x7f ? 0 : character(name);
        if (length == 0) return false;
        name.remove_prefix(length);
    }
    return true;
}

std::string printed(const std::expected<ImageHeader, ImageFault>& read) {
    if (!read)
        return R"({"fault":")" + std::string(image_fault_words[static_cast<std::size_t>(read.error())]) +
               "\"}";
    auto out = R"({"header":{"size":)" + std::to_string(read->size) + R"(,"encrypted":)" +
               (read->encrypted ? "true" : "false");
    add_text(out, "format", read->format);
    if (read->backing) add_text(out, "backing", *read->backing);
    if (read->backing_format) add_text(out, "backing_format", *read->backing_format);
    if (read->data_file) add_text(out, "data_file", *read->data_file);
    out += R"(,"features":[)";
    for (const auto& feature : read->features)
        out += (&feature == read->features.data() ? "\"" : ",\"") + feature + "\"";
    return out + "]}}";
}

} // namespace cloister
