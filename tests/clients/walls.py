#!/usr/bin/python3
"""Guest B attacks guest A: the same program, as the same user, in QEMU's place, of stock libvirtd and of cloisterd, printed side by
side. usage: walls.py BUILD_DIR

The emulator of B is a script that is QEMU, unless the definition says whom to attack: then it is the probe of the root tests,
confined by whatever the daemon puts around QEMU."""
import ctypes
import pathlib
import re
import sys

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
NS = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
QEMU = "/usr/bin/qemu-system-x86_64"
SECRET = "the-memory-of-guest-a"


def xml(name, emulator, **environment):
    variables = "".join(f"<qemu:env name='{k}' value='{v}'/>" for k, v in environment.items())
    return (f"<domain type='qemu' {NS}><name>{name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type>"
            f"</os><devices><emulator>{emulator}</emulator><controller type='usb' model='none'/><memballoon model='none'/></devices>"
            f"<qemu:commandline>{variables}</qemu:commandline></domain>")


def landlock_abi():
    """landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)"""
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


def uid_of(pid):
    return re.search(r"^Uid:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)


def attempt(rig, uri, name, emulator, log):
    """What B got out of it, by attempt, and the user that both run as."""
    conn = libvirt.open(uri)
    victim = conn.createXML(xml(f"walls-a-{name}", QEMU, WALLS_SECRET=SECRET))
    try:
        pid = next(p for p in rig.guests() if f"guest=walls-a-{name}".encode() in pathlib.Path(f"/proc/{p}/cmdline").read_bytes())
        try:
            conn.createXML(xml(f"walls-b-{name}", emulator, WALLS_VICTIM=pid)).destroy()
        except libvirt.libvirtError as refused:  # the probe is no QEMU: it speaks no QMP, and ends
            if "monitor" not in refused.get_error_message():
                raise
        said = dict(re.findall(r"^([a-z ]+): (.+)$", (log / f"walls-b-{name}.log").read_text(errors="replace"), re.M))
        alive = victim.isActive() == 1 and victim.state()[0] == libvirt.VIR_DOMAIN_RUNNING
        return said, uid_of(pid), alive
    finally:
        victim.destroy()
        conn.close()


def main():
    tap = Tap()
    build = pathlib.Path(sys.argv[1]).resolve()
    with Rig(build) as rig:
        emulator = rig.root / "walls-emulator"
        probe = rig.root / "walls-probe"  # where the guests' user can reach it, whatever the modes of the build folder
        probe.write_bytes((build / "tests/root/probe").read_bytes())
        probe.chmod(0o755)
        emulator.write_text(f'#!/bin/sh\n[ -n "$WALLS_VICTIM" ] && exec {probe} attack "$WALLS_VICTIM"\nexec {QEMU} "$@"\n')
        emulator.chmod(0o755)
        stock, stock_uid, _ = attempt(rig, rig.stock, "stock", emulator, rig.root / "log/qemu")
        ours, our_uid, alive = attempt(rig, rig.ours, "ours", emulator, rig.root / "ours/var/log/cloister/qemu")
        abi = landlock_abi()

        version = libvirt.getVersion()
        head = f"libvirtd {version // 1000000}.{version // 1000 % 1000}"
        print(f"# guest B on guest A, both as uid {stock_uid} and {our_uid}; Landlock ABI {abi}")
        print(f"# {'attempt':12} {head:32} cloisterd")
        for what in stock:
            print(f"# {what:12} {stock[what]:32} {ours.get(what, '-')}", flush=True)

        tap.check(stock_uid == our_uid, "both daemons run their guests as the same user", (stock_uid, our_uid))
        tap.check(set(stock) == set(ours) and len(ours) >= 8, "both were attacked in the same ways", (stock, ours))
        tap.check(all(stock.get(what) == "ok" for what in ("mem", "root", "environ", "fd", "kill")),
                  "of stock libvirtd guest B reads, enters and can signal guest A: the attempts are real ones", stock)
        for what in ("ptrace", "mem", "root", "environ", "fd", "pidfd"):
            tap.check(ours.get(what) in ("Permission denied", "Operation not permitted", "Bad system call"), f"{what}: cloisterd's guest B is refused", ours.get(what))
        if abi >= 6:
            tap.check(ours.get("kill") == "Operation not permitted", "kill: cloisterd's guest B is refused", ours.get("kill"))
        else:
            tap.check(ours.get("kill") == "ok", "kill: before Landlock's ABI 6 nothing can refuse it", ours.get("kill"))
        tap.check(ours.get("own thread") == "ok", "and may still signal itself", ours)
        tap.check(alive, "guest A runs on")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
