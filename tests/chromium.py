"""A headless Chromium for tests, driven through the DevTools protocol over a pipe: no port, no package."""

import base64
import io
import json
import os
import select
import shutil
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",  # WebGL in software
    "--use-angle=swiftshader",
    "--window-size=1280,800",
    "--remote-debugging-pipe",
]


class Chromium:
    """A headless browser with one tab, driven through the DevTools protocol over a pipe: no port, no package."""

    def __init__(self, profile):
        read_there, self.write_end = os.pipe()
        self.read_end, write_there = os.pipe()
        self.process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{read_there} 4>&{write_there}',
                "-",
                CHROMIUM,
                *FLAGS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(read_there, write_there),
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(write_there)
        self.buffer, self.count, self.session, self.requests = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Network.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])

    def call(self, method, **params):
        self.count += 1
        session = {} if self.session is None else {"sessionId": self.session}
        os.write(
            self.write_end,
            json.dumps({"id": self.count, "method": method, "params": params, **session}).encode() + b"\0",
        )
        while True:
            while b"\0" not in self.buffer:
                assert select.select([self.read_end], [], [], 60)[0], f"no answer to {method}"
                chunk = os.read(self.read_end, 1 << 20)
                assert chunk, "Chromium has ended"
                self.buffer += chunk
            line, self.buffer = self.buffer.split(b"\0", 1)
            message = json.loads(line)
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("id") == self.count:
                return message["result"]

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url):
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        self.wait("document.body && document.body.dataset.ready === 'yes'")

    def wait(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not self.run(condition):
            assert time.monotonic() < end, (
                f"{condition} did not come true; {self.run('document.documentElement.dataset.lastError')}"
            )
            time.sleep(0.1)

    def picture(self):
        return np.asarray(
            Image.open(io.BytesIO(base64.b64decode(self.call("Page.captureScreenshot")["data"]))).convert("RGB")
        ).astype(int)

    def end(self):
        self.process.terminate()
        self.process.wait(20)


def start_chromium(profile):
    """Start one whose profile lies in a folder; a test that asks for it is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not on PATH (chromium, chromium-browser or google-chrome); apt-get install chromium")
    return Chromium(profile)
