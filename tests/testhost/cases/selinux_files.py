# testhost: limit 420
"""SELinux, file by file: which label each gets, what a label grants to passthrough, and what is refused with which words."""
import pathlib
import re

from in_host import IMAGES, Case, context, define, denials, destroy, disk, domain, hmp, label, main_pid, pid_of, sh, start, virsh, wait_for

case = Case()
CONTENT, SHARED = "system_u:object_r:virt_content_t:s0", "system_u:object_r:svirt_image_t:s0"


def pair(text):
    """The categories of a context."""
    found = re.search(r"s0:(c\d+,c\d+)$", text)
    return found[1] if found else ""


def passed(path, name="extra", how="readonly=on"):
    """Arguments that name a file of the host past the definition."""
    return ["-drive", f"if=none,id={name},format=raw,file.locking=off,file={path},{how}"]


def seclabel(kind, text="", more=""):
    inner = f"<label>{text}</label>" if text else ""
    return f"<seclabel type='{kind}' model='selinux'{more}>{inner}</seclabel>" if inner else f"<seclabel type='{kind}' model='selinux'{more}/>"


def host_file(name, label_of_it, mode=0o666):
    path = pathlib.Path("/srv") / name
    path.write_bytes(b"\0" * 65536)
    path.chmod(mode)
    sh(f"chcon {label_of_it} {path}")
    return path


def io(name, command, done, drive="extra"):
    """Whether the guest's QEMU can do that with its drive: qemu-io says so in QEMU's own output, which is the log."""
    log = pathlib.Path(f"/var/log/cloister/qemu/{name}.log")
    before = log.read_text().count(done)
    said = hmp(name, f'qemu-io {drive} "{command}"')
    try:
        wait_for(lambda: log.read_text().count(done) > before, 10, done)
    except TimeoutError:
        return False, said or log.read_text()[-200:]
    return True, done


def written(name):
    return io(name, "write -P 7 0 512", "wrote 512/512 bytes")


def read(name):
    return io(name, "read 0 512", "read 512/512 bytes")


def kind(path):
    """The type alone: who made a file is not what matters here."""
    return label(path).split(":")[2]


def grants_by_label():
    content = host_file("content.raw", CONTENT, 0o644)
    case.equal("start with a file labelled virt_content_t", start(domain("reader", arguments=passed(content))), "")
    case.check("passthrough reads a file labelled virt_content_t", *read("reader"))
    destroy("reader")
    case.equal("and its label stays", label(content), CONTENT)

    shared = host_file("shared.raw", SHARED)
    for name in ("first", "second"):
        case.equal(f"start of {name}", start(domain(name, arguments=passed(shared, how="readonly=off"))), "")
        case.check(f"svirt_image_t:s0 is written by {name}", *written(name))
    destroy("first", "second")

    own = host_file("own.raw", f"{SHARED}:c100,c200")
    fixed = seclabel("static", "system_u:system_r:svirt_t:s0:c100,c200")
    case.equal("start with a static label", start(domain("fixed", arguments=passed(own, how="readonly=off"), seclabel=fixed)), "")
    case.equal("the static label with fixed categories", context(pid_of("fixed")), "system_u:system_r:svirt_t:s0:c100,c200")
    case.check("svirt_image_t:s0:MCS is written by its guest", *written("fixed"))
    before = len(denials())
    said = start(domain("thief", arguments=passed(own, how="readonly=off")))
    case.check("and refused to another guest, with SELinux named, the label found and the label needed",
               "refused by SELinux" in said and f"{SHARED}:c100,c200" in said and re.search(f"it needs {SHARED}:c\\d+,c\\d+", said), said)
    case.check("with an AVC", any("own.raw" in line for line in denials()[before:]), denials()[before:][:1])
    destroy("fixed", "thief")


def refusals():
    wrong = host_file("wrong.raw", "system_u:object_r:mail_spool_t:s0")
    define(domain("wrong", arguments=passed(wrong, how="readonly=off")))
    said = virsh("start", "wrong", check=False)
    case.check("a wrong label is refused with both labels", "SELinux" in said and "system_u:object_r:mail_spool_t:s0" in said and SHARED in said, said)
    case.note(said)
    left = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{IMAGES}/left.raw'><seclabel model='selinux' relabel='no'/>" \
           "</source><target dev='vda' bus='virtio'/></disk>"
    disk("left.raw")
    sh(f"chcon {SHARED}:c1,c2 {IMAGES}/left.raw")
    said = start(domain("left", disks=[left]))
    case.check("relabel='no' of a disk leaves another guest's label, and the error says so", "SELinux" in said and f"{SHARED}:c1,c2" in said, said)
    case.equal("which it still has", label(IMAGES / "left.raw"), f"{SHARED}:c1,c2")
    destroy("wrong", "left")


def exceptions():
    disk("plain.raw")
    case.equal("start with seclabel none", start(domain("plain", disks=[disk("plain.raw")], seclabel=seclabel("none"))), "")
    case.check("type='none' is not confined by SELinux", ":svirt" not in context(pid_of("plain")), context(pid_of("plain")))
    case.equal("and its disk keeps its label", kind(IMAGES / "plain.raw"), "virt_image_t")
    destroy("plain")

    fixed = seclabel("static", "system_u:system_r:svirt_t:s0:c7,c9", " relabel='yes'")
    case.equal("start with a static label and relabel", start(domain("relabelled", disks=[disk("relabelled.raw")], seclabel=fixed)), "")
    case.equal("its disk gets the static range", label(IMAGES / "relabelled.raw"), f"{SHARED}:c7,c9")
    destroy("relabelled")

    own = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk('own-label.raw')}'><seclabel model='selinux'>" \
          f"<label>{SHARED}</label></seclabel></source><target dev='vda' bus='virtio'/></disk>"
    case.equal("start with a label of a disk's own", start(domain("own-label", disks=[own])), "")
    case.equal("a disk's own label", label(IMAGES / "own-label.raw"), SHARED)
    destroy("own-label")

    cd = f"<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{disk('cd.iso')}'/><target dev='sda' bus='sata'/><readonly/></disk>"
    both = f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{disk('both.raw')}'/>" \
           "<target dev='vda' bus='virtio'/><shareable/></disk>"
    for name in ("share-a", "share-b"):
        case.equal(f"start of {name}", start(domain(name, disks=[cd, both])), "")
    case.equal("what is only read is content", label(IMAGES / "cd.iso"), CONTENT)
    case.equal("what is shareable has no categories", label(IMAGES / "both.raw"), SHARED)
    destroy("share-a")
    case.equal("the first of two that leave changes nothing", [label(IMAGES / "cd.iso"), label(IMAGES / "both.raw")], [CONTENT, SHARED])
    destroy("share-b")
    case.equal("the last gives it back", [kind(IMAGES / "cd.iso"), kind(IMAGES / "both.raw")], ["virt_image_t"] * 2)

    folder = pathlib.Path("/srv/nolabels")
    folder.mkdir(exist_ok=True)
    sh(f"mount -t tmpfs -o context={SHARED} none {folder}")
    sh(f"truncate -s 16M {folder}/a.raw")
    case.equal("start from a file system with one label for all", start(domain("nolabels", disks=[folder / "a.raw"])), "")
    case.check("which is noted", "takes no labels" in sh("cloister confinement nolabels"))
    destroy("nolabels")
    sh(f"umount {folder}")


case.check("SELinux is enforcing", sh("getenforce") == "Enforcing")
case.note(context(main_pid()))
for part in (grants_by_label, refusals, exceptions):
    case.attempt(part.__name__, part)
case.end()
