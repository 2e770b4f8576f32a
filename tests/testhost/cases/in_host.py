"""What the cases share: TAP, the stock clients, guests, what SELinux denied. Runs inside the test host, as root, unconfined.
On an emulated processor a virsh takes the better part of a second to load: what only prepares or looks goes through one
connection of the stock library, and virsh is run where what it prints is the point.

    case = Case()
    case.check("what must hold", condition, "what was found instead")
    case.end()"""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import time

import libvirt
import libvirt_qemu

SOCKET = "/run/cloister/cloister-sock"
URI = f"qemu+unix:///system?socket={SOCKET}"
IMAGES = pathlib.Path("/var/lib/cloister/images")
PAYLOAD = pathlib.Path("/payload")
libvirt.registerErrorHandler(lambda *_: None, None)
_connection = None


def sh(command, *, check=True, timeout=120):
    """A shell command's standard output."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise RuntimeError(f"{command}: {done.returncode}: {done.stdout[-600:]}{done.stderr[-1500:]}")
    return done.stdout.strip()


def virsh(*arguments, check=True, user=None, uri=URI, timeout=120):
    """Stock virsh. Without `check` its whole output, errors too."""
    argv = ["virsh", "-q", "-c", uri, *map(str, arguments)]
    if user:
        argv = ["runuser", "-u", user, "--", *argv]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise RuntimeError(f"virsh {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout.strip() if check else (done.stdout + done.stderr).strip()


def connection():
    """The stock library's, kept; a new one when the daemon is another."""
    global _connection
    if _connection is None or not _connection.isAlive():
        _connection = libvirt.open(URI)
    return _connection


def asked(question):
    """What `question(connection)` gives, asked once more when the daemon went away meanwhile."""
    global _connection
    try:
        return question(connection())
    except libvirt.libvirtError as error:
        if error.get_error_domain() != libvirt.VIR_FROM_RPC:
            raise
        _connection = None
        return question(connection())


def wait_for(ready, seconds, what):
    """Polls a condition that has no event, with a deadline; its value."""
    end = time.monotonic() + seconds
    while not (value := ready()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        select.select([], [], [], 0.05)
    return value


def answers(path=SOCKET):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(path)
            return True
        except OSError:
            return False


def context(pid):
    """The security context of a process, as the kernel says it."""
    return pathlib.Path(f"/proc/{pid}/attr/current").read_text().strip("\0\n")


def label(path):
    return os.getxattr(path, "security.selinux", follow_symlinks=False).decode().strip("\0")


def main_pid(unit="cloisterd.service"):
    return int(sh(f"systemctl show -P MainPID {unit}"))


def pid_of(name):
    return int(pathlib.Path(f"/run/cloister/qemu/{name}.pid").read_text())


def denials():
    """AVC denials since the machine booted, as the kernel printed them."""
    return [line for line in sh("dmesg").splitlines() if "avc:  denied" in line]


def disk(name, size="16M", where=IMAGES, form="raw"):
    path = where / name
    if not path.exists():
        sh(f"qemu-img create -q -f {form} {path} {size} && restorecon {path}")
    return path


def domain(name, *, disks=(), virt="qemu", memory=64, extra="", devices="", arguments=(), boot="", machine="q35", seclabel=""):
    """XML of a guest that only waits at its firmware, unless `boot` says more."""
    found = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='{'qcow2' if str(d).endswith('qcow2') else 'raw'}'/><source file='{d}'/>"
        f"<target dev='vd{chr(97 + i)}' bus='virtio'/></disk>" if not str(d).startswith("<") else str(d) for i, d in enumerate(disks))
    passed = "".join(f"<qemu:arg value='{a}'/>" for a in arguments)
    return (f"<domain type='{virt}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{name}</name>"
            f"<memory unit='MiB'>{memory}</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='{machine}'>hvm</type>{boot}</os>"
            f"<features><acpi/></features>{extra}<devices>{found}<serial type='pty'/><memballoon model='none'/>{devices}</devices>{seclabel}"
            f"{f'<qemu:commandline>{passed}</qemu:commandline>' if passed else ''}</domain>")


def linux():
    """For `boot`: the Linux of ./demo, from the payload."""
    for name in ("vmlinuz", "initramfs.gz"):
        if not (IMAGES / name).exists():
            shutil.copy(PAYLOAD / "guest" / name, IMAGES / name)
            sh(f"restorecon {IMAGES / name}")
    return f"<kernel>{IMAGES}/vmlinuz</kernel><initrd>{IMAGES}/initramfs.gz</initrd><cmdline>console=ttyS0 quiet no_timer_check</cmdline>"


PROMPT = "cloister-guest#"  # of linux()


