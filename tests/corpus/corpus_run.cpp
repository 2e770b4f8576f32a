/// Plans every vector of a manifest with the pinned facts of its ENVIRONMENT.md, each in a process of its
/// own: a crash is that vector's refusal. usage: corpus-run MANIFEST OUT [ID]
#include "conf/domain/devices.hpp"
#include "conf/domain/domain_xml.hpp"
#include "conf/settings/read.hpp"
#include "driver/caps/decode.hpp"
#include "driver/facts/firmware.hpp"
#include "driver/plan/complete.hpp"
#include "driver/plan/live.hpp"
#include "driver/plan/paths_of_interest.hpp"
#include "driver/plan/planner.hpp"

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <iostream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace cloister;

namespace {

std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}
void spill(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string text_of(const json::object& o, std::string_view key) {
    const auto* v = o.if_contains(key);
    return v && v->is_string() ? std::string(v->as_string()) : std::string();
}

/// What all vectors share.
struct World {
    fs::path base{};
    QemuCaps x86_64{}, i686{};
    HostFacts facts{};
    QemuConf conf{};
};

/// "vncTLSx509verify" -> "vnc_tls_x509_verify"
std::string key_of(std::string_view name) {
    const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        const bool x509 = name.substr(i).starts_with("x509");
        const bool after_x509 = i >= 4 && name.substr(i - 4).starts_with("x509");
        const bool run_starts = upper(c) && i > 0 && !upper(name[i - 1]);
        const bool run_ends = !upper(c) && i > 1 && upper(name[i - 1]) && upper(name[i - 2]);
        const bool word_after_run = upper(c) && i > 0 && upper(name[i - 1]) && i + 1 < name.size() &&
                                    !upper(name[i + 1]) && !name.substr(i + 1).starts_with("x509") &&
                                    !name.substr(i + 1).starts_with("dir");
        if (i > 0 && (x509 || after_x509 || run_starts || run_ends || word_after_run) && out.back() != '_')
            out += '_';
        out += upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (const auto at = out.find("certdir"); at != std::string::npos) out.replace(at, 7, "cert_dir");
    if (const auto at = out.find("secretuuid"); at != std::string::npos) out.replace(at, 10, "secret_uuid");
    return out;
}

constexpr const char* pinned_conf = R"(spice_tls = 1
spice_password = "123456"
default_tls_x509_cert_dir = "/etc/pki/qemu"
vnc_tls_x509_cert_dir = "/etc/pki/libvirt-vnc"
spice_tls_x509_cert_dir = "/etc/pki/libvirt-spice"
chardev_tls_x509_cert_dir = "/etc/pki/libvirt-chardev"
nbd_tls_x509_cert_dir = "/etc/pki/libvirt-nbd/dummy,path"
vxhs_tls_x509_cert_dir = "/etc/pki/libvirt-vxhs/dummy,path"
memory_backing_dir = "/var/lib/libvirt/qemu/ram"
)";

QemuConf conf_with(const json::object& setup) {
    std::string text;
    std::string extra;
    if (const auto* config = setup.if_contains("qemu_driver_config"); config && config->is_object())
        for (const auto& member : config->as_object()) {
            const auto key = key_of(std::string_view(member.key().data(), member.key().size()));
            auto value = std::string(member.value().as_string());
            if (value == "true") value = "1";
            if (value == "false") value = "0";
            const bool number = value.find_first_not_of("0123456789") == std::string::npos;
            extra += key + " = " + (number ? value : "\"" + value + "\"") + "\n";
        }
    std::istringstream lines(pinned_conf);
    for (std::string line; std::getline(lines, line);)
        if (extra.find(line.substr(0, line.find(' ') + 1) + "=") == std::string::npos) text += line + "\n";
    std::vector<std::string> warnings;
    auto conf = read_qemu_conf(text + extra, "pinned", warnings);
    if (!conf) {
        std::cerr << "settings: " << full_text(conf.error()) << "\n" << text + extra;
        std::exit(2);
    }
    return *conf;
}

std::vector<Firmware> firmware_of(const fs::path& root) {
    std::vector<FirmwareFolder> folders;
    for (const char* name : {"usr/share/qemu/firmware", "etc/qemu/firmware"}) {
        FirmwareFolder folder{.path = "/" + std::string(name)};
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(root / name, none))
            folder.files[entry.path().filename()] = slurp(entry.path());
        folders.push_back(std::move(folder));
    }
    return merged_firmware(folders).firmware;
}

