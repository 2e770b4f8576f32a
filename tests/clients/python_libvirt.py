#!/usr/bin/python3
"""python3-libvirt, unmodified, with its event loop, against a private cloisterd. usage: python_libvirt.py BUILD_DIR"""
import os
import pathlib
import subprocess
import sys
import threading
import time

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)


def xml(name, disk, more="", extra=""):
    return f"""<domain type='qemu'{extra}><name>{name}</name><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<interface type='user'><model type='virtio'/></interface><serial type='pty'/><console type='pty'/>
<graphics type='vnc' port='-1' autoport='yes'/></devices>{more}</domain>"""


def code_of(call, *args):
    try:
        call(*args)
        return 0
    except libvirt.libvirtError as e:
        return e.get_error_code()


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        disk = rig.root / "disks/d.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "8M"], check=True)
        libvirt.virEventRegisterDefaultImpl()
        looping = threading.Event()

        def loop():
            while not looping.is_set():
                libvirt.virEventRunDefaultImpl()

        timer = libvirt.virEventAddTimeout(50, lambda *_: None, None)  # so that the loop looks at `looping`
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        conn = libvirt.open(rig.ours)
        conn.setKeepAlive(1, 3)
        seen = []
        callback = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                               lambda c, d, event, detail, o: seen.append((d.name(), event, detail)), None)
        before = os.stat(disk)
        domain = conn.defineXML(xml("py", disk))
        domain.create()
        tap.check(domain.isActive() == 1 and domain.ID() > 0, "a defined domain starts", domain.ID())
        tap.check(domain.state() == [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED], "and runs, booted", domain.state())
        tap.check(os.stat(disk).st_uid != before.st_uid, "its disk belongs to the QEMU user while it runs", os.stat(disk))
        domain.suspend()
        tap.check(domain.state() == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER], "suspend pauses it", domain.state())
        domain.resume()
        tap.check(domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING, "resume lets it go on", domain.state())
        tap.check(code_of(domain.create) == libvirt.VIR_ERR_OPERATION_INVALID, "starting it twice is refused")
        stats = conn.getAllDomainStats(0, 0)[0][1]
        tap.check(stats.get("state.state") == 1 and stats.get("block.count") == 1 and stats.get("vcpu.maximum") == 2,
                  "its statistics have libvirt's names", stats)
        stream = conn.newStream(0)
        domain.openConsole(None, stream, 0)
        tap.check(code_of(domain.openConsole, None, conn.newStream(0), 0) == libvirt.VIR_ERR_OPERATION_FAILED, "a second console is refused")
        stream.abort()
        fd = domain.openGraphicsFD(0, 0)
        greeting = os.read(fd, 12)
        os.close(fd)
        tap.check(greeting.startswith(b"RFB 003"), "the graphics descriptor speaks VNC", greeting)
        picture = conn.newStream(0)
        mime, data = domain.screenshot(picture, 0, 0), b""
        while chunk := picture.recv(65536):
            data += chunk
        picture.finish()
        tap.check(mime == "image/png" and data.startswith(b"\x89PNG"), "a screenshot arrives as PNG", (mime, data[:8]))
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "tea", None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        tap.check(domain.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG) == "tea", "metadata are kept")
        read_only = libvirt.openReadOnly(rig.ours.replace("cloister-sock", "cloister-sock-ro"))
        tap.check(code_of(read_only.lookupByName("py").destroy) == libvirt.VIR_ERR_OPERATION_DENIED, "the read-only socket only looks")
        tap.check(code_of(read_only.lookupByName("py").XMLDesc, libvirt.VIR_DOMAIN_XML_SECURE) == libvirt.VIR_ERR_OPERATION_DENIED, "and shows no passwords")
        tap.check(code_of(conn.lookupByName, "nosuch") == libvirt.VIR_ERR_NO_DOMAIN, "an unknown name is NO_DOMAIN")
        tap.check(code_of(conn.networkLookupByName, "default") in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_RPC), "networks are refused politely")
        domain.destroy()
        after = os.stat(disk)
        tap.check((after.st_uid, after.st_gid) == (before.st_uid, before.st_gid), "its disk is given back", after)
        domain.undefine()
        wait_for(lambda: ("py", libvirt.VIR_DOMAIN_EVENT_UNDEFINED, 0) in seen, 10, "the last event")
        want = [(0, 0), (4, 0), (2, 0), (3, 0), (4, 0), (6, 2), (5, 1), (1, 0)]
        tap.check([s[1:] for s in seen] == want, "events come in libvirt's order: defined, resumed, started, …", seen)
        transient = conn.createXML(xml("py2", disk), libvirt.VIR_DOMAIN_START_PAUSED)
        tap.check(transient.isPersistent() == 0 and transient.state()[0] == libvirt.VIR_DOMAIN_PAUSED, "a transient domain is created, paused")
        transient.destroy()
        tap.check(code_of(transient.info) == libvirt.VIR_ERR_NO_DOMAIN, "and is gone after destroy")
        failing = conn.defineXML(xml("py3", "/nonexistent/disk.qcow2"))
        tap.check(code_of(failing.create) in (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_STORAGE_PROBE_FAILED), "a missing disk is a system error", code_of(failing.create))
        tap.check(failing.isActive() == 0, "and leaves nothing running")
        conn.domainEventDeregisterAny(callback)
        conn.close()
        looping.set()
        thread.join(5)
        libvirt.virEventRemoveTimeout(timer)
        tap.check(not thread.is_alive() and time.monotonic() > 0, "the event loop ends")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
