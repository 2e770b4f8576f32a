#!/usr/bin/env python3
"""The rules of a connection, as bytes on the socket of a real daemon. usage: connection.py BUILD_DIR"""
import socket
import struct
import sys

import raw
from raw import Client, Failure, OK, ERROR, MORE, MESSAGE, REMOTE, QEMU, OURS, KEEPALIVE

daemon = raw.Daemon(sys.argv[1])
I = lambda *n: struct.pack(">" + "i" * len(n), *n)  # noqa: E731


def client(**how):
    return Client(daemon.socket, **how)


def equal(found, wanted):
    assert repr(found) == repr(wanted), f"{found!r} instead of {wanted!r}"


def error(found, text):
    assert isinstance(found, Failure), f"{found!r} is no error"
    equal(str(found), text)
    assert found.level == 2 and found.message


def lengths_outside_the_limits_close_the_connection():
    for length in (0, 3, 4, 27, 33554437, 0xFFFFFFFF):
        c = client()
        c.raw(struct.pack(">I", length))
        assert c.ended(), length


def only_that_connection_is_closed():
    good, bad = client(), client()
    bad.raw(I(3))
    assert bad.ended()
    equal(good.ask(3), raw.string("QEMU"))


def trailing_bytes_are_ignored():
    equal(client().ask(3, b"xxxxyyyy"), raw.string("QEMU"))


def cut_arguments_are_an_error_and_the_connection_goes_on():
    c = client()
    error(c.ask(23, struct.pack(">I", 400) + b"abcd"), "39/7 Unable to decode message payload")
    error(c.ask(23, b""), "39/7 Unable to decode message payload")
    error(c.ask(23, struct.pack(">I", 0xFFFFFFFF)), "39/7 Unable to decode message payload")
    equal(c.ask(3), raw.string("QEMU"))


def a_string_with_a_nul_is_refused():
    error(client().ask(23, raw.string("vm\0x")), "39/7 Unable to decode message payload")


def padding_may_hold_anything():
    error(client().ask(23, I(1) + b"axyz"), "42/10 Domain not found: no domain with matching name 'a'")


def unknown_programs_versions_and_procedures_are_named():
    c = client()
    error(c.ask(1, program=0x12345678), "39/7 Cannot find program 305419896 version 1")
    error(c.ask(3, version=2), "39/7 Cannot find program 536903814 version 2")
    error(c.ask(1, program=0x20008088), "39/7 Cannot find program 536903816 version 1")
    for number in (0, 107, 318, 9999, -1, 0x7FFFFFFF):
        error(c.ask(number), f"39/7 unknown procedure: {number}")
    error(c.ask(99, program=QEMU), "39/7 unknown procedure: 99")
    error(c.ask(99, program=OURS), "39/7 unknown procedure: 99")


def secondary_drivers_are_unknown_procedures():
    c = client()
    for number in (38, 46, 91, 111, 126, 140, 175, 281, 283, 286, 313, 369):
        error(c.ask(number, bytes(64)), f"39/7 unknown procedure: {number}")


def a_call_with_a_status_is_refused():
    error(client().ask(3, status=ERROR), "39/7 Unexpected message status 1")


def what_is_no_call_is_dropped():
    c = client()
    for kind in (1, 2, 3, 5, 6, 9, -1):
        c.packet(3, bytes(8) if kind != 5 else b"", kind=kind, files=0 if kind == 5 else None)
    serial = c.packet(3)
    equal(c.read()[0][4], serial)


def serials_come_back_bit_for_bit():
    c = client()
    for serial in (0, 0, 5, 5, 0xFFFFFFFF):
        c.packet(3, serial=serial)
        equal(c.read()[0], (REMOTE, 1, 3, 1, serial, OK))


def go_libvirts_flag_is_a_flag():
    c = client(opened=False)
    equal(c.ask(66), I(1, 0))
    equal(c.ask(1, bytes.fromhex("01000000") + raw.string("qemu:///system") + I(0)), b"")
    equal(c.ask(110), raw.string("qemu:///system"))


