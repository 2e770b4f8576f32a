#!/usr/bin/env python3
"""Shares, limits and pins of a definition are the kernel's when the guest runs, and what would have no effect is refused.
usage: tuning.py BUILD. Prints TAP."""
import os
import pathlib
import subprocess
import sys

import rig

BUILD = sys.argv[1]
count = failed = 0


def check(what, found, wanted):
    global count, failed
    count += 1
    ok = wanted(found) if callable(wanted) else found == wanted
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {what}: {found!r}", flush=True)


def domain(name, tuning="", vcpus="<vcpu>2</vcpu>"):
    return (f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>{vcpus}{tuning}<os><type arch='x86_64' machine='q35'>hvm</type></os>"
            f"<devices><memballoon model='none'/></devices></domain>")


def folder_of(pid, controller):
    """The guest's group in the hierarchy of that controller, and whether it is v2's."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            mount = next(m.split()[1] for m in open("/proc/self/mounts") if m.split()[2] == "cgroup" and controller in m.split()[3].split(","))
            return pathlib.Path(mount + path), False
    line = next(l for l in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines() if l.startswith("0::"))
    mount = next(m.split()[1] for m in open("/proc/self/mounts") if m.split()[2] == "cgroup2")
    return pathlib.Path(mount + line[3:]), True


def value(pid, controller, v1, v2):
    folder, unified = folder_of(pid, controller)
    for name in (v2 if unified else v1).split():
        if (folder / name).exists():
            return (folder / name).read_text().strip()
    return None


with rig.Rig(BUILD, stock=False) as world:
    def virsh(*words):
        done = subprocess.run(["virsh", "-q", "-c", world.ours, *words], capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()

    def start(name, *parts):
        path = world.root / f"{name}.xml"
        path.write_text(domain(name, *parts))
        return virsh("define", str(path)) + virsh("start", name)

    cpus = sorted(os.sched_getaffinity(0))
    first, last = cpus[0], cpus[-1]
    said = start("tuned", "<blkiotune><weight>200</weight></blkiotune><memtune><hard_limit unit='MiB'>512</hard_limit><soft_limit unit='MiB'>400</soft_limit></memtune>"
                 "<iothreads>1</iothreads><cputune><shares>512</shares><global_period>50000</global_period><global_quota>40000</global_quota>"
                 f"<vcpupin vcpu='0' cpuset='{first}'/><vcpupin vcpu='1' cpuset='{last}'/><emulatorpin cpuset='{first}'/><iothreadpin iothread='1' cpuset='{last}'/></cputune>")
    check("it starts", said, "")
    pid = int(next((world.root / "ours").rglob("tuned.pid")).read_text()) if said == "" else 0
    if pid:
        check("shares", value(pid, "cpu", "cpu.shares", "cpu.weight"), "512")
        check("quota", value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max"), lambda v: v in ("40000", "40000 50000"))
        check("hard limit", value(pid, "memory", "memory.limit_in_bytes", "memory.max"), str(512 << 20))
        check("soft limit", value(pid, "memory", "memory.soft_limit_in_bytes", "memory.high"), str(400 << 20))
        check("weight of block I/O", value(pid, "blkio", "blkio.weight blkio.bfq.weight", "io.weight io.bfq.weight"), lambda v: v is not None and "200" in v)
        shown = virsh("vcpupin", "tuned").splitlines()
        check("virsh's vcpupin", [line.split()[-1] for line in shown], [str(first), str(last)])
        threads = {int(t): os.sched_getaffinity(int(t)) for t in os.listdir(f"/proc/{pid}/task")}
        check("the main thread is pinned", threads[pid], {first})
        if first != last:
            check("threads on the last CPU: a virtual CPU and an I/O thread", sum(where == {last} for where in threads.values()), 2)
        check("no thread runs anywhere else", set().union(*threads.values()) <= {first, last}, True)
    virsh("destroy", "tuned")
    check("vcpu cpuset", start("set", "", f"<vcpu cpuset='{last}'>1</vcpu>"), "")
    pid = int(next((world.root / "ours").rglob("set.pid")).read_text())
    check("holds for all threads", {frozenset(os.sched_getaffinity(int(t))) for t in os.listdir(f"/proc/{pid}/task")}, {frozenset({last})})
    virsh("destroy", "set")
    for what, part, word in (("quota per CPU", "<cputune><period>100000</period><quota>50000</quota></cputune>", "<quota>"),
                             ("realtime", "<cputune><vcpusched vcpus='0' scheduler='fifo' priority='1'/></cputune>", "<vcpusched>"),
                             ("performance counters", "<perf><event name='cpu_cycles' enabled='yes'/></perf>", "<perf>"),
                             ("a throttle of what is no device", "<blkiotune><device><path>/etc/hostname</path><read_bytes_sec>1000</read_bytes_sec></device></blkiotune>", "is not a block device"),
                             ("a CPU that is not there", "<cputune><vcpupin vcpu='0' cpuset='4000'/></cputune>", "affinity"),
                             ("shares out of range", "<cputune><shares>300000</shares></cputune>", "must be in range")):
        said = start(f"refused-{len(what)}", part)
        check(f"refused: {what}", said, lambda v, word=word: "error" in v and word in v)

print(f"1..{count}")
sys.exit(1 if failed else 0)
