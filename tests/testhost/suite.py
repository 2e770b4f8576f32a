#!/usr/bin/python3
"""Runs the cases in the test host and prints one TAP stream. usage: suite.py BUILD [CASE...]

The build is installed by `meson install` into a folder, that folder into a machine booted from the image, and the
machine's state is kept (snapshot) as long as neither changes. Each case then continues from there in a machine of its own.
A case says in its first lines what it needs:
    # testhost: apparmor        boots with AppArmor instead of SELinux (and installs first)
    # testhost: cold            boots, instead of continuing from the snapshot
    # testhost: limit 300       seconds (default 240)
    # testhost: bare            boots, and installs nothing
    # testhost: packages        finds the Debian packages in packages/, and nothing else
    # testhost: then OTHER      says CUT at its end: the power goes, and OTHER.py runs after a boot from the same disk
    # testhost: from MODULE     its other half runs here, next to the machine: MODULE.py's meanwhile(machine) and checks
What each leaves is in BUILD/testhost/CASE: output, journal.txt, dmesg.txt, console.log, and what it wrote to /results."""
import concurrent.futures
import hashlib
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import vm  # noqa: E402

if os.geteuid():
    print("1..0 # SKIP this machine: only root can unpack the packages of another system")
    sys.exit(0)
build = pathlib.Path(sys.argv[1]).resolve()
chosen = sys.argv[2:]
image = vm.Image(os.environ.get("CLOISTER_TESTHOST", "/var/tmp/cloister-testhost"))
kept = build / "testhost"
speech = threading.Lock()
count = failed = 0
began = time.monotonic()


def printable(text):
    """A console's control characters are nothing for a log."""
    return "".join(c if c.isprintable() else " " for c in text)


def say(lines):
    with speech:
        print("\n".join(map(printable, lines.split("\n"))), flush=True)


def result(ok, text):
    global count, failed
    with speech:
        count += 1
        failed += not ok
        print(f"{'ok' if ok else 'not ok'} {count} - {printable(text)}", flush=True)


def timed(what, action):
    start = time.monotonic()
    value = action()
    say(f"# {what}: {time.monotonic() - start:.1f} s")
    return value


def digest(folder):
    """Of all names, modes and contents below a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(f"{path.relative_to(folder)} {path.lstat().st_mode:o}\n".encode())
        if path.is_symlink():
            found.update(os.readlink(path).encode())
        elif path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()[:24]


def payload():
    """What the machine sees as /payload. The guest's kernel and the test programs are made once per build."""
    folder = kept / "payload"
    shutil.rmtree(folder / "tree", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--strip", "--destdir", str(folder / "tree")],
                   check=True, stdout=subprocess.DEVNULL)
    shutil.copytree(HERE / "cases", folder / "cases", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (HERE / "install.sh", HERE.parents[1] / "data/docs/service.md"):
        shutil.copy(path, folder / path.name)
    guest = folder / "guest"
    if not guest.exists():
        guest.mkdir()
        subprocess.run(["sh", "-ec", f'. {HERE.parent}/guest/make.sh; guest_initramfs {guest}/initramfs.gz; cp "$(guest_kernel)" {guest}/vmlinuz'],
                       check=True)
    if not chosen or "root_suite" in chosen:
        (folder / "root").mkdir(exist_ok=True)
        for program in ("tests/root/root-security", "tests/root/root-images", "tests/root/root-logd", "tests/root/root-probe", "tests/root/probe",
                        "tests/root/image-probe", "security/cloister-confine", "security/cloister-image", "daemon/logd/cloister-logd"):
            subprocess.run(["strip", "-o", str(folder / "root" / pathlib.Path(program).name), str(build / program)], check=True)
    return folder


def package(version, folder):
    """The Debian package, made of the build that is tested."""
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "cloister"
        shutil.copytree(HERE.parents[1] / "debian", source / "debian")
        made = subprocess.run(["dpkg-buildpackage", "-b", "-us", "-uc", "-d", "-rfakeroot" if os.geteuid() else "-r"], cwd=source, text=True,
                              env={**os.environ, "CLOISTER_BUILD": str(build), "CLOISTER_VERSION": version, "DEB_BUILD_OPTIONS": "noautodbgsym"},
                              capture_output=True)
        result(made.returncode == 0, f"dpkg-buildpackage {version}" + ("" if made.returncode == 0 else ": " + made.stderr[-500:].replace("\n", " ")))
        for file in pathlib.Path(scratch).glob("*.deb"):
            shutil.copy(file, folder)


def packages():
    """A payload with two versions of it, to be upgraded."""
    folder = kept / "payload-packages"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "packages").mkdir(parents=True)
    shutil.copytree(HERE / "cases", folder / "cases", ignore=shutil.ignore_patterns("__pycache__"))
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        list(both.map(lambda version: package(version, folder / "packages"), ("0.1.0", "0.1.1")))
    return folder


