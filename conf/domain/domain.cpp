#include "conf/domain/domain.hpp"

namespace cloister {

Domain::Domain() = default;
Domain::Domain(const Domain& other) = default;
Domain::Domain(Domain&& other) noexcept = default;
Domain& Domain::operator=(const Domain& other) = default;
Domain& Domain::operator=(Domain&& other) noexcept = default;
Domain::~Domain() = default;
bool Domain::operator==(const Domain& other) const = default;

} // namespace cloister
