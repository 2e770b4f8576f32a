"""A private stock libvirtd and a private cloisterd side by side, for the tests that compare them.

Everything lives in one mount namespace of its own, below one temporary folder: the stock daemon's folders are bound
over /etc/libvirt and so on, /dev has no kvm (where it is root's alone, stock probes it anew at every start), and this
process reaps what the daemons orphan. Nothing outside is touched; close() ends only processes started here."""
import ctypes
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET, MS_BIND, MS_REC, MS_PRIVATE, MS_MOVE, MNT_DETACH, PR_SET_CHILD_SUBREAPER = 0x20000, 0x40000000, 4096, 16384, 1 << 18, 8192, 2, 36


def _check(result, what):
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source, target, kind, flags, data=None):
    _check(_libc.mount(str(source).encode(), str(target).encode(), kind.encode() if kind else None, flags,
                       data.encode() if data else None), f"mount {target}")


def enter_namespace(root):
    """This process, and all it starts, in a mount namespace with a private /dev and libvirt's folders below `root`."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    for name, path in {"etc": "/etc/libvirt", "lib": "/var/lib/libvirt", "cache": "/var/cache/libvirt",
                       "log": "/var/log/libvirt"}.items():
        (root / name).mkdir(mode=0o755)
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)
        if name == "etc":
            shutil.copytree("/etc/libvirt", root / name, dirs_exist_ok=True, symlinks=True)
            for old in [*(root / name).glob("qemu/*.xml"), *(root / name).glob("nwfilter/*.xml")]:
                old.unlink()
            shutil.rmtree(root / name / "qemu/networks", ignore_errors=True)
        _mount(root / name, path, None, MS_BIND)
    for folder in ("boot", "images", "qemu"):
        (root / "lib" / folder).mkdir(mode=0o751)
    shutil.chown(root / "lib/qemu", "libvirt-qemu", "libvirt-qemu")
    (root / "log/qemu").mkdir()
    os.makedirs("/run/libvirt", exist_ok=True)
    _mount("tmpfs", "/run/libvirt", "tmpfs", 0, "mode=755")
    dev = root / "dev"
    dev.mkdir()
    _mount("dev", dev, "tmpfs", 0, "mode=755")
    for name in "null zero full random urandom tty net fuse loop-control console".split():
        if os.path.exists(f"/dev/{name}"):
            subprocess.run(["cp", "-a", f"/dev/{name}", str(dev)], check=True)
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}.items():
        (dev / name).symlink_to(target)
    for name in ("pts", "shm", "mqueue"):
        (dev / name).mkdir()
    _mount("devpts", dev / "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5")
    _mount("shm", dev / "shm", "tmpfs", 0, "mode=1777")
    _check(_libc.umount2(b"/dev", MNT_DETACH), "umount /dev")
    while os.path.ismount("/dev"):
        _check(_libc.umount2(b"/dev", MNT_DETACH), "umount /dev")
    _mount(dev, "/dev", None, MS_MOVE)


def own_network():
    """Interfaces and ports of its own, for this process and all it starts: what is left behind is ours."""
    _check(_libc.unshare(CLONE_NEWNET), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def wait_for(ready, seconds, what):
    """Polls a condition that has no event to wait for, with a deadline."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        select.select([], [], [], 0.02)


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
            return True
        except OSError:
            return False


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers_at(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Rig:
    """`with Rig(build) as rig:` rig.stock and rig.ours are libvirt URIs."""

    def __init__(self, build, qemu_conf="", stock=True, daemon_conf=""):
        self.build, self.qemu_conf, self.with_stock = pathlib.Path(build).resolve(), qemu_conf, stock
        self.daemon_conf = daemon_conf
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="cloister-"))
        self.root.chmod(0o755)
        self.children = []

    def __enter__(self):
        try:
            enter_namespace(self.root)
            (self.root / "disks").mkdir(mode=0o755)
            if self.with_stock:
                self._start_stock()
            self._start_ours()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _spawn(self, name, argv, environment=None):
        log = open(self.root / f"{name}.log", "ab")
        # stock libvirtd looks every 200 ms whether a dead QEMU has been reaped: somebody must do it at once
        argv = [sys.executable, __file__, "reap", *argv]
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
        self.children.append(child)
        return child

    def _start_stock(self):
        (self.root / "sock").mkdir(mode=0o755)
        (self.root / "etc/libvirtd.conf").write_text(
            f'unix_sock_dir = "{self.root}/sock"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
            f'log_outputs = "3:file:{self.root}/libvirtd.log"\n')
        (self.root / "etc/qemu.conf").write_text(self.qemu_conf)
        self._spawn("virtlogd", ["/usr/sbin/virtlogd"])
        self._spawn("libvirtd", ["/usr/sbin/libvirtd", "--config", "/etc/libvirt/libvirtd.conf"])
        wait_for(lambda: answers(self.root / "sock/libvirt-sock"), 20, "stock libvirtd's socket")
        self.stock = f"qemu+unix:///system?socket={self.root}/sock/libvirt-sock"

    def _start_ours(self):
        (self.root / "ours").mkdir(mode=0o755, exist_ok=True)
        (self.root / "ours-qemu.conf").write_text(self.qemu_conf)
        (self.root / "ours-daemon.conf").write_text(self.daemon_conf)
        self.daemon = self._spawn("cloisterd", [
            str(self.build / "daemon/cloisterd"), "--config", str(self.root / "ours-daemon.conf"), "--qemu-conf", str(self.root / "ours-qemu.conf"), "--state-root",
            str(self.root / "ours"), "--socket-dir", str(self.root / "ours")])
        wait_for(lambda: answers(self.root / "ours/cloister-sock") or self.daemon.poll() is not None, 20, "cloisterd's socket")
        if self.daemon.poll() is not None:
            raise RuntimeError("cloisterd ended: " + (self.root / "cloisterd.log").read_text()[-2000:])
        self.ours = f"qemu+unix:///system?socket={self.root}/ours/cloister-sock"

    def restart_ours(self, daemon_conf):
        """cloisterd with other settings; guests run on."""
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(20)
        self.daemon_conf = daemon_conf
        self._start_ours()

    @staticmethod
    def child_of(process):
        """The pid of what was started below the reaper."""
        return int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

    def guests(self):
        """The processes below this one that are a QEMU."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if b"qemu-system" in (entry / "cmdline").read_bytes().split(b"\0")[0] and str(self.root).encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes() + (entry / "mountinfo").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def close(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in reversed(self.children):
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
        for pid in self.guests():
            os.kill(pid, signal.SIGKILL)
        self.reap()
        if not os.environ.get("CLOISTER_KEEP"):
            subprocess.run(["umount", "-l", "/run/libvirt"], check=False)
            shutil.rmtree(self.root, ignore_errors=True)

    def reap(self):
        known = {c.pid for c in self.children}
        while True:
            try:
                done = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if done is None or done.si_pid in known:
                return
            os.waitpid(done.si_pid, 0)


class Daemon:
    """Ends and starts a rig's cloisterd; guests run on."""

    def __init__(self, rig):
        self.rig, self.run = rig, rig.root / "ours/run/cloister/qemu"

    def pid(self):
        return int((self.run / "driver.pid").read_text())

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)
        self.rig.daemon.wait(10)

    def start(self):
        import libvirt  # not every test that uses a rig has it
        self.rig._start_ours()
        return libvirt.open(self.rig.ours)

    def log(self):
        return (self.rig.root / "cloisterd.log").read_text()


class Tap:
    """Test Anything Protocol, for meson."""

    def __init__(self):
        self.count = self.failed = 0

    def check(self, good, name, detail=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            for line in str(detail).splitlines():
                print(f"# {line}", flush=True)
        return good

    def done(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def reap_for(argv):
    """Runs argv as a child, forwards SIGTERM to it, and reaps whatever it orphans, until it has ended."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # a daemon must not be left behind by an early one
    daemon = os.posix_spawnp(argv[0], argv, os.environ, setsigmask=())
    signal.signal(signal.SIGTERM, lambda *_: os.kill(daemon, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == daemon:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__" and sys.argv[1:2] == ["reap"]:
    sys.exit(abs(reap_for(sys.argv[2:])))
