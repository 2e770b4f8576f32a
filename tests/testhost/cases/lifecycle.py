"""The whole life of a guest with an operating system on an enforcing host, without a single denial. Its type is kvm (the machine's
processor is an emulated AMD with SVM): it boots Linux in seconds, and Linux lets go of what is unplugged."""
# testhost: limit 300
import subprocess
import time

from in_host import (IMAGES, PROMPT, Case, answers, asked, console, context, denials, destroy, disk, domain, linux, live_xml, main_pid, pid_of, sh, start, state,
                     virsh, wait_for)

case = Case()
before = len(denials())
sh("modprobe kvm_amd && udevadm settle")
case.equal("getenforce", sh("getenforce"), "Enforcing")
case.check("the daemon has a domain of its own", ":cloisterd_t:" in context(main_pid()), context(main_pid()))
for path, kind in {"/usr/sbin/cloisterd": "cloisterd_exec_t", "/usr/libexec/cloister/cloister-confine": "cloister_confine_exec_t",
                   "/run/cloister": "cloister_runtime_t", "/var/lib/cloister": "cloister_var_lib_t"}.items():
    found = sh(f"stat -c %C {path}")
    case.check(f"label of {path}", f":{kind}:" in found, found)
case.equal("/dev/kvm", sh("stat -c '%U:%G %a' /dev/kvm"), "root:kvm 660")

xml = domain("demo", virt="kvm", disks=[disk("demo.qcow2", "64M", form="qcow2"), disk("demo.raw")], memory=192, boot=linux(),
             devices="<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 6 + "<interface type='user'><model type='virtio'/></interface>",
             arguments=["-fw_cfg", "name=opt/demo,string=hello"])
case.equal("start", start(xml), "")
guest = pid_of("demo")
case.check("QEMU is in svirt_t", ":svirt_t:" in context(guest) or ":svirt_tcg_t:" in context(guest), context(guest))
case.check("with a pair of categories", "s0:c" in context(guest), context(guest))
case.check("the disk has its label", context(guest).split(":", 3)[3] in sh(f"stat -c %C {IMAGES}/demo.raw"), sh(f"stat -c %C {IMAGES}/demo.raw"))
case.equal("it runs", virsh("domstate", "demo"), "running")
case.equal("accelerated", virsh("qemu-monitor-command", "demo", '{"execute":"query-kvm"}').count('"enabled":true'), 1)


began = time.monotonic()
said = case.attempt("console", lambda: console("demo", PROMPT, 180)) or ""
case.check("console", "Connected to domain" in said, said[:80])
case.check("Linux boots to its prompt", PROMPT in said, f"{time.monotonic() - began:.1f} s: {said[-160:]}")
report = subprocess.run(["cloister", "confinement", "demo", "--check"], capture_output=True, text=True)
case.check("the verified confinement", report.returncode == 0, report.stderr[-300:] if report.returncode else "as planned")
case.note(report.stdout)

more = disk("more.raw")
CARD = "<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>"
open("/tmp/card.xml", "w").write(CARD)
case.attempt("attach a disk", lambda: virsh("attach-disk", "demo", more, "vdc"))
case.check("attach a disk", "more.raw" in live_xml("demo"))
case.check("its label", context(guest).split(":", 3)[3] in sh(f"stat -c %C {more}"), sh(f"stat -c %C {more}"))
case.attempt("attach an interface", lambda: virsh("attach-device", "demo", "/tmp/card.xml"))
case.check("attach an interface", "52:54:00:11:22:33" in live_xml("demo"))
case.attempt("detach the disk", lambda: virsh("detach-disk", "demo", "vdc"))
case.attempt("detach the disk: Linux lets go of it", lambda: wait_for(lambda: "more.raw" not in live_xml("demo"), 30, "the disk's removal"))
case.check("detach the disk", "more.raw" not in live_xml("demo"))
case.attempt("its label", lambda: wait_for(lambda: ":virt_image_t:" in sh(f"stat -c %C {more}"), 20, "giving the label back"))
case.check("it has the policy's label again", ":virt_image_t:" in sh(f"stat -c %C {more}"), sh(f"stat -c %C {more}"))
case.attempt("detach the interface", lambda: virsh("detach-device", "demo", "/tmp/card.xml"))
case.attempt("detach the interface: Linux lets go of it", lambda: wait_for(lambda: "52:54:00:11:22:33" not in live_xml("demo"), 30, "the card's removal"))
case.check("detach the interface", "52:54:00:11:22:33" not in live_xml("demo"))
asked(lambda c: c.lookupByName("demo").suspend())
case.equal("suspend", state("demo"), "paused")
asked(lambda c: c.lookupByName("demo").resume())
case.equal("resume", state("demo"), "running")

old = main_pid()
sh("systemctl restart cloisterd")
wait_for(lambda: answers() and main_pid() != old, 30, "a new daemon")
case.equal("after a restart of the daemon it still runs", state("demo"), "running")
case.equal("in the same process", pid_of("demo"), guest)

# The host shuts down: the guest hears the power button, and is started again at the next boot.
began = time.monotonic()
sh("systemctl stop cloister-guests.service", timeout=200)
case.equal("cloister-guests.service shuts it down", state("demo"), "shut off")
case.note(f"{time.monotonic() - began:.1f} s")
case.check("the disk has the policy's label again", ":virt_image_t:" in sh(f"stat -c %C {IMAGES}/demo.raw"), sh(f"stat -c %C {IMAGES}/demo.raw"))
sh("systemctl start cloister-guests.service")
case.attempt("and starts it again", lambda: wait_for(lambda: state("demo") == "running", 60, "the guest"))
case.equal("and starts it again", state("demo"), "running")
case.attempt("destroy", lambda: virsh("destroy", "demo"))
case.equal("destroy", state("demo"), "shut off")
destroy("demo")
case.no_denials("no denial in all of that", before)
case.end()
