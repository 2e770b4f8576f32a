#!/usr/bin/python3
"""Suite root. What qemu.conf takes away from, or adds to, the confinement of every guest of a host (A.5): read back from the
kernel or tried, with the taint and the line that says why. usage: relaxations.py BUILD_DIR"""
import os
import re
import stat
import sys

from host import Host, Process, Tap, pathlib

USUAL = '"/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx"'
tap = Tap()


def relaxed(host, name, text, key, line=1):
    """The report says it with the line, the domain with a message, and everything is as planned."""
    report = host.confinement(name)
    said = [s for s in report["relaxations"] if s.endswith(f"ours-qemu.conf line {line}: {key}")]
    tap.check(len(said) == 1 and text in said[0], f"confinement names the line that sets {key}", report["relaxations"])
    tap.check(report["ok"], "and everything else is as planned", [i for i in report["items"] if not i["ok"]])
    messages = host.conn.lookupByName(name).messages()
    tap.check(any("tainted" in m for m in messages), "and the guest is tainted", messages)


def nothing_set(host):
    host.use("")
    with host.guest("plain") as (domain, qemu):
        tap.check(qemu.status("Seccomp") == ["2"] and qemu.status("NoNewPrivs") == ["1"], "without settings QEMU is filtered")
        tap.check(qemu.mount_namespace() != Process(host.daemon_pid()).mount_namespace(), "and has its own mounts")
        tap.check("fuse" not in qemu.dev(), "and its own /dev", qemu.dev())
        tap.check(qemu.opens("/dev/zero") and not qemu.opens("/dev/fuse"), "and its own device list")
        tap.check(qemu.status("CapBnd") == ["0" * 16], "and no capability", qemu.status("CapBnd"))
        tap.check(qemu.limit("Max core file size") == ["0", "0"], "and leaves no core", qemu.limit("Max core file size"))
        tap.check((qemu.proc / "comm").read_text().startswith("qemu-system"), "and its own name")
        tap.check(host.confinement("plain")["relaxations"] == [] and domain.messages() == [], "and nothing is relaxed or tainted",
                  domain.messages())


def a50_namespaces(host):
    host.use("\nnamespaces = []\n")
    with host.guest("ns") as (_, qemu):
        tap.check(qemu.mount_namespace() == Process(host.daemon_pid()).mount_namespace(),
                  "A50: namespaces = [] leaves QEMU in the daemon's mount namespace")
        tap.check("fuse" in qemu.dev(), "where it sees the whole /dev")
        tap.check(not qemu.opens("/dev/fuse"), "though the device list still holds")
        relaxed(host, "ns", "whole /dev", "namespaces", 2)
        host.use("")  # a restart with other settings
        tap.check("fuse" in qemu.dev() and not host.confinement("ns")["items"] == [], "a running guest keeps what it was started with")
        relaxed(host, "ns", "whole /dev", "namespaces", 2)
    with host.guest("ns") as (_, qemu):
        tap.check("fuse" not in qemu.dev(), "and the next start has the new settings")


def a51_seccomp(host):
    host.use("seccomp_sandbox = 0")
    with host.guest("sandbox") as (_, qemu):
        tap.check(qemu.status("Seccomp") == ["0"], "A51: seccomp_sandbox = 0 leaves QEMU without a filter")
        argv = qemu.argv()
        tap.check(argv[argv.index("-sandbox") + 1] == "off", "and tells QEMU so", argv)
        relaxed(host, "sandbox", "no syscall is denied", "seccomp_sandbox")
    for value in (1, -1):
        host.use(f"seccomp_sandbox = {value}")
        with host.guest("sandbox") as (_, qemu):
            tap.check(qemu.status("Seccomp") == ["2"] and qemu.status("Seccomp_filters") == ["2"],
                      f"seccomp_sandbox = {value} keeps both filters", qemu.status("Seccomp_filters"))


