/// Precompiled for the driver and its operations: see planner.hpp.
#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/driver.hpp"
#include "driver/guest.hpp"
#include "driver/launched.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/parts.hpp"
#include "driver/qmp/client.hpp"

#include <boost/json/value.hpp>
#include <fmt/core.h>
