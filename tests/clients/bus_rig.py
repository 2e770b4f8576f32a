"""A message bus of the tests' own: a real dbus-daemon, what may be asked over it, and the private daemons on it."""
import os
import pathlib
import signal
import subprocess

import gi
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib

import rig

QEMU, CONNECT, DOMAIN = "/org/libvirt/QEMU", "org.libvirt.Connect", "org.libvirt.Domain"
SNAPSHOT, OURS, PROPERTIES = "org.libvirt.DomainSnapshot", "org.cloister1", "org.freedesktop.DBus.Properties"
OPEN = """<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/><allow user="*"/></policy>"""


class Failed(Exception):
    """A D-Bus error: its name and its text."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or "local"
        Gio.DBusError.strip_remote_error(error)
        self.text = error.message
        super().__init__(f"{self.name}: {self.text}")


class Bus:
    """A dbus-daemon below a folder. It may be ended and started again."""

    def __init__(self, folder, name="bus", policy=OPEN, more=""):
        self.socket = pathlib.Path(folder) / name
        self.address = f"unix:path={self.socket}"
        self.conf = self.socket.with_suffix(".conf")
        self.conf.write_text(f"<busconfig><listen>{self.address}</listen><auth>EXTERNAL</auth>{more}{policy}</busconfig>")
        self.log = self.socket.with_suffix(".log")
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["dbus-daemon", "--nofork", "--nosyslog", f"--config-file={self.conf}"], stderr=log)
        rig.wait_for(lambda: rig.answers(self.socket), 20, "the message bus")

    def end(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()

    def connect(self):
        return Client(self)


class Client:
    """A connection, and the signals that it has got."""

    def __init__(self, bus):
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.bus = Gio.DBusConnection.new_for_address_sync(bus.address, flags, None, None)
        self.bus.set_exit_on_close(False)
        self.signals = []

    def call(self, path, interface, member, types="()", *arguments, to="org.libvirt", timeout=30000):
        try:
            variant = GLib.Variant(types, arguments) if types else None
            reply = self.bus.call_sync(to, path, interface, member, variant, None, Gio.DBusCallFlags.NONE, timeout, None)
        except GLib.Error as error:
            raise Failed(error) from None
        values = reply.unpack()
        return values[0] if len(values) == 1 else values if values else None

    def typed(self, path, interface, member, types="()", *arguments, to="org.libvirt"):
        """The reply's signature and its value, or the error's name and text."""
        try:
            variant = GLib.Variant(types, arguments)
            reply = self.bus.call_sync(to, path, interface, member, variant, None, Gio.DBusCallFlags.NONE, 30000, None)
            return reply.get_type_string(), reply.unpack()
        except GLib.Error as error:
            failed = Failed(error)
            return failed.name, failed.text

    def owner(self, name):
        try:
            return self.call("/", "org.freedesktop.DBus", "GetNameOwner", "(s)", name, to="org.freedesktop.DBus")
        except Failed:
            return None

    def wait_for_owner(self, name, seconds=20):
        rig.wait_for(lambda: self.owner(name), seconds, f"an owner of {name}")
        return self.owner(name)

    def listen(self, sender="org.libvirt"):
        self.bus.signal_subscribe(sender, None, None, None, None, Gio.DBusSignalFlags.NONE,
                                  lambda *a: self.signals.append((a[2], a[3], a[4], a[5].unpack())))

    def wait_for_signal(self, wanted, seconds=20):
        """The first signal for which wanted(path, interface, member, arguments) is true; those before it are dropped."""
        context = GLib.MainContext.default()
        found = []

        def look():
            while context.pending():
                context.iteration(False)
            while self.signals and not found:
                one = self.signals.pop(0)
                if wanted(*one):
                    found.append(one)
            return bool(found)
        rig.wait_for(look, seconds, "a signal")
        return found[0]


class BusRig(rig.Rig):
    """Our daemon on a bus of its own (`bus`), and with `stock` libvirt-dbus before stock libvirtd on another (`stock_bus`)."""

    def __init__(self, build, stock=False, policy=OPEN, more="", before=None, **options):
        super().__init__(build, stock=stock, **options)
        self.policy, self.more, self.before = policy, more, before

    def _start_stock(self):
        super()._start_stock()
        for name in ("libvirt-sock", "virtqemud-sock"):
            os.symlink(self.root / "sock/libvirt-sock", f"/run/libvirt/{name}")
        self.stock_bus = Bus(self.root, "stock-bus")
        self._spawn("libvirt-dbus", ["/usr/sbin/libvirt-dbus", "--system"],
                    {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.stock_bus.address})
        self.stock_bus.connect().wait_for_owner("org.libvirt")

    def _start_ours(self):
        self.bus = Bus(self.root, policy=self.policy, more=self.more)
        if self.before:
            self.before(self)
        self.daemon_conf += f'\nlog_level = 2\ndbus_address = "{self.bus.address}"\n'
        super()._start_ours()

    def restart_ours(self, how=signal.SIGTERM):
        """Ends our daemon (a child of the reaper that rig starts it by) and starts another."""
        self.stop_ours(how)
        rig.Rig._start_ours(self)

    def stop_ours(self, how=signal.SIGTERM):
        os.kill(int((self.root / "ours/run/cloister/qemu/driver.pid").read_text()), how)
        self.daemon.wait(20)
        self.children.remove(self.daemon)

    def log(self):
        return (self.root / "cloisterd.log").read_text()

    def close(self):
        super().close()
        for bus in ("bus", "stock_bus"):
            if hasattr(self, bus):
                getattr(self, bus).end()


def definition(name, more="", extra=""):
    return (f"<domain type='qemu' {extra}><name>{name}</name><memory>65536</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm"
            f"</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{more}</devices></domain>")
