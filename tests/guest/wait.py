#!/usr/bin/env python3
"""Waits for something to happen, with a deadline. What ./demo and the tests share.
  wait.py socket PATH SECONDS            until somebody listens there
  wait.py console COMMAND TEXT SECONDS   until COMMAND (a console) has printed TEXT; prints what it showed; ends it with ^]
  wait.py nothing FOLDER NAME            checks that no process, cgroup, mount or network card of that name is left"""
import os
import pathlib
import pty
import select
import shlex
import socket
import subprocess
import sys
import time


def wait_socket(path, seconds):
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(path)
                return 0
            except OSError:
                select.select([], [], [], 0.02)
    print(f"nobody listens at {path} after {seconds} s", file=sys.stderr)
    return 1


def wait_console(command, text, seconds):
    """The console gets a terminal, as a person's would be."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(shlex.split(command), stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    end, seen, asked, wanted = time.monotonic() + float(seconds), b"", 0.0, text.encode()
    while wanted not in seen and time.monotonic() < end:
        if select.select([leader], [], [], 0.5)[0]:
            try:
                seen += os.read(leader, 65536)
            except OSError:
                break
        elif time.monotonic() - asked > 5:  # a prompt that was printed before we came is printed again
            os.write(leader, b"\r")
            asked = time.monotonic()
    found = wanted in seen
    os.write(leader, b"\x1d") if child.poll() is None else None
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
    print(seen.decode(errors="replace").replace("\r", "").strip())
    if not found:
        print(f"'{text}' did not appear within {seconds} s", file=sys.stderr)
    return 0 if found else 1


def check_nothing(folder, name):
    left = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if any(name.encode() in w for w in words) and b"qemu" in words[0] and (entry / "stat").read_text().split(")")[1].split()[0] != "Z":
                left.append(f"process {entry.name}")
        except OSError:
            pass
    left += [f"cgroup {p}" for p in pathlib.Path("/sys/fs/cgroup").glob("**/*") if p.is_dir() and name in p.name]
    left += [f"mount {line.split()[4]}" for line in open("/proc/self/mountinfo") if name in line or folder in line]
    left += [str(p) for p in pathlib.Path(folder).glob("*") if p.name.endswith("sock")]
    print("\n".join("left behind: " + x for x in left) or "no process, no cgroup, no mount, no socket")
    return 1 if left else 0


sys.exit({"socket": wait_socket, "console": wait_console, "nothing": check_nothing}[sys.argv[1]](*sys.argv[2:]))
