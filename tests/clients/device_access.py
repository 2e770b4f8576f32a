#!/usr/bin/python3
"""What a guest may open, while it runs: a block device comes and goes with its node and its entry in the device list, over a
restart of the daemon too, and what was refused is told. usage: device_access.py BUILD_DIR"""
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, answers, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
QEMU_NS = "http://libvirt.org/schemas/domain/qemu/1.0"
UNIFIED = pathlib.Path("/sys/fs/cgroup/unified")


def xml(path):
    return f"""<domain type='qemu'><name>access</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<controller type='usb' index='0' model='qemu-xhci'/>{disk(path, 'sda')}<memballoon model='none'/></devices></domain>"""


def disk(path, target, read_only=""):
    """On USB: the only bus whose devices leave without the guest's help."""
    return (f"<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='{path}'/>"
            f"<target dev='{target}' bus='usb'/>{read_only}</disk>")


class Access:
    def __init__(self, rig, tap):
        self.rig, self.tap, self.conn = rig, tap, libvirt.open(rig.ours)
        self.loops = []

    def loop(self, name):
        """A loop device on a file of our own, and its node in the rig's /dev."""
        path = self.rig.root / "disks" / name
        path.write_bytes(b"\0" * (1 << 20))
        device = subprocess.run(["losetup", "--show", "--find", str(path)], check=True, capture_output=True, text=True).stdout.strip()
        self.loops.append(device)
        return device

    def loop_nodes(self):
        for number in range(64):  # losetup looks for the nodes that devtmpfs would make
            os.mknod(f"/dev/loop{number}", 0o660 | stat.S_IFBLK, os.makedev(7, number))

    def pid(self):
        return next(p for p in self.rig.guests() if b"guest=access" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes())

    def has_node(self, device):
        return os.path.exists(f"/proc/{self.pid()}/root{device}")

    def report(self):
        done = subprocess.run([str(self.rig.build / "client/cloister"), "--socket", str(self.rig.root / "ours/cloister-sock"),
                               "confinement", "access", "--form", "json"], capture_output=True, text=True)
        if done.returncode:
            return {"error": done.stderr}
        return json.loads(done.stdout)

    def listed(self):
        return {i["item"].removeprefix("device ") for i in self.report()["items"] if i["item"].startswith("device ") and i["found"] == "allowed"}

    def as_planned(self, name):
        report = self.report()
        self.tap.check(report.get("ok"), f"{name}: everything is as planned", [i for i in report.get("items", [report]) if not i.get("ok")])

    def tried(self, path, flags, times):
        """Opens `path` from inside the guest's group; the last errno."""
        group = pathlib.Path(f"/proc/{self.pid()}/cgroup").read_text().split("0::", 1)[1].splitlines()[0]
        child = os.fork()
        if child == 0:
            (UNIFIED / group.strip("/") / "cgroup.procs").write_text("0")
            wrong = 0
            for _ in range(times):
                try:
                    os.close(os.open(path, flags))
                    wrong = 0
                except OSError as error:
                    wrong = error.errno
            os._exit(wrong)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def restart(self):
        os.kill(int((self.rig.root / "ours/run/cloister/qemu/driver.pid").read_text()), signal.SIGKILL)
        self.rig.daemon.wait(10)
        self.rig.daemon = self.rig._spawn("cloisterd", [
            str(self.rig.build / "daemon/cloisterd"), "--qemu-conf", str(self.rig.root / "ours-qemu.conf"), "--state-root",
            str(self.rig.root / "ours"), "--socket-dir", str(self.rig.root / "ours")])
        wait_for(lambda: answers(self.rig.root / "ours/cloister-sock"), 20, "cloisterd's socket")
        self.conn = libvirt.open(self.rig.ours)
        return self.conn.lookupByName("access")


def rule(device, access):
    number = os.stat(device).st_rdev
    return f"b {os.major(number)}:{os.minor(number)} {access}"


