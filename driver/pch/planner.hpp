/// Precompiled for the planner: what nearly all of its sources include, and none may rely on (the header
/// check compiles without it).
#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/device/device.hpp"
#include "driver/facts/host_facts.hpp"

#include <boost/json/value.hpp>
#include <fmt/core.h>
