#include "driver/probe/host_probe.hpp"

#include "driver/probe/host_devices.hpp"
#include "driver/probe/images.hpp"
#include "driver/probe/sysfs.hpp"
#include "security/kernel/selinux.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister {

namespace {

/// What a started QEMU may inherit, by name; the planner picks.
constexpr const char* variables[] = {
    "PATH",    "HOME",       "USER", "LOGNAME",         "TMPDIR",         "LC_ALL",
    "DISPLAY", "XAUTHORITY", "TZ",   "XDG_RUNTIME_DIR", "QEMU_AUDIO_DRV", "SDL_AUDIODRIVER"};

bool exists(const char* path) { return ::access(path, F_OK) == 0; }

PathFact looked_at(const std::string& path) {
    PathFact out;
    struct stat file{};
    if (::stat(path.c_str(), &file) < 0) return out;
    switch (file.st_mode & S_IFMT) {
    case S_IFREG: out.kind = PathKind::file; break;
    case S_IFBLK: out.kind = PathKind::block_device; break;
    case S_IFCHR: out.kind = PathKind::char_device; break;
    case S_IFDIR: out.kind = PathKind::directory; break;
    case S_IFSOCK: out.kind = PathKind::socket; break;
    case S_IFIFO: out.kind = PathKind::fifo; break;
    default: break;
    }
    if (S_ISBLK(file.st_mode) || S_ISCHR(file.st_mode)) out.device = file.st_rdev;
    return out;
}

std::uint64_t size_kib(std::string_view text) {
    std::uint64_t number = 0;
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
        number = number * 10 + static_cast<unsigned>(text[digits++] - '0');
    switch (digits < text.size() ? text[digits] : 'b') {
    case 'G': return number << 20;
    case 'M': return number << 10;
    case 'k':
    case 'K': return number;
    default: return number >> 10;
    }
}

/// A mount point as /proc/mounts writes it: blanks are octal.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '\\' && i + 3 < text.size()) {
            out +=
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    return out;
}

std::vector<HugetlbMount> hugetlb_mounts(const QemuConf& conf) {
    const auto usual = field(file_text("/proc/meminfo").value_or(""), "Hugepagesize").value_or(2048);
    std::vector<HugetlbMount> out;
    const auto mounts = file_text("/proc/self/mounts", 1 << 24).value_or("");
    for (const auto line : split(mounts, '\n')) {
        const auto words = split(line, ' ');
        if (words.size() < 4 || words[2] != "hugetlbfs") continue;
        HugetlbMount one{.path = unescaped(words[1]), .page_kib = usual};
        for (const auto option : split(words[3], ','))
            if (option.starts_with("pagesize=")) one.page_kib = size_kib(option.substr(9));
        one.is_default = one.page_kib == usual;
        const bool wanted = !conf.hugetlbfs_mount || std::ranges::count(*conf.hugetlbfs_mount, one.path) > 0;
        const bool known = std::ranges::count(out, one.page_kib, &HugetlbMount::page_kib) > 0;
        if (wanted && !known) out.push_back(std::move(one));
    }
    return out;
}

std::optional<std::string> render_node() {
    for (const auto& name : entries("/dev/dri"))
        if (name.starts_with("renderD")) return "/dev/dri/" + name;
    return std::nullopt;
}

std::string local_zone() {
    if (auto named = file_line("/etc/timezone"); !named.empty()) return named;
    std::string target(4096, '\0');
    const auto n = ::readlink("/etc/localtime", target.data(), target.size());
    target.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    const auto zone = target.find("zoneinfo/");
    return zone == std::string::npos ? "UTC" : target.substr(zone + 9);
}

std::optional<std::string> selinux_state() {
    const auto enforce = file_number("/sys/fs/selinux/enforce");
    if (!enforce) return std::nullopt;
    return *enforce ? "enforcing" : "permissive";
}

FirmwareFolder folder_of(const std::string& path) {
    FirmwareFolder out{.path = path};
    for (const auto& name : entries(path))
        if (auto content = file_text(path + "/" + name)) out.files.emplace(name, *std::move(content));
    return out;
}

} // namespace

bool apparmor_enabled() { return file_line("/sys/module/apparmor/parameters/enabled") == "Y"; }

MergedFirmware installed_firmware() {
    return merged_firmware({folder_of("/usr/share/qemu/firmware"), folder_of("/etc/qemu/firmware")});
}

Result<HostFacts> host_facts(const QemuConf& conf, const HostQuestions& questions,
                             const std::string& image_reader) {
    ImageReader reader(image_reader); // one child for all images, started when there is one to read
    HostFacts out;
    out.privileged = ::geteuid() == 0;
    out.page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    if (auto nodes = number_list(file_line("/sys/devices/system/node/online")); !nodes.empty())
        out.numa_nodes = std::move(nodes);
    out.cpus = number_list(file_line("/sys/devices/system/cpu/online"));
    out.hugetlb = hugetlb_mounts(conf);
    out.firmware = installed_firmware().firmware;
    out.render_node = render_node();
    out.vhost_net = exists("/dev/vhost-net");
    out.vhost_vsock = exists("/dev/vhost-vsock");
    out.tun = exists("/dev/net/tun");
    out.now = std::time(nullptr);
    out.local_zone = local_zone();
    for (const auto* name : variables)
        if (const auto* value = ::secure_getenv(name)) out.environment.emplace(name, value);
    out.selinux = selinux_state();
    // What is wrong with it is told when a guest is to be confined by it.
    if (out.selinux)
        if (auto policy = selinux_policy(); policy && *policy) out.selinux_policy = **std::move(policy);
    out.apparmor = apparmor_enabled();

    // What is wrong with the user of qemu.conf is told when a guest is to run as it.
    if (auto ids = ids_of(conf.user, conf.group)) out.emulator_ids = *std::move(ids);
    out.kvm_usable = out.emulator_ids && kvm_usable(*out.emulator_ids);
    for (const auto& owner : questions.owners) out.identities.emplace(owner, TRY(ids_of(owner)));
    if (questions.devices) add_host_devices(out);
    for (const auto& question : questions.paths) {
        // Asked about twice, as an image and as a path: what is known of it stays.
        const auto [at, is_new] = out.paths.try_emplace(question.path);
        auto& fact = at->second;
        if (is_new) fact = looked_at(question.path);
        if (question.format.empty()) continue;
        if (question.alone) {
            TRY(check_image(reader, question.path, question.format));
            continue;
        }
        fact.backing = TRY(backing_chain(reader, {conf.backing_chain_paths, questions.within}, question.path,
                                         question.format));
        fact.chain_probed = true;
    }
    return out;
}

} // namespace cloister
