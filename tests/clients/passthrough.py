#!/usr/bin/python3
"""Command-line passthrough through a stock client and the real QEMU: what is kept, what reaches the process, what is
tainted, and what stays denied (data/docs/confinement.md, A4 to A13, A20, A21). usage: passthrough.py BUILD_DIR"""
import os
import pathlib
import re
import sys

import libvirt

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap  # noqa: E402

libvirt.registerErrorHandler(lambda *_: None, None)
NS = "xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'"
CANONICAL = """  <qemu:commandline>
    <qemu:arg value='-fw_cfg'/>
    <qemu:arg value='name=opt/x,string=a  b &lt;&amp;&gt; &quot;c&quot;'/>
    <qemu:env name='FIRST' value='1'/>
    <qemu:env name='BAR'/>
    <qemu:env name='HOME' value='/somewhere else'/>
    <qemu:env name='FIRST' value='2'/>
  </qemu:commandline>
</domain>"""


def xml(name, body, devices=""):
    return (f"<domain type='qemu' {NS}><q:commandline>{body}</q:commandline><name>{name}</name><memory unit='MiB'>32</memory>"
            f"<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><controller type='usb' model='none'/>{devices}"
            "</devices></domain>")


def args(*words):
    return "".join(f"<q:arg value='{w}'/>" for w in words)


def refusal(call, *arguments):
    """The text of libvirt's error, or "" when it went through."""
    try:
        call(*arguments)
        return ""
    except libvirt.libvirtError as refused:
        return f"{refused.get_error_code()} {refused.get_error_message()}"


def what_reaches_qemu(tap, rig, conn):
    body = ("<q:env name='FIRST' value='1'/>" + args("-fw_cfg", "name=opt/x,string=a  b &lt;&amp;&gt; &quot;c&quot;") +
            "<q:env name='BAR'/><q:env name='HOME' value='/somewhere else'/><q:env name='FIRST' value='2'/>")
    guest = conn.defineXML(xml("pass", body))
    stored = guest.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    tap.check(stored.rstrip().endswith(CANONICAL), "A4 the stored text ends with the canonical form", stored)
    tap.check(re.match(r"<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>", stored) is not None,
              "A4 the declaration is the last attribute of the root", stored[:200])
    on_disk = (rig.root / "ours/etc/cloister/qemu/pass.xml").read_text()
    tap.check(CANONICAL in on_disk, "A4 and so does the file on disk", on_disk)
    guest.create()
    live = guest.XMLDesc()
    tap.check(live.rstrip().endswith(CANONICAL), "A4 and the live text", live)
    status = (rig.root / "ours/run/cloister/qemu/pass.xml").read_text()
    indented = CANONICAL.replace("\n", "\n  ")
    tap.check(CANONICAL in status or indented in status, "A4 and the status file", status[-1500:])

    pid, = rig.guests()
    argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    tap.check(argv[argv.index(b"-fw_cfg") + 1] == b'name=opt/x,string=a  b <&> "c"', "A7 an argument is one slot of argv, byte for byte", argv)
    tap.check(argv.index(b"-fw_cfg") < argv.index(b"-sandbox"), "A11 passthrough stands before -sandbox", argv)
    tap.check(all(argv.index(b"-fw_cfg") > i for i, word in enumerate(argv) if word == b"-device"),
              "A11 and after the modelled devices", argv)
    environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")[:-1]
    tap.check(b"BAR=" in environ, "A6 a variable without value is there, and empty", environ)
    tap.check([v for v in environ if v.startswith(b"FIRST=")] == [b"FIRST=2"], "A11 a later variable replaces an earlier one", environ)
    tap.check([v for v in environ if v.startswith(b"HOME=")] == [b"HOME=/somewhere else"], "A11 and the daemon's own", environ)

    tap.check("<taint flag='custom-argv'/>" in status, "A12 the status file has the taint", status[:600])
    log = (rig.root / "ours/var/log/cloister/qemu/pass.log").read_text()
    tap.check("is tainted: custom-argv" in log, "A12 and the domain's log", log)
    tap.check("tainted: custom configuration parameters specified" in guest.messages(libvirt.VIR_DOMAIN_MESSAGE_TAINTING),
              "A12 and the domain's messages", guest.messages(0))
    guest.destroy()
    guest.undefine()


def who_may(tap, rig, conn):
    reader = libvirt.openReadOnly(rig.ours)
    text = xml("reader", args("-fw_cfg", "name=opt/x,string=y"))
    tap.check("forbidden" in refusal(reader.defineXML, text) or "read only" in refusal(reader.defineXML, text),
              "A13 a read-only connection defines nothing", refusal(reader.defineXML, text))
    guest = conn.defineXML(text)
    tap.check("<qemu:arg value='-fw_cfg'/>" in reader.lookupByName("reader").XMLDesc(), "A13 and sees what is defined")
    guest.undefine()


def what_stays_denied(tap, rig, conn):
    secret = rig.root / "disks/secret.img"
    secret.write_bytes(b"\0" * 4096)
    secret.chmod(0o600)
    before = secret.stat()
    said = refusal(conn.createXML, xml("opaque", args("-drive", f"file={secret},format=raw,if=none,id=x")))
    tap.check(said.startswith("1 internal error: process exited while connecting to monitor") and "Permission denied" in said,
              "A20 a file that only passthrough names is denied", said)
    after = secret.stat()
    tap.check((before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode),
              "A20 and its owner and mode are untouched", after)
    tap.check(conn.listAllDomains() == [] and rig.guests() == [], "A20 and nothing of the start is left")
    secret.chmod(0o666)
    guest = conn.createXML(xml("opaque", args("-drive", f"file={secret},format=raw,if=none,id=x")))
    tap.check(secret.stat().st_uid == before.st_uid, "A20 one that everybody may write is opened, and keeps its owner")
    guest.destroy()
    tap.check(secret.stat().st_uid == before.st_uid and secret.stat().st_mode & 0o777 == 0o666, "A20 also afterwards")

    said = refusal(conn.createXML, xml("device", args("-drive", "file=/dev/loop-control,format=raw,if=none,id=x")))
    tap.check("No such file or directory" in said, "A21 a device that only passthrough names is not in the guest's /dev", said)
    for words, what in ((("-sandbox", "off"), "sandbox"), (("--runas", "root"), "runas"), (("-S",), "S"), (("-daemonize",), "daemonize"),
                        (("-fw_cfg",), "fw_cfg")):
        guest = conn.defineXML(xml("refused", args(*words)))
        said = refusal(guest.create)
        tap.check(what in said and not guest.isActive(), f"A11 {' '.join(words)} is taken at define and refused at start, by its name", said)
        guest.undefine()


def main():
    tap = Tap()
    with Rig(sys.argv[1], stock=False) as rig:
        os.umask(0o022)
        conn = libvirt.open(rig.ours)
        what_reaches_qemu(tap, rig, conn)
        who_may(tap, rig, conn)
        what_stays_denied(tap, rig, conn)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
