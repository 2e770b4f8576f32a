"""The whole life of the sample guest on an enforcing host, without a single denial."""
import os
import pty
import select
import subprocess
import time

from in_host import IMAGES, Case, context, disk, domain, linux, main_pid, pid_of, sh, start, virsh, wait_for, answers, denials

case = Case()
before = len(denials())
case.equal("getenforce", sh("getenforce"), "Enforcing")
case.check("the daemon has a domain of its own", ":cloisterd_t:" in context(main_pid()), context(main_pid()))
for path, kind in {"/usr/sbin/cloisterd": "cloisterd_exec_t", "/usr/libexec/cloister/cloister-confine": "cloister_confine_exec_t",
                   "/run/cloister": "cloister_runtime_t", "/var/lib/cloister": "cloister_var_lib_t"}.items():
    found = sh(f"stat -c %C {path}")
    case.check(f"label of {path}", f":{kind}:" in found, found)

xml = domain("demo", disks=[disk("demo.qcow2", "64M", form="qcow2"), disk("demo.raw")], memory=128, boot=linux(),
             devices="<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 6 + "<interface type='user'><model type='virtio'/></interface>",
             arguments=["-fw_cfg", "name=opt/demo,string=hello"])
case.equal("start", start(xml), "")
guest = pid_of("demo")
case.check("QEMU is in svirt_t", ":svirt_t:" in context(guest) or ":svirt_tcg_t:" in context(guest), context(guest))
case.check("with a pair of categories", "s0:c" in context(guest), context(guest))
case.check("the disk has its label", context(guest).split(":", 3)[3] in sh(f"stat -c %C {IMAGES}/demo.raw"), sh(f"stat -c %C {IMAGES}/demo.raw"))
said = virsh("domstate", "demo")
case.equal("it runs", said, "running")
report = subprocess.run(["cloister", "confinement", "demo", "--check"], capture_output=True, text=True)
case.check("the verified confinement", report.returncode == 0, report.stderr[-300:] if report.returncode else "as planned")
case.note(report.stdout)


def console():
    """virsh's console of the guest: connected, and a key reaches it."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(["virsh", "-c", "qemu+unix:///system?socket=/run/cloister/cloister-sock", "console", "demo"],
                             stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    seen, end = b"", time.monotonic() + 30
    while b"Escape character" not in seen and time.monotonic() < end:
        if select.select([leader], [], [], 1)[0]:
            seen += os.read(leader, 4096)
    os.write(leader, b"\x1d")
    while child.poll() is None and time.monotonic() < end:  # it writes what the guest said, and waits for a reader
        if select.select([leader], [], [], 0.2)[0]:
            try:
                seen += os.read(leader, 4096)
            except OSError:
                break
    child.kill() if child.poll() is None else None
    child.wait()
    return seen.decode(errors="replace")


case.check("console", "Connected to domain" in (case.attempt("console", console) or ""))
disk("more.raw")
case.attempt("attach a disk", lambda: virsh("attach-disk", "demo", IMAGES / "more.raw", "vdc"))
case.check("attach a disk", "more.raw" in virsh("domblklist", "demo"))
case.check("its label", context(guest).split(":", 3)[3] in sh(f"stat -c %C {IMAGES}/more.raw"), sh(f"stat -c %C {IMAGES}/more.raw"))
card = "/tmp/card.xml"
open(card, "w").write("<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>")
case.attempt("attach an interface", lambda: virsh("attach-device", "demo", card))
case.check("attach an interface", "52:54:00:11:22:33" in virsh("domiflist", "demo"))
case.attempt("suspend", lambda: virsh("suspend", "demo"))
case.equal("suspend", virsh("domstate", "demo"), "paused")
case.attempt("resume", lambda: virsh("resume", "demo"))
case.equal("resume", virsh("domstate", "demo"), "running")

old = main_pid()
sh("systemctl restart cloisterd")
wait_for(lambda: answers() and main_pid() != old, 30, "a new daemon")
case.equal("after a restart of the daemon it still runs", virsh("domstate", "demo"), "running")
case.equal("in the same process", pid_of("demo"), guest)
# A firmware that has no driver yet does not answer an unplug: that is told, and the guest goes on.
case.note(virsh("detach-disk", "demo", "vdc", check=False))
case.note(virsh("detach-device", "demo", card, check=False))
case.attempt("destroy", lambda: virsh("destroy", "demo"))
case.equal("destroy", virsh("domstate", "demo"), "shut off")
case.check("the disk has the policy's label again", ":virt_image_t:" in sh(f"stat -c %C {IMAGES}/demo.raw"), sh(f"stat -c %C {IMAGES}/demo.raw"))
case.no_denials("no denial in all of that", before)
case.end()
