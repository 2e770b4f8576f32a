#!/usr/bin/python3
"""No half-started guest: at every step of a start and of a stop a fault, and a kill -9 of the daemon. Afterwards nothing
of the guest is left on the host or wrong, its definition is what it was, the error names the step, and it starts again.
usage: fault_matrix.py BUILD_DIR [STEP…]   (all steps, or those that contain one of the words)"""
import hashlib
import os
import pathlib
import select
import signal
import socket
import stat
import subprocess
import sys
import time

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, answers, own_network, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
NAME = f"fault{os.getpid()}"
# Kinds of Op that this guest has no use for, in a start and in a stop.
UNUSED = {f"do:{op}" for op in ("remove-directory", "remove-file", "set-mode", "bind-mount", "remove-node", "return-file", "map-owner", "unmap-owner", "chown", "remove-cgroup",
                                "move-to-cgroup", "set-cgroup-value", "add-devices", "remove-devices", "remove-tap", "open-vsock", "stop-process")}
UNUSED |= {f"undo:{op}" for op in ("make-directory", "make-file", "chown", "give-file", "map-owner", "unmap-owner", "set-mode", "make-node", "make-link", "bind-mount", "remove-node",
                                   "make-cgroup", "set-cgroup-value", "move-to-cgroup", "device-acl", "add-devices",
                                   "remove-devices", "bind-socket", "make-tap", "open-file", "open-vsock")}
# What only a host with SELinux or AppArmor does: selinux_labels.py of the test host has their faults.
UNUSED |= {f"{phase}:{op}" for phase in ("do", "undo") for op in ("label-file", "return-label", "label-tree", "load-profile", "remove-profile")}
RAN = ("start:cont", "start:event")
HELPER_STEPS = ("launch:helper-spawn", "launch:helper-record", "launch:helper-exec")


def definition(root):
    """A guest with one of everything that a launch makes on the host."""
    firmware = "/usr/share/OVMF/OVMF_"
    return f"""
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{NAME}</name>
<memory unit='MiB'>64</memory><currentMemory unit='MiB'>48</currentMemory>
<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>{firmware}CODE_4M.fd</loader>
<nvram template='{firmware}VARS_4M.fd'>{root}/disks/vars.fd</nvram></os><features><acpi/></features>
<devices>
 <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{root}/disks/a.raw'/><target dev='vda' bus='virtio'/></disk>
 <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{root}/disks/b.qcow2'/><target dev='vdb' bus='virtio'/></disk>
 <controller type='usb' model='none'/>
 <interface type='ethernet'><mac address='52:54:00:01:02:03'/><model type='virtio'/></interface>
 <serial type='file'><source path='{root}/disks/serial.log'/></serial>
 <channel type='unix'><target type='virtio' name='org.test.0'/></channel>
 <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
 <graphics type='vnc' autoport='yes' listen='127.0.0.1' passwd='secret'/>
 <video><model type='vga'/></video>
 <memballoon model='virtio'/>
</devices>
<qemu:commandline><qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/test,string=x'/></qemu:commandline></domain>"""


