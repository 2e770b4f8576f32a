#!/usr/bin/python3
"""Suite root. The settings that do not confine act, too: on QEMU's command line, on the wire, in the log; and --check-config says
what is wrong with a file. usage: settings.py BUILD_DIR"""
import re
import socket
import stat
import subprocess
import sys

from host import Host, Tap

tap = Tap()
VNC = "<graphics type='vnc' autoport='yes'/>"


def after(argv, option):
    return [b for a, b in zip(argv, argv[1:]) if a == option]


def check_config(host):
    def run(*arguments):
        done = subprocess.run([str(host.build / "daemon/cloisterd"), *arguments], capture_output=True, text=True, timeout=10)
        return done.returncode, done.stderr

    good, bad, daemon = (host.root / n for n in ("good.conf", "bad.conf", "daemon.conf"))
    good.write_text('namespaces = []\nmac_filter = 1\nsecurity_default_confied = 0\ndynamic_ownersip = 1\n')
    code, said = run("--check-config", str(good))
    tap.check(code == 0 and said.splitlines() == [
        f"warning: {good}:2: 'mac_filter' has no effect in this version",
        f"warning: {good}:3: 'security_default_confied' is taken as 'security_default_confined'",
        f"warning: {good}:4: unknown key 'dynamic_ownersip' is ignored; did you mean 'dynamic_ownership'?"],
        "--check-config FILE prints the warnings of a good file and succeeds", said)
    bad.write_text('user = 107\n\nseccomp_sandbox = 7\nvnc_tls_x509_cert_dir = "pki"\n')
    code, said = run("--check-config", str(bad))
    tap.check(code == 1 and said.splitlines() == [
        f"error: {bad}:1: 'user': expected a quoted string, found integer",
        f"error: {bad}:3: 'seccomp_sandbox': 7 is not between 0 and 1",
        f"error: {bad}:4: 'vnc_tls_x509_cert_dir': 'pki' is no absolute path"], "and every error of a bad one, and fails", said)
    bad.write_text('user = "no-such-user"\nlock_manager = "lockd"\nhugetlbfs_mount = "/tmp"\nvnc_tls_x509_cert_dir = "/no/such"\n')
    code, said = run("--check-config", f"--qemu-conf={bad}")
    tap.check(code == 1 and [line.split("'")[1] for line in said.splitlines()] == ["user", "lock_manager", "vnc_tls_x509_cert_dir",
                                                                                    "hugetlbfs_mount"],
              "and what only this host can tell", said)
    bad.write_text("user = yes\n")
    tap.check(run("--check-config", str(bad)) == (1, f"error: {bad}:1: expecting a value\n"), "and the line of a syntax error")
    daemon.write_text('unix_sock_rw_perms = "rw"\nlog_outputs = "1:tape"\nauth_unix_rw = "polkit"\n')
    code, said = run("--config", str(daemon), "--check-config", str(good))
    tap.check(code == 1 and f"error: {daemon}:1: 'unix_sock_rw_perms': 'rw' is no octal mode" in said, "of cloisterd.conf likewise", said)
    daemon.write_text('auth_unix_rw = "polkit"\nunix_sock_group = "no-such-group"\nlisten_tls = 1\n')
    code, said = run("--config", str(daemon), "--check-config", str(good))
    tap.check(code == 1 and f"{daemon}:2: 'unix_sock_group': " in said
              and f"warning: {daemon}:3: 'listen_tls' has no effect" in said, "and what it cannot have", said)
    tap.check(run("--check-config", str(host.root / "absent.conf"))[0] == 1, "a file that was named must be there")


