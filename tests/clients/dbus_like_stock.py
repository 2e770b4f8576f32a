#!/usr/bin/python3
"""The same D-Bus calls to us and to libvirt-dbus before a stock libvirtd: the same types, the same answers, the same signals.
Also what our objects say they can do, against the interfaces that libvirt-dbus installs. usage: dbus_like_stock.py BUILD_DIR"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus_rig import CONNECT, DOMAIN, PROPERTIES, QEMU, SNAPSHOT, BusRig, definition  # noqa: E402
from rig import Tap  # noqa: E402
from gi.repository import GLib  # noqa: E402

tap = Tap()
V = GLib.Variant
HERE = pathlib.Path(__file__).parent.parent.parent


def members(node, name):
    """What an interface has, by kind and name: the types of its arguments and their directions."""
    interface = next(i for i in node.iter("interface") if i.get("name") == name)
    found = {}
    for kind in ("method", "signal", "property"):
        for one in interface.findall(kind):
            found[kind, one.get("name")] = (one.get("type"), one.get("access"), [
                (a.get("name"), a.get("type"), a.get("direction")) for a in one.findall("arg")])
    return found


def interfaces(rig, client, domain):
    installed = pathlib.Path("/usr/share/dbus-1/interfaces")
    for name, path in ((CONNECT, QEMU), (DOMAIN, domain), (SNAPSHOT, domain.replace("/domain/", "/domainsnapshot/") + "_s1")):
        stock = members(ElementTree.parse(installed / f"{name}.xml").getroot(), name)
        shipped = members(ElementTree.parse(HERE / f"data/dbus/cloister.{name}.xml").getroot(), name)
        served = members(ElementTree.fromstring(client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")), name)
        tap.check(served == stock, f"{name} is served as libvirt-dbus describes it",
                  "\n".join(f"{k}: {stock.get(k)} / {served.get(k)}" for k in sorted({*stock, *served}) if stock.get(k) != served.get(k)))
        tap.check(shipped == served, f"{name} is described as it is served")
    described = members(ElementTree.parse(HERE / "data/dbus/org.cloister1.xml").getroot(), "org.cloister1")
    tap.check(described == members(ElementTree.fromstring(
        client.call("/org/cloister1", "org.freedesktop.DBus.Introspectable", "Introspect")), "org.cloister1"), "and org.cloister1 likewise")
    folder = ElementTree.fromstring(client.call(QEMU + "/domain", "org.freedesktop.DBus.Introspectable", "Introspect"))
    tap.check([n.get("name") for n in folder.findall("node")] == [domain.rsplit("/", 1)[1]], "every domain is a child of its folder")
    root = client.call("/", "org.freedesktop.DBus.Introspectable", "Introspect")
    tap.check('<node name="org"' in root, "the root can be looked into", root)


# (path: c connect, d domain, o another uuid; interface; member; types; arguments; how far the answer is compared)
# how far: "same" the whole answer, "keys" those of a dictionary, "type" its type, "error" an error's name, "refused" any error
BEFORE = [
    ("c", CONNECT, "ListDomains", "(u)", [0], "same"),
    ("c", CONNECT, "DomainLookupByName", "(s)", ["vm1"], "same"),
    ("c", CONNECT, "DomainLookupByName", "(s)", ["zz"], "same"),
    ("c", CONNECT, "DomainLookupByID", "(i)", [77], "same"),
    ("c", CONNECT, "DomainLookupByUUID", "(s)", ["nonsense"], "same"),
    ("c", CONNECT, "DomainLookupByUUID", "(s)", ["12345678-1234-1234-1234-123456789012"], "same"),
    ("c", CONNECT, "DomainCreateXML", "(su)", ["<a/>", 0], "error"),
    ("c", CONNECT, "GetCapabilities", "()", [], "type"),
    ("c", CONNECT, "GetDomainCapabilities", "(ssssu)", ["", "x86_64", "pc", "", 0], "type"),
    ("c", CONNECT, "GetDomainCapabilities", "(ssssu)", ["", "", "", "", 0], "type"),
    ("c", CONNECT, "GetCPUModelNames", "(su)", ["x86_64", 0], "type"),
    ("c", CONNECT, "GetAllDomainStats", "(uu)", [1, 0], "same"),
    ("c", CONNECT, "NodeGetCPUMap", "(u)", [0], "same"),
    ("c", CONNECT, "NodeGetCPUStats", "(iu)", [-1, 0], "keys"),
    ("c", CONNECT, "NodeGetCPUStats", "(iu)", [0, 0], "keys"),
    ("c", CONNECT, "NodeGetFreeMemory", "()", [], "type"),
    ("c", CONNECT, "NodeGetMemoryStats", "(iu)", [-1, 0], "keys"),
    ("c", CONNECT, "NodeGetMemoryParameters", "(u)", [0], "keys"),
    ("c", CONNECT, "NodeGetSecurityModel", "()", [], "type"),
    ("c", CONNECT, "ListNetworks", "(u)", [0], "same"),
    ("c", CONNECT, "ListStoragePools", "(u)", [0], "same"),
    ("c", CONNECT, "ListNodeDevices", "(u)", [0], "type"),
    ("c", CONNECT, "ListNWFilters", "(u)", [0], "type"),
    ("c", CONNECT, "ListSecrets", "(u)", [0], "same"),
    ("c", CONNECT, "ListInterfaces", "(u)", [0], "type"),
    ("c", CONNECT, "NetworkLookupByName", "(s)", ["default"], "error"),
    ("c", CONNECT, "StoragePoolLookupByName", "(s)", ["default"], "error"),
    ("c", CONNECT, "StorageVolLookupByPath", "(s)", ["/none"], "error"),
    ("c", CONNECT, "DomainRestore", "(ssu)", ["/none", "", 0], "error"),
    ("c", PROPERTIES, "Get", "(ss)", [CONNECT, "Encrypted"], "same"),
    ("c", PROPERTIES, "Get", "(ss)", [CONNECT, "Hostname"], "same"),
    ("c", PROPERTIES, "Get", "(ss)", [CONNECT, "LibVersion"], "type"),
    ("c", PROPERTIES, "Get", "(ss)", [CONNECT, "Version"], "same"),
    ("c", PROPERTIES, "GetAll", "(s)", [CONNECT], "keys"),
    ("d", PROPERTIES, "GetAll", "(s)", [DOMAIN], "same"),
    ("d", PROPERTIES, "GetAll", "(s)", ["org.nope"], "error"),
    ("d", PROPERTIES, "Get", "(ss)", [DOMAIN, "Id"], "same"),
    ("d", PROPERTIES, "Get", "(ss)", [DOMAIN, "Nope"], "error"),
    ("d", PROPERTIES, "Get", "(ss)", [DOMAIN, "SchedulerType"], "same"),
    ("d", PROPERTIES, "Set", "(ssv)", [DOMAIN, "Autostart", V("b", True)], "same"),
    ("d", PROPERTIES, "Get", "(ss)", [DOMAIN, "Autostart"], "same"),
    ("d", PROPERTIES, "Set", "(ssv)", [DOMAIN, "Autostart", V("b", False)], "same"),
    ("d", PROPERTIES, "Set", "(ssv)", [DOMAIN, "Name", V("s", "x")], "error"),
    ("d", PROPERTIES, "Set", "(ssv)", [DOMAIN, "Autostart", V("s", "x")], "error"),
    ("d", PROPERTIES, "Get", "(s)", [DOMAIN], "refused"),
    ("o", DOMAIN, "GetState", "(u)", [0], "same"),
    ("o", PROPERTIES, "GetAll", "(s)", [DOMAIN], "same"),
    ("o", PROPERTIES, "Get", "(ss)", [DOMAIN, "Active"], "same"),
    ("x", DOMAIN, "GetState", "(u)", [0], "same"),
    ("d", DOMAIN, "Nope", "()", [], "error"),
    ("d", DOMAIN, "GetState", "(s)", ["a"], "error"),
    ("d", DOMAIN, "GetState", "()", [], "error"),
    ("d", "org.nope", "GetState", "(u)", [0], "error"),
    ("n", DOMAIN, "GetState", "(u)", [0], "refused"),
    ("d", DOMAIN, "GetState", "(u)", [0], "same"),
    ("d", DOMAIN, "GetState", "(u)", [99], "error"),
    ("d", DOMAIN, "Resume", "()", [], "same"),
    ("d", DOMAIN, "Destroy", "(u)", [0], "same"),
    ("d", DOMAIN, "GetXMLDesc", "(u)", [0], "type"),
    ("d", DOMAIN, "SetMetadata", "(isssu)", [1, "a title", "", "", 0], "same"),
    ("d", DOMAIN, "GetMetadata", "(isu)", [1, "", 0], "same"),
    ("d", DOMAIN, "Rename", "(su)", ["vm2", 0], "same"),
    ("d", DOMAIN, "Rename", "(su)", ["vm1", 0], "same"),
    ("d", DOMAIN, "Rename", "(su)", ["vm1", 0], "same"),
    ("d", DOMAIN, "SetVcpus", "(uu)", [1, 2], "same"),
    ("d", DOMAIN, "GetVcpus", "(u)", [2], "same"),
    ("d", DOMAIN, "SetVcpus", "(uu)", [2, 2], "same"),
    ("d", DOMAIN, "HasManagedSaveImage", "(u)", [0], "same"),
    ("d", DOMAIN, "ListDomainSnapshots", "(u)", [0], "same"),
    ("d", DOMAIN, "SnapshotLookupByName", "(su)", ["a b/é", 0], "same"),
    ("d", DOMAIN, "SnapshotCurrent", "(u)", [0], "same"),
]
RUNNING = [
    ("d", DOMAIN, "Create", "(u)", [0], "same"),
    ("c", CONNECT, "ListDomains", "(u)", [1], "same"),
    ("c", CONNECT, "ListDomains", "(u)", [2], "same"),
    ("d", PROPERTIES, "GetAll", "(s)", [DOMAIN], "same"),
    ("c", CONNECT, "DomainLookupByID", "(i)", [1], "same"),
    ("d", DOMAIN, "GetVcpuPinInfo", "(u)", [0], "same"),
    ("d", DOMAIN, "GetEmulatorPinInfo", "(u)", [0], "same"),
    ("d", DOMAIN, "GetIOThreadInfo", "(u)", [0], "same"),
    ("d", DOMAIN, "GetStats", "(uu)", [1, 0], "same"),
    ("d", DOMAIN, "GetStats", "(uu)", [0, 0], "type"),
    ("d", DOMAIN, "GetSchedulerParameters", "(u)", [0], "keys"),
    ("d", DOMAIN, "GetMemoryParameters", "(u)", [0], "keys"),
    ("d", DOMAIN, "GetBlockIOParameters", "(u)", [0], "keys"),
    ("d", DOMAIN, "GetNumaParameters", "(u)", [0], "same"),
    ("d", DOMAIN, "GetPerfEvents", "(u)", [0], "same"),
    ("d", DOMAIN, "MemoryStats", "(u)", [0], "keys"),
    ("d", DOMAIN, "GetJobInfo", "()", [], "same"),
    ("d", DOMAIN, "GetJobStats", "(u)", [0], "same"),
    ("d", DOMAIN, "AbortJob", "()", [], "error"),
    ("d", DOMAIN, "GetControlInfo", "(u)", [0], "same"),
    ("d", DOMAIN, "GetDiskErrors", "(u)", [0], "same"),
    ("d", DOMAIN, "GetSecurityLabelList", "()", [], "type"),
    ("d", DOMAIN, "GetVcpus", "(u)", [0], "same"),
    ("d", DOMAIN, "GetTime", "(u)", [0], "same"),
    ("d", DOMAIN, "GetHostname", "(u)", [0], "error"),
    ("d", DOMAIN, "FSFreeze", "(asu)", [[], 0], "same"),
    ("d", DOMAIN, "FSThaw", "(asu)", [[], 0], "same"),
    ("d", DOMAIN, "FSTrim", "(stu)", ["", 0, 0], "same"),
    ("d", DOMAIN, "GetGuestVcpus", "(u)", [0], "same"),
    ("d", DOMAIN, "SetTime", "(tuu)", [1, 0, 0], "error"),
    ("d", DOMAIN, "SetUserPassword", "(ssu)", ["root", "", 0], "error"),
    ("d", DOMAIN, "InterfaceAddresses", "(uu)", [0, 0], "type"),
    ("d", DOMAIN, "GetMetadata", "(isu)", [0, "", 0], "same"),
    ("d", DOMAIN, "SetMetadata", "(isssu)", [0, "hello", "", "", 0], "same"),
    ("d", DOMAIN, "GetMetadata", "(isu)", [0, "", 0], "same"),
    ("d", DOMAIN, "SetMetadata", "(isssu)", [0, "", "", "", 0], "same"),
    ("d", DOMAIN, "GetMetadata", "(isu)", [0, "", 0], "same"),
    ("d", DOMAIN, "SetMetadata", "(isssu)", [2, "<e/>", "k", "urn:x", 0], "same"),
    ("d", DOMAIN, "GetMetadata", "(isu)", [2, "urn:x", 0], "same"),
    ("d", DOMAIN, "PinVcpu", "(uabu)", [0, [True], 0], "same"),
    ("d", DOMAIN, "GetVcpuPinInfo", "(u)", [0], "same"),
    ("d", DOMAIN, "PinVcpu", "(uabu)", [0, [], 0], "error"),
    ("d", DOMAIN, "PinEmulator", "(abu)", [[True], 0], "same"),
    ("d", DOMAIN, "PinIOThread", "(uabu)", [1, [True], 0], "error"),
    ("d", DOMAIN, "SetMemory", "(tu)", [32768, 0], "same"),
    ("d", DOMAIN, "SetMemoryStatsPeriod", "(iu)", [1, 0], "same"),
    ("d", DOMAIN, "SendKey", "(uuauu)", [0, 0, [30], 0], "same"),
    ("d", DOMAIN, "InjectNMI", "(u)", [0], "same"),
    ("d", DOMAIN, "OpenGraphicsFD", "(uu)", [0, 0], "error"),
    ("d", DOMAIN, "GetBlockJobInfo", "(su)", ["vdx", 0], "error"),
    ("d", DOMAIN, "GetBlockIOTune", "(su)", ["vdx", 0], "error"),
    ("d", DOMAIN, "GetInterfaceParameters", "(su)", ["vnetx", 0], "error"),
    ("d", DOMAIN, "BlockPeek", "(sttu)", ["vdx", 0, 1, 0], "error"),
    ("d", DOMAIN, "AttachDevice", "(su)", ["<nonsense/>", 1], "error"),
    ("d", DOMAIN, "AttachDevice", "(su)", ["<memballoon model='none'/>", 1], "error"),
    ("d", DOMAIN, "UpdateDevice", "(su)", ["<rng model='virtio'/>", 1], "error"),
    ("d", DOMAIN, "DetachDevice", "(su)", ["<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", 1], "error"),
    ("d", DOMAIN, "Rename", "(su)", ["new", 0], "same"),
    ("d", DOMAIN, "Create", "(u)", [0], "same"),
    ("d", DOMAIN, "Suspend", "()", [], "same"),
    ("d", DOMAIN, "GetState", "(u)", [0], "same"),
    ("d", DOMAIN, "Resume", "()", [], "same"),
    ("d", DOMAIN, "Reset", "(u)", [0], "same"),
    ("d", DOMAIN, "Undefine", "(u)", [0], "same"),
    ("d", PROPERTIES, "Get", "(ss)", [DOMAIN, "Persistent"], "same"),
    ("d", DOMAIN, "Destroy", "(u)", [0], "same"),
    ("d", DOMAIN, "Destroy", "(u)", [0], "same"),
    ("d", PROPERTIES, "GetAll", "(s)", [DOMAIN], "same"),
    ("c", CONNECT, "ListDomains", "(u)", [0], "same"),
]
# What differs, and why: the call and what stock answers are not held against us.
EXPLAINED = {
    "AbortJob": "the reference's sentence, see tests/clients/differences.txt",
}
PLACES = {"c": QEMU, "x": QEMU + "/domain/xyz", "n": "/nope"}


def keys_of(value):
    return sorted(value) if isinstance(value, dict) else type(value)


def same(ours, stock, how):
    if how == "refused":
        return not ours[0].startswith("(") and not stock[0].startswith("(")
    if how == "error":
        return ours[0] == stock[0] and not ours[0].startswith("(")
    if ours[0] != stock[0]:
        return False
    if how == "keys":
        return keys_of(ours[1][0]) == keys_of(stock[1][0])
    return how == "type" or ours[1] == stock[1]


def compare(rig, ours, stock, calls, domain, what):
    wrong = []
    for place, interface, member, types, arguments, how in calls:
        path = {"d": domain, "o": domain[:-4] + "0000", **PLACES}[place]
        answers = [client.typed(path, interface, member, types, *arguments) for client in (ours, stock)]
        if not same(*answers, how) and member not in EXPLAINED:
            wrong.append(f"{member}{arguments}\n  ours  {str(answers[0])[:300]}\n  stock {str(answers[1])[:300]}")
    tap.check(not wrong, f"{what}: {len(calls)} calls", "\n".join(wrong))


def told(client):
    """The signals so far, in order, in a form that two runs share."""
    context = GLib.MainContext.default()
    while context.pending():
        context.iteration(False)
    return [(m, a) for _, _, m, a in client.signals]


def signals(ours, stock, domain):
    for client in (ours, stock):
        client.wait_for_signal_kept(lambda p, i, m, a: m == "DomainEvent" and a[1] == 5)
    lifecycle = [[(a[1], a[2]) for m, a in told(c) if m == "DomainEvent"] for c in (ours, stock)]
    tap.check(lifecycle[0] == lifecycle[1], "the same life is told in the same signals", lifecycle)
    others = [sorted({m for m, _ in told(c)}) for c in (ours, stock)]
    tap.check(others[0] == others[1], "and the same kinds of others", others)
    # libvirt-dbus 1.4.1 says "[Invalid UTF-8]" where there is no URI: not imitated
    tunable = [[a for m, a in told(c) if m == "Tunable"] for c in (ours, stock)]
    tap.check(tunable[0] == tunable[1], "with the same arguments", tunable)


def main():
    with BusRig(sys.argv[1], stock=True) as rig:
        ours, stock = rig.bus.connect(), rig.stock_bus.connect()
        ours.wait_for_owner("org.libvirt")
        for client in (ours, stock):
            client.listen()
            client.wait_for_signal_kept = lambda wanted, client=client: keep(client, wanted)
        xml = definition("vm1", "<memballoon model='virtio'/>").replace(
            "<name>", "<uuid>6e6df0f5-3c4d-4b63-a4b0-000000000001</uuid><name>")
        paths = [client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", xml) for client in (ours, stock)]
        tap.check(paths[0] == paths[1] and re.fullmatch("/org/libvirt/QEMU/domain/_[0-9a-f_]{36}", paths[0]), "the same path of an object", paths)
        interfaces(rig, ours, paths[0])
        compare(rig, ours, stock, BEFORE, paths[0], "before it runs")
        compare(rig, ours, stock, RUNNING, paths[0], "while it runs, and after")
        signals(ours, stock, paths[0])
    return tap.done()


def keep(client, wanted):
    """Waits for a signal, and drops none."""
    seen = []
    while True:
        seen.append(client.wait_for_signal(lambda *_: True))
        if wanted(*seen[-1]):
            client.signals[:0] = seen
            return


if __name__ == "__main__":
    sys.exit(main())