class World:
    """A private daemon, started anew for every fault, and everything of the host that a guest of it may leave behind."""

    def __init__(self, rig):
        self.rig, self.root, self.conn = rig, rig.root, None
        self.stop_daemon()

    def make_disks(self):
        disks = self.root / "disks"
        (disks / "a.raw").write_bytes(b"\0" * (1 << 20))
        (disks / "base.raw").write_bytes(b"\0" * (1 << 20))
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disks / "base.raw", disks / "b.qcow2"], check=True)
        for image in disks.iterdir():
            image.chmod(0o600)

    def start_daemon(self, *more):
        self.rig.daemon = self.rig._spawn("cloisterd", [
            str(self.rig.build / "daemon/cloisterd"), "--qemu-conf", str(self.root / "ours-qemu.conf"), "--state-root",
            str(self.root / "ours"), "--socket-dir", str(self.root / "ours"), *more])
        wait_for(lambda: answers(self.root / "ours/cloister-sock") or self.rig.daemon.poll() is not None, 20, "cloisterd's socket")
        self.conn = libvirt.open(self.rig.ours)
        return self.conn.lookupByName(NAME) if NAME in self.conn.listDefinedDomains() + [d.name() for d in self.conn.listAllDomains()] else None

    def stop_daemon(self):
        self.conn = None
        if self.rig.daemon.poll() is None:
            self.rig.daemon.send_signal(signal.SIGTERM)
            self.rig.daemon.wait(20)
        self.rig.children.remove(self.rig.daemon)

    def was_killed(self, hung_up):
        try:
            return self.rig.daemon.wait(10 if hung_up else 0.3) == signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def said(self, text):
        return text in (self.root / "cloisterd.log").read_text()

    def forget_nvram(self):
        (self.root / "disks/vars.fd").unlink(missing_ok=True)

    def tpm_files(self):
        return [file for folder in self.root.glob("ours/var/lib/cloister/**/tpm2") for file in folder.iterdir()]

    def forget_tpm(self):
        for file in self.tpm_files():
            file.unlink()

    def processes(self):
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                name, state = (entry / "comm").read_text().strip(), (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                if state != "Z" and name.startswith(("qemu-system", "swtpm", "cloister-confin")) and (
                        str(self.root).encode() in (entry / "cmdline").read_bytes() + (entry / "mountinfo").read_bytes()):
                    found.append(f"process {name} {entry.name}")
            except OSError:
                pass
        return found

    def files(self):
        found = []
        for path in sorted(self.root.rglob("*")):
            where = path.relative_to(self.root).as_posix()
            if where.endswith(".log") or ".log." in where or "/cache/" in where or "/tpm2/" in where + "/" or where.startswith(("dev/", "log/", "cache/", "lib/", "etc/")):
                continue
            seen = path.lstat()
            line = f"file {where} {stat.filemode(seen.st_mode)} {seen.st_uid}:{seen.st_gid}"
            line += "".join(f" {x}" for x in os.listxattr(path, follow_symlinks=False)) if not path.is_symlink() else ""
            if path.is_file() and (where.endswith(".xml") or where.startswith("disks/")):
                line += " " + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            found.append(line)
        return found

    def snapshot(self):
        self.rig.reap()
        out = self.processes() + self.files()
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            out += [f"cgroup {folder}/{n}" for n in names if NAME in n or f"-{NAME[:15]}" in n]
        out += [f"mount {line.split()[4]}" for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        out += [f"interface {name}" for _, name in socket.if_nameindex()]
        out += [f"port {line.split()[1]}" for kind in ("tcp", "tcp6") for line in pathlib.Path(f"/proc/self/net/{kind}").read_text().splitlines()[1:]
                if line.split()[3] == "0A"]
        out += sorted({"socket " + line.split()[7] for line in pathlib.Path("/proc/self/net/unix").read_text().splitlines()[1:]
                       if len(line.split()) > 7 and line.split()[3] == "00010000" and "libvirt" not in line.split()[7] and "logd" not in line.split()[7]})
        out += [f"pty {name}" for name in sorted(os.listdir("/dev/pts"))]
        return sorted(out)


class Matrix:
    def __init__(self, world, tap):
        self.world, self.tap = world, tap
        self.unreached, self.leftovers, self.taken_over = [], {"start": 0, "stop": 0}, []

    def prepare(self):
        world = self.world
        world.make_disks()
        world.start_daemon()
        world.conn.defineXML(definition(world.root))
        guest = world.conn.lookupByName(NAME)
        disks = [line for line in world.files() if line.startswith("file disks/")]
        guest.create()
        self.port = self.port_of(guest)
        guest.destroy()
        # The later steps compare with what is there now: it has to be right.
        world.forget_nvram()
        (world.root / "disks/serial.log").unlink(missing_ok=True)
        after = [line for line in world.files() if line.startswith("file disks/")]
        self.tap.check(after == disks, "a start and a stop without a fault give every disk back as it was", "\n".join(after))
        for image in (world.root / "disks").iterdir():
            os.chown(image, 0, 0)
        self.text = guest.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        world.forget_nvram()
        self.before = world.snapshot()
        world.stop_daemon()

    @staticmethod
    def port_of(guest):
        return guest.XMLDesc().split("port='")[1].split("'")[0]

    def differences(self):
        """What is there and was not, and what is gone; looked at until it is as before, with a deadline."""
        end = time.monotonic() + 5
        while True:
            now = self.world.snapshot()
            if now == self.before or time.monotonic() > end:
                return [f"+ {x}" for x in now if x not in self.before] + [f"- {x}" for x in self.before if x not in now]
            select.select([], [], [], 0.02)

    def whole_again(self, name, guest):
        """Everything is as before, and the guest starts and stops as ever."""
        phase = name.split(" ")[0]
        wrong = self.differences()
        if guest.isActive():
            wrong.append("+ the guest is active")
        if name.split(" ")[1] in HELPER_STEPS:
            wrong += [f"+ {file}" for file in self.world.tpm_files()]
        if guest.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE) != self.text:
            wrong.append("+ the definition was changed")
        self.leftovers[phase] += len(wrong)
        try:
            guest.create()
            if self.port_of(guest) != self.port:
                wrong.append(f"+ port {self.port} is not free again")
            guest.destroy()
            self.world.forget_nvram()
            wrong += self.differences()
        except libvirt.libvirtError as refused:
            wrong.append(f"+ it does not start again: {refused}")
        self.tap.check(not wrong, name, "\n".join(wrong))

    @staticmethod
    def settled(guest):
        return guest.state() != [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP]

    def settle_after_kill(self, name):
        """The next daemon: the guest is off, or runs as a whole."""
        self.world.conn = None
        self.world.rig.children.remove(self.world.rig.daemon)
        guest = self.world.start_daemon()
        # One that is neither yet is being looked at: a change of it would wait.
        wait_for(lambda: self.settled(guest), 20, "the end of taking over")
        if guest.isActive():
            state = guest.state()[0]
            if state != libvirt.VIR_DOMAIN_RUNNING:
                self.tap.check(False, f"{name}: a guest that was taken over runs", state)
            guest.suspend()
            guest.resume()
            self.taken_over.append(name)
            guest.destroy()
            self.world.forget_nvram()
        return guest

    def run(self, phase, step, kind):
        world, name = self.world, f"{phase} {step} {kind}"
        if step in HELPER_STEPS:
            world.forget_tpm()  # then there is something to set up
        guest = world.start_daemon("--fault", f"{step}:{kind}")
        said = None
        try:
            guest.create()
            if phase == "stop":
                guest.destroy()
        except libvirt.libvirtError as refused:
            said = refused.get_error_message()
        reached = world.was_killed(said is not None) if kind == "kill" else (f"step '{step}'" in (said or "") or world.said(f"step '{step}'"))
        if not reached:
            self.unreached.append(step)
            self.tap.check(step in UNUSED, f"{name}: is reached", said)
        if kind == "kill" and reached:
            guest = self.settle_after_kill(name)
        if phase == "start" and kind == "fault" and reached:
            self.tap.check(said is not None and f"step '{step}'" in said, f"{name}: the error names the step", said)
        if not reached and guest.isActive():
            guest.destroy()
        if phase == "stop" or step in RAN or not reached:
            world.forget_nvram()  # of a guest that ran: it keeps it
        if reached or step not in UNUSED:
            self.whole_again(name, guest)
        world.stop_daemon()
        (world.root / "cloisterd.log").write_text("")


def main():
    build, words = sys.argv[1], sys.argv[2:]
    tap = Tap()
    own_network()
    steps = subprocess.run([f"{build}/daemon/cloisterd", "--fault", "list"], check=True, capture_output=True, text=True).stdout.split()
    wanted = [s for s in steps if not words or any(w in s for w in words)]
    with Rig(build, stock=False) as rig:
        world = World(rig)
        matrix = Matrix(world, tap)
        matrix.prepare()
        counts = {}
        for phase, prefixes in (("start", ("start:", "launch:", "do:")), ("stop", ("stop:", "undo:"))):
            chosen = [s for s in wanted if s.startswith(prefixes)]
            for step in chosen:
                for kind in ("fault", "kill"):
                    if kind == "kill" and step in matrix.unreached:
                        continue
                    matrix.run(phase, step, kind)
            counts[phase] = [s for s in chosen if s not in matrix.unreached]
        for phase, reached in counts.items():
            print(f"# {phase}: {len(reached)} steps × (fault | kill) : leftovers {matrix.leftovers[phase]}")
            print(f"#   {' '.join(reached)}")
        print(f"# not used by this guest: {' '.join(sorted(set(matrix.unreached)))}")
        print(f"# taken over as a running guest: {len(matrix.taken_over)} ({', '.join(matrix.taken_over)})")
        if not words:
            tap.check(sum(len(r) for r in counts.values()) >= 30, "at least 30 steps are in the matrix", counts)
            world.start_daemon()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
