/// What the domain reader accepts prints and reads back as the same value; defaults are idempotent.
#include "conf/domain/check.hpp"
#include "conf/domain/domain_xml.hpp"

#include <cstdlib>

using namespace cloister;

namespace {

void try_flavour(std::string_view text, xml::Flavour flavour) {
    auto domain = read_domain(text, flavour);
    if (!domain) return;
    const xml::Style style{.flavour = flavour, .secure = true};
    const auto printed = print_domain(*domain, style);
    const auto again = read_domain(printed, flavour);
    if (!again || !(*again == *domain) || print_domain(*again, style) != printed) std::abort();
    add_defaults(*domain);
    auto twice = *domain;
    add_defaults(twice);
    if (!(twice == *domain)) std::abort();
    (void)check_domain(*domain);
    (void)unmodelled(*domain);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try_flavour(text, xml::Flavour::inactive);
    try_flavour(text, xml::Flavour::live);
    (void)read_device(text);
    return 0;
}
