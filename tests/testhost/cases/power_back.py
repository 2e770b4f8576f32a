"""After the power came back: every owner and label is right, before autostart."""
from in_host import IMAGES, Case, answers, asked, sh, state, wait_for

case = Case()
wait_for(answers, 60, "the daemon")
wait_for(lambda: state("later") == "running", 60, "autostart")
case.check("the guest that is marked autostart runs", True)
case.equal("the other's disk has its owner again", sh(f"stat -c %U {IMAGES}/cut.raw"), "alice")
case.check("and its label", ":virt_image_t:" in sh(f"stat -c %C {IMAGES}/cut.raw"), sh(f"stat -c %C {IMAGES}/cut.raw"))
case.equal("that of the running one is the guest's", sh(f"stat -c %U {IMAGES}/later.raw"), "libvirt-qemu")
asked(lambda c: c.lookupByName("later").destroy())
# Had it been started before the undo, the guest's user would have been remembered as the owner.
case.equal("and its owner's again afterwards", sh(f"stat -c %U {IMAGES}/later.raw"), "alice")
case.check("with the policy's label", ":virt_image_t:" in sh(f"stat -c %C {IMAGES}/later.raw"), sh(f"stat -c %C {IMAGES}/later.raw"))
case.equal("no journal is left", sh("ls /var/lib/cloister/undo"), "")
case.end()
