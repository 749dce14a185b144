"""The studio in a headless Chromium: a sentence moves, a sensor is dragged, and buttons save what it reads."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import yaml

from sim import Body, ImuRecording, Motion, Placement, simulate
from tests.chromium import start_chromium


@pytest.fixture(scope="module")
def browser(served, tmp_path_factory):
    chromium = start_chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.end()


@pytest.fixture(scope="module")
def downloads(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("downloads")
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    return folder


def open_start(browser, served):
    browser.open(f"{served}/")
    browser.run("sessionStorage.clear()")
    browser.open(f"{served}/#paused&t=0.5")


def mouse(browser, kind, x, y, **more):
    browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


def drag(browser, start, end):
    mouse(browser, "mousePressed", *start, button="left", buttons=1, clickCount=1)
    for share in np.linspace(0.1, 1.0, 10):
        x, y = np.array(start) + share * (np.array(end) - np.array(start))
        mouse(browser, "mouseMoved", x, y, button="left", buttons=1)
    mouse(browser, "mouseReleased", *end, button="left", clickCount=1)


def seen_at(browser, sensor):
    """Where a sensor's dot is on the page [px]."""
    return browser.run(
        f"""(() => {{
            const frame = show.player.state.frame, view = show.studio.picker.look(frame);
            const {{ left, top }} = show.scene.element.getBoundingClientRect();
            const [x, y] = view.project(...show.sensorPose(frame, {sensor}).position);
            return [left + x, top + y];
        }})()"""
    )


def reads(browser):
    return int(browser.run("document.body.dataset.read ?? '0'"))


def press(browser, key, code, modifiers=0):
    for kind in ("rawKeyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers
        )