def look_over(folder):
    found = subprocess.run(["lintian", "--fail-on", "error", "--no-tag-display-limit", *map(str, sorted(folder.glob("packages/*_0.1.0_*.deb")))],
                           capture_output=True, text=True)
    result(found.returncode == 0, "lintian has no error: " + (" | ".join(found.stdout.splitlines()) or "and says nothing"))


def needs(script):
    found = {"limit": "240"}
    for line in script.read_text().splitlines()[:12]:
        if match := re.match(r"# testhost: (\w+) ?(.*)", line):
            found[match[1]] = match[2]
    return found


def run(script, folder):
    wants = needs(script)
    if "packages" in wants:
        folder = packages()
    name = script.stem
    results = kept / name
    shutil.rmtree(results, ignore_errors=True)
    cold = "cold" in wants or "apparmor" in wants or "bare" in wants
    command = f"cd cases && python3 {script.name}"
    if cold and "bare" not in wants:
        command = f"sh install.sh tree >&2 && {command}"
    other = importlib.import_module(wants["from"]) if "from" in wants else None
    try:
        if "then" in wants:
            with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
                disk = image.kept_disk(pathlib.Path(scratch) / "disk.qcow2")
                cut = image.run(folder, command, results / "before", limit=int(wants["limit"]), disk=disk)
                result(cut.was_cut, f"{name}: the power went where it was to go")
                say("\n".join("# before the cut: " + line for line in cut.output.splitlines()))
                outcome = image.run(folder, f"cd cases && python3 {wants['then']}.py", results, cold=True, limit=int(wants["limit"]), disk=disk)
        else:
            outcome = image.run(folder, command, results, cold=cold, security=vm.APPARMOR if "apparmor" in wants else vm.SELINUX,
                                limit=int(wants["limit"]), forward=other.forward() if other else None,
                                meanwhile=other.meanwhile if other else None)
    except vm.Failed as failure:
        result(False, f"{name}: the machine failed")
        say("\n".join("# " + line for line in str(failure).splitlines()[-60:]))
        return
    (results / "output").write_text(outcome.output)
    planned = seen = 0
    for line in outcome.output.splitlines():
        if match := re.match(r"(ok|not ok) \d+ - (.*)", line):
            seen += 1
            result(match[1] == "ok", f"{name}: {match[2]}")
        elif match := re.match(r"1\.\.(\d+)$", line):
            planned = int(match[1])
        else:
            say(line if line.startswith("#") else f"# {line}")
    if "packages" in wants:
        look_over(folder)
    if other:
        for ok, text in other.checks():
            result(ok, f"{name}: {text}")
    if outcome.status is None:
        result(False, f"{name}: not over after {wants['limit']} s")
    elif seen == 0 or planned != seen:
        result(False, f"{name}: {seen} of {planned} checks were made (status {outcome.status})")
    say(f"# {name}: {outcome.seconds:.1f} s")


subprocess.run([str(HERE / "build-image"), str(build / "data/selinux/cloister.pp"), str(image.folder)], check=True)
say(f"# image: {time.monotonic() - began:.1f} s")
try:
    folder = timed("install into a folder", payload)
    key = digest(folder / "tree") + digest(HERE / "guest") + (image.folder / "image.key").read_text() + (HERE / "install.sh").read_text() + (HERE / "vm.py").read_text()
    recorded = image.folder / "snapshot.key"
    if not image.has_snapshot() or not recorded.exists() or recorded.read_text() != key:
        timed("boot, install, keep the state", lambda: image.snapshot(folder, "sh install.sh tree"))
        recorded.write_text(key)
except vm.Failed as failure:
    result(False, "the build is installed into the booted machine")
    print("\n".join("# " + line for line in str(failure).splitlines()[-80:]), flush=True)
    print(f"1..{count}")
    sys.exit(1)
result(True, "the build is installed into the booted machine")
scripts = [s for s in sorted((HERE / "cases").glob("*.py")) if s.stem != "in_host" and (not chosen or s.stem in chosen)]
seconds = {needs(s)["then"] for s in scripts if "then" in needs(s)}
scripts = [s for s in scripts if s.stem not in seconds]
# The long ones first; two at a time, as there are two processors.
scripts.sort(key=lambda s: -int(needs(s)["limit"]))
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for done in [pool.submit(run, script, folder) for script in scripts]:
        done.result()
print(f"1..{count}", flush=True)
say(f"# all: {time.monotonic() - began:.1f} s")
sys.exit(1 if failed else 0)
