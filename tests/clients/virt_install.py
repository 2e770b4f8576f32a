#!/usr/bin/python3
"""virt-install, unmodified, against a private cloisterd. usage: virt_install.py BUILD_DIR"""
import os
import pathlib
import subprocess
import sys

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)


def virt_install(rig, *words):
    return subprocess.run(["virt-install", "--connect", rig.ours, "--virt-type", "qemu", "--memory", "128", "--import", "--network", "none",
                           "--osinfo", "generic", "--noautoconsole", *words], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "LC_ALL": "C", "HOME": str(rig.root)}, stdin=subprocess.DEVNULL)


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        disk = rig.root / "disks/v.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "16M"], check=True)
        printed = virt_install(rig, "--name", "vi", "--disk", f"type=file,source.file={disk},driver.type=qcow2,target.bus=virtio", "--print-xml")
        tap.check(printed.returncode == 0 and "<name>vi</name>" in printed.stdout, "--import --print-xml prints a definition", printed.stderr + printed.stdout)
        done = virt_install(rig, "--name", "vi", "--disk", f"type=file,source.file={disk},driver.type=qcow2,target.bus=virtio", "--graphics", "vnc")
        tap.check(done.returncode == 0, "a real install of a disk starts a guest", done.stderr + done.stdout)
        conn = libvirt.open(rig.ours)
        try:
            domain = conn.lookupByName("vi")
            tap.check(domain.isActive() == 1 and domain.isPersistent() == 1, "it runs and is stored")
            tap.check("<boot dev='hd'/>" in domain.XMLDesc(), "and boots from its disk")
            domain.destroy()
            domain.undefine()
        except libvirt.libvirtError as e:
            tap.check(False, "it runs and is stored", e)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