def set_field(browser, name, value):
    browser.run(
        f"(() => {{ const field = document.getElementById('{name}'); field.value = {value!r};"
        "field.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )


def wait_for_file(folder, name):
    end = time.monotonic() + 60
    while not (folder / name).is_file():
        assert time.monotonic() < end, f"{name} was not saved, there is {[path.name for path in folder.iterdir()]}"
        time.sleep(0.1)
    return folder / name


def test_a_dragged_sensor_reads_what_simulate_says_of_that_place(browser, served, downloads):
    open_start(browser, served)
    camera = browser.run("JSON.stringify(show.scene.element._fullLayout.scene.camera)")
    wrist = seen_at(browser, 0)
    # From the wrist up to the middle of the chest.
    target = browser.run(
        """(() => {
            const frame = show.player.state.frame, view = show.studio.picker.look(frame);
            const { left, top } = show.scene.element.getBoundingClientRect();
            const { values, shape } = show.clip.arrays.bones, { x, y, z } = show.skin(frame);
            const mine = [...x.keys()].filter((v) => values[v * shape[1]] === 9); // on the bone from spine3
            const mean = (all) => mine.reduce((sum, v) => sum + all[v], 0) / mine.length;
            const [a, b] = view.project(mean(x), mean(y), mean(z));
            return [left + a, top + b];
        })()"""
    )
    before = reads(browser)
    drag(browser, wrist, target)
    browser.wait(f"Number(document.body.dataset.read ?? 0) > {before}")
    assert browser.run("JSON.stringify(show.scene.element._fullLayout.scene.camera)") == camera  # the view stayed
    assert np.hypot(*(np.array(seen_at(browser, 0)) - target)) < 12  # 5 mm off the skin
    (site,) = browser.run("show.studio.state.sites")
    assert site["name"] == "left_wrist_moved"
    assert site["bone"] in ("spine2", "spine3", "left_collar", "right_collar")
    browser.run("document.querySelector('[data-save=\"motion.npz\"]').click()")
    motion = Motion.load(wait_for_file(downloads, "walking.npz"))
    worn = Placement.at(site["name"], site["triangle"], site["barycentric"], stand_off_m=0.005)
    expected = simulate(motion, Body.default(), [worn], rate_hz=50.0)
    shown = browser.run("[...show.clip.arrays.accel.values]")
    np.testing.assert_allclose(np.array(shown).reshape(-1, 3), expected.accel[:, 0].numpy(), atol=1e-3)
    browser.run("document.querySelector('[data-save=\"readings.parquet\"]').click()")
    saved = ImuRecording.load(wait_for_file(downloads, "walking.parquet"))
    np.testing.assert_allclose(saved.gyro[:, 0].numpy(), expected.gyro[:, 0].numpy(), atol=1e-4)
    assert browser.run("document.documentElement.dataset.errors") == "0"
    assert not [url for url in browser.requests if not url.startswith((served, "data:", "blob:", "about:"))]


def test_keys_move_a_sensor_and_do_not_play(browser, served):
    open_start(browser, served)
    before, start = reads(browser), seen_at(browser, 0)
    for _ in range(2):
        press(browser, "ArrowUp", 38, modifiers=8)
    browser.wait(f"Number(document.body.dataset.read ?? 0) > {before}")
    moved = np.array(seen_at(browser, 0)) - start
    assert -25 < moved[1] < -4
    assert browser.run("show.player.state.playing") is False
    # A space that is typed into the sentence plays nothing.
    browser.run("document.getElementById('prompt').focus()")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", text=" ", windowsVirtualKeyCode=32)
    assert browser.run("show.player.state.playing") is False
    assert browser.run("document.getElementById('prompt').value") == " "


def test_sensors_are_added_turned_renamed_and_removed(browser, served, downloads):
    open_start(browser, served)
    for field, value in (("add", "head"), ("mounting", "x_left_z_out"), ("rate", "20"), ("device", "bmi270")):
        before = reads(browser)
        set_field(browser, field, value)
        browser.wait(f"Number(document.body.dataset.read ?? 0) > {before}")
    assert browser.run("[...document.querySelectorAll('#sensors button')].map(b => b.textContent)") == [
        "left wrist",
        "head",
    ]
    # The controls are those of the chosen sensor, however it was chosen.
    for sensor, name in ((0, "left_wrist"), (1, "head")):
        browser.run(f"show.player.choose({sensor}).then(() => null)")
        assert browser.run("document.getElementById('site-name').value") == name
    before = reads(browser)
    set_field(browser, "site-name", "my_forehead")
    browser.wait(f"Number(document.body.dataset.read ?? 0) > {before}")
    browser.run("document.querySelector('[data-save=\"dataset.yaml\"]').click()")
    spec = yaml.safe_load(wait_for_file(downloads, "walking.dataset.yaml").read_text(encoding="utf-8"))
    assert spec["sites"][0] == "left_wrist"
    assert spec["sites"][1]["name"] == "my_forehead"
    assert spec["sites"][1]["mountings"] == ["x_left_z_out"]
    assert (spec["rate_hz"], spec["devices"]) == (20.0, ["bmi270"])
    browser.run("document.querySelector('[data-save=\"readings.csv\"]').click()")
    table = pd.read_csv(wait_for_file(downloads, "walking.csv"), comment="#")
    assert "my_forehead_gyro_z" in table.columns
    before = reads(browser)
    browser.run("document.getElementById('remove').click()")
    browser.wait(f"Number(document.body.dataset.read ?? 0) > {before}")
    assert browser.run("show.clip.names") == ["left_wrist"]
    assert browser.run("document.getElementById('remove').disabled") is True
    # What cannot be leaves all as it was, and says why.
    set_field(browser, "rate", "100000")
    browser.wait("document.getElementById('worn-status').classList.contains('failed')")
    assert "expected 1 to 1000" in browser.run("document.getElementById('worn-status').textContent")
    assert browser.run("document.getElementById('rate').value") == "20"


def test_a_sentence_becomes_a_motion_and_the_sensors_stay(browser, served):
    open_start(browser, served)
    set_field(browser, "add", "chest")
    browser.wait("show.clip.numSensors === 2")
    browser.run(
        "Object.entries({ prompt: 'a person waves', seconds: '2', seed: '5' })"
        ".forEach(([id, value]) => { document.getElementById(id).value = value; })"
    )
    # A double click asks once.
    browser.run("for (let k = 0; k < 2; k++) document.getElementById('make').requestSubmit()")
    browser.wait("location.pathname.startsWith('/motions/') && document.body?.dataset.ready === 'yes'", seconds=120)
    browser.wait("show.clip.numSensors === 2")
    assert browser.run("document.querySelector('h1').textContent") == "a person waves"
    assert browser.run("show.clip.lastTime") == pytest.approx(2.0)
    assert browser.run("document.getElementById('seed').value") == "5"


def test_bad_wishes_are_said_on_the_page(browser, served):
    open_start(browser, served)
    for prompt, seconds, line in (("", "4", "the sentence is blank"), ("a person walks", "1e9", "expected 1 to 60")):
        browser.run(f"document.getElementById('prompt').value = {prompt!r}")
        browser.run(f"document.getElementById('seconds').value = {seconds!r}")
        browser.run("document.getElementById('go').click()")
        browser.wait(f"document.getElementById('status').textContent.includes({line!r})")
        assert browser.run("document.getElementById('go').disabled") is False
    browser.run("document.getElementById('read').click()")
    browser.wait("document.getElementById('status').textContent.includes('no file is chosen')")


def test_a_file_is_opened(browser, served, tmp_path):
    open_start(browser, served)
    still = np.tile(Body.default().rest_joints.numpy(), (40, 1, 1)).astype(np.float32)
    still[:, :, 1] -= still[:, :, 1].min()
    np.save(tmp_path / "stands.npy", still)
    node = browser.call("DOM.querySelector", nodeId=browser.call("DOM.getDocument")["root"]["nodeId"], selector="#file")
    browser.call("DOM.setFileInputFiles", files=[str(tmp_path / "stands.npy")], nodeId=node["nodeId"])
    browser.run("document.getElementById('read').click()")
    browser.wait("document.getElementById('status').classList.contains('failed')", seconds=120)
    assert "frame rate" in browser.run("document.getElementById('status').textContent")
    browser.run("document.getElementById('fps').value = '20'; document.getElementById('read').click()")
    browser.wait("location.pathname.startsWith('/motions/') && document.body?.dataset.ready === 'yes'", seconds=120)
    assert browser.run("document.querySelector('h1').textContent") == "stands"
    assert browser.run("Math.hypot(...show.reading('accel', 10, 0))") == pytest.approx(9.80665, abs=0.05)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_screen_and_a_phone(browser, served, width, height, scheme):
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
    )
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    open_start(browser, served)
    assert browser.run("document.documentElement.scrollWidth") <= width
    outside = browser.run(
        "[...document.querySelectorAll('input, select, button')].filter(e => e.offsetParent && "
        f"(e.getBoundingClientRect().right > {width} || e.getBoundingClientRect().left < 0)).map(e => e.id)"
    )
    assert outside == []
    time.sleep(0.5)
    corner = browser.picture()[2:6, 2:6].mean()
    assert (corner > 200) == (scheme == "light")
