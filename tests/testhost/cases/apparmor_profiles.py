# testhost: apparmor
"""AppArmor: each guest in a profile of its own, made of what its definition grants."""
import pathlib
import re

from in_host import (IMAGES, Case, asked, attach_disk, connection, context, define, destroy, disk, domain, hmp, live_xml, main_pid, pid_of, qmp,
                     restart_daemon, sh, start, virsh, wait_for)

case = Case()
PROFILES = pathlib.Path("/sys/kernel/security/apparmor/profiles")


def loaded():
    return {line.split()[0]: line.split()[1].strip("()") for line in PROFILES.read_text().splitlines() if line.startswith("cloister-")}


def passed(path, how="readonly=on"):
    return ["-drive", f"if=none,id=extra,format=raw,file.locking=off,file={path},{how}"]


case.equal("AppArmor is on", pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text().strip(), "Y")
case.note(context(main_pid()))
case.check("the host's security model", "<model>apparmor</model>" in connection().getCapabilities())


def own_profile():
    case.equal("start", start(domain("one", disks=[disk("one.raw")], machine="pc")), "")
    name = "cloister-" + asked(lambda c: c.lookupByName("one").UUIDString())
    case.equal("QEMU is in its own profile, enforced", context(pid_of("one")), f"{name} (enforce)")
    case.equal("which the kernel lists", loaded().get(name), "enforce")
    case.check("the running guest's XML has it", f"<label>{name}</label>" in live_xml("one"))
    said = virsh("dominfo", "one")
    case.check("virDomainGetSecurityLabel", f"{name} (enforcing)" in said, said[-120:])
    report = sh("cloister confinement one --check", check=False)
    case.check("verified", "apparmor" in report and "differs" not in report, report[:300])
    more = disk("more.raw")
    attach_disk("one", more, "vdb")
    case.check("a disk that is attached is in the profile", "vdb" in live_xml("one"))
    restart_daemon()
    case.equal("a restarted daemon finds it confined", context(pid_of("one")), f"{name} (enforce)")
    third = disk("third.raw")
    attach_disk("one", third, "vdc")
    case.check("and can give it more", "vdc" in live_xml("one"))
    destroy("one")
    case.equal("the profile goes with the guest", loaded(), {})


def passthrough():
    outside = pathlib.Path("/srv/outside.raw")
    outside.write_bytes(b"\0" * 65536)
    outside.chmod(0o666)
    define(domain("outside", arguments=passed(outside)))
    said = virsh("start", "outside", check=False)
    case.check("a file that only passthrough names is denied, with AppArmor named", "refused by AppArmor" in said and str(outside) in said, said)
    case.note(said)
    case.equal("nothing is left of it", loaded(), {})
    destroy("outside")
    granted = domain("inside", disks=[outside])
    case.equal("named by an element it works", start(granted), "")
    destroy("inside")
    both = domain("both", disks=[outside], arguments=passed(outside))
    case.equal("and passthrough may then use it, too", start(both), "")
    hmp("both", 'qemu-io extra "read 0 512"')
    log = pathlib.Path("/var/log/cloister/qemu/both.log")
    case.check("it reads", wait_for(lambda: "read 512/512 bytes" in log.read_text(), 20, "qemu-io's word in QEMU's log"))
    destroy("both")


def exceptions():
    case.equal("start with seclabel none", start(domain("plain", disks=[disk("plain.raw")], seclabel="<seclabel type='none' model='apparmor'/>")), "")
    case.equal("type='none' is unconfined", context(pid_of("plain")), "unconfined")
    destroy("plain")
    case.equal("start of two", [start(domain(n, disks=[disk(f"{n}.raw")])) for n in ("a", "b")], ["", ""])
    case.equal("two guests, two profiles", len(loaded()), 2)
    answer = qmp("a", "blockdev-add", **{"driver": "file", "node-name": "x", "filename": str(IMAGES / "b.raw"), "locking": "off"})
    case.check("guest a cannot open guest b's disk", "Permission denied" in str(answer), answer)
    destroy("a", "b")
    case.equal("no profile is left", loaded(), {})


def faults():
    """The daemon dies right after it loaded a profile, and while it removes one: the next one finds it."""
    define = domain("fault", disks=[disk("fault.raw")])
    for step in ("do:load-profile", "undo:remove-profile"):
        case.kill_daemon_at(step, define)
        restart_daemon()
        case.attempt(f"{step}: the next daemon removed it", lambda: wait_for(lambda: not loaded(), 20, "the profile's removal"))
        case.equal(f"{step}: no profile is left", loaded(), {})
        destroy("fault")


for part in (own_profile, passthrough, exceptions, faults):
    case.attempt(part.__name__, part)
    destroy("one", "outside", "inside", "both", "plain", "a", "b", "fault")
denied = [line for line in sh("dmesg").splitlines() if 'apparmor="DENIED"' in line and 'profile="cloister-' in line
          and not re.search("outside.raw|b.raw", line)]
for line in denied[:20]:
    case.note(line)
case.check("nothing else was denied", not denied, f"{len(denied)} denials")
case.end()
