"""The confinement contract's own suites, on pure cgroup v2 with SELinux enforcing: the programs of tests/root, natively."""
# testhost: limit 420
import os
import re
import subprocess

from in_host import PAYLOAD, Case, sh

case = Case()
sh("modprobe loop && udevadm settle")  # what a host has that has used one
here = PAYLOAD / "root"
names = {"CLOISTER_CONFINE": "cloister-confine", "CLOISTER_PROBE": "probe", "CLOISTER_IMAGE": "cloister-image", "CLOISTER_IMAGE_PROBE": "image-probe",
         "CLOISTER_LOGD": "cloister-logd"}
environment = {**os.environ, **{key: str(here / name) for key, name in names.items()}}
# Cost has a limit in milliseconds, which an emulated processor does not keep. The lock of libvirt's is waited for by watching the
# file, which Debian's policy does not let the domain that these programs run in (unconfined_t); the daemon's may, see selinux_labels.
for program in ("root-security", "root-images", "root-logd", "root-probe"):
    done = subprocess.run([here / program, "--gtest_color=no", "--gtest_filter=-Cost.*:Owners.WhoeverChangesTheMemoryWaitsForLibvirtsLock"], env=environment, capture_output=True, text=True, cwd="/tmp", timeout=400)
    passed = re.search(r"\[  PASSED  \] (\d+) tests?", done.stdout)
    failed = sorted(set(re.findall(r"\[  FAILED  \] (\S+)(?: \(|$)", done.stdout, re.M)))
    skipped = len(set(re.findall(r"\[  SKIPPED \] (\S+)", done.stdout)))
    case.check(program, done.returncode == 0 and passed,
               f"{passed[1] if passed else 0} passed, {len(failed)} failed, {skipped} skipped {' '.join(failed[:12])}")
    if done.returncode:
        for block in re.split(r"\[ RUN      \] ", done.stdout):
            if "[  FAILED  ]" in block:
                case.note(block[:700])
        case.note(done.stderr[-600:])
case.end()
