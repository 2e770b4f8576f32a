/// Prints the introspection data of one of our D-Bus interfaces, as its table has it.
/// usage: print-interfaces org.cloister1 | org.libvirt.Connect | org.libvirt.Domain |
/// org.libvirt.DomainSnapshot
#include "daemon/dbus/introspect.hpp"

#include <iostream>

using namespace cloister::dbus;

int main(int argc, char** argv) {
    const std::string_view wanted = argc > 1 ? argv[1] : "";
    const std::string_view nodes[] = {cloister_path, connect_path, domain_folder, snapshot_folder};
    const Interface interfaces[] = {cloister_interface(), connect_interface(), domain_interface(),
                                    snapshot_interface()};
    for (std::size_t i = 0; i < std::size(interfaces); ++i) {
        if (interfaces[i].name != wanted) continue;
        std::cout << described({&interfaces[i]}, {}, nodes[i]);
        return 0;
    }
    return 2;
}
