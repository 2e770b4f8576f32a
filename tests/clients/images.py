#!/usr/bin/python3
"""Disk images that stand on others, seen by a stock client: what is planned, and what is refused. usage: images.py BUILD_DIR"""
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as etree

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)


def xml(name, disk, kind="qcow2", below=""):
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><disk type='file' device='disk'>
<driver name='qemu' type='{kind}'/><source file='{disk}'/>{below}<target dev='vda' bus='virtio'/></disk></devices></domain>"""


def refusal(call, *args):
    try:
        call(*args)
        return "not refused"
    except libvirt.libvirtError as e:
        return str(e)


def create(path, *options):
    subprocess.run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", *map(str, options), str(path), "8M"], check=True)
    return path


def main():
    tap = Tap()
    rig = Rig(sys.argv[1], stock=False)
    rig.qemu_conf = f'backing_chain_paths = [ "{rig.root}/disks" ]\n'
    with rig:
        disks = rig.root / "disks"
        for raw in disks / "base.raw", rig.root / "outside.raw":
            raw.write_bytes(bytes(8 << 20))
        middle = create(disks / "middle.qcow2", "-b", "base.raw", "-F", "raw")
        top = create(disks / "top.qcow2", "-b", middle, "-F", "qcow2")
        conn = libvirt.open(rig.ours)

        domain = conn.defineXML(xml("chain", top))
        tap.check(domain.blockInfo("vda")[0] == 8 << 20, "the capacity of a qcow2 is told before it runs", domain.blockInfo("vda"))
        domain.create()
        root = etree.fromstring(domain.XMLDesc())
        layers = [source.get("file") for source in root.iterfind(".//disk//source")]
        tap.check(layers == [str(top), str(middle), str(disks / "base.raw")], "the live definition has the whole chain", layers)
        tap.check(domain.blockInfo("vda")[0] == 8 << 20, "and QEMU tells the capacity", domain.blockInfo("vda"))
        domain.destroy()

        def refused(name, disk, sentence, below=""):
            guest = conn.defineXML(xml(name, disk, below=below))
            before = os.stat(disk)
            said = refusal(guest.create)
            tap.check(sentence in said and guest.isActive() == 0, f"{name}: {sentence}", said)
            after = os.stat(disk)
            tap.check((before.st_uid, before.st_mode) == (after.st_uid, after.st_mode), f"{name}: its disk is left alone", after)
            guest.undefine()

        outside = create(disks / "outside.qcow2", "-b", rig.root / "outside.raw", "-F", "raw")
        refused("outside", outside, f"the file '{rig.root}/outside.raw' that image '{outside}' names is in no folder of "
                "'backing_chain_paths'")
        network = create(disks / "network.qcow2", "-b", "nbd://127.0.0.1:1/x", "-F", "raw")
        refused("network", network, f"the backing file 'nbd://127.0.0.1:1/x' of image '{network}' uses the protocol 'nbd'")
        loop = create(disks / "loop.qcow2", "-b", "loop.qcow2", "-F", "qcow2")
        refused("loop", loop, f"backing store for '{loop}' is self-referential")
        broken = disks / "broken.qcow2"
        broken.write_bytes(top.read_bytes()[:50])
        refused("broken", broken, f"image '{broken}' has no valid header of the format 'qcow2'")
        elsewhere = disks / "elsewhere.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={disks}/data.raw", str(elsewhere), "8M"], check=True)
        sentence = f"image '{elsewhere}' keeps its data in another file, '{disks}/data.raw'"
        refused("elsewhere", elsewhere, sentence)
        refused("elsewhere-told", elsewhere, sentence, below="<backingStore/>")
        tap.check(os.stat(disks / "data.raw").st_uid == 0, "a data file is never given to a guest", os.stat(disks / "data.raw"))

        # A guest with a raw disk writes what it likes into it; that names nothing.
        hidden = create(disks / "hidden.img", "-b", "/etc/shadow", "-F", "raw")
        guest = conn.createXML(xml("hidden", hidden, kind="raw"), 0)
        tap.check("backingStore type" not in guest.XMLDesc(), "a raw disk is never probed", guest.XMLDesc())
        guest.destroy()
        domain.undefine()
    return tap.done()


sys.exit(main())
