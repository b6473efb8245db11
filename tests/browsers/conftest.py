"""Firefox and WebKit, by the protocols of their own that need no other program.

Playwright, which the other tests of pages use, drives Chromium alone of what Linux distributions
have: Firefox listens to Marionette, and WebKitGTK's driver to WebDriver.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

ENOUGH = 240  # seconds, beside other work
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element, in WebDriver's standard


class Page:
    """A page in a browser.

    Args:
        command: Carries out a command of WebDriver, given by Marionette's name of it, and returns
            its value.
    """

    def __init__(self, command):
        self._command = command
        command("SetTimeouts", script=1000 * ENOUGH, pageLoad=1000 * ENOUGH)

    def open(self, address):
        self._command("Navigate", url=address)

    def evaluate(self, body):
        """Returns what the body of an asynchronous function returns in the page."""
        script = (
            f"const end = arguments[0]; (async () => {{ {body} }})()"
            ".then((value) => end([value]), (error) => end(String(error)));"
        )
        found = self._command("ExecuteAsyncScript", script=script, args=[])
        assert isinstance(found, list), found
        return found[0]

    def wait(self, condition):
        """Waits until an expression is true in the page."""
        end = time.monotonic() + ENOUGH
        while not self.evaluate(f"return {condition}"):
            assert time.monotonic() < end, f"{condition}; the page: {self.text('main')}"
            time.sleep(0.2)

    def _find(self, selector):
        found = self._command("FindElement", using="css selector", value=selector)
        return found[ELEMENT]

    def click(self, selector):
        self._command("ElementClick", id=self._find(selector))

    def type(self, selector, text):
        """Types a text, or the path of a file, into an element."""
        self._command("ElementSendKeys", id=self._find(selector), text=str(text))

    def text(self, selector):
        return self.evaluate(f"return document.querySelector({selector!r}).innerText")

    def rgb(self, selector):
        """Returns the size and the RGB samples of an image or a canvas: height, width, list."""
        return self.evaluate(
            f"""const found = document.querySelector({selector!r});
            const canvas = document.createElement("canvas");
            canvas.width = found.naturalWidth ?? found.width;
            canvas.height = found.naturalHeight ?? found.height;
            const context = canvas.getContext("2d");
            context.drawImage(found, 0, 0);
            const {{ data }} = context.getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.height, canvas.width, [...data].filter((_, i) => i % 4 < 3)];"""
        )


class Marionette:
    """The connection to a Firefox: JSON, each with its length before it."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), ENOUGH)
        self._stream = self._socket.makefile("rb")
        self._read()  # its greeting

    def _read(self):
        digits = b""
        while (byte := self._stream.read(1)) != b":":
            digits += byte
        return json.loads(self._stream.read(int(digits)))

    def __call__(self, command, **arguments):
        message = json.dumps([0, 1, f"WebDriver:{command}", arguments]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, answer = self._read()
        assert error is None, error
        return answer.get("value", answer)

    def close(self):
        self._stream.close()
        self._socket.close()


PLACES = {  # of commands, and which of their arguments are part of it
    "SetTimeouts": ("timeouts", ()),
    "Navigate": ("url", ()),
    "ExecuteAsyncScript": ("execute/async", ()),
    "FindElement": ("element", ()),
    "ElementClick": ("element/{id}/click", ("id",)),
    "ElementSendKeys": ("element/{id}/value", ("id",)),
}


class WebDriver:
    """The connection to a driver of the standard, with Marionette's names of the commands."""

    def __init__(self, port, capabilities):
        self._port = port
        self._path = "/session"
        session = self._ask("POST", "", {"capabilities": {"alwaysMatch": capabilities}})
        self._path += f"/{session['sessionId']}"

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ENOUGH + 10)
        with contextlib.closing(connection):
            connection.request(method, self._path + path, json.dumps(body) if body else None)
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        assert answer.status == 200, value
        return value

    def __call__(self, command, **arguments):
        path, parts = PLACES[command]
        path = path.format(**arguments)
        body = {key: value for key, value in arguments.items() if key not in parts}
        return self._ask("POST", f"/{path}", body or {"": ""})

    def close(self):
        self._ask("DELETE", "")


@contextlib.contextmanager
def program(*command, **options):
    """Runs a program in a block, without what it prints."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet, **options) as process:
        try:
            yield
        finally:
            process.terminate()


def until(condition):
    """Waits, and returns what is then found."""
    end = time.monotonic() + ENOUGH
    while not (found := condition()):
        assert time.monotonic() < end, "it did not start"
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def firefox(folder):
    path = shutil.which("firefox") or shutil.which("firefox-esr")
    if not path:
        pytest.skip("needs firefox or firefox-esr on the PATH")
    (folder / "user.js").write_text('user_pref("marionette.port", 0);\n')
    port = folder / "MarionetteActivePort"
    # A folder of one's own: Firefox refuses that of another user, as where root is by sudo.
    options = {"env": os.environ | {"HOME": str(folder)}}
    with program(path, "--headless", "--marionette", "--profile", folder, **options):
        connection = Marionette(int(until(lambda: port.exists() and port.read_text())))
        with contextlib.closing(connection):
            connection("NewSession", capabilities={})
            yield Page(connection)


@contextlib.contextmanager
def webkit(folder):
    path = shutil.which("WebKitWebDriver")
    browsers = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"))
    if not path or not browsers or not shutil.which("xvfb-run"):
        pytest.skip("needs WebKitGTK: WebKitWebDriver, its MiniBrowser, and xvfb-run")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # As root, it may not use its sandbox, and the only pages it opens are ours.
    home = {"HOME": str(folder), "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
    options = {"env": os.environ | home}
    wanted = {"binary": str(browsers[0]), "args": ["--automation"]}
    with program("xvfb-run", "-a", path, f"--port={port}", **options):
        until(lambda: is_open(port))
        connection = WebDriver(port, {"webkitgtk:browserOptions": wanted})
        with contextlib.closing(connection):
            yield Page(connection)


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@pytest.fixture(scope="module", params=[firefox, webkit], ids=lambda browser: browser.__name__)
def page(request, tmp_path_factory):
    """A page in each browser that is there."""
    with request.param(tmp_path_factory.mktemp("profile")) as page:
        yield page
