"""The power goes in the middle of a start, when the guest's files are given and nothing runs yet. See power_back.py."""
# testhost: then power_back
import pathlib
import select
import subprocess
import sys

from in_host import IMAGES, answers, define, disk, domain, label, sh, virsh, wait_for

for name in ("cut", "later"):
    path = disk(f"{name}.raw", "4M")
    sh(f"chown alice:alice {path}")
    define(domain(name, disks=[path], memory=32))
virsh("autostart", "later")
sh("systemctl stop cloisterd.service cloisterd.socket cloisterd-ro.socket && mkdir -p /run/cloister")
for name in ("cut", "later"):
    # It kills itself when the helper was told to become QEMU: owners and labels are given by then.
    daemon = subprocess.Popen(["/usr/sbin/cloisterd", "--fault", "launch:exec:kill"], stderr=subprocess.PIPE)
    wait_for(answers, 60, "the daemon")
    print(virsh("start", name, check=False), flush=True)
    daemon.wait(60)
    print(f"{name}: {sh(f'stat -c %U:%C {IMAGES}/{name}.raw')}", flush=True)
    if name == "cut":  # its successor undoes that one: the second is the one that the cut leaves behind
        daemon = None
print("CUT", flush=True)
select.select([], [], [], 600)
sys.exit(1)
