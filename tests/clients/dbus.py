#!/usr/bin/python3
"""Our D-Bus services on a real message bus: a guest's whole life, signals, who may call, the names, the bus that dies, the
daemon that dies, activation. usage: dbus.py BUILD_DIR"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import rig as rigging  # noqa: E402
from bus_rig import CONNECT, DOMAIN, OURS, PROPERTIES, QEMU, SNAPSHOT, Bus, BusRig, Failed, definition  # noqa: E402
from rig import Tap, wait_for  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402

tap = Tap()
V = GLib.Variant
HERE = pathlib.Path(__file__).parent.parent.parent
DENIED = "org.freedesktop.DBus.Error.AccessDenied"


def fails(call, name, *words):
    """Whether it ends in an error of that name, whose text has these words."""
    try:
        call()
    except Failed as error:
        return error.name == name and all(w in error.text for w in words)
    return False


def whole_life(rig, client):
    xml = definition("life", "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>")
    domain = client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", xml)
    client.wait_for_signal(lambda p, i, m, a: m == "DomainEvent" and a == (domain, 0, 0))
    call = lambda member, types="()", *arguments: client.call(domain, DOMAIN, member, types, *arguments)  # noqa: E731
    call("Create", "(u)", 1)  # paused
    client.wait_for_signal(lambda p, i, m, a: m == "DomainEvent" and a[:2] == (domain, 2))
    tap.check(call("GetState", "(u)", 0)[0] == 3 and client.call(domain, PROPERTIES, "Get", "(ss)", DOMAIN, "Active") is True,
              "a domain is defined and started, paused", call("GetState", "(u)", 0))
    call("Resume")
    rig.hot = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{rig.root}/disks/hot.img'/><target dev='sdb' bus='usb'/></disk>"
    (rig.root / "disks/hot.img").write_bytes(bytes(1 << 20))
    call("AttachDevice", "(su)", rig.hot, 1)
    tap.check(client.wait_for_signal(lambda p, i, m, a: m == "DeviceAdded")[0] == domain, "a device is attached, and its domain's object says so")
    call("DetachDevice", "(su)", rig.hot, 1)
    client.wait_for_signal(lambda p, i, m, a: m == "DeviceRemoved")
    tap.check("hot.img" not in call("GetXMLDesc", "(u)", 0), "and detached")
    call("SendKey", "(uuauu)", 0, 0, [30, 31], 0)
    stats = call("GetStats", "(uu)", 1 | 4 | 8 | 32, 0)
    tap.check({"state.state", "vcpu.current", "vcpu.maximum", "block.count", "balloon.current"} <= set(stats), "the figures that cockpit draws are there", stats)
    tap.check(isinstance(call("InterfaceAddresses", "(uu)", 0, 0), list), "the addresses of its interfaces may be asked for")
    call("Reset", "(u)", 0)
    call("Destroy", "(u)", 0)
    client.wait_for_signal(lambda p, i, m, a: m == "DomainEvent" and a == (domain, 5, 1))
    tap.check(call("GetState", "(u)", 0)[0] == 5, "it is destroyed")
    call("Undefine", "(u)", 0)
    client.wait_for_signal(lambda p, i, m, a: m == "DomainEvent" and a == (domain, 1, 0))
    tap.check(client.call(QEMU, CONNECT, "ListDomains", "(u)", 0) == [], "and forgotten")
    transient = client.call(QEMU, CONNECT, "DomainCreateXML", "(su)", definition("gone"), 0)
    client.call(transient, DOMAIN, "Destroy", "(u)", 0)
    tap.check(fails(lambda: client.call(transient, DOMAIN, "GetState", "(u)", 0), "org.libvirt.Error", "Domain not found"), "a transient one leaves nothing")


def cockpit(rig, client):
    """What cockpit-machines 288 calls to show its list and a guest's details, and what it makes of the answers."""
    get = lambda path, interface, name: client.call(path, PROPERTIES, "Get", "(ss)", interface, name)  # noqa: E731
    tap.check(get(QEMU, CONNECT, "LibVersion") >= 9000000 and client.call(QEMU, CONNECT, "NodeGetMemoryStats", "(iu)", -1, 0)["total"] > 0,
              "version and memory of the host")
    for member in ("ListStoragePools", "ListNetworks", "ListNodeDevices", "ListInterfaces"):
        tap.check(client.call(QEMU, CONNECT, member, "(u)", 0) == [], f"{member}: an empty page instead of an error")
    (rig.root / "disks/c.img").write_bytes(bytes(1 << 20))
    disk = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{rig.root}/disks/c.img'/><target dev='vda' bus='virtio'/></disk>"
    client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", definition("cockpit", disk + "<graphics type='vnc' port='-1' autoport='yes'/>"))
    domain, = client.call(QEMU, CONNECT, "ListDomains", "(u)", 0)
    call = lambda member, types="()", *arguments: client.call(domain, DOMAIN, member, types, *arguments)  # noqa: E731
    client.call(domain, PROPERTIES, "Set", "(ssv)", DOMAIN, "Autostart", V("b", True))
    known = client.call(domain, PROPERTIES, "GetAll", "(s)", DOMAIN)
    tap.check((known["Name"], known["Persistent"], known["Autostart"]) == ("cockpit", True, True), "name, persistence and autostart", known)
    client.call(domain, PROPERTIES, "Set", "(ssv)", DOMAIN, "Autostart", V("b", False))
    tap.check("<domainCapabilities>" in client.call(QEMU, CONNECT, "GetDomainCapabilities", "(ssssu)", "", "x86_64", "pc-i440fx-7.2", "", 0), "its machine's capabilities")
    call("SetMemory", "(tu)", 32768, 2)
    xml = call("GetXMLDesc", "(u)", 1 | 2)
    client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", xml.replace("<vcpu placement='static'>2", "<vcpu placement='static'>1"))
    tap.check("static'>1<" in call("GetXMLDesc", "(u)", 2) and "32768</currentMemory>" in xml, "memory and processors are changed in its definition")
    call("Rename", "(su)", "cockpit2", 0)
    call("Create", "(u)", 0)
    tap.check(call("GetState", "(u)", 0)[0] == 1 and "port='59" in call("GetXMLDesc", "(u)", 1), "it runs, and its screen can be found")
    figures = call("GetStats", "(uu)", 1 | 8 | 4 | 32, 0)
    tap.check({"balloon.rss", "vcpu.0.time", "vcpu.current", "vcpu.maximum", "state.state", "block.0.name", "block.0.physical", "block.0.capacity",
               "block.0.allocation"} <= set(figures), "the figures of its graphs", sorted(figures))
    for source in (0, 1, 2):
        try:
            tap.check(isinstance(call("InterfaceAddresses", "(uu)", source, 0), list), f"addresses from source {source}")
        except Failed as error:
            tap.check(error.name == "org.libvirt.Error", f"addresses from source {source} are refused in so many words", error)
    tap.check(call("ListDomainSnapshots", "(u)", 0) == [], "it has no snapshots")
    for member, types, *arguments in (["InjectNMI", "(u)", 0], ["SendKey", "(uuauu)", 0, 0, [29, 56, 111], 0], ["Suspend", "()"], ["Resume", "()"], ["Reboot", "(u)", 0],
                                      ["Shutdown", "(u)", 0], ["Reset", "(u)", 0], ["Destroy", "(u)", 0], ["Undefine", "(u)", 1 | 2 | 4 | 16]):
        call(member, types, *arguments)
    tap.check(client.call(QEMU, CONNECT, "ListDomains", "(u)", 0) == [], "every button works, the last one deletes it")


