#!/usr/bin/env python3
"""Compiles each header by itself (syntax only), with the flags that the build uses for a file of the same part, and without
what is precompiled. The build has done it where a source begins with its own header and nothing is precompiled for it. A
header that passed is looked at again when it, or something that it includes, has changed.
usage: headers.py SOURCE_ROOT BUILD_ROOT [JOBS]"""
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys

root, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
commands = json.loads((build / "compile_commands.json").read_text())
by_folder, any_command, done_by_build = {}, None, set()
for entry in commands:
    source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
    try:
        name = source.relative_to(root)
    except ValueError:
        continue
    by_folder.setdefault(name.parent.as_posix(), entry)
    if "-include" not in shlex.split(entry["command"]):
        first = re.search('^#include (.*)', source.read_text(), re.M)
        header = name.with_suffix(".hpp").as_posix()
        if first and first[1] == f'"{header}"':
            done_by_build.add(header)
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
to_try = [h for h in headers if h.as_posix() not in done_by_build]
with concurrent.futures.ThreadPoolExecutor(int(sys.argv[3]) if len(sys.argv) > 3 else 2) as pool:
    faults = [f for f in pool.map(compile_alone, to_try) if f]
print("\n".join(faults) or f"headers: {len(headers)} compile alone, {len(headers) - len(to_try)} of them in the build")
sys.exit(bool(faults))
