#!/usr/bin/python3
"""The same virsh invocations against stock libvirtd and against cloisterd: exit code and output must agree, after
masking what has to differ (ids, times, uuids, generated addresses, paths). What differs on purpose stands in
differences.txt with its reason. usage: virsh_like_stock.py BUILD_DIR"""
import difflib
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap  # noqa: E402

UUID = "6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e01"
DOMAIN = """<domain type='qemu'>
  <name>NAME</name><uuid>UUID</uuid><title>a title</title><description>what it is for</description>
  <memory unit='MiB'>64</memory><currentMemory unit='MiB'>64</currentMemory><vcpu current='1'>2</vcpu>
  <os><type arch='x86_64' machine='MACHINE'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='DISKS/a.qcow2'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/><readonly/></disk>
    <interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
    <serial type='pty'/><console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' port='-1' autoport='yes'/>
    <video><model type='virtio'/></video>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
"""
FILES = {
    "d.xml": DOMAIN, "bad.xml": "<domain type='qemu'>\n<name>x</nam></domain>", "root.xml": "<foo/>",
    "noname.xml": "<domain type='qemu'><memory>65536</memory><os><type>hvm</type></os></domain>",
    "noos.xml": "<domain type='qemu'><name>z</name><memory>65536</memory></domain>",
    "xen.xml": "<domain type='xen'><name>z</name><memory>65536</memory><os><type>hvm</type></os></domain>",
    "machine.xml": "<domain type='qemu'><name>z</name><memory>65536</memory><os><type machine='bogus'>hvm</type></os></domain>",
    "noemu.xml": "<domain type='qemu'><name>z</name><memory>65536</memory><os><type>hvm</type></os><devices><emulator>/bin/nope</emulator></devices></domain>",
    "other.xml": "<domain type='qemu'><name>other</name><uuid>UUID</uuid><memory>65536</memory><os><type>hvm</type></os></domain>",
    "nodisk.xml": "<domain type='qemu'><name>nodisk</name><uuid>6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e02</uuid><memory>65536</memory><os><type>hvm</type></os><devices><disk type='file'><source file='/nonexistent/x.img'/><target dev='vda'/></disk></devices></domain>",
    "t.xml": "<domain type='qemu'><name>transient</name><uuid>6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e03</uuid><memory>65536</memory><os><type>hvm</type></os></domain>",
    "pass.xml": "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>pass</name><uuid>6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e04</uuid><memory>65536</memory><os><type>hvm</type></os><qemu:commandline><qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/x,string=y'/><qemu:env name='A' value='1'/><qemu:env name='B'/></qemu:commandline></domain>",
    "tuned.xml": "<domain type='qemu'><name>tuned</name><uuid>6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e05</uuid><memory>65536</memory><vcpu>2</vcpu><iothreads>2</iothreads><blkiotune><weight>300</weight></blkiotune><memtune><hard_limit unit='KiB'>1048576</hard_limit><soft_limit unit='KiB'>131072</soft_limit></memtune><cputune><shares>2048</shares><period>100000</period><quota>50000</quota><emulator_period>200000</emulator_period><emulator_quota>60000</emulator_quota><iothreadpin iothread='2' cpuset='0'/></cputune><numatune><memory mode='preferred' nodeset='0'/></numatune><os><type>hvm</type></os><devices><disk type='file'><source file='DISKS/b.raw'/><target dev='vda'/><iotune><read_bytes_sec>1000000</read_bytes_sec><write_iops_sec>200</write_iops_sec><group_name>g1</group_name></iotune></disk><interface type='user'><mac address='52:54:00:11:22:55'/><bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='128'/></bandwidth></interface></devices></domain>",
    "threads.xml": "<domain type='qemu'><name>threads</name><uuid>6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e06</uuid><memory>65536</memory><iothreads>2</iothreads><os><type>hvm</type></os><devices><disk type='file'><source file='DISKS/b.raw'/><target dev='vda'/><iotune><total_iops_sec>77</total_iops_sec></iotune></disk></devices></domain>",
    "nic.xml": "<interface type='user'><mac address='52:54:00:11:22:44'/><model type='virtio'/></interface>",
    "disk2.xml": "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='DISKS/b.raw'/><target dev='vdb' bus='virtio'/></disk>",
    "nodisk2.xml": "<disk type='file' device='disk'><source file='/nonexistent/y'/><target dev='vdc' bus='virtio'/></disk>",
}
# One invocation a line; {f} is the folder of the files, {d} that of the disks.
SCRIPT = """
uri
version
hostname
nodeinfo
nodecpumap
maxvcpus
maxvcpus --type qemu
cpu-models x86_64
list
list --all
define {f}/bad.xml
define {f}/root.xml
define {f}/noname.xml
define {f}/noos.xml
define {f}/xen.xml
define {f}/machine.xml
define {f}/noemu.xml
define /nonexistent.xml
define {f}/d.xml
define {f}/other.xml
list --all
list --all --name
list --all --uuid
list --inactive --title
list --all --autostart
dumpxml g
dumpxml --inactive g
dumpxml nosuch
dominfo g
dominfo nosuch
domstate g
domstate --reason g
domid g
domuuid g
domname 6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e01
domblklist g
domblklist --details g
domiflist g
domif-getlink g 52:54:00:11:22:33
vcpucount g
vcpuinfo g
desc g
desc g --title
desc g --config new text
desc g
desc g --title --config new-title
metadata g http://x.org/m
metadata g http://x.org/m --key m --set <m><a/></m> --config
metadata g http://x.org/m --config
metadata g http://x.org/m --remove --config
autostart g
list --all --autostart
autostart --disable g
setmaxmem g 96M --config
setmem g 80M --config
setvcpus g 2 --config
setvcpus g 9 --config
setvcpus g 1 --config
suspend g
resume g
shutdown g
reboot g
reset g
destroy g
console g --force
ttyconsole g
vncdisplay g
domdisplay g
screenshot g
domjobinfo g
domcontrol g
dommemstat g
domblkinfo g vda
domblkinfo g vdz
domblkstat g vda
domifstat g vnet0
domblkerror g
domhostname g
domhostname g --source agent
domhostname g --source lease
domtime g
domtime g --now
guestinfo g
guestvcpus g
domfsinfo g
domfsfreeze g
domfsthaw g
domfstrim g
domifaddr g
domifaddr g --source agent
set-user-password g root x
get-user-sshkeys g root
set-user-sshkeys g root --reset
dompmsuspend g mem
qemu-agent-command g {{"execute":"guest-ping"}}
guest-agent-timeout g --timeout 5
guest-agent-timeout g --timeout -9
shutdown g --mode agent
reboot g --mode agent
blkiotune g
memtune g
schedinfo g
numatune g
blkdeviotune g vda
blkdeviotune g nosuch
iothreadinfo g
perf g
domiftune g 52:54:00:11:22:33
domiftune g 52:54:00:11:22:99
snapshot-list g
checkpoint-list g
managedsave-remove g
attach-device g {f}/disk2.xml --config
attach-device g {f}/disk2.xml --config
detach-device g {f}/nic.xml --config
attach-device g {f}/nic.xml --config
domiflist g
detach-device g {f}/nic.xml --config
detach-disk g vdb --config
detach-disk g vdq --config
change-media g sdb {d}/cd.iso --insert --config
domblklist g
change-media g sdb --eject --config
dumpxml g
domxml-to-native qemu-argv --domain g
start g
start g
list
list --all
domstate --reason g
dominfo g
domid g
domblklist g
domiflist g
vncdisplay g
domdisplay g
ttyconsole g
vcpucount g
vcpupin g
emulatorpin g
domcontrol g
domjobinfo g
domblkinfo g vda
domblkerror g
blkiotune g
memtune g
schedinfo g
numatune g
blkdeviotune g vda
blkdeviotune g nosuch
iothreadinfo g
perf g
blkiotune g --live
memtune g --config
domiftune g 52:54:00:11:22:33
domiftune g 52:54:00:11:22:99
domhostname g
domhostname g --source agent
domhostname g --source lease
domtime g
domtime g --now
guestinfo g
guestvcpus g
domfsinfo g
domfsfreeze g
domfsthaw g
domfstrim g
domifaddr g
domifaddr g --source agent
set-user-password g root x
get-user-sshkeys g root
set-user-sshkeys g root --reset
dompmsuspend g mem
qemu-agent-command g {{"execute":"guest-ping"}}
guest-agent-timeout g --timeout 5
guest-agent-timeout g --timeout -9
shutdown g --mode agent
reboot g --mode agent
setvcpus g 1 --guest
suspend g
domstate --reason g
suspend g
resume g
resume g
domstate --reason g
reset g
qemu-monitor-command g --hmp info status
qemu-monitor-command g {{"execute":"query-status"}}
qemu-monitor-command g {{"execute":"nonsense"}}
send-key g KEY_A
send-key g --codeset linux 30
send-key g --codeset nonsense 30
setmem g 48M --live
setmem g 900M --live
attach-device g {f}/nodisk2.xml
attach-device g {f}/disk2.xml
domblklist g
attach-device g {f}/disk2.xml
change-media g sdb {d}/cd.iso --insert --live
domblklist g
change-media g sdb --eject --live
attach-device g {f}/nic.xml --live
domiflist g
domif-setlink g 52:54:00:11:22:33 down
domif-getlink g 52:54:00:11:22:33
undefine g
list --all
dominfo g
define {f}/d.xml
rename g
domrename g h
destroy g --graceful
destroy g
destroy g
domstate --reason g
domrename g h
list --all
start h --paused
domstate --reason h
resume h
destroy h
undefine h
undefine h
define {f}/nodisk.xml
start nodisk
domstate --reason nodisk
undefine nodisk
create {f}/t.xml --paused
create {f}/t.xml
list --transient
autostart transient
undefine transient
setmem transient 32M --config
destroy transient
domstate transient
define {f}/pass.xml
dumpxml pass
start pass
dominfo pass
domhostname pass
domhostname pass --source agent
domhostname pass --source lease
domtime pass
domtime pass --now
guestinfo pass
guestvcpus pass
domfsinfo pass
domfsfreeze pass
domfsthaw pass
domfstrim pass
domifaddr pass
domifaddr pass --source agent
set-user-password pass root x
get-user-sshkeys pass root
set-user-sshkeys pass root --reset
dompmsuspend pass mem
qemu-agent-command pass {{"execute":"guest-ping"}}
guest-agent-timeout pass --timeout 5
guest-agent-timeout pass --timeout -9
shutdown pass --mode agent
reboot pass --mode agent
dumpxml pass --inactive
destroy pass
undefine pass
define {f}/tuned.xml
blkiotune tuned
memtune tuned
schedinfo tuned
numatune tuned
blkdeviotune tuned vda
blkdeviotune tuned nosuch
iothreadinfo tuned
perf tuned
blkiotune tuned --live
memtune tuned --live
numatune tuned --live
blkiotune tuned --config
schedinfo tuned --live
domiftune tuned 52:54:00:11:22:55
undefine tuned
define {f}/threads.xml
start threads
iothreadinfo threads
iothreadinfo threads --config
blkdeviotune threads vda
blkdeviotune threads vda --config
destroy threads
undefine threads
sysinfo
domcapabilities --virttype qemu --machine nonsense
domcapabilities --arch nonsense
nodesuspend mem 10
allocpages 4 0
net-list
frobnicate
"""
MASKS = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"(CPU time: +|cpu time:? +)[0-9.]+ ?s", r"\1<time>"),
    (r"(CPU time: +|cpu_time=|time: +)[0-9.]+s?", r"\1<time>"),
    (r"/dev/pts/[0-9]+", "<pty>"), (r"52:54:00:[0-9a-f:]{8}", "<mac>"), (r"vnet[0-9]+", "<tap>"),
    (r"domain-(-?[0-9]+)-", "domain-<id>-"), (r"\(domain_definition\)", "<doc>"),
    (r"qemu(\+unix)?:///system\S*", "<uri>"), (r"screenshot saved to \S+", "screenshot saved"),
    (r"(?m)^(CPU: +)[0-9]+$", r"\1<cpu>"), (r"(qcow2|raw|iso) *\n", r"\1\n"),
    (r'"id":"libvirt-[0-9]+"', '"id":"<id>"'), (r"^(Allocation: +)[0-9]+$", r"\1<bytes>"),
    (r"(127\.0\.0\.1|localhost):[0-9]+$", r"\1:<port>"), (r"^-+$", "<rule>"), (r"PATH=\S+", "PATH=<path>"),
    (r" +$", ""),
]
STATES = [(re.compile(r"/[^ '\"]*/(?:lib|ours)(/var/lib/cloister)?/qemu"), "<state>"),
          (re.compile(r"/var/lib/libvirt/qemu"), "<state>"), (re.compile(r"[^ '\"]*/ours/var/lib/cloister/qemu"), "<state>")]


