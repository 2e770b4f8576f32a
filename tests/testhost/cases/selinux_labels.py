# testhost: limit 420
"""SELinux: who runs as what, and what becomes of it when the daemon restarts or dies, or SELinux is not to be used."""
import os
import pathlib
import re

import libvirt

from in_host import (IMAGES, Case, attach_disk, connection, context, denials, destroy, disk, domain, label, live_xml, main_pid, pid_of,
                     qmp, restart_daemon, sh, start, virsh, wait_for)

case = Case()
CONF = pathlib.Path("/etc/cloister/qemu.conf")
SHARED = "system_u:object_r:svirt_image_t:s0"


def pair(text):
    """The categories of a context."""
    found = re.search(r"s0:(c\d+,c\d+)$", text)
    return found[1] if found else ""


def kind(path):
    """The type alone: who made a file is not what matters here."""
    return label(path).split(":")[2]


def two_guests():
    for name in ("one", "two"):
        case.equal(f"start of {name}", start(domain(name, disks=[disk(f"{name}.raw")])), "")
    contexts = {name: context(pid_of(name)) for name in ("one", "two")}
    case.note(sh("ps -eo label,args | grep '[g]uest=' | cut -c1-110"))
    for name, found in contexts.items():
        case.check(f"{name} is a guest's domain with a pair", re.search(r":svirt(_tcg)?_t:s0:c\d+,c\d+$", found), found)
    case.check("two guests have different categories", pair(contexts["one"]) != pair(contexts["two"]), contexts)
    for name in ("one", "two"):
        case.equal(f"the disk of {name} is its own", label(IMAGES / f"{name}.raw"), f"{SHARED}:{pair(contexts[name])}")
        case.equal(f"so is the private /dev of {name}", label(f"/proc/{pid_of(name)}/root/dev/null"), f"{SHARED}:{pair(contexts[name])}")
    before = len(denials())
    answer = qmp("two", "blockdev-add", **{"driver": "file", "node-name": "theft", "filename": str(IMAGES / "one.raw"), "locking": "off"})
    case.check("guest one's disk cannot be opened with guest two's label", "Permission denied" in str(answer), answer)
    case.check("and the kernel says so", any("one.raw" in line and "svirt_image_t" in line for line in denials()[before:]), denials()[before:][:1])
    xml = live_xml("one")
    case.check("the running guest's XML has label and imagelabel",
               f"<label>{contexts['one']}</label>" in xml and f"<imagelabel>{label(IMAGES / 'one.raw')}</imagelabel>" in xml, xml[-700:])
    said = virsh("dominfo", "one")
    case.check("virDomainGetSecurityLabel", contexts["one"] + " (enforcing)" in said, said[-120:])
    case.check("the host's security model", re.search("<model>selinux</model>.*<baselabel type='qemu'>", connection().getCapabilities(), re.S))
    report = sh("cloister confinement one", check=False)
    case.check("the report shows label and context", f"label of {IMAGES}/one.raw" in report and contexts["one"] in report, report[:400])

    restart_daemon()
    case.equal("a restarted daemon has the pairs reserved", [pair(context(pid_of(n))) for n in ("one", "two")], [pair(contexts[n]) for n in ("one", "two")])
    said = wait_for(lambda: re.search("(?s)^.*label of.*$", sh("cloister confinement one 2>&1", check=False)), 60, "planning again")[0]
    case.check("and finds everything as planned", "BAD" not in said, said[:400])
    destroy("one", "two")
    for name in ("one", "two"):
        case.equal(f"after the end {name}.raw has the policy's label", kind(IMAGES / f"{name}.raw"), "virt_image_t")


def hotplug():
    case.equal("start of plug", start(domain("plug", disks=[disk("base.raw")])), "")
    before = len(denials())
    more = disk("more.raw")
    attach_disk("plug", more, "vdb", flags=libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    case.equal("a disk that is attached gets the guest's label", label(more), f"{SHARED}:{pair(context(pid_of('plug')))}")
    # Its removal while the guest runs: lifecycle.py, whose guest has an operating system that lets go of it.
    destroy("plug")
    case.equal("and it is given back", kind(more), "virt_image_t")
    case.equal("without a denial", denials()[before:], [])


def tpm():
    before = len(denials())
    said = start(domain("tpm", disks=[disk("tpm.raw")], devices="<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"))
    if not case.equal("start with an emulated TPM", said, ""):
        for line in denials()[before:][:20]:
            case.note(line)
        return
    swtpm = sh("pgrep -f 'swtpm socket' | head -1")
    case.equal("swtpm runs with the guest's label", context(swtpm), context(pid_of("tpm")))
    destroy("tpm")
    folder = sh("ls -d /var/lib/cloister/qemu/swtpm/*/ | head -1").rstrip("/")
    labels = {label(folder), *(label(p) for p in pathlib.Path(folder).rglob("*"))}
    case.check("its memory has the policy's label afterwards", all("svirt_image_t" not in one for one in labels), labels)


def faults():
    """The daemon dies right after a label was given, and while it gives it back: the next one finds it."""
    image = disk("fault.raw")
    define = domain("fault", disks=[image])
    for step in ("do:label-file", "undo:return-label"):
        case.kill_daemon_at(step, define)
        case.check(f"{step}: the label is there still", "svirt_image_t" in label(image), label(image))
        restart_daemon()
        wait_for(lambda: "svirt_image_t" not in label(image), 20, "giving the label back")
        case.equal(f"{step}: the next daemon gave it back", kind(image), "virt_image_t")
        destroy("fault")


def no_driver():
    kept = CONF.read_text() if CONF.exists() else ""
    CONF.write_text(kept + "\nsecurity_driver = []\n")
    try:
        restart_daemon()
        case.equal("start with security_driver = []", start(domain("bare", disks=[disk("bare.raw")])), "")
        case.check("no SELinux confines it", ":svirt" not in context(pid_of("bare")), context(pid_of("bare")))
        case.equal("and no owner is changed", (os.stat(f"/proc/{pid_of('bare')}").st_uid, os.stat(IMAGES / "bare.raw").st_uid), (0, 0))
        destroy("bare")
    finally:
        CONF.write_text(kept)
        restart_daemon()


case.check("SELinux is enforcing", sh("getenforce") == "Enforcing")
case.note(context(main_pid()))
for part in (two_guests, hotplug, tpm, faults, no_driver):
    case.attempt(part.__name__, part)
case.end()
