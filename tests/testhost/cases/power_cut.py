"""The power goes in the middle of a start, when the guest's files are given and nothing runs yet. See power_back.py."""
# testhost: then power_back
import select
import sys

from in_host import IMAGES, asked, define, disk, domain, label, main_pid, restart_daemon, sh, virsh, wait_for

for name in ("cut", "later"):
    path = disk(f"{name}.raw", "4M")
    sh(f"chown alice:alice {path}")
    define(domain(name, disks=[path], memory=32))
asked(lambda c: c.lookupByName("later").setAutostart(1))
touched = True
for name in ("cut", "later"):
    # Killed when the helper was told to become QEMU: owners and labels are given by then. What says so goes with the boot.
    restart_daemon(faulty="launch:exec")
    print(virsh("start", name, check=False), flush=True)
    wait_for(lambda: not main_pid(), 60, "the daemon's end")
    owner = sh(f"stat -c %U {IMAGES}/{name}.raw")
    print(f"{name}: {owner} {label(IMAGES / f'{name}.raw')}", flush=True)
    touched = touched and owner == "libvirt-qemu" and "svirt_image_t" in label(IMAGES / f"{name}.raw")
    # The next daemon undoes the first one's: what the cut leaves behind is the second.
sh("sync")
if not touched:
    sys.exit("the files were not given: there is nothing to be cut in the middle of")
print("CUT", flush=True)
select.select([], [], [], 600)
sys.exit(1)
