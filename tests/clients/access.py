#!/usr/bin/python3
"""Who may do what: an unprivileged user's raw calls, virsh and python3-libvirt against a private cloisterd that asks a
real polkitd, on a bus of our own, with rules of our own. usage: access.py BUILD_DIR"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "rpc")]
import raw  # noqa: E402
from rig import MS_BIND, Rig, Tap, _mount, wait_for  # noqa: E402

NOBODY = 65534
AUTH = {66, 67, 68, 69, 70}
BUS = """<busconfig><listen>unix:path={0}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>"""
DOMAIN = """<domain type='qemu'><name>{0}</name><uuid>{1}</uuid><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>{2}</domain>"""
UUIDS = {"mine": "11111111-2222-3333-4444-000000000001", "other": "11111111-2222-3333-4444-000000000002"}


class Polkit:
    """A dbus-daemon and a polkitd of this test's own; neither sees the rules and actions of the host."""

    def __init__(self, rig, build_root):
        self.folder = rig.root / "polkit"
        self.rules, self.actions = self.folder / "rules", self.folder / "actions"
        for folder in (self.folder, self.rules, self.actions, self.folder / "none"):
            folder.mkdir(mode=0o755)
        shutil.copy(build_root / "data/polkit/org.cloister.policy", self.actions)
        os.chmod(self.actions / "org.cloister.policy", 0o644)
        for source, target in {self.rules: "/etc/polkit-1/rules.d", self.folder / "none": "/usr/share/polkit-1/rules.d",
                               self.actions: "/usr/share/polkit-1/actions"}.items():
            _mount(source, target, None, MS_BIND)
        self.socket = rig.root / "bus"
        (self.folder / "bus.conf").write_text(BUS.format(self.socket))
        self.children = []
        self._spawn("dbus-daemon", "--nofork", "--nosyslog", f"--config-file={self.folder}/bus.conf")
        wait_for(self.socket.exists, 10, "the bus")
        self.polkitd = None

    def _spawn(self, *argv):
        log = open(self.folder / "log", "ab")
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.children.append(child)
        return child

    def _answers(self):
        said = subprocess.run(["dbus-send", f"--bus=unix:path={self.socket}", "--print-reply=literal", "--dest=org.freedesktop.DBus",
                               "/", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.PolicyKit1"],
                              capture_output=True, text=True, check=False).stdout
        return "true" in said

    def rule(self, body):
        """From now on this is the one rule: JavaScript with `action` and `subject`."""
        if self.polkitd:
            self.polkitd.kill()
            self.polkitd.wait()
            wait_for(lambda: not self._answers(), 10, "polkitd's end")
        file = self.rules / "50-test.rules"
        file.write_text("polkit.addRule(function(action, subject) {" + body + "});")
        file.chmod(0o644)
        self.polkitd = self._spawn("/usr/lib/polkit-1/polkitd", "--no-debug")
        try:
            wait_for(self._answers, 20, "polkitd")
        except TimeoutError as e:
            raise TimeoutError((self.folder / "log").read_text()) from e

    def close(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.kill()
                child.wait()


def as_nobody(work):
    """What `work` gives, run by a process of its own that is nobody. Values that JSON knows."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.environ["HOME"] = "/nonexistent"
            result = json.dumps(work())
            code = 0
        except BaseException as e:  # pylint: disable=broad-except
            result = json.dumps(f"{type(e).__name__}: {e}")
        with os.fdopen(writing, "w") as out:
            out.write(result)
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def virsh(uri, *words):
    done = subprocess.run(["virsh", "-c", uri, *words], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    return (done.stdout + done.stderr).strip()


def nobodys_virsh(uri, *words):
    return as_nobody(lambda: virsh(uri, *words))


def every_number(path, procedures, authenticate):
    """(program, number) -> code/domain of the answer, or 'ok': each on a connection that is as far as it gets."""
    out = {}
    client = raw.Client(path, opened=False)
    if authenticate:
        found = client.ask(70)
        out["auth"] = str(found) if isinstance(found, raw.Failure) else "ok"
        found = client.ask(1, raw.optional(raw.string("qemu:///system")) + bytes(4))
        out["open"] = str(found) if isinstance(found, raw.Failure) else "ok"
    for program, number in procedures:
        if (program, number) == (raw.REMOTE, 2):
            continue
        client.packet(number, bytes(512), program)
        while True:
            header, body = client.read()
            if header[3] == raw.REPLY:
                break
        out[f"{program}/{number}"] = str(raw.Failure(body)) if header[5] == raw.ERROR else "ok"
    return out


def every_domain_call(path):
    """Every procedure that begins with a domain, asked of the other one."""
    wire = raw.facts()
    client = raw.Client(path, opened=False)
    assert client.ask(70) == struct.pack(">i", 1)
    assert client.ask(1, raw.optional(raw.string("qemu:///system")) + bytes(4)) == b""
    handle, out = raw.domain("mine", bytes.fromhex(UUIDS["other"].replace("-", ""))), {}
    for program, name in ((raw.REMOTE, "remote"), (raw.QEMU, "qemu")):
        for procedure in wire["programs"][name]["procedures"] if wire else []:
            fields = wire["structs"][procedure["args"]]["fields"] if procedure["args"] else []
            if not fields or fields[0].get("ref") != "remote_nonnull_domain" or procedure["kind"] != "call":
                continue
            found = client.ask(procedure["number"], handle + bytes(512), program)
            if not str(found).startswith("39/7 unknown procedure"):
                out[procedure["name"]] = str(found)
    return out


def table():
    """Every number that has ever been one: those of the facts, or the first five hundred."""
    wire = raw.facts()
    if wire is None:
        return [(raw.REMOTE, n) for n in range(1, 500)] + [(raw.QEMU, n) for n in range(1, 9)] + [(raw.OURS, n) for n in (1, 2, 3)]
    numbers = [(program, p["number"]) for program, name in ((raw.REMOTE, "remote"), (raw.QEMU, "qemu"))
               for p in wire["programs"][name]["procedures"] if p["kind"] == "call"]
    return numbers + [(raw.OURS, n) for n in (1, 2, 3)]


def without_a_rule(tap, rig, polkit, rw, ro):
    polkit.rule("return polkit.Result.NOT_HANDLED;")
    for name, path in (("read-write", rw), ("read-only", ro)):
        found = as_nobody(lambda path=path: every_number(path, table(), False))
        served = {k: v for k, v in found.items() if not v.startswith("39/7 unknown procedure")}
        wrong = {k: v for k, v in served.items() if v != "39/7 authentication required"
                 and not (k == f"{raw.REMOTE}/66" and v == "ok")
                 and not (k.split("/")[0] == str(raw.REMOTE) and int(k.split("/")[1]) in AUTH - {66} and v.startswith(("45/", "94/")))}
        tap.check(not wrong and len(served) > 150, f"without a rule nobody is refused every procedure on the {name} socket "
                  f"({len(served)} served, {len(found) - len(served)} unknown)", wrong)
    said = nobodys_virsh(rig.ours, "list")
    tap.check("authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'" in said,
              "virsh says that nobody can ask for the password", said)
    said = nobodys_virsh(f"{rig.ours}-ro", "-r", "list")
    tap.check("no polkit agent available to authenticate action 'org.libvirt.unix.monitor'" in said, "also where it only looks", said)
    polkit.rule("return polkit.Result.NO;")
    said = nobodys_virsh(rig.ours, "list")
    tap.check("authentication failed: access denied by policy" in said, "a rule that says no is an authentication that failed", said)
    tap.check(virsh(rig.ours, "list", "--name", "--all") == "mine\nother", "root is never asked")


def monitoring(tap, rig, polkit, ro):
    polkit.rule("if (action.id == 'org.libvirt.unix.monitor' && subject.user == 'nobody') return polkit.Result.YES;")
    said = nobodys_virsh(f"{rig.ours}-ro", "-r", "list", "--all", "--name")
    tap.check(said == "mine\nother", "with the monitor rule nobody sees the domains", said)
    said = nobodys_virsh(f"{rig.ours}-ro", "-r", "start", "mine")
    tap.check("read only access prevents virDomainCreate" in said, "and starts none", said)
    said = nobodys_virsh(rig.ours, "list")
    tap.check("no polkit agent available" in said, "nor gets in to manage", said)
    found = as_nobody(lambda: every_number(ro, table(), True))
    answered = sum(v == "ok" for v in found.values())
    denied = sum(v.startswith("29/") for v in found.values())
    tap.check(found.get("auth") == "ok" and answered > 20 and denied > 60,
              f"of all procedures those that look answer ({answered} at once), {denied} are forbidden", found)


def managing(tap, rig, polkit):
    polkit.rule("if (action.id == 'org.libvirt.unix.manage' && subject.user == 'nobody') return polkit.Result.YES;")
    said = nobodys_virsh(rig.ours, "dumpxml", "mine")
    tap.check("<name>mine</name>" in said, "with the manage rule nobody reads definitions", said[:300])
    said = nobodys_virsh(rig.ours, "autostart", "mine")
    tap.check("marked as autostarted" in said, "and changes domains", said)
    nobodys_virsh(rig.ours, "autostart", "--disable", "mine")


def no_confused_deputy(tap, rig, polkit):
    manage = "if (action.id == 'org.libvirt.unix.manage' && subject.user == 'nobody') return polkit.Result.YES;"
    polkit.rule(manage)
    disk = "<devices><disk type='file'><source file='{0}'/><target dev='vda'/></disk></devices>"
    file = rig.root / "named.xml"

    def define(extra, namespace="", command="define"):
        text = DOMAIN.format("named", "11111111-2222-3333-4444-000000000003", extra)
        file.write_text(text.replace("<domain type", f"<domain {namespace} type"))
        file.chmod(0o644)
        return nobodys_virsh(rig.ours, command, str(file))

    inside = rig.root / "images"
    inside.mkdir(mode=0o755)
    (inside / "link").symlink_to("/etc/shadow")
    outside = "is not within what clients other than root may name (allowed_paths)"
    said = define(disk.format(f"{inside}/a.img"))
    tap.check("Domain 'named' defined" in said, "a disk within allowed_paths is defined", said)
    for path in ("/etc/shadow", "/etc/no-such-file", f"{inside}/link", f"{inside}/../polkit/log", f"{inside}/no/../../../../etc/shadow"):
        said = define(disk.format(path))
        tap.check(f"access denied: '{path}' {outside}" in said, f"one outside is not: {path}", said)
    said = define(disk.format("/etc/shadow"), command="create")
    tap.check(outside in said, "nor started", said)
    for element in ("<serial type='file'><source path='/etc/passwd'/></serial>", "<serial type='pty'><log file='/root/x'/></serial>",
                    "<filesystem type='mount'><source dir='/root'/><target dir='r'/></filesystem>",
                    "<hostdev mode='capabilities' type='misc'><source><char>/dev/mem</char></source></hostdev>"):
        said = define(f"<devices>{element}</devices>")
        tap.check(outside in said, f"nor {element[:45]}…", said)
    define("")
    (rig.root / "dev.xml").write_text("<disk type='file'><source file='/etc/shadow'/><target dev='vdb'/></disk>")
    (rig.root / "dev.xml").chmod(0o644)
    said = nobodys_virsh(rig.ours, "attach-device", "named", str(rig.root / "dev.xml"), "--config")
    tap.check(outside in said, "nor attached", said)
    for action, extra, namespace in (
            ("passthrough", "<q:commandline><q:arg value='-S'/></q:commandline>", "xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'"),
            ("emulator", f"<devices><emulator>{inside}/qemu</emulator></devices>", ""),
            ("root", "<seclabel type='static' model='dac' relabel='no'><label>+0:+0</label></seclabel>", ""),
            ("root", "<seclabel type='none'/>", "")):
        said = define(extra, namespace)
        tap.check(f"the action 'org.cloister.domain.{action}' is not allowed" in said, f"{action} needs an action of its own", said)
    polkit.rule(manage + "if (action.id == 'org.cloister.domain.passthrough' && action.lookup('domain_name') == 'named')"
                " return polkit.Result.YES;")
    said = define("<q:commandline><q:arg value='-S'/></q:commandline>", "xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'")
    tap.check("Domain 'named' defined" in said, "and with a rule it works", said)
    bounded_at_every_start(tap, rig, inside, lambda devices: define(f"<devices>{devices}</devices>"))
    file.write_text(DOMAIN.format("named", "11111111-2222-3333-4444-000000000003", disk.format("/etc/shadow")))
    tap.check("Domain 'named' defined" in virsh(rig.ours, "define", str(file)), "root names what it likes")
    virsh(rig.ours, "undefine", "named")


def bounded_at_every_start(tap, rig, inside, define_devices):
    """What was within allowed_paths when it was named leads elsewhere later."""
    def define(path, form="raw"):
        define_devices(f"<disk type='file'><driver name='qemu' type='{form}'/><source file='{path}'/><target dev='vda'/></disk>")

    image, kept = inside / "swapped.img", inside / "kept.img"
    stands_on, secret = inside / "stands-on.qcow2", rig.root / "secret.img"
    for path in (image, secret):
        path.write_bytes(b"\0" * 65536)
    owner = secret.stat().st_uid, secret.stat().st_mode
    define(image)
    tap.check("started" in virsh(rig.ours, "start", "named"), "what nobody defined starts", "")
    tap.check("destroyed" in nobodys_virsh(rig.ours, "destroy", "named"), "and ends", "")
    explain = [str(rig.build / "client/cloister"), "--socket", str(rig.root / "ours/cloister-sock"), "explain", "named"]
    said = subprocess.run(explain, capture_output=True, text=True, check=False).stdout
    tap.check(re.search(r"bounds +all that it names is within /", said), "the plan says that it is bounded", said[-400:])
    image.rename(kept)
    image.symlink_to(secret)
    outside = "is not within what clients other than root may name (allowed_paths)"
    wanted = f"'{image}' {outside}"
    for starter, whose in ((nobodys_virsh, "nobody"), (virsh, "root")):
        said = starter(rig.ours, "start", "named")
        tap.check(wanted in said, f"a link that was put there since is not followed, started by {whose}", said)
    rig.restart_ours(rig.daemon_conf)
    said = nobodys_virsh(rig.ours, "start", "named")
    tap.check(wanted in said, "nor by a daemon that was started since", said)
    tap.check((secret.stat().st_uid, secret.stat().st_mode) == owner, "and its file is as it was", secret.stat())
    image.unlink()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(secret), str(stands_on)], check=True)
    define(stands_on, "qcow2")
    said = nobodys_virsh(rig.ours, "start", "named")
    tap.check(f"'{secret}' {outside}" in said, "an image that stands on a file outside does not start", said)
    subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "/root/no-such-file", str(stands_on)], check=True)
    said = nobodys_virsh(rig.ours, "start", "named")
    tap.check(f"'/root/no-such-file' {outside}" in said, "whether it is there is not told", said)
    log, device = inside / "serial.log", rig.root / "dev.xml"
    define_devices(f"<serial type='file'><source path='{log}'/></serial>")
    log.symlink_to(secret)
    said = nobodys_virsh(rig.ours, "start", "named")
    tap.check(f"'{log}' {outside}" in said and str(secret) not in said,
              "nor does one whose output would go there, and where that is is not told", said)
    said = subprocess.run(explain, capture_output=True, text=True, check=False)
    tap.check(f"'{log}' {outside}" in said.stderr and not said.stdout, "nor is it explained", said)
    log.unlink()
    define_devices("")
    nobodys_virsh(rig.ours, "start", "named")
    device.write_text(f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{stands_on}'/><target dev='vdb' bus='virtio'/></disk>")
    said = nobodys_virsh(rig.ours, "attach-device", "named", str(device), "--live")
    tap.check(outside in said, "nor is such an image attached", said)
    nobodys_virsh(rig.ours, "destroy", "named")


def one_domain_one_action(tap, rig, polkit, rw):
    polkit.rule("""if (subject.user != 'nobody') return polkit.Result.NOT_HANDLED;
        if (action.id == 'org.libvirt.unix.manage') return polkit.Result.YES;
        if (action.id.indexOf('org.libvirt.api.connect.') == 0 && action.id != 'org.libvirt.api.connect.write')
            return action.lookup('connect_driver') == 'QEMU' ? polkit.Result.YES : polkit.Result.NO;
        if (action.id.indexOf('org.libvirt.api.domain.') != 0) return polkit.Result.NO;
        if (action.lookup('domain_name') != 'mine' || action.lookup('domain_uuid') != '%s') return polkit.Result.NO;
        if (['getattr', 'read', 'start', 'stop'].indexOf(action.id.split('.')[4]) >= 0) return polkit.Result.YES;
        return polkit.Result.NO;""" % UUIDS["mine"])
    said = nobodys_virsh(rig.ours, "list", "--all", "--name")
    tap.check(said == "mine", "a list leaves out what may not be seen", said)
    said = nobodys_virsh(rig.ours, "start", "mine")
    tap.check("Domain 'mine' started" in said, "the one domain starts", said)
    said = nobodys_virsh(rig.ours, "suspend", "mine")
    tap.check("access denied: 'QEMU' denied access" in said, "but is not suspended", said)
    said = nobodys_virsh(rig.ours, "destroy", "mine")
    tap.check("Domain 'mine' destroyed" in said, "it is stopped", said)
    said = nobodys_virsh(rig.ours, "dominfo", UUIDS["other"])
    tap.check("failed to get domain" in said, "the other one is not even looked up", said)
    said = nobodys_virsh(rig.ours, "domstats", "--state")
    tap.check("mine" in said and "other" not in said, "nor are there figures of it", said)
    file = rig.root / "other.xml"
    file.write_text(DOMAIN.format("other", UUIDS["other"], ""))
    file.chmod(0o644)
    said = nobodys_virsh(rig.ours, "define", str(file))
    tap.check("access denied" in said, "nor is it defined anew", said)
    file.write_text(DOMAIN.format("mine", UUIDS["mine"], " " * 8192 + "<nonsense"))
    said = nobodys_virsh(rig.ours, "define", str(file))
    tap.check("access denied" in said, "who may not define is told so before the text is read whole", said)

    said = as_nobody(lambda: every_domain_call(rw))
    wrong = {k: v for k, v in said.items() if not v.startswith("88/55 access denied: 'QEMU' denied access")}
    tap.check(raw.facts() is None or len(said) > 90 and not wrong, f"every call about it is refused ({len(said)} of them)", wrong)

    def events():
        import libvirt
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        conn = libvirt.open(rig.ours)
        seen = []
        conn.domainEventRegisterAny(None, 0, lambda c, d, e, detail, o: seen.append(d.name()), None)
        os.write(ready[1], b"x")
        while "mine" not in seen:
            libvirt.virEventRunDefaultImpl()
        return seen

    ready, go = os.pipe(), os.pipe()
    watcher = os.fork()
    if watcher == 0:  # root's part: the one that may not be seen first
        os.read(ready[0], 1)
        for name in ("other", "mine"):
            virsh(rig.ours, "undefine", name)
            file.write_text(DOMAIN.format(name, UUIDS[name], ""))
            virsh(rig.ours, "define", str(file))
        os._exit(0)
    del go
    signal.alarm(60)
    seen = as_nobody(events)
    signal.alarm(0)
    os.waitpid(watcher, 0)
    tap.check(seen == ["mine"], "events tell nothing of it", seen)


def strangers(tap, rig, rw):
    def crowd():
        clients = []
        for _ in range(30):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(20)
            client.connect(rw)
            clients.append(client)
        refused = 0
        for client in clients:
            try:
                client.sendall(struct.pack(">IIIiiIi", 28, raw.REMOTE, 1, 66, 0, 1, 0))
                refused += not client.recv(4)
            except OSError:
                refused += 1
        os.write(full[1], b"x")
        os.read(done[0], 1)
        return refused
    full, done = os.pipe(), os.pipe()
    import threading
    result = []
    thread = threading.Thread(target=lambda: result.append(as_nobody(crowd)))
    thread.start()
    os.read(full[0], 1)
    said = virsh(rig.ours, "list", "--name", "--all")
    os.write(done[1], b"x")
    thread.join()
    tap.check(result == [10] and said == "mine\nother", "of thirty strangers ten are turned away, and root comes in", (result, said))


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    tap = Tap()
    rig = Rig(build, stock=False)
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={rig.root}/bus"  # polkitd's
    rig.daemon_conf = bus = f'dbus_address = "unix:path={rig.root}/bus"\n'
    with rig:
        polkit = Polkit(rig, here.parent.parent)
        try:
            rw, ro = f"{rig.root}/ours/cloister-sock", f"{rig.root}/ours/cloister-sock-ro"
            tap.check(oct(os.stat(rw).st_mode & 0o777) == oct(os.stat(ro).st_mode & 0o777) == "0o777", "both sockets are open to everybody")
            file = rig.root / "d.xml"
            for name, uuid in UUIDS.items():
                file.write_text(DOMAIN.format(name, uuid, ""))
                virsh(rig.ours, "define", str(file))
            without_a_rule(tap, rig, polkit, rw, ro)
            monitoring(tap, rig, polkit, ro)
            managing(tap, rig, polkit)
            strangers(tap, rig, rw)
            rig.restart_ours(bus + f'allowed_paths = [ "{rig.root}/images" ]\n')
            no_confused_deputy(tap, rig, polkit)
            rig.restart_ours(bus + 'access_drivers = [ "polkit" ]\n')
            one_domain_one_action(tap, rig, polkit, rw)
        finally:
            polkit.close()
    return tap.done()


sys.exit(main())
