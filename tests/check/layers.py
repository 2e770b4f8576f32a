#!/usr/bin/env python3
"""Fails when a file includes a part that its own part may not see (see LAYERS), or a library that is not its business."""
import pathlib
import re
import sys

PURE_SECURITY = ["security/plan.hpp", "security/grant.hpp", "security/item.hpp", "security/selinux.hpp"]
LAYERS = {  # part -> parts it may include, besides itself. The order is bottom to top.
    "conf/base": [],
    "conf/text": ["conf/base"],
    "conf/part": ["conf/base", "conf/text"],
    "conf/device": ["conf/base", "conf/text", "conf/part"],
    "conf/domain": ["conf/base", "conf/text", "conf/part", "conf/device"],
    "conf/settings": ["conf/base", "conf/text"],
    "conf/call": ["conf/base"],
    "security": ["conf/base", "conf/settings"],
    "driver/caps": ["conf/base", "conf/text"],
    "driver/facts": ["conf/base", "security/selinux.hpp"],  # the policy is a fact of the host
    "driver/device": ["conf", *PURE_SECURITY, "driver/caps", "driver/facts"],
    "driver/plan": ["conf", *PURE_SECURITY, "driver/device", "driver/caps", "driver/facts"],
    "driver/describe": ["conf", "driver/device", "driver/caps", "driver/facts"],
    "driver": ["conf", "security", "driver"],
    "daemon": ["conf/base", "conf/settings", "conf/call", "driver/op", "driver/driver.hpp", "driver/registry.hpp",
               "driver/events.hpp", "driver/machines.hpp", "driver/log.hpp", "driver/logd_wire.hpp", "driver/neighbours.hpp", "driver/reload.hpp", "driver/probe/conf_check.hpp",
               "driver/steps.hpp",
               "security/kernel/fd.hpp"],
    "client": ["conf/base", "conf/text", "conf/call", "daemon/rpc/frame.hpp", "daemon/rpc/xdr.hpp", "daemon/rpc/error_wire.hpp"],
    "tests": [""],
}
ONLY_IN = {  # outside headers that some places may include
    "libxml/": ["conf/text/xml_node.cpp"],
    "selinux/": ["security/"],
    "seccomp.h": ["security/", "daemon/logd/sandbox.cpp"],
    "cap-ng.h": ["security/"],
    "systemd/sd-bus": ["daemon/dbus/"],
    "systemd/": ["daemon/"],
    "linux/bpf": ["security/kernel/", "security/cgroup_bpf"],  # the program as data
    "linux/landlock": ["security/kernel/", "security/confine_main.cpp", "security/landlock.cpp"],
}


def part_of(path):
    return max((p for p in LAYERS if path == p or path.startswith(p + "/")), key=len, default=None)


def faults(root):
    for file in sorted(p for p in root.rglob("*") if p.suffix in (".hpp", ".cpp")):
        path = file.relative_to(root).as_posix()
        if path.split("/")[0] not in {p.split("/")[0] for p in LAYERS}:
            continue
        own = part_of(path)
        if own is None and "/pch/" in path:  # includes what its users include, from wherever they are
            continue
        assert own, f"{path} belongs to no part: add its folder to LAYERS"
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if m := re.match(r'#include "(.+)"', line):
                seen = m[1]
                if not seen.startswith(own + "/") and not any(seen.startswith(a) for a in LAYERS[own]):
                    yield f"{path}:{number}: {own} may not include {seen}"
            if m := re.match(r"#include <(.+)>", line):
                if m[1] == "boost/asio.hpp":
                    yield f"{path}:{number}: include the parts of asio, never the whole"
                for outside, places in ONLY_IN.items():
                    if m[1].startswith(outside) and own != "tests":
                        allowed = [p for o, ps in ONLY_IN.items() if m[1].startswith(o) for p in ps]
                        if not any(path.startswith(p) for p in allowed):
                            yield f"{path}:{number}: only {', '.join(places)} may include <{m[1]}>"


found = sorted(set(faults(pathlib.Path(sys.argv[1]))))
print("\n".join(found) or "layers: ok")
sys.exit(bool(found))
