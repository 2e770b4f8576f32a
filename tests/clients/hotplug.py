#!/usr/bin/python3
"""Devices that come and go, through unmodified python3-libvirt, against a private cloisterd. usage: hotplug.py BUILD_DIR"""
import os
import pathlib
import subprocess
import sys
import threading

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG


def xml(disk):
    ports = "".join(f"<controller type='pci' index='{i}' model='pcie-root-port'/>" for i in range(1, 15))
    return f"""<domain type='qemu'><name>hot</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices>
<controller type='pci' index='0' model='pcie-root'/>{ports}
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface></devices></domain>"""


def disk_xml(path, dev, bus, kind="disk"):
    return (f"<disk type='file' device='{kind}'><driver name='qemu' type='raw'/><source file='{path}'/>"
            f"<target dev='{dev}' bus='{bus}'/></disk>")


def error_of(call, *args):
    try:
        call(*args)
        return 0, ""
    except libvirt.libvirtError as e:
        return e.get_error_code(), e.get_error_message()


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        files = {name: rig.root / "disks" / name for name in ("d.qcow2", "b.raw", "u.raw", "cd.iso")}
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(files["d.qcow2"]), "8M"], check=True)
        for name in ("b.raw", "u.raw", "cd.iso"):
            files[name].write_bytes(b"\0" * (1 << 20))
        owner = {name: (os.stat(path).st_uid, os.stat(path).st_gid) for name, path in files.items()}
        owner_now = lambda name: (os.stat(files[name]).st_uid, os.stat(files[name]).st_gid)  # noqa: E731
        libvirt.virEventRegisterDefaultImpl()
        looping = threading.Event()
        conn = libvirt.open(rig.ours)
        timer = libvirt.virEventAddTimeout(50, lambda *_: None, None)
        seen = []
        for number in (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED):
            conn.domainEventRegisterAny(None, number, lambda c, d, alias, n: seen.append((n, alias)), number)

        def loop():
            while not looping.is_set():
                libvirt.virEventRunDefaultImpl()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        domain = conn.defineXML(xml(files["d.qcow2"]))
        domain.create()

        domain.attachDeviceFlags(disk_xml(files["b.raw"], "vdb", "virtio"), LIVE)
        live = domain.XMLDesc()
        tap.check("virtio-disk1" in live and str(files["b.raw"]) in live, "a virtio disk is added", live)
        tap.check("vdb" not in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), "to the running guest only")
        tap.check(owner_now("b.raw") != owner["b.raw"], "its image belongs to the QEMU user", owner_now("b.raw"))
        wait_for(lambda: (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, "virtio-disk1") in seen, 10, "DEVICE_ADDED")
        tap.check(error_of(domain.attachDeviceFlags, disk_xml(files["b.raw"], "vdb", "virtio"), LIVE) ==
                  (libvirt.VIR_ERR_XML_ERROR, f"XML error: target 'vdb' duplicated for disk sources '{files['b.raw']}' and '{files['b.raw']}'"),
                  "twice is refused")
        domain.attachDeviceFlags(disk_xml(files["u.raw"], "sdb", "usb"), LIVE | CONFIG)
        tap.check("sdb" in domain.XMLDesc() and "sdb" in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), "live and stored at once")
        domain.detachDeviceFlags(disk_xml(files["u.raw"], "sdb", "usb"), LIVE | CONFIG)
        wait_for(lambda: "sdb" not in domain.XMLDesc(), 10, "the USB disk's leave")
        wait_for(lambda: owner_now("u.raw") == owner["u.raw"], 10, "its image given back")
        tap.check("sdb" not in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), "and both forget it")
        tap.check(error_of(domain.detachDeviceFlags, disk_xml(files["u.raw"], "sdb", "usb"), LIVE)[0] == libvirt.VIR_ERR_DEVICE_MISSING,
                  "a disk that is not there is DEVICE_MISSING")

        domain.updateDeviceFlags(disk_xml(files["cd.iso"], "sda", "sata", "cdrom"), LIVE)
        tap.check(str(files["cd.iso"]) in domain.XMLDesc(), "media are inserted", domain.XMLDesc())
        domain.updateDeviceFlags("<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>", LIVE)
        tap.check(str(files["cd.iso"]) not in domain.XMLDesc(), "and ejected", domain.XMLDesc())

        nic = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><link state='down'/></interface>"
        domain.updateDeviceFlags(nic, LIVE)
        tap.check("<link state='down'/>" in domain.XMLDesc(), "a link goes down")
        domain.attachDevice("<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>")
        tap.check("52:54:00:00:00:02" in domain.XMLDesc() and "net1" in domain.XMLDesc(), "a card is added", domain.XMLDesc())
        code, text = error_of(domain.detachDevice, "<interface type='user'><mac address='52:54:00:00:00:09'/></interface>")
        tap.check(code == libvirt.VIR_ERR_DEVICE_MISSING and "matching MAC address '52:54:00:00:00:09'" in text, "an unknown card is DEVICE_MISSING", text)
        tap.check(error_of(domain.attachDevice, disk_xml(files["u.raw"], "sdq", "sata"))[0] == libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
                  "a bus that cannot grow says so")

        domain.destroy()
        tap.check({name: owner_now(name) for name in files} == owner, "everything is given back at the end", {n: owner_now(n) for n in files})
        domain.attachDeviceFlags(disk_xml(files["b.raw"], "vdc", "virtio"), CONFIG)
        tap.check("vdc" in domain.XMLDesc(), "a definition grows while it is off")
        domain.detachDeviceFlags(disk_xml(files["b.raw"], "vdc", "virtio"), CONFIG)
        tap.check("vdc" not in domain.XMLDesc(), "and shrinks")
        tap.check(error_of(domain.attachDevice, disk_xml(files["b.raw"], "vdc", "virtio"))[0] == libvirt.VIR_ERR_OPERATION_INVALID,
                  "a running guest is needed for the live call")
        domain.undefine()
        conn.close()
        looping.set()
        thread.join(5)
        libvirt.virEventRemoveTimeout(timer)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
