#!/usr/bin/python3
"""Whose files are whose, and what <seclabel> makes of it: refusals compared with a stock libvirtd, effects read back from
the kernel, and the daemon killed in between. usage: owners.py BUILD_DIR"""
import os
import pathlib
import signal
import sys

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, answers, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
NS = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
QEMU, FORMER, NOBODY = (64055, 64055), (64901, 64902), (64911, 64912)
IN_USE = "Setting different DAC user or group on {} which is already in use"


def xml(name, *disks, labels="", devices=""):
    listed = "".join(f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>{disk}<target dev='vd{'abc'[i]}' bus='virtio'/></disk>"
                     for i, disk in enumerate(disks))
    return (f"<domain type='qemu' {NS}><name>{name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm"
            f"</type></os><devices>{listed}<controller type='usb' model='none'/><memballoon model='none'/>{devices}</devices>{labels}</domain>")


def source(path, inner="", readonly=False):
    return f"<source file='{path}'>{inner}</source>" + ("<readonly/>" if readonly else "")


def label(model, kind, text="", relabel=""):
    inner = f"<label>{text}</label>" if text else ""
    return f"<seclabel type='{kind}' model='{model}'" + (f" relabel='{relabel}'" if relabel else "") + f">{inner}</seclabel>"


def owner(path):
    found = os.stat(path)
    return found.st_uid, found.st_gid


def remembered(path):
    return {name: os.getxattr(path, name).decode() for name in os.listxattr(path) if name.startswith("trusted.libvirt.security.")}


def refusal(act):
    try:
        act()
    except libvirt.libvirtError as refused:
        return refused.get_error_code(), refused.get_error_message()
    return None


