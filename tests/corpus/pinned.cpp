#include "tests/corpus/pinned.hpp"

#include "driver/caps/decode.hpp"
#include "driver/facts/firmware.hpp"

#include <cctype>
#include <fstream>
#include <functional>
#include <sstream>

namespace cloister::corpus {
namespace {

namespace fs = std::filesystem;

FirmwareFolder folder(const fs::path& below, const std::string& path) {
    FirmwareFolder out{.path = path};
    const auto real = below / path.substr(1);
    if (fs::is_directory(real))
        for (const auto& entry : fs::directory_iterator(real))
            if (entry.is_regular_file())
                out.files[entry.path().filename().string()] = content(entry.path()).value_or("");
    return out;
}

/// "vncTLSx509verify" and "vnc_tls_x509_verify" are the same key.
std::string plain(std::string_view key) {
    std::string out;
    for (const char c : key)
        if (c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}
void set(QemuConf& conf, std::string_view key, const std::string& value) {
    const bool yes = value == "true" || value == "1";
    const std::map<std::string, std::function<void()>, std::less<>> known{
        {"vncallowhostaudio", [&] { conf.vnc_allow_host_audio = yes; }},
        {"nogfxallowhostaudio", [&] { conf.nographics_allow_host_audio = yes; }},
        {"nographicsallowhostaudio", [&] { conf.nographics_allow_host_audio = yes; }},
        {"spiceautounixsocket", [&] { conf.spice_auto_unix_socket = yes; }},
        {"vncautounixsocket", [&] { conf.vnc_auto_unix_socket = yes; }},
        {"spicesasl", [&] { conf.spice_sasl = yes; }},
        {"spicesasldir", [&] { conf.spice_sasl_dir = value; }},
        {"vncsasl", [&] { conf.vnc_sasl = yes; }},
        {"vncsasldir", [&] { conf.vnc_sasl_dir = value; }},
        {"vnctls", [&] { conf.vnc_tls = yes; }},
        {"vnctlsx509verify", [&] { conf.vnc_tls_x509_verify = yes; }},
        {"vnctlsx509secretuuid", [&] { conf.vnc_tls_x509_secret_uuid = value; }},
        {"vnctlsx509certdir", [&] { conf.vnc_tls_x509_cert_dir = value; }},
        {"spicetls", [&] { conf.spice_tls = yes; }},
        {"chardevtls", [&] { conf.chardev_tls = yes; }},
        {"chardevtlsx509verify", [&] { conf.chardev_tls_x509_verify = yes; }},
        {"chardevtlsx509certdir", [&] { conf.chardev_tls_x509_cert_dir = value; }},
        {"chardevtlsx509secretuuid", [&] { conf.chardev_tls_x509_secret_uuid = value; }},
        {"nbdtls", [&] { conf.nbd_tls = yes; }},
        {"nbdtlsx509secretuuid", [&] { conf.nbd_tls_x509_secret_uuid = value; }},
        {"vxhstls", [&] { conf.vxhs_tls = yes; }},
        {"vxhstlsx509secretuuid", [&] { conf.vxhs_tls_x509_secret_uuid = value; }},
        {"vncpassword", [&] { conf.vnc_password = value; }},
        {"spicepassword", [&] { conf.spice_password = value; }},
        {"setprocessname", [&] { conf.set_process_name = yes; }},
        {"dumpguestcore", [&] { conf.dump_guest_core = yes; }},
        {"logtimestamp", [&] { conf.log_timestamp = yes; }},
    };
    if (const auto found = known.find(plain(key)); found != known.end()) found->second();
}

} // namespace

Result<std::string> content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(Code::open_failed, "cannot read " + file.string());
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

Result<Pinned> pinned(const fs::path& vectors, const boost::json::object* setup) {
    Pinned out;
    auto& conf = out.conf;
    conf.security_driver = std::vector<std::string>{"none"};
    conf.memory_backing_dir = "/var/lib/libvirt/qemu/ram";
    conf.spice_tls = true;
    conf.spice_password = "123456";
    conf.default_tls_x509_cert_dir = "/etc/pki/qemu";
    conf.vnc_tls_x509_cert_dir = "/etc/pki/libvirt-vnc";
    conf.spice_tls_x509_cert_dir = "/etc/pki/libvirt-spice";
    conf.chardev_tls_x509_cert_dir = "/etc/pki/libvirt-chardev";
    conf.nbd_tls_x509_cert_dir = "/etc/pki/libvirt-nbd/dummy,path";
    conf.vxhs_tls_x509_cert_dir = "/etc/pki/libvirt-vxhs/dummy,path";

    auto& facts = out.facts;
    facts.kvm_usable = true;
    facts.numa_nodes = {0, 1, 2, 3, 4, 5, 6, 7};
    for (unsigned cpu = 0; cpu < 8; ++cpu) facts.cpus.push_back(cpu);
    facts.hugetlb = {{"/dev/hugepages2M", 2048, true}, {"/dev/hugepages1G", 1048576, false}};
    facts.render_node = "/dev/dri/foo";
    facts.vhost_net = facts.vhost_vsock = true;
    facts.now = 1234567890;
    facts.local_zone = "VIR00:30";
    facts.environment = {
        {"PATH", "/bin"}, {"USER", "test"}, {"LOGNAME", "test"}, {"HOME", "/home/test"}, {"LC_ALL", "C"}};
    facts.every_network = "virbr0";
    for (unsigned unit = 0; unit < 8; ++unit)
        facts.scsi_generic["0:0:0:" + std::to_string(unit)] = "/dev/sg0"; // every unit is this one
    facts.emulator_ids = Ids{.uid = 0, .gid = 0};
    const auto support = vectors / "support/qemufirmwaredata";
    facts.firmware =
        merged_firmware({folder(support, "/usr/share/qemu/firmware"), folder(support, "/etc/qemu/firmware")})
            .firmware;

    auto& reserved = out.reserved;
    for (unsigned i = 0; i < 16; ++i) reserved.taps.push_back("vnet" + std::to_string(i));
    for (unsigned i = 0; i < 16; ++i) reserved.display_ports.push_back(static_cast<std::uint16_t>(5900 + i));
    for (unsigned i = 0; i < 16; ++i)
        reserved.websocket_ports.push_back(static_cast<std::uint16_t>(5700 + i));
    reserved.vsock_cids = {42, 43, 44};
    for (unsigned i = 0; i < 256; ++i) reserved.random.push_back(static_cast<std::uint8_t>(i));
    reserved.every_secret = "AQCVn5hO6HzFAhAAq0NCv8jtJcIcE+HOBlMQ1A";
    out.folders.state = "/tmp/lib";

    if (setup) {
        if (const auto* arch = setup->if_contains("host_arch")) facts.arch = std::string(arch->as_string());
        if (const auto* env = setup->if_contains("env"))
            for (const auto& [name, value] : env->as_object())
                facts.environment[std::string(name)] = std::string(value.as_string());
        if (const auto* keys = setup->if_contains("qemu_driver_config"))
            for (const auto& [name, value] : keys->as_object())
                set(conf, std::string_view(name), std::string(value.as_string()));
    }
    return out;
}

Result<QemuCaps> recorded_caps(const fs::path& vectors, std::string_view arch) {
    const auto text = TRY(content(vectors / "support/qemucaps/caps_7.1.0.x86_64.replies"));
    auto caps = TRY(decode_recorded(text, arch));
    caps.kvm = true;
    return caps;
}

} // namespace cloister::corpus