World world_of(const fs::path& base) {
    World w{.base = base};
    const auto replies = slurp(base / "support/qemucaps/caps_7.1.0.x86_64.replies");
    auto caps = decode_recorded(replies, "");
    if (!caps) {
        std::cerr << "capabilities: " << full_text(caps.error()) << "\n";
        std::exit(2);
    }
    w.x86_64 = *caps;
    w.x86_64.emulator = "/usr/bin/qemu-system-x86_64";
    w.i686 = decode_recorded(replies, "i686").value_or(*caps);
    w.i686.emulator = "/usr/bin/qemu-system-i386";
    auto& f = w.facts;
    f.kvm_usable = true;
    f.numa_nodes = {0, 1, 2, 3, 4, 5, 6, 7};
    for (unsigned cpu = 0; cpu < 8; ++cpu) f.cpus.push_back(cpu);
    f.hugetlb = {{"/dev/hugepages2M", 2048, true}, {"/dev/hugepages1G", 1048576, false}};
    f.firmware = firmware_of(base / "support/qemufirmwaredata");
    f.render_node = "/dev/dri/foo";
    f.vhost_net = f.vhost_vsock = true;
    f.now = 1234567890;
    f.local_zone = "VIR00:30";
    f.environment = {
        {"PATH", "/bin"}, {"USER", "test"}, {"LOGNAME", "test"}, {"HOME", "/home/test"}, {"LC_ALL", "C"}};
    f.every_network = "virbr0";
    f.identities["tss:tss"] = Ids{.uid = 102, .gid = 110};
    f.emulator_ids = Ids{.uid = 64055, .gid = 64055, .groups = {64055}};
    return w;
}

/// Host SCSI units are all /dev/sg0.
void pin_scsi(HostFacts& facts, const Domain& domain) {
    for (const auto* h : devices_of<Hostdev>(domain)) {
        const auto* scsi = std::get_if<ScsiHostdev>(&h->host);
        if (!scsi || !scsi->source || !scsi->source->adapter || !scsi->source->address) continue;
        auto adapter = scsi->source->adapter->name.value_or("scsi_host0");
        if (adapter.starts_with("scsi_host")) adapter = adapter.substr(9);
        const auto& a = *scsi->source->address;
        facts.scsi_generic[fmt::format("{}:{}:{}:{}", adapter, a.bus ? a.bus->value : 0,
                                       a.target ? a.target->value : 0, a.unit.value_or(0))] = "/dev/sg0";
    }
}

std::string attribute_of(const xml::Node& pool, std::string_view element, std::string_view name) {
    const auto* source = pool.child("source");
    const auto* found = source ? source->child(element) : nullptr;
    const auto* text = found ? found->attribute(name) : nullptr;
    return text ? *text : std::string();
}

/// Volumes of the recorded pools: "block+cdrom" is what its prefix says, an iSCSI unit ends with its number.
void pin_volumes(HostFacts& facts, const Domain& domain, const fs::path& base) {
    for (const auto* disk : devices_of<Disk>(domain)) {
        if (!disk->source || !disk->source->pool || !disk->source->volume) continue;
        const auto& pool = *disk->source->pool;
        const auto& volume = *disk->source->volume;
        const auto file = base / "support/storagepools" / (pool + ".xml");
        if (!fs::exists(file)) continue;
        const auto node = xml::read(slurp(file));
        if (!node) continue;
        const auto plus = volume.find('+');
        const auto kind = plus == std::string::npos ? std::string("block") : volume.substr(0, plus);
        VolumeFact fact{.kind = PathKind::block_device,
                        .path = "/some/" + kind + "/device/" +
                                (plus == std::string::npos ? volume : volume.substr(plus + 1))};
        if (kind == "dir") fact.kind = PathKind::directory;
        if (kind == "file") fact.kind = PathKind::file;
        facts.volumes[pool + "/" + volume] = fact;
        fact = {.kind = PathKind::absent,
                .iscsi_name =
                    attribute_of(*node, "device", "path") + "/" + volume.substr(volume.rfind(':') + 1),
                .iscsi_host = attribute_of(*node, "host", "name")};
        facts.volumes[pool + "/" + volume + "/direct"] = fact;
    }
}

LaunchPaths paths_of(const Domain& domain) {
    const auto own = launch_folder_name(-1, domain.name);
    LaunchPaths paths;
    paths.state_dir = "/tmp/lib/" + own;
    paths.channel_dir = "/tmp/channel/" + own;
    paths.monitor = paths.state_dir + "/monitor.sock";
    paths.master_key = paths.state_dir + "/master-key.aes";
    paths.tpm_socket = "/dev/test";
    return paths;
}

Result<LaunchPlan> planned(const World& w, const Domain& domain, const QemuCaps& caps, const QemuConf& conf,
                           const HostFacts& facts) {
    Reserved reserved;
    reserved.every_secret = "AQCVn5hO6HzFAhAAq0NCv8jtJcIcE+HOBlMQ1A";
    for (unsigned i = 0; i < 64; ++i) reserved.random.push_back(static_cast<std::uint8_t>(i));
    std::uint16_t display = 5900, websocket = 5700;
    for (const auto& need : ports_needed(domain, conf)) {
        if (need.range == PortNeed::Range::display)
            reserved.display_ports.push_back(display++);
        else
            reserved.websocket_ports.push_back(websocket++);
    }
    for (unsigned i = 0; i < taps_needed(domain); ++i) reserved.taps.push_back(fmt::format("vnet{}", i));
    reserved.vsock_cids.assign(vsock_cids_needed(domain), 42);
    const Folders folders{.state = "/var/lib/libvirt/qemu"};
    const auto paths = paths_of(domain);
    (void)w;
    const auto live = TRY(live_copy(domain, caps, conf, facts, reserved, paths, folders));
    return plan_launch(live, caps, conf, facts, reserved, paths);
}

