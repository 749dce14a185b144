"""The page of sim.show in a headless Chromium: it plays, and prints and draws what the simulator says."""

import time

import numpy as np
import pytest
import torch

from sim import simulate
from tests.chromium import start_chromium

pytest.importorskip("plotly", reason="plotly is not installed; pip install 'imuforge[report]'")

RATE_HZ = 50.0
NAMES = ("left_wrist", "chest", "turned_ankle")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = start_chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.end()


def printed(browser):
    """What the table says: for each axis its direction in words, then accelerometer, at rest, gyroscope."""
    rows = browser.run(
        "[...document.querySelectorAll('#now tbody tr.axis')].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    numbers = [[float(cell.replace("\u2212", "-")) for cell in row[2:]] for row in rows]
    return [row[1] for row in rows], np.array(numbers)


# At rest, what sim.placements says of each preset in the rest pose; turned_ankle's box is turned by 90 degrees.
DIRECTIONS = {
    (0.0, "left_wrist"): ["left", "backwards", "up"],
    (2.0, "left_wrist"): ["down", "backwards", "left"],
    (0.0, "chest"): ["up", "right", "forwards"],
    (0.0, "turned_ankle"): ["backwards", "up", "left"],
}


@pytest.mark.parametrize(("moment", "sensor"), DIRECTIONS)
def test_the_page_prints_what_simulate_gives_and_where_the_axes_point(browser, shown, moment, sensor):
    path, motion, body, placements = shown
    browser.open(f"{path.as_uri()}#t={moment}&sensor={sensor}&paused")
    words, numbers = printed(browser)
    recording = simulate(motion, body, placements, rate_hz=RATE_HZ)
    sample, column = round(moment * RATE_HZ), NAMES.index(sensor)
    still = recording.orientation[sample, column].T @ torch.tensor([0.0, 9.80665, 0.0])
    expected = torch.stack([recording.accel[sample, column], still, recording.gyro[sample, column]], dim=-1)
    np.testing.assert_allclose(numbers, expected.numpy(), atol=0.006)
    assert [word.split(",")[0] for word in words] == DIRECTIONS[moment, sensor]
    assert browser.run("document.documentElement.dataset.errors") == "0"


def test_the_drawn_skin_is_the_body(browser, shown):
    path, motion, body, _ = shown
    browser.open(f"{path.as_uri()}#paused")
    ids, coordinates = browser.run("[...show.clip.arrays.vertex_ids.values]"), body.vertices(motion).numpy()
    for moment in (0.0, 0.55, 1.3):
        browser.run(f"show.player.seek({moment})")
        drawn = np.array(browser.run("['x', 'y', 'z'].map(k => [...show.skin(show.player.state.frame)[k]])")).T
        np.testing.assert_allclose(drawn, coordinates[round(20 * moment)][ids], atol=1e-3)


def test_it_plays_and_can_be_paused_and_sought_by_hand(browser, shown):
    browser.requests.clear()
    browser.open(shown[0].as_uri())
    drawn = int(browser.run("document.body.dataset.drawn"))
    browser.wait(f"Number(document.body.dataset.drawn) > {drawn + 3} && Number(document.body.dataset.frame) > 0")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=" ", code="Space", text=" ", windowsVirtualKeyCode=32)
    assert browser.run("show.player.state.playing") is False
    # The middle of the curves is the middle of the clip: the plot lies 54 px from the left and 10 px from the right.
    left, top, width = browser.run(
        "(({left, top, width}) => [left, top, width])(document.getElementById('curves').getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        where = {"x": left + 54 + (width - 64) / 2, "y": top + 60}
        browser.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)
    browser.wait("Math.abs(Number(document.body.dataset.time) - 1.0) < 0.01")
    browser.wait("document.body.dataset.frame === '60'")
    assert browser.run("document.documentElement.dataset.errors") == "0"
    assert not [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:", "about:"))]


def test_body_and_axes_are_seen(browser, shown):
    browser.open(f"{shown[0].as_uri()}#t=0&sensor=left_wrist&paused")
    time.sleep(1.0)  # plotly draws in the frame after the one in which it is told to
    left, top, width, height = browser.run(
        "(r => [r.left, r.top, r.width, r.height])(show.scene.element.getBoundingClientRect())"
    )
    red, green, blue = browser.picture()[int(top) : int(top + height), int(left) : int(left + width)].transpose(2, 0, 1)
    skin = (red > green + 15) & (green > blue + 10) & (red - blue < 110)
    assert 0.04 < skin.mean() < 0.5
    axes = {
        "x": (red > 180) & (green < 90) & (blue < 90),
        "y": (green > 110) & (red < 90) & (blue < 110),
        "z": (blue > 180) & (red < 80) & (green < 150),
    }
    for name, seen in axes.items():
        assert seen.sum() > 40, f"axis {name} is not drawn"
    # The person faces the camera, so the left hand with the long axes of the chosen sensor is on the right.
    assert np.nonzero(axes["z"])[1].mean() > 0.6 * width
