#!/usr/bin/python3
"""Networks, storage and secrets on our connection: stock virsh and python3-libvirt against cloisterd, which forwards to a
private stock libvirtd, the one daemon that Debian 12 has for all of them. usage: forwarding.py BUILD_DIR"""
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import libvirt  # noqa: E402
from rig import Rig, Tap, answers, own_network, wait_for  # noqa: E402

NETWORK = "<network><name>plain</name><bridge name='cltbr0'/></network>"
POOL = "<pool type='dir'><name>images</name><target><path>{0}</path></target></pool>"
VOLUME = "<volume><name>{0}</name><capacity unit='bytes'>{1}</capacity><target><format type='raw'/></target></volume>"
SECRET = "<secret ephemeral='no' private='no'><description>forwarded</description></secret>"
MIB = 1 << 20


def virsh(uri, *words):
    done = subprocess.run(["virsh", "-c", uri, *words], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    return (done.stdout + done.stderr).strip()


class Others:
    """The stock libvirtd, at the place where every client looks for it."""

    def __init__(self, rig):
        self.rig, self.daemon = rig, None
        (rig.root / "etc/libvirtd.conf").write_text('auth_unix_rw = "none"\nauth_unix_ro = "none"\n'
                                                    f'log_outputs = "3:file:{rig.root}/libvirtd.log"\n')

    def start(self):
        self.daemon = self.rig._spawn("libvirtd", ["/usr/sbin/libvirtd"])
        wait_for(lambda: answers("/run/libvirt/libvirt-sock"), 30, "libvirtd's socket")

    def kill(self):
        """Without a warning, in the middle of whatever it does."""
        os.kill(self.rig.child_of(self.daemon), signal.SIGKILL)
        self.daemon.wait(20)


def alone(tap, rig):
    for words in (["net-list"], ["pool-list"], ["secret-list"], ["nodedev-list"], ["nwfilter-list"], ["iface-list"]):
        said = virsh(rig.ours, *words)
        tap.check("unknown procedure" in said or "not supported" in said, f"without the others {words[0]} is not supported", said)
    tap.check(virsh(rig.ours, "list", "--name") == "", "and the connection goes on")


def networks(tap, rig):
    file = rig.root / "net.xml"
    file.write_text(NETWORK)
    said = virsh(rig.ours, "net-define", str(file))
    tap.check("Network plain defined" in said, "a network is defined through us", said)
    tap.check(virsh(rig.ours, "net-list", "--all", "--name") == "plain", "and listed")
    said = virsh(rig.ours, "net-start", "plain")
    tap.check("Network plain started" in said, "and started", said)
    tap.check("cltbr0" in virsh(rig.ours, "net-info", "plain"), "and has its bridge")
    said = virsh(f"{rig.ours}-ro", "-r", "net-destroy", "plain")
    tap.check("read only access prevents virNetworkDestroy" in said or "forbidden" in said, "who only looks may not stop it", said)
    tap.check(virsh(f"{rig.ours}-ro", "-r", "net-list", "--name") == "plain", "but sees it")


def storage(tap, rig):
    folder = rig.root / "pool"
    folder.mkdir(mode=0o755)
    (rig.root / "pool.xml").write_text(POOL.format(folder))
    said = virsh(rig.ours, "pool-define", str(rig.root / "pool.xml")) + virsh(rig.ours, "pool-start", "images")
    tap.check("Pool images defined" in said and "Pool images started" in said, "a pool is defined and started", said)
    data = os.urandom(MIB) * 9 + b"the end"
    (rig.root / "up").write_bytes(data)
    (rig.root / "volume.xml").write_text(VOLUME.format("big", len(data)))
    said = virsh(rig.ours, "vol-create", "images", str(rig.root / "volume.xml"))
    tap.check("Vol big created" in said, "a volume is made in it", said)
    said = virsh(rig.ours, "vol-upload", "big", str(rig.root / "up"), "--pool", "images")
    there = (folder / "big").read_bytes()
    tap.check(hashlib.sha256(there).digest() == hashlib.sha256(data).digest(), "nine MiB are uploaded, every byte", said)
    said = virsh(rig.ours, "vol-download", "big", str(rig.root / "down"), "--pool", "images")
    tap.check((rig.root / "down").read_bytes() == data, "and downloaded", said)
    said = virsh(rig.ours, "vol-upload", "nothing", str(rig.root / "up"), "--pool", "images")
    tap.check("Storage volume not found" in said, "an error is theirs, word for word", said)


def slow_reader(tap, rig):
    """A client that reads its download late: neither daemon buffers all of it."""
    conn = libvirt.open(rig.ours)
    pool = conn.storagePoolLookupByName("images")
    volume = pool.createXML(VOLUME.format("huge", 200 * MIB))
    stream = conn.newStream()
    volume.download(stream, 0, 0)
    first = stream.recv(65536)
    wait_for(lambda: _settled(rig), 20, "flow control")
    grown = _memory(rig)
    total = len(first)
    while part := stream.recv(262120):
        total += len(part)
    stream.finish()
    tap.check(total == 200 * MIB and grown < 120 * MIB, f"200 MiB reach a slow reader through {grown >> 20} MiB of ours", total)
    volume.download(again := conn.newStream(), 0, 0)
    again.recv(65536)
    again.abort()
    tap.check(pool.name() == "images" and conn.getHostname(), "an aborted download leaves the connection good")
    conn.close()


def _memory(rig):
    pid = rig.child_of(rig.daemon)
    return int(next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                    if line.startswith("VmRSS")).split()[1]) * 1024