def opening_needs_our_uri():
    c = client(opened=False)
    opening = lambda uri, flags=0: c.ask(1, raw.optional(uri if uri is None else raw.string(uri)) + I(flags))  # noqa: E731
    error(opening(None), "1/7 internal error: connection not open")
    error(opening("xen:///system"), "5/0 no connection driver available for xen:///system")
    error(opening("qemu+unix:///system"), "5/0 no connection driver available for qemu+unix:///system")
    error(opening("qemu:///"), "1/0 internal error: unexpected qemu URI path '/', try qemu:///system")
    error(c.ask(3), "1/7 internal error: hypervisor connection not open")
    equal(opening("qemu:///system?foo=bar", -0x7FFFFFFE), b"")
    equal(c.ask(110), raw.string("qemu:///system?foo=bar"))
    error(opening("qemu:///system"), "1/7 internal error: connection already open")
    probe = client(opened=False)
    equal(probe.ask(1, raw.optional(raw.string("")) + I(0)), b"")
    equal(probe.ask(110), raw.string("qemu:///system"))


def features_are_answered():
    c = client(opened=False)
    equal(c.ask(60, I(10)), I(1))
    error(c.ask(60, I(14)), "1/7 internal error: hypervisor connection not open")
    c = client()
    for number in range(-1, 20):
        equal(c.ask(60, I(number)), I(int(number in (8, 9, 10, 14, 15, 16))))


def a_ping_is_answered_at_once_and_before_opening():
    c = client(opened=False)
    c.packet(1, program=KEEPALIVE, kind=MESSAGE, serial=0)
    equal(c.read(), ((KEEPALIVE, 1, 2, MESSAGE, 0, OK), b""))


def only_clients_that_asked_are_pinged_and_given_up():
    quick = raw.Daemon(sys.argv[1], "keepalive_interval = 1\nkeepalive_count = 2\n")
    silent, asked, answering = Client(quick.socket), Client(quick.socket), Client(quick.socket)
    for c in (asked, answering):
        equal(c.ask(60, I(10)), I(1))
    ping = ((KEEPALIVE, 1, 1, MESSAGE, 0, OK), b"")
    equal(asked.read(), ping)
    for _ in range(4):
        equal(answering.read(), ping)
        answering.packet(2, program=KEEPALIVE, kind=MESSAGE, serial=0)
    equal(asked.read(), ping)
    assert asked.ended()
    equal(silent.ask(3), raw.string("QEMU"))  # and the first thing it gets is the answer
    equal(quick.stop()[0], 0)


def thirty_pipelined_calls_are_all_answered():
    c = client()
    wanted = [c.packet(59) for _ in range(30)]
    equal(sorted(c.read()[0][4] for _ in range(30)), wanted)


def bytes_may_come_one_by_one():
    c = client()
    packet = struct.pack(">IIIiiIi", 28, REMOTE, 1, 3, 0, 77, 0)
    for byte in packet:
        c.raw(bytes([byte]))
    equal(c.read()[0][4], 77)


def closing_answers_first():
    c = client()
    equal(c.ask(2), b"")
    assert c.ended()


def read_only_clients_may_only_look():
    for c in (Client(daemon.socket_ro), client(flags=1)):
        equal(c.ask(3), raw.string("QEMU"))
        error(c.ask(11, raw.string("<domain/>")),
              "29/20 operation forbidden: read only access prevents virDomainDefineXML")
        error(c.ask(9, raw.domain("x")), "29/20 operation forbidden: read only access prevents virDomainCreate")
        error(c.ask(14, raw.domain("x") + I(1)), "29/20 operation forbidden: virDomainGetXMLDesc with secure flag")


def read_only_and_malformed_is_malformed():
    error(Client(daemon.socket_ro).ask(9, b"abc"), "39/7 Unable to decode message payload")


def descriptors_come_with_a_byte_each():
    c = client()
    c.packet(3, serial=70, kind=raw.CALL_FILES, files=2)
    for _ in range(2):
        socket.send_fds(c.socket, [b"\0"], [0])
    c.packet(3, serial=71)
    equal([c.read()[0][4] for _ in range(2)], [70, 71])


def announced_descriptors_must_come():
    c = client()
    c.packet(3, kind=raw.CALL_FILES, files=1)
    c.raw(b"\0")  # the byte without its descriptor
    assert c.ended()
    c = client()
    c.packet(3, kind=raw.CALL_FILES, files=33)
    assert c.ended()


def descriptors_nobody_announced_end_the_connection_when_they_pile_up():
    c = client()
    try:
        for _ in range(40):
            socket.send_fds(c.socket, [struct.pack(">IIIiiIi", 28, REMOTE, 1, 3, 0, 1, 0)], [0])
        for _ in range(41):
            c.read()
        raise AssertionError("still open")
    except (raw.Ended, BrokenPipeError, ConnectionResetError):
        pass


