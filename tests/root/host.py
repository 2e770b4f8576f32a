"""A private cloisterd whose qemu.conf changes from test to test, and what the kernel says of its guests."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
from rig import Rig, Tap, answers, wait_for  # noqa: E402,F401

libvirt.registerErrorHandler(lambda *_: None, None)


def xml(name, disk=None, devices="", head=""):
    """A guest that needs nothing to boot: its QEMU is what is looked at."""
    if disk:
        devices += (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>"
                    "<target dev='vda' bus='virtio'/></disk>")
    return (f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>{head}<os><type arch='x86_64' machine='q35'>hvm"
            f"</type></os><devices>{devices}<controller type='usb' model='none'/><serial type='pty'/></devices></domain>")


class Process:
    """What the kernel says of a running QEMU."""

    def __init__(self, pid):
        self.pid, self.proc = pid, pathlib.Path(f"/proc/{pid}")

    def status(self, key):
        for line in (self.proc / "status").read_text().splitlines():
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].split()
        return []

    def limit(self, name):
        """Soft and hard."""
        for line in (self.proc / "limits").read_text().splitlines():
            if line.startswith(name):
                return line[len(name):].split()[:2]
        return []

    def argv(self):
        return (self.proc / "cmdline").read_text().split("\0")[:-1]

    def groups(self):
        """Controllers ("" for v2) -> its group."""
        return {line.split(":")[1]: line.split(":", 2)[2] for line in (self.proc / "cgroup").read_text().splitlines()}

    def mount_namespace(self):
        return os.readlink(self.proc / "ns/mnt")

    def dev(self):
        return {p.name for p in (self.proc / "root/dev").iterdir()}

    def opens(self, path):
        """Whether the device list of the guest's groups lets somebody in them open a node: tried by a child that joins them."""
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                for folder in device_groups(self.groups()):
                    (folder / "cgroup.procs").write_text("0")
                try:
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                except PermissionError:
                    os._exit(1)
                except OSError:
                    pass  # the list let it through to the device, which had its own objection
                os._exit(0)
            os._exit(2)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 1), "a child cannot join the guest's groups"
        return code == 0


def device_groups(groups):
    """The folders of the groups that can hold a device list: v2, and v1's devices."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options = line.split()[:4]
        if kind == "cgroup2" and "" in groups:
            yield pathlib.Path(point + groups[""])
        if kind == "cgroup":
            for controllers, group in groups.items():
                if "devices" in controllers.split(",") and "devices" in options.split(","):
                    yield pathlib.Path(point + group)


class Host(Rig):
    """`with Host(build) as host:` then `host.use(text of qemu.conf)`, as often as needed."""

    def __init__(self, build):
        super().__init__(build, stock=False)
        self.conf = self.root / "ours-qemu.conf"
        self.conn = None

    def argv(self, *more):
        return [str(self.build / "daemon/cloisterd"), "--qemu-conf", str(self.conf), "--state-root", str(self.root / "ours"),
                "--socket-dir", str(self.root / "ours"), *more]

    def daemon_pid(self):
        return int((self.root / "ours/run/cloister/qemu/driver.pid").read_text())

    def stop(self):
        if self.conn:
            self.conn.close()
            self.conn = None
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(20)

    def use(self, text, *more):
        """Restarts the daemon with this qemu.conf; gives the connection."""
        self.stop()
        self.conf.write_text(text)
        self.daemon = self._spawn("cloisterd", self.argv(*more))
        wait_for(lambda: answers(self.root / "ours/cloister-sock") or self.daemon.poll() is not None, 20, "cloisterd's socket")
        if self.daemon.poll() is not None:
            raise RuntimeError("cloisterd ended: " + self.log()[-2000:])
        self.conn = libvirt.open(self.ours)
        return self.conn

    def refuses(self, text):
        """What a daemon with this qemu.conf says when it does not start; empty when it does."""
        self.stop()
        self.conf.write_text(text)
        try:
            done = subprocess.run(self.argv(), capture_output=True, text=True, timeout=2)
        except subprocess.TimeoutExpired:
            return ""
        return done.stderr if done.returncode else ""

    def log(self):
        return (self.root / "cloisterd.log").read_text()

    @contextlib.contextmanager
    def guest(self, name, disk=None, devices="", head=""):
        """A running guest and its process; gone afterwards."""
        before = set(self.guests())
        domain = self.conn.createXML(xml(name, disk, devices, head))
        try:
            pid, = set(self.guests()) - before
            yield domain, Process(pid)
        finally:
            # the daemon may have been restarted meanwhile
            self.conn.lookupByName(name).destroy()
            self.reap()

    def confinement(self, name):
        done = subprocess.run([str(self.build / "client/cloister"), "--socket", str(self.root / "ours/cloister-sock"), "confinement", name, "--form", "json"],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