class Checks:
    def __init__(self, rig, tap):
        self.rig, self.tap, self.conn = rig, tap, libvirt.open(rig.ours)

    def disk(self, name, mode=0o600, whose=FORMER):
        path = self.rig.root / "disks" / name
        path.write_bytes(b"\0" * 65536)
        path.chmod(mode)
        os.chown(path, *whose)
        return path

    def pid(self, name):
        return int((self.rig.root / f"ours/run/cloister/qemu/{name}.pid").read_text())

    def status(self, name):
        return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{self.pid(name)}/status").read_text().splitlines() if ":\t" in line)

    def restart(self, conf=None):
        os.kill(int((self.rig.root / "ours/run/cloister/qemu/driver.pid").read_text()), signal.SIGKILL)
        self.rig.daemon.wait(10)
        self.start(conf)

    def start(self, conf=None):
        if conf is not None:
            (self.rig.root / "ours-qemu.conf").write_text(conf)
        self.rig.daemon = self.rig._spawn("cloisterd", [
            str(self.rig.build / "daemon/cloisterd"), "--qemu-conf", str(self.rig.root / "ours-qemu.conf"), "--state-root",
            str(self.rig.root / "ours"), "--socket-dir", str(self.rig.root / "ours")])
        wait_for(lambda: answers(self.rig.root / "ours/cloister-sock") or self.rig.daemon.poll() is not None, 20, "cloisterd's socket")
        self.conn = libvirt.open(self.rig.ours)

    def end(self, guest):
        guest.destroy()

    # ---- definitions that are refused ----
    def refusals(self):
        stock = libvirt.open(self.rig.stock)
        disk = self.disk("refused", 0o666)
        override = "<seclabel model='dac' relabel='yes'><label>root:root</label></seclabel>"
        cases = {
            "two labels of a model": dict(labels=label("dac", "none") + label("dac", "none")),
            "labels of which one has no model": dict(labels=label("dac", "none") + "<seclabel type='none'/>"),
            "a dynamic label without relabelling": dict(labels=label("dac", "dynamic", relabel="no")),
            "no label, but relabelling": dict(labels=label("dac", "none", relabel="yes")),
            "a static label without a label": dict(labels=label("dac", "static")),
            "a static label without a model": dict(labels="<seclabel type='static'><label>root:root</label></seclabel>"),
            "a base label without a model": dict(labels="<seclabel type='dynamic'><baselabel>a:b:c:s0</baselabel></seclabel>"),
            "a type that there is not": dict(labels=label("dac", "sometimes")),
            "an override where nothing is relabelled": dict(disk=override, labels=label("dac", "none")),
            "an override beside a static label": dict(disk=override, labels=label("dac", "static", "root:root")),
            "two overrides of a model": dict(disk=override * 2),
        }
        for what, case in cases.items():
            text = xml("refused", source(disk, case.get("disk", "")), labels=case.get("labels", ""))
            theirs, ours = refusal(lambda: stock.defineXML(text)), refusal(lambda: self.conn.defineXML(text))
            self.tap.check(ours is not None and ours == theirs, f"{what} is refused as by stock", f"stock: {theirs}\nours:  {ours}")
        for conn in (stock, self.conn):
            for domain in conn.listAllDomains():
                domain.undefine()
        for model, kind in (("selinux", "none"), ("selinux", "dynamic"), ("apparmor", "dynamic")):
            text = xml("refused", source(disk), labels=label(model, kind))
            theirs, ours = refusal(lambda: stock.createXML(text)), refusal(lambda: self.conn.createXML(text))
            self.tap.check(ours is not None and ours == theirs, f"a {kind} label of {model} is refused at the start", f"stock: {theirs}\nours:  {ours}")
        for what, labels in (("none of dac", label("dac", "none")), ("none without a model", "<seclabel type='none'/>"), ("model none", "<seclabel type='none' model='none'/>"),
                             ("static of dac", label("dac", "static", "+5:+6", "yes")), ("dynamic of dac", label("dac", "dynamic"))):
            text = xml("printed", source(disk), labels=labels)
            printed = []
            for conn in (stock, self.conn):
                try:
                    domain = conn.defineXML(text)
                    printed.append([line.strip() for line in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).splitlines() if "label" in line])
                    domain.undefine()
                except libvirt.libvirtError as refused:
                    printed.append(refused.get_error_message())
            self.tap.check(printed[0] == printed[1], f"{what} is printed as by stock", printed)

    # ---- effects ----
    def root_guests(self):
        for text in ("root:root", "+0:+0", "0:0"):
            disk = self.disk("root.raw")
            guest = self.conn.createXML(xml("root", source(disk), labels=label("dac", "static", text, "yes")))
            status = self.status("root")
            self.tap.check(status["Uid"].split() == ["0"] * 4 and status["Gid"].split() == ["0"] * 4, f"a guest with '{text}' runs as root", status["Uid"])
            self.tap.check([status[s] for s in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")] == ["0" * 16] * 5, "with no capability at all", status)
            self.tap.check(owner(disk) == (0, 0), "its disk is root's", owner(disk))
            live = guest.XMLDesc()
            self.tap.check(f"<label>{text}</label>" in live and f"<imagelabel>{text}</imagelabel>" in live, "both labels are in the live XML", live)
            self.tap.check(any("elevated privileges" in m for m in guest.messages()), "and it is tainted", guest.messages())
            self.end(guest)
            self.tap.check(owner(disk) == FORMER, "its end gives the disk back", owner(disk))

    def labels(self):
        disk = self.disk("label.raw", 0o666)
        before = os.stat(disk).st_ctime_ns
        guest = self.conn.createXML(xml("left", source(disk), labels=label("dac", "none")))
        self.tap.check(owner(disk) == FORMER and os.stat(disk).st_ctime_ns == before, "type='none' of dac leaves the owner alone", owner(disk))
        self.tap.check(self.status("left")["Uid"].split() == ["64055"] * 4, "and QEMU still runs as the configured user")
        self.end(guest)
        guest = self.conn.createXML(xml("static", source(disk), labels=label("dac", "static", "+64911:+64912")))
        self.tap.check(owner(disk) == FORMER, "a static label relabels nothing unless told to", owner(disk))
        self.tap.check(self.status("static")["Uid"].split() == ["64911"] * 4, "and sets the user")
        self.end(guest)
        guest = self.conn.createXML(xml("dynamic", source(disk), labels=label("dac", "dynamic")))
        self.tap.check("<label>+64055:+64055</label>" in guest.XMLDesc() and owner(disk) == QEMU, "a dynamic label is the configured user's", guest.XMLDesc())
        self.end(guest)
        own, kept, given = self.disk("own.raw"), self.disk("kept.raw", 0o666), self.disk("given.raw", 0o666)
        guest = self.conn.createXML(xml("each", source(own), source(kept, "<seclabel model='dac' relabel='no'/>"),
                                        source(given, "<seclabel model='dac' relabel='yes'><label>+64911:+64912</label></seclabel>")))
        self.tap.check([owner(p) for p in (own, kept, given)] == [QEMU, FORMER, NOBODY], "each disk follows a label of its own", [owner(p) for p in (own, kept, given)])
        self.end(guest)
        self.tap.check([owner(p) for p in (own, kept, given)] == [FORMER] * 3, "and each comes back", [owner(p) for p in (own, kept, given)])

    def shared(self):
        base, first, second = self.disk("base.raw"), self.disk("first.raw"), self.disk("second.raw")
        one = self.conn.createXML(xml("one", source(first), source(base, readonly=True)))
        two = self.conn.createXML(xml("two", source(second), source(base, readonly=True)))
        stamp = next(line.split()[1] for line in open("/proc/stat") if line.startswith("btime"))
        self.tap.check(remembered(first) == {"trusted.libvirt.security.dac": "+64901:+64902", "trusted.libvirt.security.ref_dac": "1",
                                             "trusted.libvirt.security.timestamp_dac": stamp}, "a disk remembers its owner as libvirt does", remembered(first))
        self.tap.check(owner(base) == QEMU and not remembered(base), "a shared base image is given and counted in our own book")
        third = self.disk("third.raw")
        said = refusal(lambda: self.conn.createXML(xml("three", source(third), source(base, readonly=True), labels=label("dac", "static", "root:root", "yes"))))
        self.tap.check(said is not None and said[0] == 55 and IN_USE.format(base) in said[1], "a guest of another user cannot take it away", said)
        self.tap.check(owner(base) == QEMU and owner(third) == FORMER and not remembered(third), "and its failed start leaves nothing", (owner(base), owner(third)))
        self.restart()
        one, two = self.conn.lookupByName("one"), self.conn.lookupByName("two")
        self.end(one)
        self.tap.check(owner(first) == FORMER and owner(base) == QEMU, "after a daemon's restart the base stays with its last user", (owner(first), owner(base)))
        pid = self.pid("two")
        os.kill(int((self.rig.root / "ours/run/cloister/qemu/driver.pid").read_text()), signal.SIGKILL)
        self.rig.daemon.wait(10)
        os.kill(pid, signal.SIGKILL)
        self.rig.reap()
        self.start()
        wait_for(lambda: owner(base) == FORMER, 10, "the base image coming back")
        self.tap.check(owner(second) == FORMER and not remembered(second), "whose death without a daemon is undone by the next", (owner(second), remembered(second)))

    def hotplug(self):
        first, more = self.disk("plain.raw"), self.disk("more.raw")
        guest = self.conn.createXML(xml("plug", source(first)))
        device = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{more}'/><target dev='vdb' bus='virtio'/></disk>"
        guest.attachDevice(device)
        self.tap.check(owner(more) == QEMU and remembered(more).get("trusted.libvirt.security.ref_dac") == "1", "a hot-plugged disk is given and remembered", (owner(more), remembered(more)))
        self.end(guest)
        self.tap.check(owner(more) == FORMER and not remembered(more), "and comes back with the guest's end", (owner(more), remembered(more)))

    def settings(self):
        self.restart("remember_owner = 0\n")
        disk = self.disk("forgot.raw")
        guest = self.conn.createXML(xml("forget", source(disk)))
        self.tap.check(owner(disk) == QEMU and not remembered(disk), "remember_owner = 0 writes nothing on the disk", remembered(disk))
        self.end(guest)
        self.tap.check(owner(disk) == (0, 0), "and leaves it to root", owner(disk))

        self.restart("dynamic_ownership = 0\n")
        disk = self.disk("still.raw", 0o666)
        guest = self.conn.createXML(xml("still", source(disk)))
        self.tap.check(owner(disk) == FORMER and not remembered(disk), "dynamic_ownership = 0 changes no owner", owner(disk))
        self.end(guest)

        self.restart('ownership = "idmap"\n')
        disk = self.disk("mapped.raw")
        before = os.stat(disk)
        guest = self.conn.createXML(xml("mapped", source(disk)))
        seen = os.stat(f"/proc/{self.pid('mapped')}/root{disk}")
        self.tap.check((seen.st_uid, seen.st_gid) == QEMU, "ownership = \"idmap\": the guest sees its disk as its own", seen)
        self.tap.check(os.stat(disk).st_ctime_ns == before.st_ctime_ns and owner(disk) == FORMER and not remembered(disk), "and the disk is not touched", owner(disk))
        self.restart()
        guest = self.conn.lookupByName("mapped")
        self.end(guest)
        self.tap.check(os.stat(disk).st_ctime_ns == before.st_ctime_ns and owner(disk) == FORMER, "not by its end either", owner(disk))
        self.restart('ownership = "idmap"\nnamespaces = []\n')
        said = refusal(lambda: self.conn.createXML(xml("mapped", source(disk))))
        self.tap.check(said is not None and said[0] == 67 and "private mount namespace" in said[1], "without a mount namespace it is refused", said)


def main():
    tap = Tap()
    with Rig(sys.argv[1]) as rig:
        checks = Checks(rig, tap)
        for part in (checks.refusals, checks.root_guests, checks.labels, checks.shared, checks.hotplug, checks.settings):
            part()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
