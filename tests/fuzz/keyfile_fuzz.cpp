/// What the keyfile reader accepts prints and reads back the same.
#include "conf/settings/read.hpp"
#include "conf/text/keyfile.hpp"

#include <cstdlib>

using namespace cloister;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> warnings;
    (void)read_qemu_conf(text, "f", warnings);
    (void)read_daemon_conf(text, "f", warnings);
    const auto entries = keyfile::read(text, "f");
    if (!entries) return 0;
    for (const auto& entry : *entries) {
        const auto printed = keyfile::print(entry.value);
        if (printed.find("\"\"\"") != std::string::npos || printed.find('"') == std::string::npos) {
            if (printed.find('\'') != std::string::npos)
                continue; // a text with every quote in it has no other form
        }
        const auto again = keyfile::read(entry.name + " = " + printed, "f");
        if (again && again->size() == 1 && !(again->at(0).value == entry.value)) std::abort();
    }
    return 0;
}
