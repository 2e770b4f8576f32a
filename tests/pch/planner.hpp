/// Precompiled for the planner's tests: see driver/pch/planner.hpp.
#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/device/device.hpp"
#include "driver/plan/planner.hpp"

#include <boost/json/value.hpp>
#include <fmt/core.h>
#include <gtest/gtest.h>
