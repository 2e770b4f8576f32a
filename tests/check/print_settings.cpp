/// Prints what the table of keys makes: the shipped configuration files and their manual pages.
/// usage: print-settings qemu.conf | cloisterd.conf | qemu.conf.5 | cloisterd.conf.5
#include "conf/settings/read.hpp"

#include <iostream>

using namespace cloister;

namespace {

std::string page(const std::string& name, const std::string& what, const std::string& keys) {
    return ".\\\" Made from the table of keys by data/update; do not edit.\n.TH CLOISTER-" + name +
           " 5 \"\" \"cloister\" \"File formats\"\n.SH NAME\n" + name + " \\- " + what +
           "\n.SH SYNOPSIS\n/etc/cloister/" + name +
           "\n.SH SYNTAX\nLines of\n.IR name \" = \" value ,\nwhere a value is a quoted string (without "
           "escapes; \"\"\" may span lines), an "
           "integer, or a list in brackets. # begins a comment. There are no booleans: 0 or 1 is written. Of "
           "a name that is "
           "set twice, the first counts. A wrong type, value or syntax keeps the daemon from starting, with "
           "file, line, key and what is "
           "allowed; an unknown key is a warning.\n.P\nThe file is read when the daemon starts.\n.SH KEYS\n" +
           keys + ".SH SEE ALSO\n.BR cloisterd (8),\n.BR cloister (1)\n";
}

} // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "qemu.conf")
        std::cout << shipped_qemu_conf();
    else if (what == "cloisterd.conf")
        std::cout << shipped_daemon_conf();
    else if (what == "qemu.conf.5")
        std::cout << page("qemu.conf", "the driver's settings: how guests are confined", manual_qemu_conf());
    else if (what == "cloisterd.conf.5")
        std::cout << page("cloisterd.conf", "the daemon's settings: sockets, limits, log",
                          manual_daemon_conf());
    else
        return 2;
    return 0;
}