def a52_devices(host):
    host.use(f'cgroup_device_acl = [ {USUAL}, "/dev/fuse", "/dev/no-such-node" ]')
    with host.guest("acl") as (_, qemu):
        tap.check("fuse" in qemu.dev() and qemu.opens("/dev/fuse"), "A52: cgroup_device_acl adds a node and its rule for every guest")
        tap.check(not qemu.opens("/dev/loop-control"), "and nothing else")
        said = host.confinement("acl")["relaxations"]
        tap.check(len(said) == 2 and "every guest may use /dev/fuse: " in said[0] and said[0].endswith("line 1: cgroup_device_acl"),
                  "with the line for each node", said)
    host.use('cgroup_device_acl = [ "/dev/null", "/dev/ptmx", "/dev/urandom" ]')
    with host.guest("acl") as (_, qemu):
        tap.check("zero" not in qemu.dev() and not qemu.opens("/dev/zero"), "and it replaces the usual list")
        tap.check(host.confinement("acl")["relaxations"] == [], "which relaxes nothing when it is shorter")
    host.use('cgroup_controllers = [ "cpu", "memory" ]')
    with host.guest("acl") as (_, qemu):
        groups = qemu.groups()
        own = {c for c, g in groups.items() if "acl.cloister" in g}
        tap.check(qemu.opens("/dev/fuse"), "A53: cgroup_controllers without devices leaves no device list")
        tap.check("fuse" not in qemu.dev(), "though the private /dev still holds")
        tap.check(own >= {"cpu", "memory"} and "blkio" not in own, "and only the named controllers are used", groups)
        relaxed(host, "acl", "no device list", "cgroup_controllers")
    host.use("cgroup_controllers = []")
    with host.guest("acl") as (_, qemu):
        tap.check(qemu.groups() == Process(host.daemon_pid()).groups(), "cgroup_controllers = [] leaves QEMU in the daemon's groups",
                  qemu.groups())
        relaxed(host, "acl", "no device list", "cgroup_controllers")


def a54_users(host, disk):
    host.use('user = "root"\ngroup = "root"')
    with host.guest("who", disk) as (_, qemu):
        tap.check(qemu.status("Uid") == ["0"] * 4 and qemu.status("Gid") == ["0"] * 4, "A54: user and group root make QEMU root")
        tap.check(qemu.status("CapEff") == ["0" * 16] and qemu.status("CapBnd") == ["0" * 16], "who has no capability all the same")
        relaxed(host, "who", "QEMU runs as root", "user")
    host.use('user = "libvirt-qemu"\ngroup = "root"')
    with host.guest("who", disk) as (_, qemu):
        tap.check(qemu.status("Uid") == ["64055"] * 4 and qemu.status("Gid") == ["0"] * 4, "a group is a key of its own")
        relaxed(host, "who", "group of root", "group", 2)
    for user, group, uid, gid in (("+64977", "+64978", "64977", "64978"), ("64977", "64978", "64977", "64978"),
                                  ("nobody", "nogroup", "65534", "65534")):
        host.use(f'user = "{user}"\ngroup = "{group}"')
        with host.guest("who", disk) as (_, qemu):
            tap.check(qemu.status("Uid") == [uid] * 4 and qemu.status("Gid") == [gid] * 4 and gid in qemu.status("Groups"),
                      f"user {user} and group {group} are {uid}:{gid}", qemu.status("Groups"))
            tap.check(disk.stat().st_uid == int(uid), "who owns the disk meanwhile", disk.stat())
    for text, part in (('\nuser = "no-such-user"', ":2: 'user': there is no user 'no-such-user' on this host"),
                       ('group = "no-such-group"', ":1: 'group': there is no group 'no-such-group' on this host"),
                       ("user = 107", ":1: 'user': expected a quoted string, found integer")):
        said = host.refuses(text)
        tap.check(part in said, f"{text.strip()} stops the daemon with file, line and key", said)


def a55_drivers(host, disk):
    conn = host.use("security_driver = []")
    disk.chmod(0o666)
    with host.guest("mac", disk) as (domain, qemu):
        tap.check(qemu.status("Uid") == Process(host.daemon_pid()).status("Uid"), "A55: security_driver = [] leaves QEMU the daemon's identity")
        tap.check(disk.stat().st_uid == 0, "and every owner as it was")
        tap.check("<seclabel" not in domain.XMLDesc() and "<model>dac</model>" not in conn.getCapabilities(), "and no driver is shown")
        tap.check("tainted: running with undesirable elevated privileges" in domain.messages(), "and the guest is tainted", domain.messages())
        relaxed(host, "mac", "identity of the daemon", "security_driver = []")
    disk.chmod(0o600)
    conn = host.use('security_driver = "none"')
    with host.guest("mac", disk) as (domain, qemu):
        tap.check(qemu.status("Uid") == ["64055"] * 4 and disk.stat().st_uid == 64055, "\"none\" keeps the user and the owners")
        models = re.findall("<secmodel>.*?<model>(.*?)</model>", conn.getCapabilities(), re.DOTALL)
        tap.check(models == ["none", "dac"], "and shows both models", models)
        tap.check(domain.messages() == [], "and taints nothing on a host without SELinux", domain.messages())
    for text, part in (('security_driver = [ "none", "none" ]', "'none' is named twice"),
                       ('security_driver = "tomoyo"', "'tomoyo' is none of: selinux apparmor none"),
                       ('security_driver = "dac"', "'dac' is none of"),
                       ('security_driver = [ "selinux", "none" ]', "'none' stands alone"),
                       ("security_require_confined = 1", "no security driver of this host can confine a guest"),
                       ('security_require_confined = 1\nsecurity_driver = "none"', "no security driver of this host")):
        said = host.refuses(text)
        tap.check(part in said and "ours-qemu.conf:1: '" in said, f"{text!r} stops the daemon", said)
    if not os.path.exists("/sys/fs/selinux/enforce"):
        said = host.refuses('security_driver = "selinux"')
        tap.check("security driver 'selinux' is not enabled on this host" in said, "a driver that is not there stops the daemon", said)