_last = [0]


def _settled(rig):
    now = _memory(rig)
    same, _last[0] = now == _last[0], now
    return same


def guest(tap, rig):
    """A guest on a network and a volume of the others."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(rig.root / "pool/disk.qcow2"), "8M"], check=True)
    virsh(rig.ours, "pool-refresh", "images")
    (rig.root / "g.xml").write_text("""<domain type='qemu'><name>g</name><memory unit='MiB'>64</memory>
        <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
        <disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='images' volume='disk.qcow2'/><target dev='vda' bus='virtio'/></disk>
        <interface type='network'><source network='plain'/><model type='virtio'/></interface></devices></domain>""")
    said = virsh(rig.ours, "define", str(rig.root / "g.xml")) + virsh(rig.ours, "start", "g")
    tap.check("Domain 'g' started" in said, "a guest starts on a network and a volume of theirs", said)
    ports = subprocess.run(["ip", "-o", "link", "show", "master", "cltbr0"], capture_output=True, text=True, check=False).stdout
    tap.check("vnet" in ports, "its tap is in the network's bridge", ports)
    said = virsh(rig.ours, "domblklist", "g")
    tap.check("disk.qcow2" in said, "its disk is the volume", said)
    virsh(rig.ours, "destroy", "g")
    virsh(rig.ours, "net-destroy", "plain")
    said = virsh(rig.ours, "start", "g")
    tap.check("network 'plain' is not active" in said, "an inactive network is named", said)
    virsh(rig.ours, "net-start", "plain")
    virsh(rig.ours, "pool-destroy", "images")
    said = virsh(rig.ours, "start", "g")
    tap.check("storage pool 'images' containing volume 'disk.qcow2' is not active" in said, "an inactive pool, too", said)
    virsh(rig.ours, "pool-start", "images")
    virsh(rig.ours, "undefine", "g")


def secrets(tap, rig):
    conn = libvirt.open(rig.ours)
    secret = conn.secretDefineXML(SECRET)
    secret.setValue(b"hush")
    tap.check(secret.UUIDString() in virsh(rig.ours, "secret-list") and secret.value() == b"hush", "a secret is kept")
    secret.undefine()
    conn.close()


def events(tap, rig):
    libvirt.virEventRegisterDefaultImpl()
    conn = libvirt.open(rig.ours)
    seen = []
    ids = [conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda c, d, e, detail, o: seen.append(("domain", d.name(), e)), None),
           conn.networkEventRegisterAny(None, 0, lambda c, n, e, detail, o: seen.append(("network", n.name(), e)), None),
           conn.storagePoolEventRegisterAny(None, 0, lambda c, p, e, detail, o: seen.append(("pool", p.name(), e)), None)]
    (rig.root / "e.xml").write_text("<domain type='qemu'><name>e</name><memory>65536</memory><os><type arch='x86_64'>hvm</type></os></domain>")
    doing = threading.Thread(target=lambda: [virsh(rig.ours, *words) for words in (
        ["net-destroy", "plain"], ["define", str(rig.root / "e.xml")], ["net-start", "plain"], ["pool-destroy", "images"],
        ["undefine", "e"], ["pool-start", "images"])])
    doing.start()
    wanted = {("network", "plain", 3), ("network", "plain", 2), ("pool", "images", 3), ("pool", "images", 2), ("domain", "e", 0), ("domain", "e", 1)}
    signal.alarm(60)
    while not wanted <= set(seen):
        libvirt.virEventRunDefaultImpl()
    signal.alarm(0)
    doing.join()
    tap.check(len(seen) == len(set(seen)), "events of domains, networks and pools arrive once each", seen)
    conn.networkEventDeregisterAny(ids[1])
    conn.domainEventDeregisterAny(ids[0])
    conn.storagePoolEventDeregisterAny(ids[2])
    tap.check(True, "and are deregistered")
    conn.close()


def dying(tap, rig, others):
    conn = libvirt.open(rig.ours)
    pool = conn.storagePoolLookupByName("images")
    stream = conn.newStream()
    pool.storageVolLookupByName("huge").download(stream, 0, 0)
    stream.recv(65536)
    others.kill()
    try:
        while stream.recv(262120):
            pass
        said = "the stream ended well"
    except libvirt.libvirtError as e:
        said = str(e)
    tap.check("has ended" in said, "when the other daemon dies in a download, the error says so", said)
    tap.check(conn.getHostname() and conn.listAllDomains() == [], "and the connection goes on")
    try:
        conn.listAllNetworks()
        said = "listed"
    except libvirt.libvirtError as e:
        said = str(e)
    tap.check("failed to connect to '/run/libvirt/libvirt-sock'" in said, "a call says which socket does not answer", said)
    others.start()
    tap.check([n.name() for n in conn.listAllNetworks()] == ["plain"], "and works again with the other daemon")
    conn.close()


def main():
    tap = Tap()
    own_network()
    with Rig(sys.argv[1], stock=False) as rig:
        alone(tap, rig)
        others = Others(rig)
        others.start()
        networks(tap, rig)
        storage(tap, rig)
        slow_reader(tap, rig)
        guest(tap, rig)
        secrets(tap, rig)
        events(tap, rig)
        dying(tap, rig, others)
    return tap.done()


sys.exit(main())
