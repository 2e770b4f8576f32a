#!/usr/bin/python3
"""What a Linux guest does by itself and what follows: power-offs, reboots, panics, full disks, its consoles, its agent, its
TPM. Events and their details, states and reasons as libvirt tells them.
usage: guest_life.py BUILD_DIR [--stock] [TEST…]   --stock: stock libvirtd instead, to see what it does"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from real_guest import Console, Events, guest_xml, make_images  # noqa: E402
from rig import Rig, Tap, _mount, wait_for  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
BOOTED, UNPAUSED = [1, 1], [1, 5]


def error_of(call, *args):
    try:
        call(*args)
        return 0, ""
    except libvirt.libvirtError as e:
        return e.get_error_code(), e.get_error_message()


def comes(condition, seconds, what):
    try:
        wait_for(condition, seconds, what)
        return True
    except TimeoutError:
        return False


class Case:
    """One guest of a test: defined, started, at its prompt; destroyed and undefined at the end."""

    def __init__(self, conn, seen, images, name, **how):
        self.domain, self.seen, self.name = conn.defineXML(guest_xml(name, images, **how)), seen, name

    def __enter__(self):
        self.domain.create()
        self.console = Console(self.domain)
        if not self.console.prompt(240):
            seen, ended = self.console.seen[-500:], self.console.ended
            self.__exit__()
            raise TimeoutError(f"{self.name} did not boot: {seen!r}, {ended}")
        return self

    def __exit__(self, *_):
        self.console.close()
        if self.domain.isActive():
            self.domain.destroy()
        self.domain.undefine()

    def events(self):
        return self.seen.of(self.name)

    def wait(self, text, seconds=120, after=0):
        return self.seen.wait(self.name, text, seconds, after)


def ends(tap, conn, seen, images):
    with Case(conn, seen, images, "life-off") as guest:
        guest.console.type("poweroff -f")
        tap.check(guest.wait("stopped 0"), "a guest that powers itself off is stopped: shutdown", guest.events())
        tap.check(guest.events()[1:] == ["resumed 0", "started 0", "shutdown 1", "stopped 0"], "the guest did it, say the events", guest.events())
        tap.check(guest.domain.state() == [5, 1], "shut off, by a shutdown", guest.domain.state())
    with Case(conn, seen, images, "life-button") as guest:
        guest.domain.shutdown()
        tap.check(guest.wait("stopped 0"), "the power button ends a guest that listens to it", guest.events())
        tap.check("shutdown 1" in guest.events(), "by its own hand", guest.events())


def reboots(tap, conn, seen, images):
    with Case(conn, seen, images, "life-again") as guest:
        pid = guest.domain.ID()
        guest.console.type("reboot -f")
        tap.check(guest.wait("reboot") and guest.console.prompt(), "a guest that reboots itself boots again", guest.events())
        tap.check(guest.domain.state() == BOOTED and guest.domain.ID() == pid, "it ran on all the time", guest.domain.state())
        before = len(guest.events())
        guest.domain.reboot()
        tap.check(guest.wait("reboot", after=before), "a reboot call presses the power button, and starts the guest again", guest.events())
        tap.check(guest.console.prompt() and guest.domain.ID() == pid, "in the same QEMU", guest.events())
        tap.check("stopped 0" not in guest.events() and "shutdown 1" not in guest.events(), "clients hear of no shutdown", guest.events())
        tap.check(guest.domain.state()[0] == 1, "and it runs", guest.domain.state())
        guest.domain.reset()
        tap.check(guest.wait("reboot", after=before + 1) and guest.console.prompt(), "a reset starts it over", guest.events())
    with Case(conn, seen, images, "life-once", life="<on_reboot>destroy</on_reboot>") as guest:
        guest.console.type("reboot -f")
        tap.check(guest.wait("stopped 0"), "on_reboot destroy: a reboot is the end", guest.events())
        tap.check(not guest.domain.isActive(), "it is off", guest.domain.state())
    with Case(conn, seen, images, "life-off-again", life="<on_poweroff>restart</on_poweroff>") as guest:
        guest.console.type("poweroff -f")
        tap.check(guest.console.prompt() and guest.domain.isActive(), "on_poweroff restart: a power-off starts it again", guest.events())


def panics(tap, conn, seen, images):
    panic = "<panic model='isa'/>"
    with Case(conn, seen, images, "life-crash", devices=panic) as guest:
        guest.console.type("echo c >/proc/sysrq-trigger")
        tap.check(guest.wait("stopped 2"), "on_crash destroy: a panic is the end, crashed", guest.events())
        tap.check(guest.events()[3:] == ["suspended 0", "crashed 0", "stopped 2"], "panicked, say the events", guest.events())
        tap.check(guest.domain.state() == [5, 3], "shut off, crashed", guest.domain.state())
    with Case(conn, seen, images, "life-kept", devices=panic, life="<on_crash>preserve</on_crash>") as guest:
        guest.console.type("echo c >/proc/sysrq-trigger")
        tap.check(guest.wait("crashed 0"), "on_crash preserve: a panic is told", guest.events())
        tap.check(guest.domain.state() == [6, 1] and guest.domain.isActive(), "the guest stays as it crashed", guest.domain.state())
        guest.domain.resume()
        tap.check(guest.domain.state() == UNPAUSED, "until somebody lets it go on", guest.domain.state())
        guest.domain.destroy()
        tap.check(guest.wait("stopped 1"), "but destroyed", guest.events())
    with Case(conn, seen, images, "life-crash-again", devices=panic, life="<on_crash>restart</on_crash>") as guest:
        guest.console.type("echo c >/proc/sysrq-trigger")
        tap.check(guest.wait("crashed 0") and guest.wait("resumed 0", after=5) and guest.console.prompt(),
                  "on_crash restart: it boots again", guest.events())
        tap.check(guest.domain.state() == [1, 9], "and runs, after a crash", guest.domain.state())
        tap.check(guest.events()[3:7] == ["suspended 0", "crashed 0", "reboot", "resumed 0"], "as the events say", guest.events())


def consoles(tap, conn, seen, images):
    with Case(conn, seen, images, "life-console") as guest:
        code, text = error_of(lambda: guest.domain.openConsole(None, conn.newStream(0), 0))
        tap.check(code == libvirt.VIR_ERR_OPERATION_FAILED and "Active console session exists" in text, "a second console is refused", text)
        code, text = error_of(lambda: guest.domain.openConsole(None, conn.newStream(0), libvirt.VIR_DOMAIN_CONSOLE_SAFE))
        tap.check(code == libvirt.VIR_ERR_OPERATION_FAILED, "SAFE does not change that", text)
        other = Console(guest.domain, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        tap.check(comes(lambda: guest.console.ended, 10, "the first console's end"), "FORCE takes it over: the first one ends", guest.console.ended)
        tap.check("hello 42" in (other.run("echo hello $((6*7))") or ""), "and the new one talks with the guest")
        other.close()
        again = comes(lambda: not error_of(lambda: Console(guest.domain, libvirt.VIR_DOMAIN_CONSOLE_SAFE).close())[0], 10, "a free console")
        tap.check(again, "a console that was closed is free again, also with SAFE")


def full_disk(tap, conn, seen, images, rig):
    small = rig.root / "disks/small"
    small.mkdir(mode=0o755)
    _mount("small", small, "tmpfs", 0, "size=1m,mode=755")
    with open(small / "d.raw", "wb") as image:
        image.truncate(8 << 20)
    disk = (f"<disk type='file' device='disk'><driver name='qemu' type='raw' error_policy='enospace'/><source file='{small}/d.raw'/>"
            "<target dev='vdb' bus='virtio'/></disk>")
    with Case(conn, seen, images, "life-full", devices=disk) as guest:
        tap.check(guest.domain.diskErrors() == {}, "a disk without errors is not listed")
        guest.console.type("dd if=/dev/urandom of=/dev/vda bs=64k count=64 oflag=direct")
        tap.check(guest.wait("suspended 2"), "no space on the host: the guest is paused", guest.events())
        tap.check(guest.domain.state() == [3, 5], "paused, I/O error", guest.domain.state())
        tap.check(any(e.startswith("io-error virtio-disk") and e.endswith(" 1 enospc") for e in guest.events()), "the event says which disk, and that there is no space", guest.events())
        tap.check(guest.domain.diskErrors() == {"vdb": libvirt.VIR_DOMAIN_DISK_ERROR_NO_SPACE}, "and so does virDomainGetDiskErrors",
                  guest.domain.diskErrors())
        subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
        guest.domain.resume()
        tap.check(guest.console.wait(b"64+0 records out", 60), "with more space it goes on where it was", guest.console.seen[-300:])


def agent(tap, conn, seen, images):
    import libvirt_qemu
    ask = lambda guest, command: json.loads(libvirt_qemu.qemuAgentCommand(guest.domain, json.dumps(command), 10, 0))  # noqa: E731
    with Case(conn, seen, images, "agent", devices=AGENT, life="") as guest:
        tap.check(guest.events()[1] == "agent 2 1", "a start says first that the agent is not connected", guest.events())
        tap.check(guest.wait("agent 1 2"), "then that it is, once it runs in the guest", guest.events())
        tap.check("state='connected'" in guest.domain.XMLDesc(), "and the live definition says so")
        tap.check(ask(guest, {"execute": "guest-ping"}) == {"return": {}}, "the agent answers through the daemon")
        code, text = error_of(ask, guest, {"execute": "guest-nonsense"})
        tap.check(code and "guest-nonsense" in text, "what it does not know is an error with its words", text)
        tap.check(guest.domain.hostname(libvirt.VIR_DOMAIN_GET_HOSTNAME_AGENT) == "cloister-guest", "its host name")
        tap.check(abs(guest.domain.getTime()["seconds"] - time.time()) < 3600, "its time", guest.domain.getTime())
        code, text = error_of(guest.domain.setTime, {"seconds": 86400, "nseconds": 0})
        tap.check(code == libvirt.VIR_ERR_INTERNAL_ERROR and "'guest-set-time'" in text, "what this guest cannot do is an error, too", text)
        addresses = guest.domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
        tap.check("lo" in addresses, "its network interfaces", addresses)
        tap.check(guest.domain.guestVcpus()["vcpus"] == "0", "its CPUs", guest.domain.guestVcpus())
        tap.check(guest.domain.guestInfo(libvirt.VIR_DOMAIN_GUEST_INFO_HOSTNAME) == {"hostname": "cloister-guest"}, "what it says of itself")
        before = len(guest.events())
        guest.console.type("kill $(pidof qemu-ga)")
        tap.check(guest.wait("agent 2 2", after=before), "an agent that ends is disconnected", guest.events())
        code, _ = error_of(ask, guest, {"execute": "guest-ping"})
        tap.check(code == libvirt.VIR_ERR_AGENT_UNRESPONSIVE, "and calls for it are refused", code)
        guest.console.type("sh -c 'exec sleep 1000 <$0' /dev/vport*p1 &")
        tap.check(guest.wait("agent 1 2", after=before), "somebody who opens the channel and says nothing", guest.events())
        began = time.monotonic()
        code, text = error_of(ask, guest, {"execute": "guest-ping"})
        tap.check(code == libvirt.VIR_ERR_AGENT_UNRESPONSIVE and time.monotonic() - began < 15, "costs a deadline, not the daemon", text)
        tap.check(guest.domain.info()[0] == 1, "which answers all the time")
    with Case(conn, seen, images, "off-2", devices=AGENT) as guest:
        guest.wait("agent 1 2")
        guest.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
        tap.check(guest.wait("stopped 0"), "a shutdown through the agent ends the guest", guest.events())


def tpm(tap, conn, seen, images, rig):
    def swtpms():
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"swtpm") and str(rig.root).encode() in b" ".join(words):
                    found.append(entry)
            except OSError:
                pass
        return found

    with Case(conn, seen, images, "life-tpm", devices="<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>") as guest:
        version = guest.console.run("cat /sys/class/tpm/tpm0/tpm_version_major") or ""
        tap.check("\n2\n" in version, "the guest has a TPM 2.0", version)
        processes = swtpms()
        tap.check(len(processes) == 1, "one swtpm serves it", processes)
        if processes:
            status = (processes[0] / "status").read_text()
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            tap.check("0" not in fields["Uid"].split(), "not as root", fields["Uid"])
            tap.check(fields["NoNewPrivs"] == "1" and int(fields["CapEff"], 16) == 0 and int(fields["CapBnd"], 16) == 0,
                      "without capabilities, and none to be had", status)
            tap.check(fields["Seccomp"] == "2", "under a system call filter", fields["Seccomp"])
            groups = (processes[0] / "cgroup").read_text()
            tap.check("life-tpm.cloister" in groups, "behind the guest's list of devices", groups)
        guest.domain.destroy()
        tap.check(comes(lambda: not swtpms(), 10, "swtpm's end"), "it ends with the guest", swtpms())


def main():
    tap = Tap()
    stock = "--stock" in sys.argv
    with Rig(sys.argv[1], stock=stock) as rig:
        images = rig.root / "disks/images"
        programs = [p for p in [shutil.which("qemu-ga")] if p]
        make_images(images, *programs)
        Events.loop()
        conn = libvirt.open(rig.stock if stock else rig.ours)
        wanted = [word for word in sys.argv[2:] if word != "--stock"]
        with Events(conn) as seen:
            for test, extra in ((ends, ()), (reboots, ()), (panics, ()), (consoles, ()), (full_disk, (rig,)), (agent, ()), (tpm, (rig,))):
                if wanted and test.__name__ not in wanted:
                    continue
                if test is agent and not programs:
                    print("# this machine: qemu-ga is not installed, so no agent answers")
                    continue
                if test is tpm and not shutil.which("swtpm"):
                    print("# this machine: swtpm is not installed")
                    continue
                try:
                    test(tap, conn, seen, images, *extra)
                except (TimeoutError, libvirt.libvirtError) as e:
                    tap.check(False, f"{test.__name__}: {e}", "".join(map(str, seen.list[-10:])))
        conn.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