def a56_default_confined(host, disk):
    for key in ("security_default_confined", "security_default_confied"):
        host.use(f"{key} = 0")
        with host.guest("free", disk) as (domain, qemu):
            tap.check("<seclabel" not in domain.XMLDesc(), f"A56: {key} = 0 makes no <seclabel>", domain.XMLDesc())
            tap.check(qemu.status("Uid") == ["64055"] * 4 and disk.stat().st_uid == 64055, "while user and owners stay")
    tap.check(":1: 'security_default_confied' is taken as 'security_default_confined'" in host.log(), "with a warning for the misspelt one")


def a57_ownership(host, disk):
    host.use("dynamic_ownership = 0")
    disk.chmod(0o666)
    with host.guest("owner", disk) as (_, qemu):
        tap.check(qemu.status("Uid") == ["64055"] * 4 and disk.stat().st_uid == 0, "A57: dynamic_ownership = 0 changes no owner")
        relaxed(host, "owner", "owners of files are left alone", "dynamic_ownership")
    disk.chmod(0o600)
    try:
        with host.guest("owner", disk):
            tap.check(False, "a disk that its user cannot open stops the start")
    except Exception as refused:  # noqa: BLE001
        tap.check("Permission denied" in str(refused), "a disk that its user cannot open stops the start", refused)


def a58_process(host):
    host.use('max_files = 1234\nmax_processes = 4096\nmax_threads_per_process = 77\nmax_core = "unlimited"\n'
             "dump_guest_core = 1\nset_process_name = 1\n")
    with host.guest("limits") as (_, qemu):
        tap.check(qemu.limit("Max open files") == ["1235"] * 2, "A58: max_files is the limit, and one for us", qemu.limit("Max open files"))
        tap.check(qemu.limit("Max processes") == ["4096"] * 2, "max_processes is the limit", qemu.limit("Max processes"))
        tap.check(qemu.limit("Max core file size") == ["unlimited"] * 2, "max_core is the limit")
        tap.check((qemu.proc / "comm").read_text() == "qemu:limits\n", "set_process_name names the process", (qemu.proc / "comm").read_text())
        machine = qemu.argv()[qemu.argv().index("-machine") + 1]
        tap.check("dump-guest-core=on" in machine, "dump_guest_core is QEMU's", machine)
        pids = pathlib.Path("/sys/fs/cgroup/pids" + qemu.groups().get("pids", "/none") + "/pids.max")
        if pids.exists():
            tap.check(pids.read_text() == "77\n", "max_threads_per_process is the limit of its group", pids.read_text())
        relaxed(host, "limits", "core files", "max_core", 4)
    host.use("max_core = 4096\nclear_emulator_capabilities = 0")
    with host.guest("limits") as (_, qemu):
        tap.check(qemu.limit("Max core file size") == ["4096"] * 2, "max_core may be a number")
        tap.check(qemu.status("CapBnd") == ["0" * 16], "clear_emulator_capabilities = 0 gives no capability back")
    tap.check(":2: 'clear_emulator_capabilities' has no effect in this version" in host.log(), "and the log says so")


def main():
    with Host(sys.argv[1]) as host:
        disk = host.root / "disks/a.raw"
        disk.write_bytes(b"\0" * (1 << 20))
        disk.chmod(stat.S_IRUSR | stat.S_IWUSR)
        nothing_set(host)
        a50_namespaces(host)
        a51_seccomp(host)
        a52_devices(host)
        a54_users(host, disk)
        a55_drivers(host, disk)
        a56_default_confined(host, disk)
        a57_ownership(host, disk)
        a58_process(host)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
