#include "daemon/options.hpp"

#include "conf/base/tr.hpp"

#include <charconv>
#include <getopt.h>
#include <string_view>

namespace cloister {

std::string usage() {
    return tr(
        "usage: cloisterd [OPTION]…\n"
        "  --config FILE      settings of the daemon (default: /etc/cloister/cloisterd.conf)\n"
        "  --qemu-conf FILE   settings of the driver (default: /etc/cloister/qemu.conf)\n"
        "  --state-root DIR   every folder of the driver moves below DIR: a private daemon\n"
        "  --socket-dir DIR   where the sockets are made\n"
        "  --timeout SECONDS  end after this time without clients and running guests\n"
        "  --check-config [FILE]  read the settings (of the driver: from FILE), say what is wrong, and end\n"
        "  --verbose          log what is going on\n"
        "  --version\n"
        "  --help\n");
}

Result<Options> read_options(int argc, char** argv) {
    enum : int { config = 256, qemu_conf, state_root, socket_dir, check_config, fault };
    const option known[] = {{"config", required_argument, nullptr, config},
                            {"qemu-conf", required_argument, nullptr, qemu_conf},
                            {"state-root", required_argument, nullptr, state_root},
                            {"socket-dir", required_argument, nullptr, socket_dir},
                            {"timeout", required_argument, nullptr, 't'},
                            {"fault", required_argument, nullptr, fault},
                            {"check-config", no_argument, nullptr, check_config},
                            {"verbose", no_argument, nullptr, 'v'},
                            {"version", no_argument, nullptr, 'V'},
                            {"help", no_argument, nullptr, 'h'},
                            {nullptr, 0, nullptr, 0}};
    Options out;
    ::opterr = 0; // we say it ourselves, in the user's language
    ::optind = 1;
    for (int c; (c = ::getopt_long(argc, argv, "f:t:vVh", known, nullptr)) != -1;) {
        const std::string_view value = ::optarg ? ::optarg : "";
        switch (c) {
        case 'f': // libvirt's daemons have it under this letter
        case config: out.config = value; break;
        case qemu_conf: out.qemu_conf = value; break;
        case state_root: out.state_root = value; break;
        case socket_dir: out.socket_dir = value; break;
        case 't': {
            unsigned seconds = 0;
            const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
            if (error != std::errc{} || end != value.data() + value.size() || seconds == 0)
                return fail(Code::invalid_arg, tr("'{0}' is no number of seconds", value));
            out.timeout = std::chrono::seconds(seconds);
            break;
        }
        case fault: out.fault = value; break;
        case check_config: out.check_config = true; break;
        case 'v': out.verbose = true; break;
        case 'V': out.version = true; break;
        case 'h': out.help = true; break;
        default:
            return fail(Code::invalid_arg, tr("unknown or incomplete argument '{0}'", argv[::optind - 1]));
        }
    }
    if (out.check_config && !out.qemu_conf && ::optind + 1 == argc) {
        out.qemu_conf = argv[::optind];
        return out;
    }
    if (::optind < argc) return fail(Code::invalid_arg, tr("unexpected argument '{0}'", argv[::optind]));
    return out;
}

} // namespace cloister