def masked(text, rig):
    for pattern, replacement in STATES:
        text = pattern.sub(replacement, text)
    text = text.replace(str(rig.root), "<root>").replace("cloister:", "libvirt:")
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text, flags=re.M)
    return text.strip()


def run(uri, line, rig, which):
    folder = rig.root / which
    words = [w.format(f=folder / "files", d=rig.root / "disks" / which) for w in line.split(" ")]
    if line.startswith("desc g --config"):
        words = ["desc", "g", "--config", "new text"]
    if line.startswith("metadata") and "--set" in line:
        words = ["metadata", "g", "http://x.org/m", "--key", "m", "--set", "<m><a/></m>", "--config"]
    if "qemu-monitor-command" in line and "--hmp" in line:
        words = ["qemu-monitor-command", "g", "--hmp", "info status"]
    done = subprocess.run(["virsh", "-c", uri, *words], capture_output=True, text=True, timeout=60, cwd=folder,
                          stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C", "EDITOR": "true"})
    return done.returncode, masked(done.stdout, rig), masked(done.stderr, rig)


def prepare(rig, which, machine):
    disks, files = rig.root / "disks" / which, rig.root / which / "files"
    disks.mkdir(parents=True)
    files.mkdir(parents=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disks / "a.qcow2"), "16M"], check=True)
    for name, size in (("b.raw", 1 << 20), ("cd.iso", 1 << 20)):
        with open(disks / name, "wb") as f:
            f.truncate(size)
    for name, text in FILES.items():
        (files / name).write_text(text.replace("NAME", "g").replace("UUID", UUID).replace("DISKS", str(disks)).replace("MACHINE", machine))


