"""The test host as an object: boots the image, runs one command as root in it, and brings back what it printed and left.

    image = Image(pathlib.Path("/var/tmp/cloister-testhost"))
    image.snapshot(payload, "sh install.sh")       # boot, run, keep the state
    outcome = image.run(payload, "python3 cases/x.py")   # continues from there: about two seconds

Everything is emulated (TCG): no KVM, no network but what is asked for. The memory of a snapshot is a file that later runs
map copy-on-write, so that what is migrated is the state of the devices alone; a run leaves no trace in the image."""
import collections
import dataclasses
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time

SELINUX = "security=selinux selinux=1 enforcing=1"
APPARMOR = "security=apparmor apparmor=1 selinux=0"


class Failed(Exception):
    """The machine itself failed: what it said last is in the text."""


@dataclasses.dataclass
class Outcome:
    status: int | None  # of the command; None: the time was over
    output: str
    seconds: float
    was_cut: bool  # it said CUT
    results: pathlib.Path  # what the command left in /results, dmesg.txt, journal.txt, console.log


class Machine:
    """One QEMU. Its folder, its sockets and its process end with the `with` block."""

    def __init__(self, image, *, saving=False, restored=False, security=SELINUX, payload=None, command=None, limit=600, forward=None, disk=None):
        self.image, self.saving, self.restored, self.security = image, saving, restored, security
        self.end = time.monotonic() + limit
        self.forward = forward  # (port here, port in the machine)
        self.disk = disk  # a qcow2 file over the image's or the snapshot's disk, which keeps what is written
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="testhost-", dir="/var/tmp"))
        self.process = None
        self.payload, self.command = payload, command
        self.said, self.pending, self.arrived = [], b"", collections.deque()

    def __enter__(self):
        try:
            self._disks()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def _disks(self):
        """Of fixed sizes, which a restored machine remembers."""
        for name, size in (("payload", 4 << 30), ("results", 1 << 30)):
            with open(self.work / name, "wb") as disk:
                disk.truncate(size)
        if self.command is None:
            return
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0",
                        *(["-d", str(self.payload)] if self.payload else []), str(self.work / "payload")], check=True)
        (self.work / "command").write_text(self.command + "\n")
        subprocess.run(["debugfs", "-w", "-R", f"write {self.work}/command .command", str(self.work / "payload")],
                       check=True, capture_output=True)

    def _start(self):
        image, work = self.image.folder, self.work
        memory = f"memory-backend-file,id=ram,size=2G,mem-path={image}/snapshot.ram,share={'on' if self.saving else 'off'}"
        if self.saving:
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "root.img", "-F", "raw", str(image / "snapshot.qcow2")], check=True)
            root = f"file={image}/snapshot.qcow2,cache=unsafe"
        elif self.disk:
            root = f"file={self.disk},cache=unsafe"
        elif self.restored:
            root = f"file={image}/snapshot.qcow2,snapshot=on"
        else:
            root = f"file={image}/root.img,format=raw,snapshot=on"
        forward = f",hostfwd=tcp:127.0.0.1:{self.forward[0]}-:{self.forward[1]}" if self.forward else ""
        argv = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-smp", "2", "-cpu", "max,la57=off", "-m", "2G",
                "-nodefaults", "-display", "none", "-no-reboot", "-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initramfs",
                "-append", f"console=ttyS0 quiet panic=-1 {self.security}",
                "-serial", f"file:{work}/console.log",
                "-chardev", f"socket,id=agent,path={work}/agent", "-serial", "chardev:agent",
                "-qmp", f"unix:{work}/monitor",
                "-drive", f"if=none,id=root,{root}", "-device", "virtio-blk-pci,drive=root,addr=4",
                "-drive", f"if=none,id=payload,file={work}/payload,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=payload,addr=5",
                "-drive", f"if=none,id=results,file={work}/results,format=raw,cache=unsafe", "-device", "virtio-blk-pci,drive=results,addr=6",
                "-netdev", f"user,id=net,restrict=on{forward}", "-device", "virtio-net-pci,netdev=net,addr=7,romfile="]
        if self.saving or self.restored:
            argv += ["-object", memory, "-machine", "memory-backend=ram"]
        if self.restored:
            argv += ["-incoming", "defer"]
        # QEMU connects to us: there is nothing to try again until it listens.
        doors = [self._listening(name) for name in ("agent", "monitor")]
        self.log = open(work / "qemu.log", "wb")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.agent, self.monitor = (self._accepted(door) for door in doors)
        self.answers = self.monitor.makefile("rb")
        self._event(lambda m: "QMP" in m)
        self.qmp("qmp_capabilities")
        if self.restored:
            self.qmp("migrate-set-capabilities", capabilities=[{"capability": c, "state": True} for c in ("x-ignore-shared", "events")])
            self.qmp("migrate-incoming", uri=f"exec:cat {image}/snapshot.state")
            self._event(lambda m: m.get("event") == "RESUME", 60)
        else:
            self.ready()

    def _listening(self, name):
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self.work / name))
        door.listen(1)
        return door

    def _accepted(self, door):
        """Its connection; fails when QEMU ends before, or has not come within 30 s."""
        ended = os.pidfd_open(self.process.pid)
        try:
            ready = select.select([door, ended], [], [], 30)[0]
        finally:
            os.close(ended)
        if door not in ready:
            raise self.failed("QEMU did not start")
        with door:
            return door.accept()[0]

    def failed(self, why):
        def tail(name):
            path = self.work / name
            return path.read_text(errors="replace")[-3000:] if path.exists() else ""
        return Failed(f"{why}\n{tail('console.log')}\n{tail('qemu.log')}")

    def _event(self, wanted, seconds=30):
        """The next message of the monitor that is `wanted`."""
        self.monitor.settimeout(seconds)
        try:
            for line in self.answers:
                message = json.loads(line)
                if "error" in message:
                    raise self.failed(message["error"]["desc"])
                if wanted(message):
                    return message
        except TimeoutError:
            pass
        raise self.failed("the monitor said nothing more")

    def qmp(self, command, **arguments):
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        return self._event(lambda m: "return" in m)["return"]

    def _lines(self):
        """What the agent's port says, line by line, until the machine ends; raises TimeoutError."""
        while True:
            while self.arrived:
                yield self.arrived.popleft()
            self.agent.settimeout(max(0.1, self.end - time.monotonic()))
            chunk = self.agent.recv(65536)
            *lines, self.pending = (self.pending + chunk).split(b"\n")
            self.arrived.extend(line.decode(errors="replace").rstrip("\r") for line in lines)
            if not chunk and not self.arrived:
                return

    def until(self, word):
        """Passes on what is printed until a line is `word`; whether it came."""
        try:
            for line in self._lines():
                if line == word:
                    return True
                self.said.append(line)
        except TimeoutError:
            pass
        return False

    def ready(self):
        """Passes on what is printed until the agent is ready; the status of what it ran."""
        try:
            for line in self._lines():
                if line.startswith("READY "):
                    return int(line.split()[1])
                self.said.append(line)
        except TimeoutError:
            raise self.failed("the machine was not ready in time") from None
        raise self.failed("the machine ended before it was ready")

    def say(self, word):
        self.agent.sendall(f"{word} {int(time.time())} {os.urandom(32).hex()}\n".encode())

    def results(self, folder):
        """After its end: unpacks /results; the command's status, None when there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tarfile.open(self.work / "results") as tar:
                tar.extractall(folder, members=[m for m in tar if (m.isreg() or m.isdir()) and ".." not in m.name and not m.name.startswith("/")])
        except tarfile.ReadError:
            pass
        for name in ("console.log", "qemu.log"):
            shutil.copy(self.work / name, folder)
        status = folder / "status"
        return int(status.read_text()) if status.exists() else None


class Image:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def has_snapshot(self):
        return (self.folder / "snapshot.state").exists()

    def snapshot(self, payload, command, limit=300):
        """Boots, runs the command (to install things, say) and keeps the state that later runs continue from."""
        for old in self.folder.glob("snapshot.*"):
            old.unlink()
        with Machine(self, saving=True, payload=payload, command=command, limit=limit) as machine:
            machine.say("prepare")
            status = machine.ready()
            if status:
                raise Failed(f"the preparation failed with {status}:\n" + "\n".join(machine.said[-40:]))
            # Not stopped first: a restored machine takes over the run state that was saved.
            machine.qmp("migrate-set-capabilities", capabilities=[{"capability": c, "state": True} for c in ("x-ignore-shared", "events")])
            machine.qmp("migrate", uri=f"exec:cat >{self.folder}/snapshot.new")
            machine._event(lambda m: m.get("event") == "MIGRATION" and m["data"]["status"] in ("completed", "failed"), 120)
            machine.qmp("quit")
            machine.process.wait(60)
            (self.folder / "snapshot.new").rename(self.folder / "snapshot.state")
            return machine.said

    def kept_disk(self, path):
        """For `disk`: what two machines after each other see, beginning with the snapshot's."""
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(self.folder / "snapshot.qcow2"), "-F", "qcow2", str(path)], check=True)
        return path

    def run(self, payload, command, results, *, cold=False, security=SELINUX, limit=600, forward=None, disk=None, meanwhile=None, echo=None):
        """`meanwhile(machine)` runs in this process while the command runs in the machine. A machine whose command says
        CUT on a line of its own loses its power at once."""
        began = time.monotonic()
        was_cut = False
        with Machine(self, restored=not cold, security=security, payload=payload, command=command, limit=limit, forward=forward,
                     disk=disk) as machine:
            machine.say("go")
            if meanwhile:
                meanwhile(machine)
            try:
                for line in machine._lines():
                    if line == "CUT":
                        machine.process.kill()
                        was_cut = True
                        break
                    machine.said.append(line)
                    if echo:
                        echo(line)
            except TimeoutError:
                machine.process.kill()
            machine.process.wait()
            # A disk that nothing was written to is a gigabyte of zeros to look through.
            status = None if was_cut else machine.results(pathlib.Path(results))
        return Outcome(status, "\n".join(machine.said) + "\n", time.monotonic() - began, was_cut, pathlib.Path(results))
