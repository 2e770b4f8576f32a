#!/usr/bin/python3
"""Stock libvirtd and cloisterd in one interleaved run: ratios, not milliseconds.
usage: run.py BUILD_DIR [--quick]. Needs root and the harness in $CLOISTER_SHARED/bench (not part of the project).
Prints one line per promise: what was measured, the ratio, the limit, and whether it holds."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
quick = "--quick" in sys.argv
harness = pathlib.Path(os.environ.get("CLOISTER_SHARED", "../shared")).resolve() / "bench"
if not harness.is_dir():
    print("1..0 # SKIP this machine: there is no benchmark harness beside the clone")
    sys.exit(0)

work = pathlib.Path(tempfile.mkdtemp(prefix="cloister-bench-"))
work.chmod(0o755)
bench = work / "bench"
shutil.copytree(harness, bench)
subprocess.run(["chmod", "-R", "u+w", str(bench)], check=True)
for name in ("holder", "rpcload"):
    subprocess.run(["gcc", "-O2", "-w", "-o", str(bench / name), str(bench / f"{name}.c")], check=True)
subprocess.run([str(bench / "mkanchor.sh"), "anchor"], check=True, stdout=subprocess.DEVNULL)
anchor = json.loads((bench / "instances/anchor.json").read_text())
ours_root = work / "ours"
ours_root.mkdir(mode=0o755)
(work / "qemu.conf").write_text("")
ours = {
    "name": "cloister", "uri": f"qemu+unix:///system?socket={ours_root}/cloister-sock", "sock": f"{ours_root}/cloister-sock",
    "start": [str(build / "daemon/cloisterd"), "--qemu-conf", str(work / "qemu.conf"), "--state-root", str(ours_root), "--socket-dir", str(ours_root)],
    "spawn": anchor["spawn"], "pidfile": f"{ours_root}/run/cloister/qemu/driver.pid", "clear_caps_cache": [f"{ours_root}/var/cache/cloister"],
    "disk_dir": str(bench / "state/disks/cloister"),
}
(bench / "instances/cloister.json").write_text(json.dumps(ours))


def measure(*what):
    """One interleaved run of lvbench's `what`; the merged report."""
    out = work / f"{what[0]}.json"
    done = subprocess.run([str(bench / "lvbench.py"), *what, "-a", str(bench / "instances/anchor.json"), "-b",
                           str(bench / "instances/cloister.json"), "-o", str(out)], capture_output=True, text=True, cwd=bench)
    sys.stderr.write(done.stdout)
    if done.returncode:
        sys.stderr.write(done.stderr[-3000:])
    return json.loads(out.read_text()) if out.exists() else {}


def figure(report, section, key):
    for name, part in report.items():
        if name.startswith(section) and isinstance(part, dict) and key in part:
            return tuple(part[key][n]["median"] if n in part[key] else None for n in ("anchor", "cloister"))
    return None, None


failures = 0
count = 0


def promise(name, pair, limit, at_least=False):
    global failures, count
    count += 1
    theirs, mine = pair
    if not theirs or mine is None:
        print(f"not ok {count} - {name}: not measured")
        failures += 1
        return
    ratio = mine / theirs
    good = ratio >= limit if at_least else ratio <= limit
    failures += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}: stock {theirs:.4g}, cloister {mine:.4g}, ratio {ratio:.3f}"
          f" (limit {'>=' if at_least else '<='} {limit:.3f})", flush=True)


try:
    start = measure("start", "--reps", "5" if quick else "15")
    promise("overhead of a typical start over bare QEMU", figure(start, "4", "typ_OVERHEAD_running_ms"), 1 / 6)
    promise("destroy of a typical guest", figure(start, "4", "typ_running_destroy_ms"), 1 / 10)
    cold = measure("cold", "--reps", "5" if quick else "10")
    promise("daemon start to first answer", figure(cold, "1", "warmcache_getversion_s"), 1 / 3)
    memory = measure("memory")
    promise("idle PSS", figure(memory, "6", "idle_Pss_kB"), 1 / 2)
    define = measure("define", "--sizes", "1000")
    promise("list of 1000 domains", figure(define, "3", "n1000_listAll_ms"), 1 / 2)
    rpc = measure("rpc", "--secs", "0.5" if quick else "1")
    for call in ("libver", "lookup", "info", "xml"):
        promise(f"calls per second on one connection: {call}", figure(rpc, "2b", f"{call}_c1_calls_per_s"), 1.5, at_least=True)
finally:
    subprocess.run([str(bench / "lvbench.py"), "cleanup", "stop", "-a", str(bench / "instances/anchor.json"), "-b",
                    str(bench / "instances/cloister.json")], capture_output=True, cwd=bench)
    subprocess.run([str(bench / "rmanchor.sh"), "anchor", "--purge"], capture_output=True, cwd=bench)
    shutil.rmtree(work, ignore_errors=True)
print(f"1..{count}")
sys.exit(1 if failures else 0)
