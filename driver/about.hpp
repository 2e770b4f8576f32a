/// Lines of the log that are about one guest: found by its fields in a journal.
#pragma once

#include "conf/base/result.hpp"
#include "driver/log.hpp"

namespace cloister {

struct Guest;

LogSubject about(const Guest& guest, Layer layer = Layer::none);

} // namespace cloister
