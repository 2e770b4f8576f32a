"""Hardware virtualisation, confined: Linux boots in a guest of type kvm (the machine's processor is an emulated AMD with SVM)."""
# testhost: limit 300
import os
import pty
import select
import subprocess
import time

from in_host import URI, Case, denials, destroy, disk, domain, linux, pid_of, sh, start, virsh, wait_for

case = Case()
before = len(denials())
sh("modprobe kvm_amd && udevadm settle")
case.equal("/dev/kvm", sh("stat -c '%U:%G %a' /dev/kvm"), "root:kvm 660")
case.equal("start", start(domain("kvm", virt="kvm", disks=[disk("kvm.raw")], memory=192, boot=linux(), machine="q35")), "")
case.equal("accelerated", virsh("qemu-monitor-command", "kvm", '{"execute":"query-kvm"}').count('"enabled":true'), 1)
report = subprocess.run(["cloister", "confinement", "kvm", "--check"], capture_output=True, text=True)
case.check("the verified confinement", report.returncode == 0, report.stderr[-300:] if report.returncode else "as planned")


def prompt():
    leader, follower = pty.openpty()
    child = subprocess.Popen(["virsh", "-c", URI, "console", "kvm", "--force"], stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    seen, end, asked = b"", time.monotonic() + 180, time.monotonic()
    while b"cloister-guest#" not in seen and time.monotonic() < end:
        if select.select([leader], [], [], 1)[0]:
            seen += os.read(leader, 4096)
        elif time.monotonic() - asked > 5:
            os.write(leader, b"\r")
            asked = time.monotonic()
    child.kill()
    child.wait()
    return seen.decode(errors="replace")


began = time.monotonic()
said = case.attempt("console", prompt) or ""
case.check("Linux boots to its prompt", "cloister-guest#" in said, f"{time.monotonic() - began:.1f} s: {said[-160:]}")

# The host shuts down: the guest hears the power button, and is started again at the next boot.
began = time.monotonic()
sh("systemctl stop cloister-guests.service", timeout=200)
case.equal("cloister-guests.service shuts it down", virsh("domstate", "kvm"), "shut off")
case.note(f"{time.monotonic() - began:.1f} s")
sh("systemctl start cloister-guests.service")
wait_for(lambda: virsh("domstate", "kvm") == "running", 60, "the guest")
case.check("and starts it again", True)
destroy("kvm")
case.no_denials("no denial in all of that", before)
case.end()