def console(name, until, seconds):
    """What virsh's console of the guest shows until `until` is there; a key is pressed every five seconds."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(["virsh", "-c", URI, "console", name, "--force"], stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    seen, end, pressed = b"", time.monotonic() + seconds, time.monotonic()
    while until.encode() not in seen and time.monotonic() < end:
        if select.select([leader], [], [], 1)[0]:
            seen += os.read(leader, 4096)
        elif time.monotonic() - pressed > 5:
            os.write(leader, b"\r")
            pressed = time.monotonic()
    child.kill()
    child.wait()
    os.close(leader)
    return seen.decode(errors="replace")


def define(xml):
    asked(lambda c: c.defineXML(xml))


def start(xml, *, flags=0):
    """Defines and starts; an error's text, empty when it runs."""
    define(xml)
    try:
        asked(lambda c: c.lookupByName(re.search("<name>(.*?)</name>", xml)[1])).createWithFlags(flags)
    except libvirt.libvirtError as error:
        return str(error)
    return ""


def state(name):
    """As virsh domstate says it."""
    words = ("no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")
    return words[asked(lambda c: c.lookupByName(name).state()[0])]


def running():
    """The names of the guests that run, sorted."""
    return sorted(d.name() for d in asked(lambda c: c.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)))


def live_xml(name):
    return asked(lambda c: c.lookupByName(name).XMLDesc())


def attach_disk(name, path, target, *, flags=libvirt.VIR_DOMAIN_AFFECT_LIVE):
    """A raw image, to a running guest."""
    xml = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/><target dev='{target}' bus='virtio'/></disk>"
    asked(lambda c: c.lookupByName(name).attachDeviceFlags(xml, flags))


def destroy(*names):
    """Ends and undefines them, whatever of that there is to do."""
    for name in names:
        for end in (lambda d: d.destroy(), lambda d: d.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)):
            try:
                end(asked(lambda c: c.lookupByName(name)))
            except libvirt.libvirtError:
                pass


def qmp(name, command, **arguments):
    return json.loads(asked(lambda c: libvirt_qemu.qemuMonitorCommand(c.lookupByName(name), json.dumps({"execute": command, "arguments": arguments}), 0)))


def hmp(name, line):
    return asked(lambda c: libvirt_qemu.qemuMonitorCommand(c.lookupByName(name), line, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP))


FAULTY = pathlib.Path("/run/systemd/system/cloisterd.service.d/fault.conf")


def restart_daemon(*, faulty=None):
    """With `faulty` one that stays dead after it was killed at that step ("do:label-file"); without, a sound one again."""
    if faulty:
        FAULTY.parent.mkdir(parents=True, exist_ok=True)
        FAULTY.write_text(f"[Service]\nRestart=no\nExecStart=\nExecStart=/usr/sbin/cloisterd --fault {faulty}:kill\n")
    else:
        FAULTY.unlink(missing_ok=True)
    sh("systemctl daemon-reload; systemctl reset-failed cloisterd.service; systemctl restart cloisterd.service", check=False)
    wait_for(answers, 30, "the daemon")


class Case:
    def __init__(self):
        self.count = self.failed = 0
        self.began = time.monotonic()

    def check(self, what, holds, found=""):
        self.count += 1
        self.failed += not holds
        print(f"{'ok' if holds else 'not ok'} {self.count} - {what}{'' if found == '' else f': {found}'}"[:600].replace("\n", " "), flush=True)
        return bool(holds)

    def equal(self, what, found, wanted):
        return self.check(what, found == wanted, found if found == wanted else f"{found!r}, wanted {wanted!r}")

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def attempt(self, what, action):
        """Runs a part of the case: an exception is a failure, and the rest goes on."""
        try:
            return action()
        except Exception as error:  # noqa: BLE001: whatever it is, it is this part's failure
            self.check(what, False, f"{type(error).__name__}: {error}")
            return None

    def kill_daemon_at(self, step, xml):
        """While it starts the guest ("do:label-file"), or ends it ("undo:return-label"). It stays dead: see restart_daemon()."""
        restart_daemon(faulty=step)
        old = main_pid()
        said = start(xml)
        if step.startswith("undo"):
            said = virsh("destroy", re.search("<name>(.*?)</name>", xml)[1], check=False)
        self.check(f"killed at {step}", said != "" and main_pid() != old, said[:100])

    def no_denials(self, what, before=0):
        found = denials()[before:]
        for line in found[:20]:
            self.note(line)
        self.check(what, not found, f"{len(found)} denials")

    def end(self):
        print(f"1..{self.count}", flush=True)
        self.note(f"{time.monotonic() - self.began:.1f} s")
        sys.exit(1 if self.failed else 0)
