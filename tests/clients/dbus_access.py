#!/usr/bin/python3
"""Who may do what over the message bus: our bus policy as it is shipped, and a real polkitd with rules. Also activation: the
bus starts the daemon. usage: dbus_access.py BUILD_DIR"""
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import rig as rigging  # noqa: E402
from bus_rig import CONNECT, DOMAIN, QEMU, Bus, BusRig, definition  # noqa: E402
from rig import Tap, wait_for  # noqa: E402

tap = Tap()
HERE = pathlib.Path(__file__).parent.parent.parent
# What every system bus says before the policies of its services.
SYSTEM = f"""<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy>
<policy user="polkitd"><allow own="org.freedesktop.PolicyKit1"/></policy>
<policy context="default"><allow send_destination="org.freedesktop.PolicyKit1"/></policy>
<include>{HERE}/data/dbus/org.cloister1.conf</include>"""
DENIED = "org.freedesktop.DBus.Error.AccessDenied"
RULES = pathlib.Path("/etc/polkit-1/rules.d")


class Polkit:
    def __init__(self, rig):
        rigging._mount("tmpfs", RULES, "tmpfs", 0, "mode=755")  # in our mount namespace alone
        self.rig = rig

    def start(self, client):
        self.rig._spawn("polkitd", ["/usr/lib/polkit-1/polkitd", "--no-debug"], {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.rig.bus.address})
        client.wait_for_owner("org.freedesktop.PolicyKit1")

    def rule(self, text):
        """Rules are read anew when the folder changes; there is no event for that: the next answer tells."""
        (RULES / "50-test.rules").write_text(text)


def as_nobody(rig, path, interface, member, *arguments, to="org.cloister1"):
    """The output of a caller without any rights, or the error's name and text."""
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "dbus-send", f"--bus={rig.bus.address}", "--print-reply",
                           f"--dest={to}", path, f"{interface}.{member}", *arguments], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else done.stderr.strip()


def look(rig):
    return as_nobody(rig, QEMU, CONNECT, "ListDomains", "uint32:0")


def policies(rig, client, domain):
    """Without polkit nobody but root may do anything."""
    tap.check(client.call(QEMU, CONNECT, "ListDomains", "(u)", 0) == [domain], "root is served without polkit")
    tap.check("auth" in look(rig).lower() and DENIED in look(rig), "others are refused when polkit cannot be asked", look(rig))
    direct = as_nobody(rig, QEMU, CONNECT, "ListDomains", "uint32:0", to="com.example.None")
    tap.check("array" not in direct, "and elsewhere nothing is there", direct)


def with_polkit(rig, client, domain):
    polkit = rig.polkit
    polkit.rule("")
    polkit.start(client)
    listed = look(rig)
    tap.check(domain in listed, "who may look by org.libvirt.unix.monitor sees the domains", listed)
    for member, *arguments in (["Create", "uint32:0"], ["Undefine", "uint32:0"], ["SetMemory", "uint64:1", "uint32:0"]):
        refused = as_nobody(rig, domain, DOMAIN, member, *arguments)
        tap.check(DENIED in refused and "org.libvirt.unix.manage" in refused, f"but may not {member}", refused)
    refused = as_nobody(rig, domain, DOMAIN, "GetXMLDesc", "uint32:1")
    tap.check(DENIED in refused, "nor see what is secret", refused)
    refused = as_nobody(rig, domain, "org.freedesktop.DBus.Properties", "Set", f"string:{DOMAIN}", "string:Autostart", "variant:boolean:true")
    tap.check(DENIED in refused, "nor set a property", refused)
    whole = as_nobody(rig, domain, "org.freedesktop.DBus.Properties", "GetAll", f"string:{DOMAIN}")
    tap.check('string "Name"' in whole, "the properties are there to be looked at", whole)
    explained = as_nobody(rig, "/org/cloister1", "org.cloister1", "ExplainDomain", "string:rights", "string:argv")
    tap.check(DENIED in explained or "access" in explained, "an explanation is for those who manage", explained)

    polkit.rule('polkit.addRule(function(a, s) { if (a.id == "org.libvirt.unix.monitor") return polkit.Result.NO; });')
    wait_for(lambda: DENIED in look(rig), 20, "the rule against looking")
    tap.check("org.libvirt.unix.monitor" in look(rig), "a rule may take that away")
    polkit.rule('polkit.addRule(function(a, s) { if (a.id == "org.libvirt.unix.manage" && s.user == "nobody") return polkit.Result.YES; });')
    wait_for(lambda: domain in look(rig), 20, "the rule for managing")
    done = as_nobody(rig, domain, DOMAIN, "Create", "uint32:0")
    tap.check(client.call(domain, DOMAIN, "GetState", "(u)", 0)[0] == 1, "a rule may allow a user to manage", done)
    as_nobody(rig, domain, DOMAIN, "Destroy", "uint32:0")
    tap.check(client.call(domain, DOMAIN, "GetState", "(u)", 0)[0] == 5, "and to end what runs")


