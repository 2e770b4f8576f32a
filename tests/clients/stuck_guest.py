#!/usr/bin/python3
"""One guest's QEMU is stopped by SIGSTOP: everybody else is served, and it can be destroyed. usage: stuck_guest.py BUILD_DIR"""
import os
import pathlib
import signal
import subprocess
import sys
import time

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
LIMIT_MS = 100


def xml(name):
    return (f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>"
            "<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>")


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        conn = libvirt.open(rig.ours)
        stuck, other = conn.defineXML(xml("stuck")), conn.defineXML(xml("other"))
        other.create()  # whatever is asked of QEMU once has been asked
        other.destroy()
        stuck.create()
        pid = next(p for p in rig.guests() if b"guest=stuck" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes())
        os.kill(pid, signal.SIGSTOP)
        second = libvirt.open(rig.ours)

        def timed(name, call):
            began = time.perf_counter()
            result = call()
            took = (time.perf_counter() - began) * 1000
            tap.check(took < LIMIT_MS, f"{name}: {took:.1f} ms", f"limit {LIMIT_MS} ms")
            return result

        timed("list", lambda: conn.listAllDomains())
        timed("dominfo of the stuck guest", stuck.info)
        timed("dumpxml of the stuck guest", lambda: stuck.XMLDesc())
        timed("domstate of the stuck guest", stuck.state)
        timed("start of another guest", lambda: second.lookupByName("other").create())
        timed("destroy of the stuck guest", stuck.destroy)
        tap.check(not os.path.exists(f"/proc/{pid}") or "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().split(")")[1], "its process is gone")
        # A running guest is asked first: QEMU handles SIGTERM and says so in its log.
        other_pid = next(p for p in rig.guests() if b"guest=other" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes())
        other.destroy()
        log = "".join(p.read_text(errors="replace") for p in rig.root.rglob("other.log"))
        tap.check("terminating on signal 15" in log, "a running guest's destroy lets QEMU flush (SIGTERM first)", f"pid {other_pid}\n{log[-400:]}")
        stuck_log = "".join(p.read_text(errors="replace") for p in rig.root.rglob("stuck.log"))
        tap.check("terminating on signal 15" not in stuck_log, "a stopped one is killed at once")
    return tap.done()


if __name__ == "__main__":
    subprocess.run(["true"], check=True)
    sys.exit(main())
