"""The Debian package on a host that has never seen us: installed, upgraded under running guests, purged."""
# testhost: bare
# testhost: packages
# testhost: limit 500
import os
import pathlib
import time

from in_host import PAYLOAD, Case, answers, context, destroy, disk, domain, main_pid, pid_of, running, sh, start, wait_for

case = Case()
watched = ["/etc", "/usr", "/var/lib", "/var/log", "/var/cache", "/run/systemd/system", "/lib/systemd"]
noise = ("/var/lib/dpkg", "/var/lib/selinux", "/var/cache/ldconfig", "/var/cache/debconf", "/etc/selinux", "/var/lib/systemd", "/var/log/dpkg",
         "/var/log/apt", "/etc/ld.so.cache", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock",
         "/var/log/alternatives", "/var/lib/libvirt", "/var/lib/polkit-1", "/var/log/wtmp", "/var/log/lastlog", "/usr/share/info")


def files():
    found = set()
    for top in watched:
        for folder, folders, names in os.walk(top):
            found.update(os.path.join(folder, name) for name in (*folders, *names))
    return {path for path in found if not path.startswith(noise)}


def users():
    return {line.split(":")[0] for line in pathlib.Path("/etc/passwd").read_text().splitlines()}


before, had = files(), users()
debs = sorted(PAYLOAD.glob("packages/*.deb"))
case.equal("packages", len(debs), 2)
began = time.monotonic()
sh(f"dpkg -i {debs[0]}", timeout=300)
case.check("install", True, f"{time.monotonic() - began:.1f} s")
case.equal("enabled", sh("systemctl is-enabled cloisterd.service cloisterd.socket cloisterd-ro.socket cloister-guests.service").split(), ["enabled"] * 4)
wait_for(answers, 30, "the daemon")
case.check("in its own domain", ":cloisterd_t:" in context(main_pid()), context(main_pid()))
for name in ("one", "two"):
    case.equal(f"start {name}", start(domain(name, disks=[disk(f"{name}.raw", "4M")], memory=32)), "")
pids, old = [pid_of("one"), pid_of("two")], main_pid()
sh(f"dpkg -i {debs[1]}", timeout=300)
wait_for(lambda: main_pid() not in (0, old), 60, "the new daemon")
appeared = time.monotonic()
wait_for(answers, 30, "the new daemon's socket")
case.equal("after an upgrade both guests run on", running(), ["one", "two"])
case.check("manageable within 2 s", time.monotonic() - appeared < 2, f"{time.monotonic() - appeared:.2f} s")
case.equal("in the same processes", [pid_of("one"), pid_of("two")], pids)
destroy("one", "two")
sh("rm -f /var/lib/cloister/images/*.raw")
sh("dpkg --purge cloister", timeout=300)
left = sorted(files() - before)
case.equal("after the purge no file is left", left[:10], [])
case.equal("and no user", sorted(users() - had), [])
case.equal("and no unit", sh("systemctl list-units --all --no-legend 'cloister*'", check=False), "")
case.check("and no process", not sh("pgrep -l cloister", check=False))
case.equal("and no policy module", sh("semodule -l | grep cloister", check=False), "")
case.end()
