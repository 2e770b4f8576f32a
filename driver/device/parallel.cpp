#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

template <> void complete<Parallel>(Parallel& parallel, const CompleteContext& context) {
    complete_chardev(parallel.chardev);
    auto& target = parallel.target ? *parallel.target : parallel.target.emplace();
    if (!target.port) target.port = context.index;
}

template <> Result<> check<Parallel>(const Parallel& parallel, const CompleteContext&) {
    return check_chardev(parallel.chardev);
}

template <> Result<DevicePlan> plan<Parallel>(const Parallel& parallel, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(parallel.info, "parallel", context.index);
    const auto why = "parallel " + id;
    TRY(add_chardev(out, parallel.chardev, parallel.log, {.alias = id, .why = why, .parallel = true},
                    context));
    boost::json::object props{{"driver", "isa-parallel"}, {"chardev", "char" + id}, {"id", id}};
    TRY(add_address(props, parallel.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
