#!/usr/bin/env python3
"""Writes conf/call's headers and table from the protocol facts.

usage: generate_calls.py FACTS OUT      (FACTS: the folder with wire.json and abi.json)
"""
import json
import pathlib
import re
import sys

FOREIGN = re.compile(r"^CONNECT_.*(NETWORK|STORAGE|INTERFACE|SECRET|NWFILTER|NODE_DEVICE)|^NODE_(DEVICE|LIST_DEVICES|NUM_OF_DEVICES)")
FAMILIES = [  # the first that matches; the rest is "domain"
    ("auth", r"^AUTH_"),
    ("event", r"EVENT(?!S)"),
    ("connect", r"^CONNECT_"),
    ("node", r"^NODE_"),
    ("domain_snapshot", r"SNAPSHOT"),
    ("domain_checkpoint", r"CHECKPOINT|BACKUP"),
    ("domain_migrate", r"MIGRAT"),
    ("domain_job", r"JOB"),
    ("domain_block", r"BLOCK|DISK|BLKIO"),
    ("domain_vcpu", r"VCPU|IOTHREAD|EMULATOR|CPU|SCHEDULER|NUMA|PERF"),
    ("domain_memory", r"MEMORY"),
    ("domain_save", r"SAVE|RESTORE|CORE_DUMP"),
    ("domain_guest", r"AGENT|_FS|GUEST|AUTHORIZED|PASSWORD|TIME|HOSTNAME|SEND_|INJECT|INTERFACE"),
    ("domain_define", r"DEFINE|XML|METADATA|RENAME|CREATE"),
    ("domain_device", r"DEVICE|OPEN_|SCREENSHOT"),
]
ABOUT = {
    "auth": "authentication of a connection",
    "event": "registering for events, and their messages",
    "connect": "the connection, the hypervisor as a whole, lists of domains",
    "node": "the host",
    "domain_snapshot": "snapshots of a domain",
    "domain_checkpoint": "checkpoints and backups of a domain",
    "domain_migrate": "migration",
    "domain_job": "what a domain is busy with",
    "domain_block": "a domain's disks",
    "domain_vcpu": "a domain's processors, threads and their tuning",
    "domain_memory": "a domain's memory",
    "domain_save": "saving, restoring and dumping a domain",
    "domain_guest": "what happens inside the guest, and its network interfaces",
    "domain_device": "a domain's devices and their streams",
    "domain_define": "a domain's definition and its XML",
    "domain": "a domain's life and state",
    "qemu": "the qemu program: monitor and agent commands",
    "common": "what several families share",
}
SCALARS = {"int": "std::int32_t", "uint": "std::uint32_t", "hyper": "std::int64_t", "uhyper": "std::uint64_t",
           "double": "double", "uchar": "std::uint8_t", "char": "std::int8_t", "ushort": "std::uint16_t",
           "enum": "std::int32_t"}
HANDLES = {"remote_nonnull_domain": "DomainHandle", "remote_nonnull_domain_snapshot": "SnapshotHandle",
           "remote_nonnull_domain_checkpoint": "CheckpointHandle"}
KEYWORDS = {"new", "delete", "default", "class", "private", "public", "union", "register", "operator", "auto", "signed"}


def short(procedure):
    return procedure["name"].split("_PROC_")[1]


def family(program, name):
    return "qemu" if program == "qemu" else next((f for f, p in FAMILIES if re.search(p, name)), "domain")


def pascal(words):
    return "".join(w[:1].upper() + w[1:].lower() for w in words.split("_"))


def type_name(struct):
    if struct in HANDLES:
        return HANDLES[struct]
    bare = struct.removeprefix("remote_")
    for tail, ours in (("_args", "In"), ("_ret", "Out"), ("_msg", "Msg")):
        if bare.endswith(tail):
            return pascal(bare[: -len(tail)]) + ours
    return pascal(bare.removeprefix("nonnull_"))


def member(name):
    name = name.replace("CPUs", "Cpus")
    out = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    out = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", out).lower()
    return out + "_" if out in KEYWORDS else out


