"""Debian's cockpit-machines against our D-Bus service: what it saw is checked here, what it showed in ../cockpit_browser.py."""
# testhost: from cockpit_browser
# testhost: limit 400
import pathlib
import subprocess

from in_host import PROMPT, Case, console, define, disk, domain, linux, sh, start, state, wait_for

case = Case()
sh("modprobe virtio_net && udevadm settle && ip link set dev $(ls /sys/class/net | grep -v lo | head -n 1) up")
card = sh("ls /sys/class/net | grep -v lo | head -n 1")
sh(f"ip address add 10.0.2.15/24 dev {card}")
sh("modprobe kvm_amd && udevadm settle")
owner = sh("busctl call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionUnixProcessID s org.libvirt", check=False)
case.equal("org.libvirt is ours", owner, f"u {sh('systemctl show -P MainPID cloisterd.service')}")
case.equal("start a guest", start(domain("shown", virt="kvm", disks=[disk("shown.raw")], memory=128, boot=linux())), "")
define(domain("second", virt="kvm", disks=[disk("second.raw")], memory=128, boot=linux()))
server = subprocess.Popen(["/usr/lib/cockpit/cockpit-ws", "--no-tls", "--address", "10.0.2.15", "--port", "9090",
                           "--local-session", "cockpit-bridge"])
case.attempt("cockpit listens", lambda: wait_for(lambda: sh("ss -Htnl '( sport = :9090 )'", check=False), 60, "cockpit's port"))
# Who does not run yet does not hear the power button.
said = case.attempt("its console", lambda: console("shown", PROMPT, 180)) or ""
case.check("the guest is up", PROMPT in said, said[-100:])
print("COCKPIT LISTENS", flush=True)
case.attempt("cockpit starts the second guest", lambda: wait_for(lambda: state("second") == "running", 180, "second running"))
case.equal("second was started by cockpit", state("second"), "running")
case.attempt("cockpit shuts the first one down", lambda: wait_for(lambda: state("shown") == "shut off", 180, "shown shut off"))
case.equal("shown was shut down by cockpit", state("shown"), "shut off")
wait_for(lambda: server.poll() is not None or pathlib.Path("/tmp/never").exists() or not sh("ss -Htn state established '( sport = :9090 )'", check=False), 60,
         "the browser's leaving")
server.kill()
case.end()