def callbacks_are_numbered_and_tracked():
    c = client()
    first = c.ask(316, I(0) + I(0))
    second = c.ask(316, I(1) + I(0))
    assert struct.unpack(">i", second) > struct.unpack(">i", first)
    error(c.ask(316, I(0) + I(0)), "8/0 invalid argument: event callback already tracked")
    error(c.ask(105), "8/0 invalid argument: event callback already tracked")
    error(c.ask(316, I(999) + I(0)), "1/7 internal error: unsupported event ID 999")
    error(c.ask(316, I(-1) + I(0)), "1/7 internal error: unsupported event ID -1")
    equal(c.ask(317, first), b"")
    error(c.ask(317, first), f"1/7 internal error: domain event callback {struct.unpack('>i', first)[0]} not registered")
    error(c.ask(167, I(16)), "1/7 internal error: unsupported event ID 16")
    error(c.ask(106), "1/7 internal error: domain event 0 not registered")
    equal(c.ask(105), I(0))
    equal(c.ask(106), I(0))
    third = c.ask(4, I(0) + I(0) + I(0), program=QEMU)
    error(c.ask(317, third), f"1/7 internal error: domain event callback {struct.unpack('>i', third)[0]} not registered")
    equal(c.ask(5, third, program=QEMU), b"")
    error(c.ask(4, I(0) + I(0) + I(8), program=QEMU),
          "8/0 unsupported flags (0x8) in function virDomainQemuMonitorEventStateRegisterID")


def somebody_elses_identity_needs_known_words():
    c = client()
    equal(c.ask(419, I(0) + I(0)), b"")
    error(c.ask(419, I(1) + raw.string("abc") + I(2, 5) + I(0)),
          "74/0 argument unsupported: parameter 'abc' not supported")


DOMAIN = "<domain type='qemu'><name>rpc-{0}</name><memory>65536</memory><os><type arch='x86_64'>hvm</type></os></domain>"


def defining_sends_the_event_before_the_reply():
    c = client()
    c.ask(316, I(0) + I(0))
    c.packet(11, raw.string(DOMAIN.format("event")))
    header, body = c.read()
    equal((header[2], header[3], header[4], header[5]), (318, MESSAGE, 1, OK))
    reader = raw.Reader(body)
    reader.int()
    equal(reader.string(), "rpc-event")
    reader.take(16)
    equal((reader.int(), reader.int(), reader.int()), (-1, 0, 0))
    header, body = c.read()
    equal((header[2], header[3], header[5]), (11, 1, OK))
    equal(c.ask(35, body), b"")  # undefine: its event comes first, too


def domains_are_looked_up_by_uuid_alone():
    c = client()
    handle = c.ask(11, raw.string(DOMAIN.format("uuid")))
    uuid = raw.Reader(handle)
    uuid.string()
    uuid = uuid.take(16)
    for name, number in (("wrong", 77), ("", -1), ("rpc-uuid", 5)):
        equal(c.ask(212, raw.domain(name, uuid, number) + I(0)), I(5, 0))
    error(c.ask(212, raw.domain("rpc-uuid") + I(0)),
          "42/10 Domain not found: no domain with matching uuid '00000000-0000-0000-0000-000000000000' (rpc-uuid)")
    equal(c.ask(35, raw.domain("other", uuid)), b"")


def a_console_of_an_inactive_domain_is_refused_in_the_reply():
    c = client()
    handle = c.ask(11, raw.string(DOMAIN.format("console")))
    found = c.ask(201, handle + I(0) + I(0))
    assert isinstance(found, Failure) and found.code == 55, found
    equal(c.ask(35, handle), b"")


def a_stream_packet_for_nothing_is_dropped():
    c = client()
    for status in (OK, ERROR, MORE):
        c.packet(201, b"abcd", kind=raw.STREAM, serial=99, status=status)
    equal(c.ask(3), raw.string("QEMU"))


def many_clients_come_and_go():
    for _ in range(300):
        c = client()
        c.packet(3)
        c.close()
    equal(client().ask(3), raw.string("QEMU"))


def an_overlong_document_is_refused():
    found = client().ask(11, raw.string("<domain>" + " " * (4 * 1024 * 1024)))
    error(found, "39/7 Unable to decode message payload")


TESTS = [f for name, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and name not in ("client", "equal", "error", "I")]
failed = raw.run(TESTS)
code, said = daemon.stop()
if code != 0:
    print(f"# the daemon ended with {code}:\n# " + said.replace("\n", "\n# "))
sys.exit(bool(failed) or code != 0)
