#include "driver/about.hpp"

#include "driver/guest.hpp"
#include "security/report.hpp"

namespace cloister {

LogSubject about(const Guest& guest, Layer layer) {
    return {.domain = guest.name,
            .uuid = printed(guest.uuid),
            .layer = layer == Layer::none ? std::string() : std::string(layer_name(layer))};
}

} // namespace cloister