def run(access, tap):
    access.loop_nodes()
    first, second, shared = (access.loop(name) for name in ("a.raw", "b.raw", "c.raw"))
    owner = {device: os.stat(device).st_uid for device in access.loops}
    guest = access.conn.defineXML(xml(first))
    guest.create()
    access.as_planned("a block device from the start")
    tap.check(rule(first, "rw") in access.listed() and access.has_node(first), "it has its node and its entry", access.listed())
    tap.check(rule(second, "rw") not in access.listed() and not access.has_node(second), "another one has neither")

    guest.attachDeviceFlags(disk(second, "sdb"), LIVE)
    access.as_planned("one that came later")
    tap.check(rule(second, "rw") in access.listed() and access.has_node(second), "it has both now", access.listed())
    guest.attachDeviceFlags(disk(shared, "sdc", "<readonly/><shareable/>"), LIVE)
    access.as_planned("a read-only one")
    tap.check(rule(shared, "r") in access.listed(), "it may only be read", access.listed())
    tap.check(access.tried(shared, os.O_RDONLY, 1) == 0 and access.tried(shared, os.O_RDWR, 1) == 1, "and the kernel says the same")

    guest = access.restart()
    access.as_planned("after a restart of the daemon")
    guest.detachDeviceFlags(disk(second, "sdb"), LIVE)
    wait_for(lambda: not access.has_node(second), 10, "the node's leave")
    wait_for(lambda: rule(second, "rw") not in access.listed(), 10, "the entry's leave")
    access.as_planned("a device that came before the restart and left after it")
    guest.attachDeviceFlags(disk(second, "sdb"), LIVE)
    access.as_planned("and comes again")
    tap.check(rule(second, "rw") in access.listed() and access.has_node(second), "with node and entry", access.listed())
    guest.detachDeviceFlags(disk(first, "sda"), LIVE)
    wait_for(lambda: not access.has_node(first), 10, "the node's leave")
    wait_for(lambda: rule(first, "rw") not in access.listed(), 10, "the entry's leave")
    access.as_planned("a device from the start that left")

    control = "/dev/loop-control"
    tap.check(access.tried(control, os.O_RDWR, 3) == 1, "a device that is not in the list is refused")
    denied = {d["device"]: d for d in access.report()["denied"]}
    tap.check(denied.get("c 10:237 rw", {}).get("times") == 3 and denied["c 10:237 rw"]["name"] == control, "and told, with how often", denied)
    tap.check(rule(shared, "w") in denied, "so is what was tried with too many rights", denied)
    guest = access.restart()
    tap.check({d["device"]: d for d in access.report()["denied"]} == denied, "the next daemon knows it too", access.report()["denied"])
    guest.destroy()

    # A mount of /dev comes along with whatever somebody made on it: there the device list alone stands in the way.
    os.mknod("/dev/shm/sneaked", 0o666 | stat.S_IFBLK, os.stat(second).st_rdev)
    os.chmod("/dev/shm/sneaked", 0o666)
    try:
        access.conn.createXML(xml(first).replace("<domain ", f"<domain xmlns:qemu='{QEMU_NS}' ").replace(">access<", ">access-shm<").replace(
            "</devices>", "</devices><qemu:commandline><qemu:arg value='-drive'/>"
            "<qemu:arg value='if=none,id=x,format=raw,file=/dev/shm/sneaked'/></qemu:commandline>"))
        tap.check(False, "a device on a mount of /dev is refused")
    except libvirt.libvirtError as refused:
        said = refused.get_error_message()
        tap.check("Operation not permitted" in said, "a device on a mount of /dev is refused", said)
        number = os.stat(second).st_rdev
        tap.check(f"/dev/shm/sneaked: device b {os.major(number)}:{os.minor(number)} is not on the guest's device list (cgroup)" in said,
                  "and the error names the layer and the device", said)
    tap.check({device: os.stat(device).st_uid for device in access.loops} == owner, "the host's nodes kept their owners")
    log = (access.rig.root / "cloisterd.log").read_text()
    tap.check("'mount --make-rshared /'" in log, "the daemon warned that this host's mounts are private", log[-2000:])


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        access = Access(rig, tap)
        try:
            run(access, tap)
        finally:
            for name in access.conn.listDomainsID():
                access.conn.lookupByID(name).destroy()
            for device in access.loops:
                subprocess.run(["losetup", "--detach", device], check=False)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