std::string argv_json(const LaunchPlan& plan) {
    std::vector<std::pair<std::string, std::string>> numbers;
    int next = 20;
    for (const auto& d : plan.descriptors) numbers.emplace_back(d.symbol, std::to_string(next++));
    json::object env;
    for (const auto& e : plan.env) env[e.name] = e.value;
    json::array words;
    for (const auto& word : argv(plan)) words.emplace_back(with_symbols(word, numbers));
    return json::serialize(json::object{{"env", env}, {"argv", words}}) + "\n";
}

/// The result's text, or the refusal.
Result<std::string> run(const World& w, const json::object& vector) {
    const auto kind = text_of(vector, "kind");
    const auto text = slurp(w.base / text_of(vector.at("files").as_object(), "input"));
    const auto compare = text_of(vector, "compare");
    const auto flavour = compare == "active" ? xml::Flavour::live : xml::Flavour::inactive;
    const auto* setup = vector.if_contains("setup");
    const auto conf = conf_with(setup && setup->is_object() ? setup->as_object() : json::object{});
    auto facts = w.facts;
    if (setup && setup->is_object())
        if (const auto* env = setup->as_object().if_contains("env"))
            for (const auto& member : env->as_object())
                facts.environment[member.key()] = std::string(member.value().as_string());
    auto domain = TRY(read_domain(text, flavour));
    const auto arch = domain.os.type.arch.value_or("x86_64");
    const auto& caps = arch == "i686" ? w.i686 : w.x86_64;
    std::array<std::uint8_t, 256> random{};
    for (std::size_t i = 0; i < random.size(); ++i) random[i] = static_cast<std::uint8_t>(i);
    const auto how = flavour == xml::Flavour::live ? Completion::live : Completion::stored;
    TRY(complete_domain(domain, &caps, conf, facts, random, how));
    if (kind == "xml2xml") return print_domain(domain, {.flavour = flavour, .secure = true});
    pin_scsi(facts, domain);
    pin_volumes(facts, domain, w.base);
    return argv_json(TRY(planned(w, domain, caps, conf, facts)));
}

void run_in_child(const World& w, const json::object& vector, const fs::path& out) {
    const auto kind = text_of(vector, "kind");
    const auto stem = out / kind / text_of(vector, "id");
    try {
        const auto result = run(w, vector);
        if (!result) {
            spill(stem.string() + ".err",
                  fmt::format("{}: {}\n", static_cast<int>(result.error().code), full_text(result.error())));
            return;
        }
        if (kind != "fail") spill(stem.string() + (kind == "xml2xml" ? ".xml" : ".json"), *result);
    } catch (const std::exception& e) {
        spill(stem.string() + ".err", fmt::format("1: internal error: {}\n", e.what()));
    }
}

/// False when it died of a signal.
bool isolated(const World& w, const json::object& vector, const fs::path& out) {
    const auto child = ::fork();
    if (child == 0) {
        ::alarm(60);
        run_in_child(w, vector, out);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) return true;
    spill((out / text_of(vector, "kind") / text_of(vector, "id")).string() + ".err",
          fmt::format("1: internal error: died of signal {}\n", WTERMSIG(status)));
    return false;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: corpus-run MANIFEST OUT [ID]\n";
        return 2;
    }
    const fs::path manifest = fs::absolute(argv[1]), out = argv[2];
    const std::string only = argc > 3 ? argv[3] : "";
    const auto world = world_of(manifest.parent_path());
    int planned_count = 0, crashed = 0;
    const auto document = json::parse(slurp(manifest));
    for (const auto& entry : document.at("vectors").as_array()) {
        const auto& vector = entry.as_object();
        const auto kind = text_of(vector, "kind");
        if (kind != "argv" && kind != "xml2xml" && kind != "fail") continue;
        if (!only.empty() && text_of(vector, "id") != only) continue;
        fs::create_directories(out / kind);
        for (const char* suffix : {".json", ".xml", ".err"}) {
            std::error_code none;
            fs::remove((out / kind / text_of(vector, "id")).string() + suffix, none);
        }
        ++planned_count;
        if (!isolated(world, vector, out)) {
            ++crashed;
            std::cerr << "crashed: " << kind << " " << text_of(vector, "id") << "\n";
        }
    }
    std::cout << fmt::format("{} vectors, {} crashed\n", planned_count, crashed);
    return 0;
}