def cpp_type(field):
    array, kind, most = field.get("array"), field["type"], field.get("max")
    if kind == "string":
        text = "Text<>" if most == 4194304 else f"Text<{most}>"
    elif kind == "opaque":
        text = f"std::array<std::uint8_t, {most}>" if array == "fixed" else f"Opaque<{most}>"
    elif kind == "array":
        of = field["of"]
        if of["type"] == "char":
            text = f"FixedChars<{most}>" if array == "fixed" else f"Chars<{most}>"
        else:
            assert array == "variable", field
            text = f"List<{cpp_type(of)}, {most}>"
    elif kind == "struct":
        text = type_name(field["ref"])
    elif kind == "union":
        text = "ParamValue"
    else:
        text = SCALARS[kind]
    return f"std::optional<{text}>" if field.get("optional") else text


def refs(fields):
    for f in fields:
        inner = f["of"] if f["type"] == "array" else f
        if inner["type"] == "struct":
            yield inner["ref"]


def struct_text(name, wire):
    lines = [f"struct {type_name(name)} {{"]
    for f in wire["structs"][name]["fields"]:
        kind = cpp_type(f)
        zero = "{}" if not re.fullmatch(r"std::u?int\d+_t|double", kind) else " = 0"
        lines.append(f"    {kind} {member(f['name'])}{zero};")
    lines.append(f"    bool operator==(const {type_name(name)}&) const = default;")
    return "\n".join(lines + ["};"])


def homes(wire, programs):
    """Which header each struct goes to, and in which order: what a struct needs comes before it."""
    users, order = {}, []

    def visit(struct, fam):
        users.setdefault(struct, set()).add(fam)
        for ref in refs(wire["structs"][struct]["fields"]):
            visit(ref, fam)
        if struct not in order:
            order.append(struct)

    for program, p in programs:
        for key in ("args", "ret", "msg"):
            if p[key]:
                visit(p[key], family(program, short(p)))
    common = {s for s, f in users.items() if len(f) > 1}
    todo = list(common)
    while todo:  # what a common struct needs is common
        for ref in refs(wire["structs"][todo.pop()]["fields"]):
            if ref not in common:
                common.add(ref)
                todo.append(ref)
    return {s: "common" if s in common else next(iter(f)) for s, f in users.items()}, order


def header(fam, structs, wire, numbers):
    out = [f"/// Arguments and results: {ABOUT[fam]}.",
           "/// Generated by tests/check/generate_calls.py from the protocol facts (wire.json); do not edit.",
           "/// The order of the members is the order on the wire.", "#pragma once", ""]
    out += ['#include "conf/call/wire_types.hpp"' if fam == "common" else '#include "conf/call/common.hpp"', "",
            "namespace cloister::call {", ""]
    for s in structs:
        if s in numbers:
            out.append(f"/// {numbers[s]}")
        out += [struct_text(s, wire), ""]
    return "\n".join(out + ["} // namespace cloister::call", ""])


class Needs:
    """Gives each different list of permissions one constant."""

    def __init__(self, flags):
        self.flags, self.lists = flags, {}

    def value(self, text):
        total = 0
        for name in text.split("|"):
            total |= self.flags[name]
        return total

    def one(self, need):
        base = f'"{need["object"]}", "{need["permission"]}"'
        if flag := need.get("only_if_flag"):
            return f"{{{base}, When::flag_set, {self.value(flag)}}}"
        if flag := need.get("only_if_not_flag"):
            return f"{{{base}, When::flag_clear, {self.value(flag)}}}"
        if parameter := need.get("only_if_param"):
            (name, value), = parameter.items()
            return f'{{{base}, When::parameter, {self.value(value)}, "{name}"}}'
        return f"{{{base}}}"

    def span(self, needs):
        if not needs:
            return "{}"
        text = ", ".join(self.one(n) for n in needs)
        return self.lists.setdefault(text, f"needs_{len(self.lists)}")


def table(programs, flags):
    needs, rows = Needs(flags), {"remote": [], "qemu": []}
    for program, p in programs:
        stream = {None: "none", "server_to_client": "to_client", "client_to_server": "to_server"}[p["stream"]]
        rows[program].append(f'    {{{p["number"]}, "{short(p)}", "{p["api"] or ""}", {needs.span(p["acl"])}, '
                             f'{needs.span(p["aclfilter"])}, Stream::{stream}, Kind::{p["kind"]}, '
                             f'{str(p["priority"] == "high").lower()}}},')
    out = ["/// The procedures of the remote and qemu programs. Generated by tests/check/generate_calls.py from the",
           "/// protocol facts (wire.json); do not edit.", '#include "conf/call/procedure.hpp"', "",
           "namespace cloister::call {", "namespace {", "", "// clang-format off"]
    out += [f"constexpr Need {name}[] = {{{text}}};" for text, name in needs.lists.items()]
    for program, lines in rows.items():
        out += ["", f"constexpr Procedure {program}[] = {{"] + lines + ["};"]
    return "\n".join(out + [
        "// clang-format on", "", "} // namespace", "",
        "std::span<const Procedure> remote_procedures() { return remote; }",
        "std::span<const Procedure> qemu_procedures() { return qemu; }",
        "", "} // namespace cloister::call", ""])


