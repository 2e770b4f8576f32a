#!/usr/bin/env python3
"""Checks of text that need no compiler: sizes, banned words, translations, golden files. usage: texts.py SOURCE_ROOT"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
tracked = [p for p in subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"], capture_output=True,
                                     text=True).stdout.split("\n") if p and (root / p).is_file()]
if not tracked:  # an unpacked archive, without git
    tracked = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and "build" not in p.parts[0:1]]
sources = [p for p in tracked if p.endswith((".cpp", ".hpp"))]
faults = []


def fault(where, what):
    faults.append(f"{where}: {what}")


# Files over 500 lines have a reason in large.txt, and large.txt names no file that is small.
allowed = {}
for line in (root / "tests/check/large.txt").read_text().splitlines():
    if line and not line.startswith("#"):
        name, _, reason = line.partition(" ")
        allowed[name] = reason
for path in sources:
    lines = len((root / path).read_text().splitlines())
    generated = (root / path).read_text().startswith("// generated")
    if lines > 500 and path not in allowed and not generated:
        fault(path, f"{lines} lines: split it, or give the reason in tests/check/large.txt")
for path, reason in allowed.items():
    if not reason:
        fault("tests/check/large.txt", f"{path} has no reason")
    if path not in tracked:
        fault("tests/check/large.txt", f"{path} is gone")

# Waiting is for an event, with a deadline.
for path in sources:
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        if re.search(r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\(", line.split("//")[0]):
            fault(f"{path}:{number}", "no sleeping: wait for the event")
        if re.search(r"\?[^\"]*\bco_await\b.* : ", line.split("//")[0]):
            fault(f"{path}:{number}", "no co_await inside a conditional expression: g++ 12 destroys a temporary twice")
        if re.search(r"//.*\b(TODO|FIXME|XXX)\b", line):
            fault(f"{path}:{number}", "an unfinished thing belongs into an issue")

# A header says what it is for.
for path in sources:
    if path.endswith(".hpp"):
        first = (root / path).read_text().splitlines()[:2]
        if not any(line.startswith("///") or line.startswith("// generated") for line in first):
            fault(path, "the first line says in /// what the header is for")
        if "/pch/" not in path and "#pragma once" not in (root / path).read_text():  # g++ warns of it in a header that is compiled
            fault(path, "no #pragma once")

print("\n".join(faults) or "texts: ok")
sys.exit(bool(faults))
