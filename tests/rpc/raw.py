"""A raw client of the wire protocol: packets as bytes, structs by the facts when they are there."""
import os
import signal
import socket
import struct
import subprocess
import tempfile

REMOTE, QEMU, OURS, KEEPALIVE = 0x20008086, 0x20008087, 0x20C10157, 0x6B656570
CALL, REPLY, MESSAGE, STREAM, CALL_FILES, REPLY_FILES, HOLE = range(7)
OK, ERROR, MORE = range(3)


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(raw)) + raw + bytes(-len(raw) % 4)


def optional(value):
    return bytes(4) if value is None else struct.pack(">I", 1) + value


def domain(name="", uuid=bytes(16), id_=-1):
    return string(name) + uuid + struct.pack(">i", id_)


class Ended(Exception):
    pass


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, size):
        part = self.body[self.at:self.at + size]
        assert len(part) == size, "the answer ends early"
        self.at += size
        return part

    def int(self):
        return struct.unpack(">i", self.take(4))[0]

    def string(self):
        size = self.int()
        text = self.take(size).decode()
        self.take(-size % 4)
        return text

    def optional_string(self):
        return self.string() if self.int() else None


class Failure:
    """virNetMessageError."""

    def __init__(self, body):
        r = Reader(body)
        self.code, self.domain, self.message, self.level = r.int(), r.int(), r.optional_string(), r.int()
        assert r.int() == 0, "an error names a domain object"
        self.str1, self.str2, self.str3 = r.optional_string(), r.optional_string(), r.optional_string()
        self.int1, self.int2 = r.int(), r.int()
        assert r.int() == 0, "an error names a network"
        assert r.at == len(body), "an error with bytes left over"

    def __repr__(self):
        return f"{self.code}/{self.domain} {self.message}"


class Client:
    def __init__(self, path, opened=True, flags=0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.serial = 0
        if opened:
            assert self.ask(1, optional(string("qemu:///system")) + struct.pack(">I", flags)) == b""

    def raw(self, data):
        self.socket.sendall(data)

    def packet(self, procedure, body=b"", program=REMOTE, version=1, kind=CALL, serial=None, status=OK, files=None):
        if serial is None:
            self.serial += 1
            serial = self.serial
        counted = b"" if files is None else struct.pack(">I", files)
        self.raw(struct.pack(">IIIiiIi", 28 + len(counted) + len(body), program, version, procedure, kind, serial,
                             status) + counted + body)
        return serial

    def exactly(self, size):
        out = b""
        while len(out) < size:
            try:
                part = self.socket.recv(size - len(out))
            except ConnectionResetError as e:
                raise Ended() from e
            if not part:
                raise Ended()
            out += part
        return out

    def read(self):
        size = struct.unpack(">I", self.exactly(4))[0]
        rest = self.exactly(size - 4)
        return struct.unpack(">IIiiIi", rest[:24]), rest[24:]

    def answer(self):
        """The next reply: its body, or a Failure."""
        while True:
            header, body = self.read()
            if header[3] in (REPLY, REPLY_FILES):
                return Failure(body) if header[5] == ERROR else body

    def ask(self, procedure, body=b"", program=REMOTE, **more):
        self.packet(procedure, body, program, **more)
        return self.answer()

    def ended(self):
        try:
            self.read()
            return False
        except Ended:
            return True

    def close(self):
        self.socket.close()


class Daemon:
    """A private cloisterd: everything of it below one folder, gone at the end."""

    def __init__(self, build, settings="", *arguments):
        self.folder = tempfile.TemporaryDirectory(prefix="cloister-rpc-")
        root = self.folder.name
        self.socket, self.socket_ro = f"{root}/s/cloister-sock", f"{root}/s/cloister-sock-ro"
        with open(f"{root}/qemu.conf", "w", encoding="utf-8") as conf:
            conf.write('user = "+65534"\ngroup = "+65534"\n')
        with open(f"{root}/cloisterd.conf", "w", encoding="utf-8") as conf:
            conf.write(settings)
        self.log = open(f"{root}/log", "w+", encoding="utf-8")
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(f"{root}/ready")
        ready.settimeout(30)
        self.process = subprocess.Popen(
            [f"{build}/daemon/cloisterd", "--config", f"{root}/cloisterd.conf", "--qemu-conf", f"{root}/qemu.conf",
             "--state-root", f"{root}/state", "--socket-dir", f"{root}/s", "--verbose", *arguments],
            stderr=self.log, stdin=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": f"{root}/ready"})
        try:
            assert ready.recv(100) == b"READY=1"
        except (TimeoutError, socket.timeout):
            raise RuntimeError("cloisterd did not start: " + self.said()) from None

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        said = self.said()
        self.log.close()
        self.folder.cleanup()
        return code, said


def run(tests):
    """Runs functions as TAP; each gets nothing and asserts."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {name}: {type(e).__name__}: {e!r}"[:900].replace("\n", " "), flush=True)
    return failed


def facts():
    """wire.json, or None in a plain clone."""
    import json
    folder = os.environ.get("CLOISTER_FACTS",
                            os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/facts"))
    try:
        with open(os.path.join(folder, "wire.json"), encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return None
