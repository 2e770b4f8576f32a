#!/usr/bin/python3
"""Nothing makes a guest run before the daemon has verified it: not a second monitor, not a debugger, not in the middle of the
verification. usage: early_run.py BUILD_DIR"""
import pathlib
import shutil
import socket
import sys
import threading
import time

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
REFUSED = "something on its command line started the guest early"


def xml(name, *args, vcpus=1):
    passed = "".join(f"<qemu:arg value='{a}'/>" for a in args)
    return (f"<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{name}</name><memory unit='MiB'>32</memory>"
            f"<vcpu>{vcpus}</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os><devices><controller type='usb' model='none'/>"
            f"<memballoon model='none'/></devices><qemu:commandline>{passed}</qemu:commandline></domain>")


class Intruder(threading.Thread):
    """Connects to a socket of QEMU's as soon as it is there, and does `what` with it."""

    def __init__(self, path, what):
        super().__init__(daemon=True)
        self.path, self.what, self.heard, self.failed = path, what, b"", None

    def run(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                wait_for(lambda: self.connected(s), 20, f"a listener on {self.path}")
                s.settimeout(20)
                self.what(self, s)
                while piece := s.recv(65536):
                    self.heard += piece
        except OSError as end:  # QEMU was ended
            self.failed = end

    def connected(self, s):
        try:
            s.connect(str(self.path))
            return True
        except OSError:
            return False

    def hear(self, s, words):
        while words not in self.heard:
            piece = s.recv(65536)
            if not piece:
                raise ConnectionError(self.heard)
            self.heard += piece


def at_once(_, s):
    s.sendall(b'{"execute":"qmp_capabilities"}{"execute":"cont"}')


def once_the_daemon_is_there(self, s):
    """The first command that the daemon sends it sends when it has been greeted: then verification begins."""
    s.sendall(b'{"execute":"qmp_capabilities"}')
    self.hear(s, b'"return"')
    while True:
        self.heard = b""
        s.sendall(b'{"execute":"query-chardev"}')
        self.hear(s, b"]}")
        monitor = [piece for piece in self.heard.split(b"{") if b"monitor" in piece]
        if any(b"disconnected" not in piece for piece in monitor if b"filename" in piece):
            break
    s.sendall(b'{"execute":"cont"}')


def debugger_goes_on(_, s):
    s.sendall(b"+$c#63")


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        conn = libvirt.open(rig.ours)
        folder = rig.root / "extra"
        folder.mkdir()
        shutil.chown(folder, "libvirt-qemu", "libvirt-qemu")

        def refused(name, option, what, too_late=None, **more):
            """`too_late`: what the intruder hears first when it came after the start: then the guest was verified and ran."""
            path = folder / f"{name}.sock"
            path.unlink(missing_ok=True)
            intruder = Intruder(path, what)
            intruder.start()
            said = ""
            try:
                conn.createXML(xml(name, option, f"unix:{path},server=on,wait=on", **more))
            except libvirt.libvirtError as error:
                said = error.get_error_message()
            for domain in conn.listAllDomains() if said == "" else []:
                domain.destroy()
            intruder.join(20)
            late = too_late is not None and intruder.heard.startswith(too_late)
            tap.check(REFUSED in said or late, f"{name}: the start is refused", f"{said or 'it was started'}\n{intruder.heard} {intruder.failed}")
            tap.check(not rig.guests() and not conn.listDomainsID(), f"{name}: and its QEMU is gone", rig.guests())

        refused("monitor", "-qmp", at_once)
        for attempt in range(5):
            refused(f"during-verification-{attempt}", "-qmp", once_the_daemon_is_there, vcpus=16)
        refused("debugger", "-gdb", debugger_goes_on, too_late=b"$T02")
        quiet = folder / "quiet.sock"
        silent = Intruder(quiet, lambda *_: None)
        silent.start()
        began = time.monotonic()
        guest = conn.createXML(xml("quiet", "-qmp", f"unix:{quiet},server=on,wait=on"))
        tap.check(guest.state()[0] == libvirt.VIR_DOMAIN_RUNNING, f"a second monitor that only listens does no harm ({time.monotonic() - began:.2f} s)")
        guest.destroy()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