FOREIGN_FAMILIES = [("nwfilter", "NWFILTER"), ("storage", "STORAGE"), ("interface", "INTERFACE"), ("secret", "SECRET"),
                    ("node_device", "NODE_"), ("network", "NETWORK")]


def foreign(procedures):
    """The procedures of libvirt's other daemons: which daemon, and what a relay has to know."""
    rows = []
    for p in procedures:
        name = short(p)
        family_ = next(f for f, word in FOREIGN_FAMILIES if word in name)
        stream = {None: "none", "server_to_client": "to_client", "client_to_server": "to_server"}[p["stream"]]
        relay = ("event" if p["kind"] == "event" else "unsubscribe" if name.endswith("_DEREGISTER_ANY")
                 else "subscribe" if name.endswith("_REGISTER_ANY") else "call")
        rows.append(f'    {{{p["number"]}, "{name}", Family::{family_}, Stream::{stream}, Relay::{relay}}},')
    return "\n".join([
        "/// The procedures that libvirt's other daemons serve. Generated by tests/check/generate_calls.py from the",
        "/// protocol facts (wire.json); do not edit.", '#include "conf/call/foreign.hpp"', "", "namespace cloister::call {",
        "namespace {", "", "// clang-format off", "constexpr Foreign table[] = {", *rows, "};", "// clang-format on", "",
        "} // namespace", "", "std::span<const Foreign> foreign_procedures() { return table; }", "", "} // namespace cloister::call", ""])


def every(programs):
    """One list of all argument and result types."""
    types = sorted({type_name(p[key]) for _, p in programs for key in ("args", "ret", "msg") if p[key]})
    out = ["/// Every argument, result and message, for tests that go over all of them.",
           "/// Generated by tests/check/generate_calls.py from the protocol facts (wire.json); do not edit.", "#pragma once", ""]
    out += [f'#include "conf/call/{fam}.hpp"' for fam in sorted(ABOUT)]
    out += ["", "namespace cloister::call {", "", "template <class... T> struct Types {", "    static constexpr std::size_t size = sizeof...(T);", "};", "",
            "// clang-format off", "using Every = Types<"] + [f"    {t}," for t in types[:-1]] + [f"    {types[-1]}>;", "// clang-format on", "",
            "} // namespace cloister::call", ""]
    return "\n".join(out)


def constants(node, found):
    """Every name with a whole-number value, anywhere in abi.json."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("VIR_") and isinstance(value, int):
                found[key] = value
            elif key.startswith("VIR_") and isinstance(value, dict) and isinstance(value.get("value"), int):
                found[key] = value["value"]
            else:
                constants(value, found)
    elif isinstance(node, list):
        for item in node:
            if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("value"), int):
                found[item["name"]] = item["value"]
            constants(item, found)
    return found


def generated(facts):
    wire = json.loads((facts / "wire.json").read_text())
    flags = constants(json.loads((facts / "abi.json").read_text()), {})
    programs = [("remote", p) for p in wire["programs"]["remote"]["procedures"]
                if re.match("AUTH_|CONNECT_|DOMAIN_|NODE_", short(p)) and not FOREIGN.search(short(p))]
    ours = {p["number"] for _, p in programs}
    others = [p for p in wire["programs"]["remote"]["procedures"] if p["number"] not in ours]
    programs += [("qemu", p) for p in wire["programs"]["qemu"]["procedures"]]
    where, order = homes(wire, programs)
    numbers = {p[key]: f"{p['number']} {short(p)}" for _, p in programs for key in ("args", "ret", "msg") if p[key]}
    files = {"procedures.cpp": table(programs, flags), "every.hpp": every(programs), "foreign.cpp": foreign(others)}
    for fam in ABOUT:
        structs = [s for s in order if where[s] == fam]
        files[f"{fam}.hpp"] = header(fam, structs, wire, numbers)
    return files


if __name__ == "__main__":
    for name, text in generated(pathlib.Path(sys.argv[1])).items():
        (pathlib.Path(sys.argv[2]) / name).write_text(text)
