/// The reader of image headers: whatever the bytes are, what it tells passes the daemon's own check of it,
/// and a disk that is declared raw says nothing.
#include "security/image/answer.hpp"

#include <cstdlib>

using namespace cloister;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (!is_image_format(detected_format(bytes))) std::abort();
    for (const auto* format : {"raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhdx", "luks"}) {
        const auto read = image_header(bytes, format);
        const auto taken = image_answer(printed(read), "image", format);
        if (read.has_value() != taken.has_value() || (read && *read != *taken)) std::abort();
        if (!read && taken.error().message.find("cannot be") != std::string::npos) std::abort();
        if (std::string_view(format) == "raw" && read != ImageHeader{}) std::abort();
    }
    // And as if it were the answer itself.
    if (const auto taken = image_answer(bytes, "image", "")) {
        if (taken->backing && !is_plain_name(*taken->backing)) std::abort();
        if (image_answer(printed(*taken), "image", "").value() != *taken) std::abort();
    }
    return 0;
}