def accepted():
    """invocation -> reason, of the differences that are meant."""
    found = {}
    for line in (pathlib.Path(__file__).parent / "differences.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            invocation, _, reason = line.partition(" :: ")
            found[invocation] = reason
    return found


def main():
    machine = sys.argv[2] if len(sys.argv) > 2 else "q35"
    tap, meant, used = Tap(), accepted(), set()
    with Rig(sys.argv[1]) as rig:
        prepare(rig, "stock", machine)
        prepare(rig, "clois", machine)
        for line in [l for l in SCRIPT.splitlines() if l]:
            theirs = run(rig.stock, line, rig, "stock")
            ours = run(rig.ours, line, rig, "clois")
            ours = tuple(x.replace("/clois/", "/stock/").replace("/clois", "/stock") if isinstance(x, str) else x for x in ours)
            if theirs == ours:
                tap.check(True, line)
            elif line in meant:
                used.add(line)
                tap.check(True, f"{line} (differs: {meant[line]})")
            else:
                detail = [f"exit {theirs[0]} against {ours[0]}"]
                for a, b in zip(theirs[1:], ours[1:]):
                    detail += list(difflib.unified_diff(a.splitlines(), b.splitlines(), "stock", "cloister", lineterm="", n=1))
                tap.check(False, line, "\n".join(detail))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
