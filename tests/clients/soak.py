#!/usr/bin/python3
"""Guests are started and destroyed, 20 at a time, again and again: the daemon does not grow, and the host has as many
descriptors, mounts, groups and processes as before. usage: soak.py BUILD_DIR [CYCLES]   (default 100; in full: 500)"""
import concurrent.futures
import os
import pathlib
import sys
import time

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, own_network, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
AT_ONCE, WARM_UP, LIMIT_KIB = 20, 60, 1024
NAME = f"soak{os.getpid()}"


def xml(root, number):
    return (f"<domain type='qemu'><name>{NAME}-{number}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>"
            f"<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{root}/disks/{number}.raw'/>"
            "<target dev='vda' bus='virtio'/></disk><controller type='usb' model='none'/><interface type='ethernet'><model type='virtio'/></interface>"
            "<serial type='pty'/><channel type='unix'><target type='virtio' name='org.test.0'/></channel>"
            "<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video></devices></domain>")


class Counts:
    """What must not grow."""

    def __init__(self, rig, pid):
        self.rig, self.proc = rig, pathlib.Path(f"/proc/{pid}")

    def rss(self):
        return int(next(line.split()[1] for line in (self.proc / "status").read_text().splitlines() if line.startswith("VmRSS")))

    def now(self):
        self.rig.reap()
        groups = sum(NAME in name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names)
        below = [p for p in pathlib.Path("/proc").glob("[0-9]*/stat") if self.is_child(p)]
        return {"descriptors": len(list((self.proc / "fd").iterdir())), "mounts": len((self.proc / "mountinfo").read_text().splitlines()),
                "groups": groups, "processes": len(below), "threads": len(list((self.proc / "task").iterdir()))}

    def is_child(self, stat):
        try:
            return stat.read_text().rsplit(")", 1)[1].split()[1] == self.proc.name
        except OSError:
            return False


def main():
    cycles = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    tap = Tap()
    own_network()
    with Rig(sys.argv[1], stock=False) as rig:
        conn = libvirt.open(rig.ours)
        connections = [libvirt.open(rig.ours) for _ in range(AT_ONCE)]
        guests = []
        for number, connection in enumerate(connections):
            (rig.root / f"disks/{number}.raw").write_bytes(b"\0" * 4096)
            guests.append(connection.defineXML(xml(rig.root, number)))
        counts = Counts(rig, (rig.root / "ours/run/cloister/qemu/driver.pid").read_text().strip())

        def round_of_all(pool):
            list(pool.map(lambda g: g.create(), guests))
            list(pool.map(lambda g: g.destroy(), guests))

        failures, done = [], 0
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            round_of_all(pool)  # what is made once has been made
            before = counts.now()
            def run(until):
                nonlocal done
                while done < until and not failures:
                    try:
                        round_of_all(pool)
                        done += AT_ONCE
                    except libvirt.libvirtError as refused:
                        failures.append(str(refused))

            # What is lost at each start grows in every window. A worker that has its busiest moment grows once, and keeps that.
            run(WARM_UP)
            windows = []
            while not failures and len(windows) < 3 and (not windows or windows[-1] >= LIMIT_KIB):
                warm = counts.rss()
                run(done + cycles - WARM_UP)
                windows.append(counts.rss() - warm)
        tap.check(not failures and done >= cycles, f"{done} cycles, {AT_ONCE} guests at a time, all start and stop", "\n".join(failures))
        try:
            wait_for(lambda: counts.now() == before, 10, "the same counts")
        except TimeoutError:
            pass
        after = counts.now()
        tap.check(after == before, f"as many of all as before: {before}", after)
        grown = ", then by ".join(map(str, windows))
        tap.check(windows and windows[-1] < LIMIT_KIB,
                  f"the daemon grew by {grown} KiB in {cycles - WARM_UP} cycles after the first {WARM_UP} (limit {LIMIT_KIB})")
        owners = {(rig.root / f"disks/{n}.raw").stat().st_uid for n in range(AT_ONCE)}
        tap.check(owners == {0}, "every disk is root's again", owners)
        print(f"# {done} cycles in {time.monotonic() - began:.1f} s, {len(conn.listAllDomains())} domains, RSS {counts.rss()} KiB", flush=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