def eavesdropping(rig, client, domain):
    """Signals of ours reach root, and nobody else but the group: they name files."""
    listener = subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "dbus-monitor", "--address", rig.bus.address,
                                 "type=signal,path_namespace=/org/libvirt", "type=signal,path=/test"], stdout=subprocess.PIPE, text=True)
    client.listen("org.cloister1")
    wait_for(lambda: "NameAcquired" in listener.stdout.readline(), 20, "the listener")
    client.call(domain, DOMAIN, "Create", "(u)", 0)
    client.call(domain, DOMAIN, "Destroy", "(u)", 0)
    client.wait_for_signal(lambda p, i, m, a: m == "DomainEvent" and a[1] == 5)
    client.bus.emit_signal(None, "/test", "org.example.Test", "Last", None)
    client.bus.flush_sync(None)
    heard = ""
    for line in listener.stdout:
        heard += line
        if "member=Last" in line:
            break
    listener.send_signal(signal.SIGTERM)
    listener.wait()
    tap.check("DomainEvent" not in heard, "signals of guests reach root and not everybody", heard)


def activation(build):
    """The bus starts the daemon when its name is called."""
    def service(rig):
        folder = rig.root / "services"
        folder.mkdir()
        (rig.root / "ours").mkdir()
        for name in ("org.cloister1", "org.libvirt"):
            text = (HERE / f"data/dbus/{name}.service.in").read_text().replace("@sbindir@/cloisterd", (
                f"{rig.build}/daemon/cloisterd --config {rig.root}/ours-daemon.conf --qemu-conf {rig.root}/ours-qemu.conf "
                f"--state-root {rig.root}/ours --socket-dir {rig.root}/ours --timeout 2"))
            (folder / f"{name}.service").write_text(text.replace("SystemdService=cloisterd.service\n", ""))
    rig = BusRig(build, stock=False)
    rig.more = f"<servicedir>{rig.root}/services</servicedir>"
    rig.before = service
    start, rigging.Rig._start_ours = rigging.Rig._start_ours, lambda self: None  # the bus does
    try:
        with rig:
            (rig.root / "ours-qemu.conf").write_text("")
            (rig.root / "ours-daemon.conf").write_text(rig.daemon_conf)
            client = rig.bus.connect()
            tap.check(client.owner("org.libvirt") is None, "at first nobody serves")
            tap.check(client.call(QEMU, CONNECT, "ListDomains", "(u)", 0) == [], "a call to org.libvirt starts the daemon, and is answered")
            tap.check(client.owner("org.libvirt") == client.owner("org.cloister1") is not None, "which has both names")
            first, end, others = client.owner("org.cloister1"), time.monotonic() + 5, 0
            while time.monotonic() < end:
                client.call(QEMU, CONNECT, "ListDomains", "(u)", 0)
                others += client.owner("org.cloister1") != first
                select.select([], [], [], 0.25)
            tap.check(others == 0, "it stays as long as somebody calls it")
            wait_for(lambda: client.owner("org.cloister1") is None, 30, "the end of the daemon")
            tap.check(client.owner("org.libvirt") is None, "and ends when nobody needs it")
            tap.check("<enum" in client.call(QEMU, CONNECT, "GetDomainCapabilities", "(ssssu)", "", "", "", "", 0), "the next call starts another")
            os.kill(int((rig.root / "ours/run/cloister/qemu/driver.pid").read_text()), signal.SIGTERM)
            wait_for(lambda: client.owner("org.cloister1") is None, 20, "the end of the daemon")
    finally:
        rigging.Rig._start_ours = start


def main():
    if sys.argv[2:] == ["activation"]:
        activation(sys.argv[1])
        return tap.failed
    # In a process of its own: one mount namespace for each rig.
    other = subprocess.run([sys.executable, __file__, sys.argv[1], "activation"], capture_output=True, text=True)
    for line in (other.stdout + other.stderr).splitlines():
        if line.startswith(("ok", "not ok")):
            tap.check(line.startswith("ok"), line.split(" - ", 1)[1])
        elif line.startswith("#") or other.returncode:
            print("#", line)
    tap.check(other.returncode == 0, "the bus may start the daemon", other.stderr)

    def mount(rig):
        rig.polkit = Polkit(rig)
    with BusRig(sys.argv[1], stock=False, policy=SYSTEM, before=mount) as rig:
        client = rig.bus.connect()
        client.wait_for_owner("org.libvirt")
        domain = client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", definition("rights"))
        policies(rig, client, domain)
        with_polkit(rig, client, domain)
        eavesdropping(rig, client, domain)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
