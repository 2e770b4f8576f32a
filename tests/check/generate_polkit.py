#!/usr/bin/env python3
"""Writes data/polkit/org.cloister.policy from the access control lists of the procedure table.

usage: generate_polkit.py SOURCE_ROOT [--check]

One action per (object, permission) that a procedure of conf/call/procedures.cpp needs or filters by, named as libvirt
names it, so that rules that administrators have work unchanged; the two that decide about a connection; and our own.
"""
import pathlib
import re
import sys
from xml.sax.saxutils import escape

LOOKING = ("getattr", "read")  # what anybody may do who may use the socket at all
OURS = {  # (description, message)
    "passthrough": ("Pass arguments of one's own to QEMU",
                    "A definition with arguments, environment or capabilities for QEMU requires authorization"),
    "emulator": ("Use another emulator", "An emulator that the administrator has not listed requires authorization"),
    "root": ("Run a guest as root", "A guest that runs as root requires authorization"),
}
CONNECTION = {
    "monitor": ("Look at this host's guests", "Looking at the guests of this host requires authorization"),
    "manage": ("Manage this host's guests", "Managing the guests of this host requires authorization"),
}


def permissions(text):
    """Every (object, permission) of the table, sorted."""
    found = set()
    for line in re.findall(r"constexpr Need \w+\[\] = \{(.*)\};", text):
        found |= set(re.findall(r'\{"(\w+)", "(\w+)"', line))
    assert len(found) > 30, "the table has changed its form"
    return sorted(found)


def action(name, description, message, who):
    answers = "".join(f"      <allow_{to}>{who}</allow_{to}>\n" for to in ("any", "inactive", "active"))
    return (f'  <action id="{name}">\n    <description>{escape(description)}</description>\n'
            f"    <message>{escape(message)}</message>\n    <defaults>\n{answers}    </defaults>\n  </action>\n")


def policy(table):
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n'
           '<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"\n'
           ' "http://www.freedesktop.org/standards/PolicyKit/1.0/policyconfig.dtd">\n'
           "<!-- Who may do what with cloisterd. Written by tests/check/generate_polkit.py: do not edit.\n"
           "     Rules of /etc/polkit-1/rules.d decide before these defaults do. -->\n"
           "<policyconfig>\n  <vendor>cloister</vendor>\n"]
    for name, (description, message) in CONNECTION.items():
        out.append(action(f"org.libvirt.unix.{name}", description, message, "auth_admin_keep"))
    for object_, permission in permissions(table):
        looking = permission in LOOKING or permission.startswith("search_")
        name = f"{object_}.{permission}".replace("_", "-")
        what = f"the permission '{permission.replace('_', ' ')}' of a {'connection' if object_ == 'connect' else object_}"
        out.append(action(f"org.libvirt.api.{name}", f"Have {what}", f"Having {what} requires authorization",
                          "yes" if looking else "no"))
    for name, (description, message) in OURS.items():
        out.append(action(f"org.cloister.domain.{name}", description, message, "auth_admin_keep"))
    return "".join(out) + "</policyconfig>\n"


def main():
    root = pathlib.Path(sys.argv[1])
    wanted = policy((root / "conf/call/procedures.cpp").read_text() + (root / "conf/call/find.cpp").read_text())
    file = root / "data/polkit/org.cloister.policy"
    if "--check" not in sys.argv:
        file.parent.mkdir(exist_ok=True)
        file.write_text(wanted)
        return 0
    if file.exists() and file.read_text() == wanted:
        print("polkit: ok")
        return 0
    print(f"{file} is not what tests/check/generate_polkit.py writes: run it")
    return 1


sys.exit(main())
