"""The half of cases/cockpit.py that is not in the machine: a headless Chromium that uses cockpit-machines as a person would.
Its pictures are in BUILD/testhost/pictures."""
import pathlib
import socket
import sys
import tempfile
import time

_results, _port = [], None
PICTURES = pathlib.Path(sys.argv[1]).resolve() / "testhost/pictures"


def forward():
    """A port here that nobody has, and cockpit's there."""
    global _port
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        _port = s.getsockname()[1]
    return _port, 9090


def checks():
    return _results


def _check(what, holds, found=""):
    _results.append((bool(holds), f"browser: {what}{f': {found}' if found != '' else ''}"))
    return holds


def meanwhile(machine):
    try:
        if _check("cockpit listens", machine.until("COCKPIT LISTENS")):
            _use()
    except Exception as error:  # noqa: BLE001: it is this half's failure, and the machine's half goes on
        _check("it works", False, f"{type(error).__name__}: {error}"[:400])


def _use():
    from selenium import webdriver
    from selenium.common.exceptions import TimeoutException, WebDriverException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support import expected_conditions as expected
    from selenium.webdriver.support.ui import WebDriverWait
    PICTURES.mkdir(parents=True, exist_ok=True)
    options = webdriver.ChromeOptions()
    for word in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--window-size=1300,1000", f"--user-data-dir={tempfile.mkdtemp(prefix='chromium-')}"):
        options.add_argument(word)
    driver = webdriver.Chrome(options=options, service=webdriver.chrome.service.Service("/usr/bin/chromedriver"))
    try:
        driver.set_page_load_timeout(120)
        wait = WebDriverWait(driver, 150)

        def there(selector):
            return wait.until(expected.presence_of_element_located((By.CSS_SELECTOR, selector)))

        def text(selector):
            try:
                return driver.find_element(By.CSS_SELECTOR, selector).text
            except WebDriverException:  # it is being drawn anew
                return ""

        def text_is(selector, wanted):
            wait.until(lambda d: any(wanted in e.text for e in d.find_elements(By.CSS_SELECTOR, selector)))
            return driver.find_element(By.CSS_SELECTOR, selector).text

        def click_until(selector, done):
            """A page that draws itself anew in that moment swallows a click; a question that it asks is confirmed."""
            end = time.monotonic() + 150
            while not done() and time.monotonic() < end:
                for which in (".pf-c-modal-box .pf-m-danger, .pf-c-modal-box .pf-m-primary", selector):
                    for element in driver.find_elements(By.CSS_SELECTOR, which)[:1]:
                        driver.execute_script("(arguments[0].matches('a, button') ? arguments[0] : arguments[0].querySelector('a, button') || arguments[0]).click()", element)
                try:
                    WebDriverWait(driver, 10).until(lambda _: done())
                except TimeoutException:
                    pass
            return done()

        def picture(name):
            driver.save_screenshot(str(PICTURES / f"{name}.png"))

        driver.get(f"http://127.0.0.1:{_port}/cockpit/@localhost/machines/index.html")
        try:
            _check("lists the running guest", text_is("#vm-shown-system-state", "Running"))
            _check("lists the other", text_is("#vm-second-system-state", "Shut off"))
        finally:
            picture("list")
        there("#vm-second-system-run")
        _check("starts it", click_until("#vm-second-system-run", lambda: "Running" in text("#vm-second-system-state")))
        picture("started")
        driver.get(f"http://127.0.0.1:{_port}/cockpit/@localhost/machines/index.html#vm?name=shown&connection=system")
        there("#vm-shown-system-shutdown-button")
        wait.until(lambda d: "128" in text("body"))
        _check("shows its details", "pc-q35" in text("body"))
        picture("details")
        _check("shuts it down", click_until("#vm-shown-system-shutdown-button", lambda: "Shut off" in text("body")))
        picture("shut-down")
    finally:
        driver.quit()
