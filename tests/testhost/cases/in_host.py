"""What the cases share: TAP, stock virsh, guests, what SELinux denied. Runs inside the test host, as root, unconfined.

    case = Case()
    case.check("what must hold", condition, "what was found instead")
    case.end()"""
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys
import time

SOCKET = "/run/cloister/cloister-sock"
URI = f"qemu+unix:///system?socket={SOCKET}"
IMAGES = pathlib.Path("/var/lib/cloister/images")
PAYLOAD = pathlib.Path("/payload")


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


def define(xml):
    path = pathlib.Path("/tmp") / (re.search("<name>(.*?)</name>", xml)[1] + ".xml")
    path.write_text(xml)
    virsh("define", path)


def start(xml, *options):
    """Defines and starts; an error's text, empty when it runs."""
    define(xml)
    said = virsh("start", re.search("<name>(.*?)</name>", xml)[1], *options, check=False)
    return "" if "started" in said or not said else said


def destroy(*names):
    for name in names:
        virsh("destroy", name, check=False)
        virsh("undefine", name, "--nvram", check=False)


def qmp(name, command, **arguments):
    return json.loads(virsh("qemu-monitor-command", name, json.dumps({"execute": command, "arguments": arguments})))


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

    def no_denials(self, what, before=0):
        found = denials()[before:]
        for line in found[:20]:
            self.note(line)
        self.check(what, not found, f"{len(found)} denials")

    def end(self):
        print(f"1..{self.count}", flush=True)
        self.note(f"{time.monotonic() - self.began:.1f} s")
        sys.exit(1 if self.failed else 0)
