#!/usr/bin/env python3
"""Fails when a promise of data/docs/confinement.md has no test, or names one that does not exist. usage: promises.py SOURCE_ROOT"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
PROMISES = [f"A{n}" for n in (*range(1, 14), 20, 21, 22, 30, 31, 32, *range(40, 45), *range(60, 64))] + [
    "security_default_confined", "security_require_confined", "user, group", "security_driver", "namespaces", "seccomp_sandbox",
    "cgroup_device_acl", "cgroup_controllers"]
tests = set()
for source in (root / "tests").rglob("*.cpp"):
    tests |= {f"{suite}.{name}" for suite, name in re.findall(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", source.read_text())}
scripts = {path.name: path.read_text() for path in (root / "tests").rglob("*.py")}
faults, seen = [], {}


def exists(name):
    if name.startswith("golden "):
        return any((root / "tests/golden").rglob(name[7:] + ".*"))
    if ".py: " in name:
        script, words = name.split(": ", 1)
        return words in scripts.get(script, "")
    return name in tests


for line in (root / "data/docs/confinement.md").read_text().splitlines():
    cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    if not line.startswith("| ") or len(cells) < 3 or cells[1] == "promise":
        continue
    promise = cells[0]
    named = [word.strip().strip("`") for word in re.split(r", (?=`|[A-Z]\w*\.)", cells[2]) if word.strip()]
    seen[promise] = named
    for name in named:
        if not exists(name):
            faults.append(f"{promise}: there is no test '{name}'")
    if not named:
        faults.append(f"{promise}: no test")
faults += [f"{promise}: no row" for promise in PROMISES if promise not in seen]
print("\n".join(faults) or f"promises: {len(seen)} rows, {sum(map(len, seen.values()))} tests named, each exists")
sys.exit(bool(faults))