def ill_formed(client):
    domain = client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", definition("shape"))
    no_way = "org.freedesktop.DBus.Error.UnknownMethod"
    wrong = "org.freedesktop.DBus.Error.InvalidArgs"
    tap.check(fails(lambda: client.call(domain, DOMAIN, "Fly"), no_way, "Fly"), "an unknown method is named")
    tap.check(fails(lambda: client.call(domain, DOMAIN, "GetState", "(s)", "x"), wrong, "'u'"), "wrong arguments: what is expected is said")
    tap.check(fails(lambda: client.call(domain, CONNECT, "ListDomains", "(u)", 0), no_way), "each object has its own interface")
    tap.check(fails(lambda: client.call(domain, DOMAIN, "SetSchedulerParameters", "(a{sv}u)", {"cpu_shares": V("(ii)", (1, 2))}, 0),
                    "org.libvirt.Error", "(ii)"), "a parameter of no known type is refused")
    tap.check(fails(lambda: client.call(domain, DOMAIN, "MemoryPeek", "(ttu)", 0, 1 << 33, 2), "org.libvirt.Error", "8589934592"), "too large a peek is refused")
    tap.check(fails(lambda: client.call(domain, DOMAIN, "Create", "(u)", 2), "org.libvirt.Error", "ends with its creator"), "a guest cannot hang on a caller of the bus")
    tap.check(fails(lambda: client.call(domain, DOMAIN, "BlockCommit", "(ssstu)", "vda", "", "", 0, 0), "org.libvirt.Error"),
              "what is not supported is refused")
    snapshot = domain.replace("/domain/", "/domainsnapshot/") + "_s_201"
    for path in (snapshot, snapshot + "_", QEMU + "/domainsnapshot/nonsense"):
        tap.check(fails(lambda: client.call(path, SNAPSHOT, "IsCurrent", "(u)", 0), "org.libvirt.Error"), f"no snapshot at {path[-20:]}")
    long = "x" * (1 << 20)
    tap.check(fails(lambda: client.call(QEMU, CONNECT, "DomainLookupByName", "(s)", long), "org.libvirt.Error", "no domain"), "a name of a megabyte is only not found")
    files = Gio.UnixFDList.new_from_array([os.open("/dev/null", os.O_RDONLY)])
    reply = client.bus.call_with_unix_fd_list_sync("org.libvirt", domain, DOMAIN, "GetState", V("(u)", (0,)), None, 0, 10000, files, None)
    tap.check(reply[0].unpack() == ((5, 0),), "descriptors that nobody asked for do no harm")
    client.call(domain, DOMAIN, "Undefine", "(u)", 0)


