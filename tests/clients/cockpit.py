#!/usr/bin/python3
"""Debian's cockpit-machines, unmodified, in a headless Chromium, against our D-Bus service: two guests are listed, one is
started, looked at, paused and ended, all by clicking. Screenshots go to the folder COCKPIT_PICTURES when it is set.
usage: cockpit.py BUILD_DIR"""
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bus_rig import CONNECT, DOMAIN, PROPERTIES, QEMU, BusRig, definition  # noqa: E402
from rig import Tap, answers_at, free_port, own_network, wait_for  # noqa: E402

tap = Tap()
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """A chromedriver, spoken to in the WebDriver protocol."""

    def __init__(self, rig):
        self.port = free_port()
        (rig.root / "browser").mkdir()
        rig._spawn("chromedriver", ["chromedriver", f"--port={self.port}", "--log-level=SEVERE"],
                   {**os.environ, "HOME": str(rig.root / "browser"), "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
        wait_for(lambda: answers_at(self.port), 60, "chromedriver")
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1000",
                     f"--user-data-dir={rig.root}/browser/profile"]
        made = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments}}}}, base="")
        self.session = "/session/" + made["sessionId"]

    def ask(self, method, path, body=None, base=None):
        data = None if method == "GET" or method == "DELETE" else json.dumps(body or {}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{self.session if base is None else base}{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()[:500]}") from None

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script):
        return self.ask("POST", "/execute/sync", {"script": script, "args": []})

    def there(self, selector):
        return self.run(f"return document.querySelector({json.dumps(selector)}) !== null")

    def text(self, selector="body"):
        return self.run(f"const e = document.querySelector({json.dumps(selector)}); return e ? e.innerText : ''")

    def click(self, selector, seconds=60):
        wait_for(lambda: self.there(selector), seconds, f"{selector} on the page")
        self.run(f"const e = document.querySelector({json.dumps(selector)}); (e.matches('a, button') ? e : e.querySelector('a, button') || e).click()")

    def choose(self, name, action):
        """An item of the menu behind the three dots."""
        self.click(f"#vm-{name}-system-action-kebab")
        try:
            self.click(f"#vm-{name}-system-{action}")
        except TimeoutError:
            self.picture("menu")
            raise TimeoutError(f"{action} is not in the menu: " + self.run(
                f"return document.querySelector('#vm-{name}-system-action-kebab').parentNode.outerHTML")[:1500]) from None

    def picture(self, name):
        if folder := os.environ.get("COCKPIT_PICTURES"):
            import base64
            (pathlib.Path(folder) / f"{name}.png").write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def close(self):
        self.ask("DELETE", "")


def chosen(browser, client, path, action, wanted):
    """Clicks until the guest is in a state: a page that draws itself anew in that moment swallows a click, and one that has an
    older answer does not offer it."""
    for _ in range(4):
        try:
            browser.choose("alpha", action)
        except TimeoutError:
            browser.picture(f"no-{action}")
            browser.run("location.reload()")
            wait_for(lambda: browser.there("#vm-alpha-system-state"), 60, "the page")
            continue
        if action == "forceOff" and browser.there(".pf-c-modal-box"):
            browser.click(".pf-c-modal-box .pf-m-danger, .pf-c-modal-box .pf-m-primary")
        try:
            return wait_for(lambda: client.call(path, DOMAIN, "GetState", "(u)", 0)[0] == wanted, 15, action)
        except TimeoutError:
            browser.picture(f"no-{action}")
    raise TimeoutError(f"{action} did nothing")


