"""A Linux guest that boots (tests/guest/make.sh), its serial console as a conversation, and the events that it causes:
what the tests share that need more than a QEMU waiting at its firmware."""
import pathlib
import subprocess
import threading
import time

import libvirt

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROMPT = b"cloister-guest# "
LIFECYCLE = ("defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed")


def make_images(folder, *programs):
    """vmlinuz and initramfs.gz in `folder`; the programs are there in the guest. Raises when there is no kernel."""
    folder.mkdir(mode=0o755, exist_ok=True)
    subprocess.run(["sh", "-ec", '. tests/guest/make.sh; cp "$(guest_kernel)" "$0/vmlinuz"; guest_initramfs "$0/initramfs.gz" "$@"',
                    str(folder), *programs], cwd=ROOT, check=True)


def guest_xml(name, images, *, devices="", cmdline="console=ttyS0 quiet", life="", memory=256):
    """A q35 guest with that kernel, a serial console and the devices. On a busy host its timer is late, and no fault."""
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{images}/vmlinuz</kernel><initrd>{images}/initramfs.gz</initrd>
<cmdline>{cmdline} no_timer_check</cmdline></os><features><acpi/></features>{life}<devices><serial type='pty'/><console type='pty'/>{devices}
</devices></domain>"""


class Events:
    """Everything that happens to all domains of a connection, in order, on a thread of its own; `with Events(conn) as seen`."""

    IDS = {libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE: lambda what, detail: f"{LIFECYCLE[what]} {detail}",
           libvirt.VIR_DOMAIN_EVENT_ID_REBOOT: lambda: "reboot",
           libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON: lambda path, alias, action, reason: f"io-error {alias} {action} {reason}",
           libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS: lambda phase, local, remote, auth, subject: f"graphics {phase}",
           libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE: lambda state, reason: f"agent {state} {reason}"}
    _started = False

    def __init__(self, conn):
        self.conn, self.list, self._news, self._callbacks = conn, [], threading.Condition(), []

    @classmethod
    def loop(cls):
        """Before the first connection: libvirt's own event loop, on a thread for as long as the process lives."""
        if cls._started:
            return
        cls._started = True
        libvirt.virEventRegisterDefaultImpl()
        libvirt.virEventAddTimeout(100, lambda *_: None, None)

        def turn():
            while True:
                libvirt.virEventRunDefaultImpl()

        threading.Thread(target=turn, daemon=True).start()

    def __enter__(self):
        for number, text in self.IDS.items():
            self._callbacks.append(self.conn.domainEventRegisterAny(
                None, number, lambda _c, domain, *rest: self._happened(domain.name(), rest[-1](*rest[:-1])), text))
        return self

    def __exit__(self, *_):
        for callback in self._callbacks:
            self.conn.domainEventDeregisterAny(callback)

    def _happened(self, name, text):
        with self._news:
            self.list.append((name, text))
            self._news.notify_all()

    def of(self, name):
        with self._news:
            return [text for who, text in self.list if who == name]

    def wait(self, name, text, seconds=60, after=0):
        """True once the event has come, counted from the place `after` in of(name)."""
        with self._news:
            return self._news.wait_for(lambda: text in [t for who, t in self.list if who == name][after:], seconds)


class Console:
    """The serial console through virDomainOpenConsole. Deadlines on everything."""

    def __init__(self, domain, flags=0):
        self.stream, self.seen, self.ended = domain.connect().newStream(0), b"", None
        domain.openConsole(None, self.stream, flags)
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        try:
            while data := self.stream.recv(65536):
                with self._news:
                    self.seen += data
                    self._news.notify_all()
            self.ended = "end"
        except libvirt.libvirtError as e:
            self.ended = e.get_error_message()
        with self._news:
            self._news.notify_all()

    def wait(self, text, seconds=120):
        """True once `text` has been printed since the last wait, and takes everything up to it."""
        with self._news:
            found = self._news.wait_for(lambda: text in self.seen or self.ended, seconds) and text in self.seen
            if found:
                self.seen = self.seen[self.seen.index(text) + len(text):]
            return found

    def prompt(self, seconds=120):
        """A prompt that was printed before we came is printed again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ended:
            if self.wait(PROMPT, 5):
                return True
            self.type("")
        return False

    def type(self, line):
        self.stream.send(line.encode() + b"\n")

    def run(self, command, seconds=60):
        """What a command prints, without its echo."""
        self.type(command + "; echo done-$?")
        with self._news:
            good = self._news.wait_for(lambda: b"\ndone-" in self.seen.replace(b"\r", b"") or self.ended, seconds)
            text, self.seen = self.seen, b""
        return text.replace(b"\r", b"").decode(errors="replace") if good else None

    def close(self):
        try:
            self.stream.abort()
        except libvirt.libvirtError:
            pass