def values_of(kind):
    """Values of a D-Bus type at its ends."""
    ends = {"s": ["", "\u00e4 '\"<&>/../" * 200], "u": [0, 2**32 - 1], "i": [0, -2**31, 2**31 - 1], "t": [0, 2**64 - 1], "x": [0, -2**63], "b": [False, True],
            "ah": [[]], "a{sv}": [{}, {"": V("s", ""), "cpu_shares": V("t", 2**64 - 1), "weight": V("d", float("nan")), "x" * 100: V("i", -1), "y": V("y", 1)}]}
    if kind in ends:
        return ends[kind]
    assert kind[0] == "a", kind
    return [[], values_of(kind[1:]) * 100]


def every_method(rig, client):
    """Every method with values at the ends of its types, on a domain that is off and on one that runs: answers, or errors with a
    text, and the daemon lives."""
    before = client.owner("org.cloister1")
    wrong, calls = [], 0
    for running in (False, True):
        domain = client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", definition("ends"))
        if running:
            client.call(domain, DOMAIN, "Create", "(u)", 0)
        snapshot = domain.replace("/domain/", "/domainsnapshot/") + "_s"
        for path, interface in ((QEMU, CONNECT), (domain, DOMAIN), (snapshot, SNAPSHOT), ("/org/cloister1", OURS)):
            tree = ElementTree.fromstring(client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect"))
            for method in next(i for i in tree if i.get("name") == interface).findall("method"):
                types = [a.get("type") for a in method.findall("arg") if a.get("direction") == "in"]
                name = method.get("name")
                # what changes the host itself, or waits for what never comes
                if name in ("NodeSetMemoryParameters", "Undefine", "Rename", "Destroy", "Create", "Shutdown", "Reboot"):
                    continue
                choices = [values_of(t) for t in types]
                for turn in range(max(map(len, choices), default=1)):
                    chosen = [c[turn % len(c)] for c in choices]
                    try:
                        client.call(path, interface, name, f"({''.join(types)})", *chosen)
                    except Failed as error:
                        if error.name not in ("org.libvirt.Error", "org.cloister1.Error") or not error.text:
                            wrong.append(f"{name}{str(chosen)[:200]}: {error}")
                    calls += 1
        client.call(domain, DOMAIN, "Undefine", "(u)", 0)
        if running:
            client.call(domain, DOMAIN, "Destroy", "(u)", 0)
    tap.check(not wrong and calls > 400, f"every method with extreme values: {calls} calls", "\n".join(wrong))
    tap.check(client.owner("org.cloister1") == before, "and the daemon is the same as before")


def flood(rig, client):
    """One sender with more calls than it may have in progress: some are refused, the daemon answers on."""
    answers = []
    for _ in range(400):
        client.bus.call("org.libvirt", QEMU, CONNECT, "GetCapabilities", None, None, 0, 60000, None, lambda bus, done: answers.append(end_of(bus, done)))

    def end_of(bus, done):
        try:
            bus.call_finish(done)
            return "ok"
        except GLib.Error as error:
            return Gio.DBusError.get_remote_error(error)
    context = GLib.MainContext.default()

    def look():
        while context.pending():
            context.iteration(False)
        return len(answers) == 400
    wait_for(look, 60, "400 answers")
    tap.check(set(answers) == {"ok", "org.freedesktop.DBus.Error.LimitsExceeded"} and answers.count("ok") >= 64,
              "a caller with too many calls at once is held back", {a: answers.count(a) for a in set(answers)})
    tap.check(client.call(QEMU, CONNECT, "ListDomains", "(u)", 0) == [], "and served again")


def ours(rig, client):
    call = lambda member, types, *arguments: client.call("/org/cloister1", OURS, member, types, *arguments, to="org.cloister1")  # noqa: E731
    client.listen("org.cloister1")
    (rig.root / "disks/d.img").write_bytes(bytes(1 << 20))
    disk = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{rig.root}/disks/d.img'/><target dev='vda' bus='virtio'/></disk>"
    xml = definition("ours", disk)
    plan = json.loads(call("ExplainXML", "(ss)", xml, "json"))
    tap.check(any(g["path"].endswith("d.img") and g["why"] == "disk vda" for g in plan["grants"]), "a definition is explained")
    tap.check(call("ExplainXML", "(ss)", xml, "argv").lstrip().startswith("/usr/bin/qemu-system-x86_64"), "in three formats")
    tap.check(fails(lambda: call("ExplainXML", "(ss)", xml, "pdf"), "org.cloister1.Error", "pdf"), "and in no other")
    domain = client.call(QEMU, CONNECT, "DomainCreateXML", "(su)", xml, 0)
    uuid = client.call(domain, PROPERTIES, "Get", "(ss)", DOMAIN, "UUID")
    for name in ("ours", uuid):
        text, as_planned = call("Confinement", "(ss)", name, "text")
        tap.check(as_planned and "seccomp" in text, "its confinement is as planned, as the kernel says", text)
    grants = call("ListGrants", "(s)", "ours")
    tap.check((str(rig.root / "disks/d.img"), "file", "read-write", "exclusive", "disk vda") in grants, "its grants are listed", grants)
    client.call(domain, DOMAIN, "Destroy", "(u)", 0)
    tap.check(fails(lambda: call("Confinement", "(ss)", "ours", "text"), "org.cloister1.Error", "Domain not found"), "who is gone has none")
    namespace = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    denied = definition("refused", extra=namespace).replace("</domain>", "<qemu:commandline><qemu:arg value='-blockdev'/>"
                                                            "<qemu:arg value='driver=host_device,node-name=n,filename=/dev/loop-control'/></qemu:commandline></domain>")
    tap.check(fails(lambda: client.call(QEMU, CONNECT, "DomainCreateXML", "(su)", denied, 0), "org.libvirt.Error", "/dev/loop-control"), "what is not granted is refused")
    told = client.wait_for_signal(lambda p, i, m, a: m == "Denied")
    tap.check(told[0] == "/org/cloister1" and told[3][0] == "refused" and told[3][2] in ("mountns", "cgroup") and told[3][3] == "/dev/loop-control" and
              "/dev/loop-control" in told[3][4], "and a signal says who, which layer and what", told)


def dying_bus(rig, client):
    domain = client.call(QEMU, CONNECT, "DomainCreateXML", "(su)", definition("stays"), 0)
    for _ in range(2):
        rig.bus.end()
        rig.bus.start()
        client = rig.bus.connect()
        client.wait_for_owner("org.libvirt")
        client.wait_for_owner("org.cloister1")
    tap.check(client.call(domain, DOMAIN, "GetState", "(u)", 0)[0] == 1, "after the bus died and came back the names are there, and the guest runs")
    client.listen()
    client.call(domain, DOMAIN, "Suspend")
    client.wait_for_signal(lambda p, i, m, a: m == "DomainEvent" and a[:2] == (domain, 3))
    tap.check(True, "and signals come")
    return client, domain


def dying_daemon(rig, client, domain):
    rig.restart_ours(signal.SIGKILL)
    client.wait_for_owner("org.libvirt")
    tap.check(client.call(domain, DOMAIN, "GetState", "(u)", 0)[0] == 3, "after the daemon was killed and started the guest is there, paused as before")
    rig.restart_ours(signal.SIGTERM)
    client.wait_for_owner("org.libvirt")
    client.call(domain, DOMAIN, "Destroy", "(u)", 0)
    tap.check(True, "and after an orderly restart")


def names(rig, client):
    """Another owner of org.libvirt is never disturbed; "yes" waits for its end, "auto" does not."""
    plain = rig.daemon_conf
    rig.stop_ours()
    other = rig.bus.connect()
    other.call("/", "org.freedesktop.DBus", "RequestName", "(su)", "org.libvirt", 1, to="org.freedesktop.DBus")  # it may be replaced
    rigging.Rig._start_ours(rig)
    client.wait_for_owner("org.cloister1")
    wait_for(lambda: "left to it" in rig.log(), 20, "a line about the owner")
    tap.check(client.owner("org.libvirt") == other.bus.get_unique_name() and f"process {os.getpid()}" in rig.log(), "auto: a name that is taken is left to its owner, who is named")
    tap.check(client.call(QEMU, CONNECT, "ListDomains", "(u)", 0, to="org.cloister1") == [], "the objects are under our own name, too")
    other.call("/", "org.freedesktop.DBus", "ReleaseName", "(s)", "org.libvirt", to="org.freedesktop.DBus")
    client.call(QEMU, CONNECT, "ListDomains", "(u)", 0, to="org.cloister1")
    tap.check(client.owner("org.libvirt") is None, "and stays so when it leaves")
    other.call("/", "org.freedesktop.DBus", "RequestName", "(su)", "org.libvirt", 1, to="org.freedesktop.DBus")
    rig.daemon_conf = plain + 'dbus_org_libvirt = "yes"\n'
    rig.restart_ours()
    wait_for(lambda: "waiting until it is free" in rig.log(), 20, "a line about the owner")
    tap.check(client.owner("org.libvirt") == other.bus.get_unique_name(), "yes: it is not taken away either")
    other.call("/", "org.freedesktop.DBus", "ReleaseName", "(s)", "org.libvirt", to="org.freedesktop.DBus")
    tap.check(client.wait_for_owner("org.libvirt") == client.owner("org.cloister1"), "but had when it is free")
    rig.daemon_conf = plain + 'dbus_org_libvirt = "no"\ndbus_org_cloister = 0\n'
    rig.restart_ours()
    with subprocess.Popen(["virsh", "-c", rig.ours, "list"], stdout=subprocess.DEVNULL) as listed:
        tap.check(listed.wait() == 0 and client.owner("org.libvirt") is None and client.owner("org.cloister1") is None, "no: no name, and the sockets serve")
    rig.daemon_conf = plain
    rig.restart_ours()
    client.wait_for_owner("org.libvirt")


def main():
    with BusRig(sys.argv[1], stock=False) as rig:
        client = rig.bus.connect()
        client.wait_for_owner("org.libvirt")
        client.listen()
        whole_life(rig, client)
        cockpit(rig, client)
        ill_formed(client)
        every_method(rig, client)
        flood(rig, client)
        ours(rig, client)
        client, domain = dying_bus(rig, client)
        dying_daemon(rig, client, domain)
        names(rig, client)
        tap.check("Z error:" not in rig.log(), "the daemon had nothing to complain about", [line for line in rig.log().splitlines() if "Z error:" in line])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