def displays(host):
    host.use('vnc_listen = "127.0.0.2"\nremote_display_port_min = 6141\nremote_display_port_max = 6150\n'
             'remote_websocket_port_min = 6151\nremote_websocket_port_max = 6160\nvnc_password = "pw-7531"\n')
    with host.guest("vnc", devices="<graphics type='vnc' autoport='yes' websocket='-1'/>") as (domain, qemu):
        shown = re.search("<graphics.*?>", domain.XMLDesc())[0]
        tap.check("port='6141'" in shown and "websocket='6151'" in shown and "listen='127.0.0.2'" in shown,
                  "displays take the address and the ports of qemu.conf", shown)
        with socket.create_connection(("127.0.0.2", 6141), 5) as s:
            tap.check(s.recv(4) == b"RFB ", "and QEMU answers there")
        vnc = after(qemu.argv(), "-vnc")
        tap.check("password=on" in vnc[0] and "pw-7531" not in " ".join(qemu.argv()), "and asks for the password, which nobody reads in argv", vnc)
    host.use("vnc_auto_unix_socket = 1")
    with host.guest("vnc", devices=VNC) as (domain, qemu):
        path = re.search("<graphics type='vnc' socket='(.*?)'", domain.XMLDesc())
        tap.check(bool(path) and f"unix:{path[1]}" in after(qemu.argv(), "-vnc")[0], "or a socket of the guest's own folder", domain.XMLDesc())
    pki = host.root / "pki"
    pki.mkdir(mode=0o755)
    host.use(f'vnc_tls = 1\nvnc_tls_x509_cert_dir = "{pki}"\nvnc_tls_x509_verify = 1\n')
    try:
        with host.guest("vnc", devices=VNC):
            tap.check(False, "certificates come from the folder of qemu.conf")
    except Exception as refused:  # noqa: BLE001
        tap.check(f"{pki}/ca-cert.pem" in str(refused), "certificates come from the folder of qemu.conf", refused)


def memory_and_argv(host):
    ram = host.root / "ram"
    ram.mkdir(mode=0o755)
    host.use(f'memory_backing_dir = "{ram}"\nlog_timestamp = 0\ndeprecation_behavior = "reject"\n')
    with host.guest("ram", head="<memoryBacking><source type='file'/></memoryBacking>") as (_, qemu):
        maps = (qemu.proc / "maps").read_text()
        tap.check(f"{ram}/libvirt/qemu/1-ram/" in maps or f"{ram}/libvirt/qemu/" in maps, "guest memory lives below memory_backing_dir", maps[-600:])
        argv = qemu.argv()
        tap.check("-msg" not in argv, "log_timestamp = 0 leaves -msg out")
        tap.check(any('"deprecated-input":"reject"' in c for c in after(argv, "-compat")), "deprecation_behavior is QEMU's", argv)
    host.use("")
    with host.guest("ram") as (_, qemu):
        tap.check(after(qemu.argv(), "-msg") == ["timestamp=on"], "and by default messages carry the time")


def daemon_file(host):
    log, conf = host.root / "own.log", host.root / "cloisterd.conf"
    uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
    conf.write_text(f'log_level = 4\nlog_filters = "1:daemon/main"\nlog_outputs = "1:file:{log}"\nhost_uuid = "{uuid}"\n'
                    'unix_sock_rw_perms = "0770"\nunix_sock_group = "kvm"\nmax_workers = 2\n')
    conn = host.use("mac_filter = 1", "--config", str(conf))
    found = (host.root / "ours/cloister-sock").stat()
    tap.check(stat.S_IMODE(found.st_mode) == 0o770 and found.st_gid != 0, "the socket has the mode and the group of cloisterd.conf", found)
    tap.check(f"<uuid>{uuid}</uuid>" in conn.getCapabilities(), "and the host the uuid")
    said = log.read_text()
    tap.check("ready" in said and "mac_filter" in said, "log_filters lower the level of one part", said)
    tap.check(stat.S_IMODE(log.stat().st_mode) == 0o600, "and log_outputs make a file of root's own")
    conf.write_text(f'log_level = 3\nlog_outputs = "4:file:{log}2"\n')
    host.use("mac_filter = 1", "--config", str(conf))
    tap.check((host.root / "own.log2").read_text() == "", "an output has a level of its own")
    conf.write_text('log_outputs = "1:file:/no/such/folder/log"\n')
    host.stop()
    done = subprocess.run(host.argv("--config", str(conf)), capture_output=True, text=True, timeout=10)
    tap.check(done.returncode == 1 and "cannot open the log '/no/such/folder/log'" in done.stderr, "a log that cannot be opened stops the daemon",
              done.stderr)
    machine = host.root / "machine.conf"
    machine.write_text('host_uuid_source = "machine-id"\n')
    conn = host.use("", "--config", str(machine))
    with open("/etc/machine-id", encoding="ascii") as file:
        machine_id = file.read().strip()
    if len(machine_id) == 32:
        shown = re.search("<host>\\s*<uuid>(.*?)</uuid>", conn.getCapabilities())[1].replace("-", "")
        tap.check(shown == machine_id, "host_uuid_source = machine-id takes the machine's", shown)


def main():
    with Host(sys.argv[1]) as host:
        check_config(host)
        displays(host)
        memory_and_argv(host)
        daemon_file(host)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
