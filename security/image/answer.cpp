#include "security/image/answer.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <optional>

namespace cloister {

namespace {

constexpr std::string_view formats[]{"raw",  "qcow2", "qcow",      "qed",   "vmdk", "vdi", "vpc", "vhdx",
                                     "luks", "bochs", "parallels", "cloop", "dmg",  "fat", "iso"};

/// Everything below is false or nothing for what is not exactly of the known form.
std::optional<std::string> name_in(const boost::json::value& value) {
    const auto* text = value.if_string();
    if (!text || !is_plain_name(*text)) return std::nullopt;
    return std::string(*text);
}

bool take_features(ImageHeader& out, const boost::json::value& value) {
    const auto* list = value.if_array();
    if (!list || list->size() > std::size(image_features)) return false;
    for (const auto& one : *list) {
        auto name = name_in(one);
        if (!name || std::ranges::count(image_features, *name) == 0 ||
            std::ranges::count(out.features, *name) != 0)
            return false;
        out.features.push_back(*std::move(name));
    }
    return true;
}

bool take(ImageHeader& out, std::string_view key, const boost::json::value& value) {
    if (key == "size") {
        const auto* number = value.if_int64(); // what is larger reads as unsigned, and no disk is
        if (!number || *number < 0) return false;
        out.size = static_cast<std::uint64_t>(*number);
        return true;
    }
    if (key == "encrypted") {
        if (!value.is_bool()) return false;
        out.encrypted = value.get_bool();
        return true;
    }
    if (key == "features") return take_features(out, value);
    auto name = name_in(value);
    if (!name) return false;
    if (key == "format") return out.format = *std::move(name), is_image_format(out.format);
    if (key == "backing") return out.backing = std::move(name), true;
    if (key == "backing_format") return out.backing_format = std::move(name), true;
    if (key == "data_file") return out.data_file = std::move(name), true;
    return false;
}

std::optional<ImageHeader> header_in(const boost::json::value& value) {
    const auto* object = value.if_object();
    if (!object) return std::nullopt;
    for (const auto* needed : {"size", "encrypted", "format", "features"})
        if (!object->contains(needed)) return std::nullopt;
    ImageHeader out;
    for (const auto& [key, field] : *object)
        if (!take(out, key, field)) return std::nullopt;
    if (out.backing_format && !out.backing) return std::nullopt;
    return out;
}

std::optional<ImageFault> fault_in(const boost::json::value& value) {
    const auto* word = value.if_string();
    for (std::size_t i = 0; word && i < std::size(image_fault_words); ++i)
        if (*word == image_fault_words[i]) return static_cast<ImageFault>(i);
    return std::nullopt;
}

std::unexpected<Error> refused(ImageFault fault, std::string_view image, std::string_view asked) {
    switch (fault) {
    case ImageFault::no_header:
        return fail(Code::internal, tr("image '{0}' has no valid header of the format '{1}'", image, asked));
    case ImageFault::number:
        return fail(Code::internal,
                    tr("the header of image '{0}' holds a number that no image of the format '{1}' can have",
                       image, asked));
    case ImageFault::name:
        return fail(Code::internal, tr("the header of image '{0}' names a file in a way that is not allowed: "
                                       "empty, too long, cut off or with control characters",
                                       image));
    case ImageFault::files:
        return fail(Code::config_unsupported,
                    tr("image '{0}' only describes a disk whose data is in other files, which is not "
                       "supported",
                       image));
    }
    return fail(Code::internal, tr("image '{0}' cannot be read", image));
}

} // namespace

bool is_image_format(std::string_view name) { return std::ranges::count(formats, name) != 0; }

Result<ImageHeader> image_answer(std::string_view answer, std::string_view image, std::string_view asked) {
    const auto nonsense = [&] {
        return fail(Code::internal, tr("the reader of image '{0}' gave an answer that cannot be", image));
    };
    if (answer.size() > longest_image_answer) return nonsense();
    boost::json::error_code wrong;
    boost::json::parse_options options;
    options.max_depth = 4;
    const auto parsed = boost::json::parse(answer, wrong, {}, options);
    const auto* object = wrong ? nullptr : parsed.if_object();
    if (!object || object->size() != 1) return nonsense();
    const auto& [key, value] = *object->begin();
    if (key == "fault") {
        if (const auto fault = fault_in(value)) return refused(*fault, image, asked);
        return nonsense();
    }
    auto out = key == "header" ? header_in(value) : std::nullopt;
    if (!out || (!asked.empty() && out->format != asked)) return nonsense();
    return *std::move(out);
}

} // namespace cloister