def life(rig, browser, client, paths):
    """What a person does with a guest, and what the bus says of it."""
    state = lambda: client.call(paths["alpha"], DOMAIN, "GetState", "(u)", 0)[0]  # noqa: E731
    says = lambda word, seconds: wait_for(lambda: word in browser.text("#vm-alpha-system-state"), seconds, f"'{word}' on the page")  # noqa: E731

    def shown(word):
        """A page that still reads the guest when an event comes keeps the older answer: then it is loaded again, as a person would."""
        try:
            says(word, 20)
        except TimeoutError:
            browser.run("location.reload()")
            says(word, 60)

    def follows():
        try:
            for deed, word in (("Suspend", "Paused"), ("Resume", "Running")):
                client.call(paths["alpha"], DOMAIN, deed)
                says(word, 15)
            return True
        except TimeoutError:
            if state() == 3:
                client.call(paths["alpha"], DOMAIN, "Resume")
            return False

    browser.click("#vm-alpha-system-run")
    shown("Running")
    tap.check(state() == 1, "a click on Run starts it, and the page says so")
    browser.picture("running")
    chosen(browser, client, paths["alpha"], "pause", 3)
    shown("Paused")
    tap.check(state() == 3, "Pause pauses it")
    chosen(browser, client, paths["alpha"], "resume", 1)
    shown("Running")
    tap.check(state() == 1, "Resume lets it run")
    tap.check(any(follows() for _ in range(3)), "what others do to it is seen by its signals")


def details(rig, browser, client, paths):
    browser.run("location.hash = '#/vm?name=alpha&connection=system'")
    wait_for(lambda: "cockpit-disk.img" in browser.text(), 60, "the details of the guest")
    page = browser.text()
    browser.picture("details")
    tap.check(all(word in page for word in ("General", "Memory", "64 MiB", "Disks", "cockpit-disk.img", "Network interfaces", "52:54:00:00:00:07")),
              "its page shows memory, disks and interfaces", page)
    tap.check("4 GiB" not in page and "error" not in page.lower(), "and no error", page)
    browser.run("location.hash = '#/'")
    wait_for(lambda: browser.there("#vm-alpha-system-state"), 60, "the list")


def end(rig, browser, client, paths):
    chosen(browser, client, paths["alpha"], "forceOff", 5)
    wait_for(lambda: "Shut off" in browser.text("#vm-alpha-system-state"), 60, "the end of the guest")
    tap.check(client.call(paths["alpha"], DOMAIN, "GetState", "(u)", 0)[0] == 5, "Force shut down ends it")
    client.call(paths["beta"], DOMAIN, "Undefine", "(u)", 0)
    wait_for(lambda: not browser.there("#vm-beta-system-state"), 60, "the page without the other guest")
    tap.check(True, "a guest that is undefined leaves the list")


def main():
    own_network()
    with BusRig(sys.argv[1], stock=False) as rig:
        client = rig.bus.connect()
        client.wait_for_owner("org.libvirt")
        (rig.root / "disks/cockpit-disk.img").write_bytes(bytes(1 << 20))
        disk = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{rig.root}/disks/cockpit-disk.img'/><target dev='vda' bus='virtio'/></disk>"
        net = "<interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/></interface>"
        paths = {name: client.call(QEMU, CONNECT, "DomainDefineXML", "(s)", definition(name, more + "<memballoon model='virtio'/>"))
                 for name, more in (("alpha", disk + net), ("beta", ""))}
        port = free_port()
        rig._spawn("cockpit", ["/usr/lib/cockpit/cockpit-ws", "--local-session=/usr/bin/cockpit-bridge", f"--port={port}", "--address=127.0.0.1"],
                   {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": rig.bus.address, "XDG_RUNTIME_DIR": str(rig.root)})
        wait_for(lambda: answers_at(port), 60, "cockpit")
        browser = Browser(rig)
        try:
            browser.open(f"http://127.0.0.1:{port}/cockpit/@localhost/machines/index.html")
            try:
                listed = lambda: browser.there("#vm-alpha-system-state") and browser.there("#vm-beta-system-state")  # noqa: E731
                ignore = "#ignore-hw-virtualization-disabled-btn"  # the host has no KVM: QEMU does without
                wait_for(lambda: listed() or browser.there(ignore), 120, "a page")
                if browser.there(ignore):
                    browser.click(ignore)
                wait_for(listed, 60, "the list of guests")
            finally:
                browser.picture("list")
            tap.check("Shut off" in browser.text("#vm-alpha-system-state"), "both guests are listed, shut off", browser.text())
            life(rig, browser, client, paths)
            details(rig, browser, client, paths)
            end(rig, browser, client, paths)
            browser.picture("end")
        finally:
            browser.close()
        tap.check("Z error:" not in rig.log(), "the daemon had nothing to complain about", rig.log())
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
