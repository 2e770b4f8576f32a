/// The methods of org.libvirt.Domain by family.
#pragma once

#include "daemon/dbus/method.hpp"

namespace cloister::dbus {

std::vector<Method> domain_tuning_methods(); // domain_tuning_methods.cpp
std::vector<Method> domain_vcpu_methods();   // domain_vcpu_methods.cpp
std::vector<Method> domain_job_methods();    // domain_job_methods.cpp
Method open_graphics();                      // domain_vcpu_methods.cpp

} // namespace cloister::dbus
