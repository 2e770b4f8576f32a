#!/usr/bin/python3
"""The daemon is killed at its worst moments: guests run on and are taken over, dead ones are cleaned up after, failed
starts leave nothing. usage: restart.py BUILD_DIR"""
import os
import pathlib
import signal
import sys

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Daemon, Rig, Tap, answers, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
NS = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"


def xml(name, disk, *args):
    passed = "".join(f"<qemu:arg value='{a}'/>" for a in args)
    return (f"<domain type='qemu' {NS}><name>{name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm"
            f"</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>"
            "<target dev='vda' bus='virtio'/></disk><controller type='usb' model='none'/><serial type='pty'/></devices>"
            f"<qemu:commandline>{passed}</qemu:commandline></domain>")


def left_behind(rig):
    ours = rig.root / "ours"
    return sorted(str(p) for folder in ("var/lib/cloister/undo", "var/lib/cloister/qemu") for p in (ours / folder).glob("*")
                  if p.name.startswith("domain-") or p.suffix == ".json") + [
        str(p) for p in (ours / "run/cloister/qemu").glob("again*")]


def loggers():
    """The cloister-logd of this rig: in our mount namespace."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text() == "cloister-logd\n" and (entry / "stat").read_text().split(")")[1].split()[0] != "Z" and \
                    os.readlink(entry / "ns/mnt") == os.readlink("/proc/self/ns/mnt"):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def check_logs(tap, rig, daemon, guest):
    """The guest's output outlives the daemon that started it, and its log is the logger's alone to write."""
    log = rig.root / "ours/var/log/cloister/qemu/again.log"
    guest.create()
    logger = loggers()
    tap.check(len(logger) == 1, "one cloister-logd takes the guests' output", logger)
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{logger[0]}/status").read_text().splitlines() if ":\t" in line)
    tap.check("0" not in status["Uid"].split() and status["CapEff"] == status["CapBnd"] == "0" * 16 and status["Seccomp"] == "2"
              and status["NoNewPrivs"] == "1", "without root, capabilities and all but a few system calls", status)
    daemon.kill()
    tap.check(loggers() == logger, "it outlives the daemon")
    conn = daemon.start()
    conn.createXML(xml("again-other", rig.root / "disks/b.raw")).destroy()
    tap.check(loggers() == logger, "the next daemon finds it")
    daemon.kill()
    (qemu,) = rig.guests()
    os.kill(qemu, signal.SIGTERM)
    wait_for(lambda: "terminating on signal 15" in log.read_text(), 10, "QEMU's last word in the log")
    tap.check(True, "what QEMU says while no daemon runs is in its log")
    wait_for(lambda: not loggers(), 10, "the end of cloister-logd")
    tap.check(True, "and with the last guest it ends")
    rig.reap()
    daemon.start().close()
    tap.check(not left_behind(rig), "leaving nothing to undo", left_behind(rig))
    tap.check(not list(log.parent.glob("*.log.?")), "and no empty backups", list(log.parent.glob("*")))


def check_denial(tap, rig, conn, name, args, layer):
    """A start that is refused something names the layer: to the client, in the messages and in the log."""
    guest = conn.defineXML(xml(name, rig.root / "disks/a.raw", *args))
    try:
        guest.create()
        tap.check(False, f"{name} is refused")
    except libvirt.libvirtError as refused:
        said = refused.get_error_message()
        tap.check("process exited while connecting to monitor" in said and layer in said, f"a start of {name} names '{layer}'", said)
    messages = guest.messages()
    tap.check(any(layer in m and m.startswith("denied: ") for m in messages), "and so do its messages", messages)
    log = (rig.root / f"ours/var/log/cloister/qemu/{name}.log").read_text()
    tap.check(any(layer in line and ": denied: " in line for line in log.splitlines()), "and its log", log)
    guest.undefine()


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        disk = rig.root / "disks/a.raw"
        disk.write_bytes(b"\0" * (1 << 20))
        daemon, conn = Daemon(rig), libvirt.open(rig.ours)
        guest = conn.defineXML(xml("again", disk))
        guest.create()
        before = (guest.ID(), guest.XMLDesc())
        qemu = rig.guests()
        daemon.kill()
        tap.check(rig.guests() == qemu, "QEMU outlives its daemon")
        conn = daemon.start()
        guest = conn.lookupByName("again")
        tap.check((guest.ID(), guest.XMLDesc()) == before, "the guest is taken over as it was", guest.XMLDesc())
        tap.check(guest.state() == [libvirt.VIR_DOMAIN_RUNNING, 1], "and is known to run since its boot", guest.state())
        guest.suspend()
        guest.resume()
        tap.check(guest.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "and its monitor answers")
        guest.destroy()
        tap.check(disk.stat().st_uid == 0 and not left_behind(rig), "and its end gives everything back", left_behind(rig))

        guest.create()
        daemon.kill()
        for pid in rig.guests():
            os.kill(pid, signal.SIGKILL)
        rig.reap()
        tap.check(disk.stat().st_uid != 0, "a guest that dies without a daemon leaves its disk to its user")
        conn = daemon.start()
        guest = conn.lookupByName("again")
        tap.check(guest.isActive() == 0, "the next daemon sees that it is gone")
        tap.check(disk.stat().st_uid == 0 and not left_behind(rig), "and undoes what it left", left_behind(rig))

        (rig.root / "disks/b.raw").write_bytes(b"\0" * (1 << 20))
        check_logs(tap, rig, daemon, guest)
        conn = libvirt.open(rig.ours)

        secret = rig.root / "disks/secret.raw"
        secret.write_bytes(b"\0" * 4096)
        secret.chmod(0o600)
        for name, args, text in (
                ("again-open", ("-drive", f"file={secret},if=none,id=x,format=raw"), "Permission denied"),
                ("again-sys", ("-netdev", "bridge,id=n"), "SIGSYS")):
            try:
                conn.createXML(xml(name, disk, *args))
                tap.check(False, f"{name} is refused")
            except libvirt.libvirtError as refused:
                said = refused.get_error_message()
                tap.check("process exited while connecting to monitor" in said and text in said, f"a start that ends in '{text}' says so", said)
            tap.check(disk.stat().st_uid == 0 and not left_behind(rig), "and leaves nothing", left_behind(rig))
        check_denial(tap, rig, conn, "again-dac", ("-drive", f"file={secret},if=none,id=x,format=raw"),
                     "(DAC: it belongs to 0:0, mode 0600); it was named by qemu:arg 2")
        check_denial(tap, rig, conn, "again-dev", ("-drive", "file=/dev/loop-control,if=none,id=x,format=raw"),
                     "not in the guest's /dev (mount namespace); it was named by qemu:arg 2")
        check_denial(tap, rig, conn, "again-filter", ("-netdev", "bridge,id=n"), "-sandbox spawn=deny")
        check_denial(tap, rig, conn, "again-nowhere", ("-drive", "file=/no/such,if=none,id=x,format=raw"),
                     "does not exist on the host either")
        conn.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
