/// Precompiled for the model: see driver/pch/planner.hpp.
#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "conf/domain/device_codec.hpp"
#include "conf/domain/devices.hpp"
