#!/usr/bin/python3
"""Debian's virt-manager, unmodified, under a virtual X server against a private cloisterd: it lists a guest, shows its
console over a descriptor that the daemon passes, and what is typed there reaches the guest. It connects as it would
with libvirt: a URI with "+unix" is a remote host for virt-manager, whose consoles it does not show.
usage: virt_manager.py BUILD_DIR [SCREENSHOT]"""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rig import Rig, Tap, wait_for  # noqa: E402

NEEDED = {"virt-manager": "virt-manager", "Xvfb": "xvfb", "xdotool": "xdotool", "import": "imagemagick", "dbus-run-session": "dbus"}
GUEST = "shown"
GREY = b"\xa8\xa8\xa8"  # of text on a VGA console, as QEMU shows it
ENOUGH = 5000  # pixels of it: the firmware's lines and the shell's, up to the prompt


def grey_in(rgb):
    return sum(rgb[i:i + 3] == GREY for i in range(0, len(rgb), 3))


def grey_of_guest(domain):
    """The same of the guest's own screen, by the daemon's screenshot."""
    stream, picture = domain.connect().newStream(0), bytearray()
    domain.screenshot(stream, 0)
    stream.recvAll(lambda _, data, __: picture.extend(data), None)
    stream.finish()
    return grey_in(subprocess.run(["convert", "-", "-depth", "8", "rgb:-"], input=bytes(picture), check=True, capture_output=True, timeout=60).stdout)


class Screen:
    """An X server of our own, and what is on it."""

    def __init__(self, root):
        ready, told = os.pipe()
        self.log = open(root / "xvfb.log", "ab")
        self.server = subprocess.Popen(["Xvfb", "-displayfd", str(told), "-screen", "0", "1280x1000x24", "-nolisten", "tcp"],
                                       pass_fds=[told], stdout=self.log, stderr=self.log)
        os.close(told)
        with os.fdopen(ready) as number:
            self.environment = {**os.environ, "DISPLAY": ":" + number.readline().strip(), "HOME": str(root / "home"), "LC_ALL": "C.UTF-8",
                                "GSETTINGS_BACKEND": "memory", "XDG_RUNTIME_DIR": str(root / "run"), "NO_AT_BRIDGE": "1",
                                "GDK_BACKEND": "x11"}
        for folder in ("home", "run"):
            (root / folder).mkdir(mode=0o700)

    def tool(self, *words):
        return subprocess.run(["xdotool", *words], env=self.environment, capture_output=True, text=True, timeout=60).stdout.split()

    def windows(self, title):
        return self.tool("search", "--onlyvisible", "--name", title)

    def picture(self, path):
        subprocess.run(["import", "-window", "root", str(path)], env=self.environment, check=True, timeout=60)

    def grey(self):
        """How many pixels of text are on the screen just now."""
        return grey_in(subprocess.run(["import", "-window", "root", "-depth", "8", "rgb:-"], env=self.environment, check=True,
                                      capture_output=True, timeout=60).stdout)

    def close(self):
        self.server.terminate()
        self.server.wait(10)


def drive(tap, rig, screen, picture):
    import libvirt

    from real_guest import Events, guest_xml, make_images
    libvirt.registerErrorHandler(lambda *_: None, None)
    images = rig.root / "disks/images"
    make_images(images)
    Events.loop()
    conn = libvirt.open(rig.ours)
    domain = conn.defineXML(guest_xml(
        GUEST, images, cmdline="cloister.tty=tty1 quiet",
        devices="<graphics type='vnc' port='-1' autoport='yes'/><video><model type='vga'/></video><input type='tablet' bus='usb'/>"))
    with Events(conn) as seen:
        domain.create()
        log = open(rig.root / "virt-manager.log", "ab")
        viewer = subprocess.Popen(
            ["dbus-run-session", "--", "virt-manager", "--connect", "qemu:///system", "--no-fork", "--debug", "--show-domain-console", GUEST],
            env=screen.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(lambda: screen.windows(f"^{GUEST} on ") or viewer.poll() is not None, 90, "virt-manager's window of the guest")
            tap.check(viewer.poll() is None and screen.windows(f"^{GUEST} on "), "virt-manager connects and shows the guest's window",
                      (rig.root / "virt-manager.log").read_text()[-3000:])
            tap.check(seen.wait(GUEST, "graphics 0") and seen.wait(GUEST, "graphics 1"),
                      "the daemon passes it a descriptor of the display, and QEMU takes it for a VNC client", seen.of(GUEST))
            port = int(domain.XMLDesc().split("<graphics type='vnc' port='")[1].split("'")[0])
            connected = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]
            tap.check(not [c for c in connected if int(c[1].split(":")[1], 16) == port and c[3] == "01"],
                      "nobody is connected to the TCP port of the display")
            wait_for(lambda: grey_of_guest(domain) > ENOUGH, 240, "a prompt on the guest's screen")
            same = lambda: abs(screen.grey() - grey_of_guest(domain)) < ENOUGH / 20  # noqa: E731  (the cursor blinks)
            wait_for(same, 20, "the guest's screen in virt-manager's window")
            tap.check(True, "the window shows what is on the guest's screen, up to the prompt")
            screen.picture(picture)
            window = screen.windows(f"^{GUEST} on ")[0]
            screen.tool("windowfocus", window, "mousemove", "--window", window, "400", "400", "click", "1")
            screen.tool("type", "--delay", "120", "poweroff -f")
            screen.tool("key", "Return")
            tap.check(seen.wait(GUEST, "stopped 0", 60), "what is typed in the window reaches the guest: it powers off", seen.of(GUEST))
            tap.check(viewer.poll() is None, "virt-manager is still there")
            domain.create()
            # its own window follows: the display is there again without a click
            tap.check(seen.wait(GUEST, "graphics 1", 60, after=seen.of(GUEST).index("stopped 0")), "a guest that starts again is shown again",
                      seen.of(GUEST))
            told = (rig.root / "virt-manager.log").read_text()
            errors = [line for line in told.splitlines() if " ERROR (" in line]
            tap.check(not errors, "virt-manager logs no error", "\n".join(errors))
        finally:
            viewer.terminate()
            try:
                viewer.wait(10)
            except subprocess.TimeoutExpired:
                viewer.kill()
        domain.destroy()
    domain.undefine()
    conn.close()


def main():
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing:
        print(f"1..0 # SKIP this machine: {' '.join(missing)} not installed")
        return 0
    tap = Tap()
    with Rig(sys.argv[1], stock=False, daemon_conf="listen_libvirt_names = 1\n") as rig:
        screen = Screen(rig.root)
        try:
            drive(tap, rig, screen, sys.argv[2] if len(sys.argv) > 2 else rig.root / "screen.png")
        finally:
            screen.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
