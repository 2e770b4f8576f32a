#!/usr/bin/env python3
"""Compiles each header by itself (syntax only), with the flags that the build uses for a file of the same part, and without
what is precompiled. A header that passed is looked at again when it, or something that it includes, has changed.
usage: headers.py SOURCE_ROOT BUILD_ROOT [JOBS]"""
import concurrent.futures
import json
import pathlib
import shlex
import subprocess
import sys

root, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
commands = json.loads((build / "compile_commands.json").read_text())
by_folder, any_command = {}, None
for entry in commands:
    source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
    try:
        folder = source.relative_to(root).parent.as_posix()
    except ValueError:
        continue
    by_folder.setdefault(folder, entry)
    any_command = any_command or entry


def flags_for(header):
    folder = header.parent
    while folder.as_posix() != ".":
        if folder.as_posix() in by_folder:
            return by_folder[folder.as_posix()]
        folder = folder.parent
    return any_command


def unchanged(passed):
    """Whether nothing that the header included when it passed is newer than that."""
    if not passed.exists():
        return False
    when = passed.stat().st_mtime
    seen = passed.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    return all((build / name).exists() and (build / name).stat().st_mtime < when for name in seen)


def compile_alone(header):
    passed = build / "headers" / (header.as_posix().replace("/", "_") + ".d")
    if unchanged(passed):
        return None
    passed.parent.mkdir(exist_ok=True)
    passed.unlink(missing_ok=True)
    entry = flags_for(header)
    words, skip = [], False
    for word in shlex.split(entry["command"]):
        if skip or word in ("-c", entry["file"]):
            skip = False
            continue
        if word in ("-o", "-MF", "-MQ", "-include"):
            skip = True
            continue
        if word not in ("-MD", "ccache", "-fpch-preprocess", "-Winvalid-pch"):
            words.append(word)
    trial = passed.with_suffix(".trial")
    done = subprocess.run([*words, "-Wno-unused", "-fsyntax-only", "-MMD", "-MF", trial, "-MT", "header", "-x", "c++", "-include",
                           str(root / header), "/dev/null"], cwd=entry["directory"], capture_output=True, text=True)
    if done.returncode == 0:
        trial.rename(passed)
        return None
    return f"{header}: does not compile alone\n" + "\n".join(
        line for line in done.stderr.splitlines() if "error" in line)[:800]


headers = [p.relative_to(root) for part in ("conf", "security", "driver", "daemon", "client")
           for p in sorted((root / part).rglob("*.hpp")) if p.parent.name != "pch"]
with concurrent.futures.ThreadPoolExecutor(int(sys.argv[3]) if len(sys.argv) > 3 else 2) as pool:
    faults = [f for f in pool.map(compile_alone, headers) if f]
print("\n".join(faults) or f"headers: {len(headers)} compile alone")
sys.exit(bool(faults))
