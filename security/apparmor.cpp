#include "security/apparmor.hpp"

#include "conf/base/overload.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace cloister {
namespace {

/// What QEMU and the libraries in it read, whoever the guest is, and nothing of anybody's.
constexpr std::string_view everybodys = R"(
  # programs and libraries
  /{usr/,}lib{,32,64,x32}/** mr,
  /etc/ld.so.cache mr,
  /etc/ld.so.conf{,.d/**} r,
  /usr/share/{qemu,qemu-efi,seabios,OVMF,ovmf,AAVMF,vgabios,slof,openbios,ipxe,sgabios,misc,spice-vdagent}/ r,
  /usr/share/{qemu,qemu-efi,seabios,OVMF,ovmf,AAVMF,vgabios,slof,openbios,ipxe,sgabios,misc,spice-vdagent}/** r,
  /usr/share/{zoneinfo,locale,fonts,glvnd,vulkan,drirc.d,libdrm,p11-kit,ca-certificates}/{,**} r,

  # names, time, trust: no secrets
  /etc/{passwd,group,nsswitch.conf,host.conf,hosts,resolv.conf,gai.conf,services,protocols,networks} r,
  /etc/{localtime,timezone,locale.alias,machine-id} r,
  /run/{systemd/resolve,resolvconf,NetworkManager}/*resolv.conf r,
  /etc/{ssl,gnutls,pkcs11,crypto-policies,ca-certificates,fonts,glvnd,vulkan,sasl2,ceph,iscsi}/{,**} r,
  /etc/qemu/{,**} r,
  deny /etc/ssl/private/{,**} r,

  # itself, and the host's numbers
  owner @{PROC}/@{pids}/{,**} r,
  owner @{PROC}/@{pids}/{comm,task/@{tids}/comm} rw,
  # Whoever ends it is nothing to it: QEMU only wants the name for its log.
  deny @{PROC}/@{pids}/cmdline r,
  @{PROC}/{cpuinfo,meminfo,stat,filesystems,uptime,version} r,
  @{PROC}/sys/{kernel/{cap_last_cap,osrelease,random/**,ngroups_max},vm/{overcommit_memory,mmap_min_addr,max_map_count}} r,
  @{PROC}/sys/crypto/fips_enabled r,
  @{PROC}/sys/fs/{nr_open,aio-max-nr,pipe-max-size} r,
  /sys/devices/system/{cpu,node,memory}/{,**} r,
  /sys/kernel/mm/{transparent_hugepage,hugepages}/{,**} r,
  /sys/{bus,class}/ r,
  /sys/devices/{,**} r,
  /sys/module/{kvm,kvm_intel,kvm_amd,vhost}/parameters/* r,
  /sys/kernel/iommu_groups/{,**} r,

  # the terminals that it makes
  /dev/pts/{,*} rw,

  # who may look at it and end it: who is not confined itself, as the daemon
  signal (receive) peer=unconfined,
  ptrace (readby, tracedby) peer=unconfined,
  signal (send, receive) peer=@{profile_name},
  network inet,
  network inet6,
  network unix,
  network netlink,
  network vsock,
  network alg,
)";

class Rules {
public:
    void add(std::string_view path, std::string_view rights, std::string_view why) {
        if (path.empty()) return;
        add_rule(apparmor_path(path) + " " + std::string(rights), why);
    }
    /// The folder, and whatever is in it.
    void folder(const std::string& path, Access access, std::string_view why) {
        if (path.empty()) return;
        const auto quoted = apparmor_path(path.ends_with('/') ? path : path + "/");
        const std::string_view rights = access == Access::read ? "r" : "rwkl";
        add_rule(quoted + " r", why);
        add_rule(quoted.substr(0, quoted.size() - 1) + "**\" " + std::string(rights), why);
    }
    void heading(std::string_view text) { out_ += "\n  # " + std::string(text) + "\n"; }
    std::string take() { return std::move(out_); }

private:
    void add_rule(const std::string& rule, std::string_view why) {
        if (seen_.insert(rule).second) out_ += "  " + rule + ", # " + one_line(why) + "\n";
    }
    /// A comment ends with its line.
    static std::string one_line(std::string_view text) {
        std::string out(text);
        std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
        return out;
    }
    std::string out_{};
    std::set<std::string> seen_{};
};

/// The name that the kernel sees: without symlinks. Where nothing is known of it, as it is.
std::string real_path(const HostLook& look, const std::string& path) {
    const auto there = destination(look, path);
    if (there.seen != nullptr && !there.seen->real.empty()) return there.seen->real;
    return there.path;
}

void add_grant(const Grant& grant, const HostLook& look, Rules& rules) {
    const auto path = real_path(look, grant.path);
    const auto there = destination(look, grant.path);
    const bool folder =
        there.seen != nullptr ? there.seen->kind == SeenKind::directory : grant.kind == Kind::directory;
    if (folder) return rules.folder(path, grant.access, grant.why);
    // QEMU locks what it opens; a lock on what is only read is no change of it.
    rules.add(path, grant.access == Access::read ? "rk" : "rwk", grant.why);
}

void add_descriptor(const Descriptor& descriptor, const HostLook& look, Rules& rules) {
    std::visit(
        overload{
            [&](const ListenSocket& s) { rules.add(s.path, "rw", descriptor.why); },
            [&](const TapDevice&) {
                rules.add("/dev/net/tun", "rw", descriptor.why);
                rules.add("/dev/vhost-net", "rw", descriptor.why);
            },
            [&](const OpenedFile& f) {
                const auto path = real_path(look, f.path);
                rules.add(path, f.access == Access::read ? "rk" : f.append ? "ak" : "rwk", descriptor.why);
            },
            [&](const VhostVsock&) { rules.add("/dev/vhost-vsock", "rw", descriptor.why); }},
        descriptor.what);
}

void add_helper(const HelperProcess& helper, Rules& rules) {
    if (!helper.argv.empty()) rules.add(helper.argv.front(), "mr", helper.why);
    for (const auto& directory : helper.directories)
        if (directory.guest_owned) rules.folder(directory.path, Access::read_write, helper.why);
    for (const auto& file : helper.files) rules.add(file.path, "rwk", helper.why);
    rules.add(helper.socket, "rw", helper.why);
}

} // namespace

std::string apparmor_profile_name(const Uuid& uuid) { return "cloister-" + printed(uuid); }

std::string apparmor_path(std::string_view path) {
    constexpr std::string_view special = "\"\\*?[]{}^@,";
    constexpr std::string_view digits = "01234567";
    std::string out = "\"";
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += '\\';
            for (int shift = 6; shift >= 0; shift -= 3) out += digits[(byte >> shift) & 7U];
            continue;
        }
        if (special.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string apparmor_profile(const LaunchPlan& plan, const HostLook& look) {
    Rules rules;
    rules.heading("the program");
    rules.add(real_path(look, plan.emulator), "mr", "emulator");
    rules.heading("what of the host it may touch");
    for (const auto& grant : plan.confinement.base_devices) add_grant(grant, look, rules);
    for (const auto& grant : plan.grants) add_grant(grant, look, rules);
    rules.heading("what is made for it");
    for (const auto& directory : plan.directories)
        if (directory.guest_owned) rules.folder(directory.path, Access::read_write, "made for it");
    for (const auto& file : plan.files)
        if (file.guest_owned) rules.add(file.path, "rwk", "made for it");
    rules.heading("what it inherits open");
    rules.add(plan.paths.log, "w", "its log");
    for (const auto& descriptor : plan.descriptors) add_descriptor(descriptor, look, rules);
    if (!plan.helpers.empty()) rules.heading("the programs beside it");
    for (const auto& helper : plan.helpers) add_helper(helper, rules);
    std::string rights;
    for (const auto& capability : plan.confinement.kept_capabilities)
        rights += "  capability " + capability + ",\n";
    const auto& name = plan.identity.apparmor_profile;
    return "# Of one guest, made by cloister; it is taken out of the kernel when the guest stops.\n"
           "@{PROC}=/proc/\n"
           "@{pid}=[1-9]*\n"
           "@{pids}=@{pid}\n"
           "@{tids}=@{pid}\n"
           "profile " +
           name + " flags=(attach_disconnected) {" + std::string(everybodys) + rights + rules.take() + "}\n";
}

} // namespace cloister
