#!/usr/bin/env python3
"""Runs meson's test suites and adds up their cases. usage: run.py BUILD_DIR SUITE...
Prints each failure with its text, each skip with its reason, and last "N passed, N failed, N skipped".
A skip in a suite that this machine can run is a failure, unless its reason starts with "this machine:"."""
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

build, suites = pathlib.Path(sys.argv[1]), sys.argv[2:]
MUST_RUN = {"check", "unit", "golden", "fuzz", "rpc", "root", "clients", "testhost"} if os.geteuid() == 0 else {"check", "unit", "golden", "fuzz"}
SHARED = pathlib.Path(os.environ.get("CLOISTER_SHARED", build.resolve().parent.parent / "shared"))
passed = failed = skipped = 0


def results(junit):
    """What meson made of it, without the characters that no XML may have (a guest's console said them, say)."""
    return xml.fromstring(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]", "?", junit.read_text(errors="replace")))


def last_lines(text, count):
    return "\n".join("    " + line for line in (text or "").strip().splitlines()[-count:])


for suite in suites:
    if suite in ("corpus", "bench") and not SHARED.is_dir():
        print(f"== {suite}: SKIPPED: there is no {SHARED}; it needs vectors that are not part of the project")
        skipped += 1
        continue
    began = time.monotonic()
    environment = {**os.environ, "CLOISTER_SHARED": str(SHARED)}
    jobs = "1" if suite in ("root", "clients", "rpc", "testhost", "bench") else "2"
    log = subprocess.run(["meson", "test", "-C", str(build), "--no-rebuild", "--suite", suite, "--num-processes", jobs,
                          "--logbase", "log-" + suite], capture_output=True, text=True, env=environment)
    junit = build / "meson-logs" / f"log-{suite}.junit.xml"
    if not junit.exists():
        print(f"== {suite}: no result\n{last_lines(log.stdout + log.stderr, 20)}")
        failed += 1
        continue
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for group in results(junit).iter("testsuite"):
        output = group.findtext("system-out") or ""
        errors = group.findtext("system-err") or ""
        cases = list(group.iter("testcase"))
        for case in cases:
            name = f"{group.get('name')}: {case.get('name')}"
            fault = case.find("failure") if case.find("failure") is not None else case.find("error")
            skip = case.find("skipped")
            if fault is not None:
                counts["failed"] += 1
                print(f"-- FAILED {name}\n{last_lines((fault.text or '') + (fault.get('message') or ''), 12)}")
            elif skip is not None:
                reason = (skip.text or skip.get("message") or "").strip() or last_lines(output, 3).strip()
                if suite in MUST_RUN and "this machine:" not in reason:
                    counts["failed"] += 1
                    print(f"-- FAILED {name}: skipped, though this machine can run it: {reason[:300]}")
                else:
                    counts["skipped"] += 1
                    print(f"-- skipped {name}: {reason[:300]}")
            else:
                counts["passed"] += 1
        if suite in ("bench", "testhost"):  # its figures are the point
            print(last_lines(output, 60))
        elif any(case.find("failure") is not None or case.find("error") is not None for case in cases):
            print(last_lines(output, 40))
            print(last_lines(errors, 20))
        if not cases:
            counts["failed"] += 1
            print(f"-- FAILED {group.get('name')}: it ran no case\n{last_lines(output + errors, 20)}")
    if not sum(counts.values()):
        counts["failed"] = 1
        print(f"-- FAILED {suite}: the suite is empty\n{last_lines(log.stdout, 10)}")
    if log.returncode and not counts["failed"]:
        counts["failed"] = 1
        print(f"-- FAILED {suite}: meson test said {log.returncode}\n{last_lines(log.stdout, 20)}")
    print(f"== {suite}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"
          f" in {time.monotonic() - began:.1f} s", flush=True)
    passed, failed, skipped = passed + counts["passed"], failed + counts["failed"], skipped + counts["skipped"]

print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
