#!/usr/bin/env python3
"""Every procedure with zero, maximum and malformed input: each gets one answer, and the daemon lives.
usage: procedures.py BUILD_DIR      Needs the protocol facts (wire.json); skips without them."""
import struct
import sys

import raw

wire = raw.facts()
if wire is None:
    print("1..0 # SKIP no protocol facts (set CLOISTER_FACTS): every procedure is left untried")
    sys.exit(0)

daemon = raw.Daemon(sys.argv[1])
PROGRAMS = {raw.REMOTE: wire["programs"]["remote"]["procedures"], raw.QEMU: wire["programs"]["qemu"]["procedures"],
            raw.OURS: [{"number": n, "name": f"OURS_{n}", "args": None, "kind": "call"} for n in (1, 2, 3)]}
NOT_HERE = {"REMOTE_PROC_CONNECT_CLOSE"}  # ends the connection, as it should
MODES = ("zero", "maximum", "malformed", "cut")


def value(field, mode, depth=0):
    """One member in XDR: the least, or a big one."""
    full = mode == "maximum"
    if field.get("optional"):
        inner = {k: v for k, v in field.items() if k != "optional"}
        return struct.pack(">I", 1) + value(inner, mode, depth) if full else bytes(4)
    kind, most = field["type"], field.get("max", 0)
    if kind in ("hyper", "uhyper", "double"):
        return b"\x7f" + b"\xff" * 7 if full else bytes(8)
    if kind == "string":
        return raw.string("x" * min(most, 3000)) if full else bytes(4)
    if kind == "opaque":
        if field["array"] == "fixed":
            return (b"\xff" if full else b"\0") * (most + -most % 4)
        return raw.string(b"\xff" * min(most, 3000)) if full else bytes(4)
    if kind == "array":
        if field["array"] == "fixed":
            return b"".join(value(field["of"], mode, depth) for _ in range(most))
        count = min(most, 3) if full and depth < 3 else 0
        return struct.pack(">I", count) + b"".join(value(field["of"], mode, depth + 1) for _ in range(count))
    if kind == "struct":
        return b"".join(value(f, mode, depth) for f in wire["structs"][field["ref"]]["fields"])
    if kind == "union":
        return struct.pack(">iI", 7, 1) + b"y\0\0\0" if full else struct.pack(">ii", 1, 0)
    return b"\x7f\xff\xff\xff" if full else bytes(4)


def arguments(procedure, mode):
    if mode == "malformed":
        return b"\xff" * 64
    if procedure["args"] is None:
        return b"" if mode != "zero" else bytes(256)
    body = b"".join(value(f, mode) for f in wire["structs"][procedure["args"]]["fields"])
    return body[:len(body) // 2 // 4 * 4 + 1] if mode == "cut" else body


def one(program, procedure, mode, read_only):
    client = raw.Client(daemon.socket_ro if read_only else daemon.socket)
    serial = client.packet(procedure["number"], arguments(procedure, mode), program)
    where = f"{procedure['name']} {mode}{' read-only' if read_only else ''}"
    while True:
        header, body = client.read()
        if header[3] != raw.MESSAGE:
            break
    assert header[4] == serial and header[0] == program, f"{where}: the answer is another's"
    if header[5] == raw.ERROR:
        failure = raw.Failure(body)
        assert failure.code != 0 and failure.message, where
        known = procedure["kind"] == "call"
        assert known or failure.message == f"unknown procedure: {procedure['number']}", f"{where}: {failure}"
        refused_unread = failure.message.startswith(("unknown procedure", "authentication failed"))
        if procedure["args"] and mode == "cut" and not refused_unread:
            assert failure.message == "Unable to decode message payload", f"{where}: {failure}"
        # An internal error in answer to bad input is a fault of ours, except where the reference says it, too.
        assert failure.code != 1 or failure.domain in (0, 7), f"{where}: {failure}"
    client.ask(2)
    client.close()
    return header[5] == raw.ERROR and raw.Failure(body).message.startswith("unknown procedure")


def every(mode, read_only):
    def test():
        served = 0
        for program, procedures in PROGRAMS.items():
            for procedure in procedures:
                if procedure["name"] in NOT_HERE:
                    continue
                served += not one(program, procedure, mode, read_only)
                assert daemon.alive(), f"the daemon died of {procedure['name']} {mode}:\n{daemon.said()[-3000:]}"
        print(f"# {served} procedures are served")
    test.__name__ = f"every_procedure_answers_{mode}_input{'_on_the_read_only_socket' if read_only else ''}"
    return test


failed = raw.run([every(mode, read_only) for read_only in (False, True) for mode in MODES])
code, said = daemon.stop()
if code != 0:
    print(f"# the daemon ended with {code}:\n# " + said[-3000:].replace("\n", "\n# "))
sys.exit(bool(failed) or code != 0)
