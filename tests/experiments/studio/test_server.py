"""The studio's server: readings are the simulator's, files read back, and what is foreign or nonsense is one line."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from experiments.cli import main
from experiments.dataset.command import make_dataset
from sim import Body, ImuRecording, Motion, Placement, simulate

from .conftest import PORT

BVH = """HIERARCHY
ROOT Hips
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
 End Site
 {
  OFFSET 0 10 0
 }
}
MOTION
Frames: 2
"""
ROOT = Path(__file__).resolve().parents[3]
WRIST = {"preset": "left_wrist"}


def wearing(*sites, motion="start", **more):
    return {"motion": motion, "sites": list(sites or [WRIST]), **more}


def arrays_of(answer):
    return {
        name: np.frombuffer(base64.b64decode(packed["data"]), packed["dtype"]).reshape(packed["shape"])
        for name, packed in answer["arrays"].items()
    }


@pytest.fixture(scope="module")
def start(client, tmp_path_factory):
    """The motion that comes along, as the studio saves it."""
    path = tmp_path_factory.mktemp("start") / "start.npz"
    path.write_bytes(client.post("/save/motion.npz", json=wearing()).content)
    return path


@pytest.fixture(scope="module")
def generated(client, finish):
    said = finish(client.post("/motions", json={"prompt": "a person walks", "seconds": 2.0, "seed": 3}).json())
    assert said["state"] == "done", said
    return said["motion"]


def test_readings_of_a_touched_place_are_those_of_simulate(client, start):
    body = Body.default()
    face = body.faces[4711].tolist()
    touch = {"vertices": face, "weights": [0.2, 0.3, 0.5]}
    asked = wearing(WRIST, {"name": "mine", "touch": touch, "mounting": "x_distal_z_out"}, rate_hz=40.0)
    answer = client.post("/readings", json=asked).json()
    motion = Motion.load(start)
    placements = [Placement.preset("left_wrist")]
    placements.append(Placement.at("mine", face, [0.2, 0.3, 0.5], stand_off_m=0.005, mounting="x_distal_z_out"))
    expected = simulate(motion, body, placements, rate_hz=40.0)
    found = arrays_of(answer)
    assert answer["names"] == ["left_wrist", "mine"]
    np.testing.assert_array_equal(found["accel"][:, 0], expected.accel[:, 0].float().numpy())
    np.testing.assert_allclose(found["accel"][:, 1], expected.accel[:, 1].float().numpy(), atol=1e-3)
    np.testing.assert_allclose(found["gyro"][:, 1], expected.gyro[:, 1].float().numpy(), atol=1e-4)
    # What the page remembers is taken again, and reads the same.
    again = client.post("/readings", json=wearing(*[_sent(site) for site in answer["sites"]], rate_hz=40.0)).json()
    np.testing.assert_array_equal(arrays_of(again)["gyro"], found["gyro"])


def _sent(site):
    return {key: value for key, value in site.items() if key != "bone"}


def test_a_sentence_gives_the_recording_of_synth(client, generated, plain_prior, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = wearing(WRIST, {"preset": "chest"}, motion=generated, device="bmi270", rate_hz=25.0)
    (tmp_path / "studio.parquet").write_bytes(client.post("/save/readings.parquet", json=asked).content)
    words = ["synth", "--prompt", "a person walks", "--seconds", "2", "--seed", "3", "--prior", str(plain_prior)]
    words += ["--placement", "left_wrist", "--placement", "chest", "--errors", "bmi270", "--rate-hz", "25"]
    assert main([*words, "--out", "synth.parquet"]) == 0
    ours, theirs = ImuRecording.load(tmp_path / "studio.parquet"), ImuRecording.load(tmp_path / "synth.parquet")
    assert ours.names == theirs.names == ("left_wrist", "chest")
    np.testing.assert_allclose(ours.accel.numpy(), theirs.accel.numpy(), atol=1e-3)
    np.testing.assert_allclose(ours.gyro.numpy(), theirs.gyro.numpy(), atol=1e-3)
    table = pd.read_csv(io.BytesIO(client.post("/save/readings.csv", json=asked).content), comment="#")
    assert len(table) == len(ours.accel)


def test_the_saved_spec_is_taken_by_dataset(client, generated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    face = Body.default().faces[100].tolist()
    site = {"name": "mine", "touch": {"vertices": face, "weights": [1.0, 0.0, 0.0]}, "mounting": "z_out_x_distal"}
    asked = wearing({"preset": "waist", "mounting": "smartphone"}, site, motion=generated, rate_hz=20.0)
    answer = client.post("/save/dataset.yaml", json={**asked, "label": "My walk"})
    assert answer.headers["content-disposition"] == 'attachment; filename="my_walk.dataset.yaml"'
    spec = tmp_path / "my_walk.yaml"
    spec.write_bytes(answer.content)
    assert yaml.safe_load(answer.content)["activities"]["my_walk"]["prompts"] == ["a person walks"]
    few = ("people.count=1", "people.val=0", "people.test=0", "recordings_each=1", "motion.steps=2", "motion.tries=1")
    unchecked = "activities.my_walk.check=none"
    make_dataset(spec, tmp_path / "out", overrides=[*few, unchecked], processes=1, console=Console(quiet=True))
    table = pd.read_parquet(tmp_path / "out" / "recordings")
    assert {"waist_accel_x", "mine_gyro_z"} <= set(table.columns)
    assert set(table["label"]) == {"my_walk"}


def test_the_spec_of_a_file_is_taken_with_a_folder_of_such_files(client, finish, start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = finish(client.post("/files?name=walk.npz", content=start.read_bytes()).json())
    assert said["state"] == "done", said
    asked = wearing({"preset": "waist"}, motion=said["motion"], label="walking", rate_hz=20.0)
    (tmp_path / "motions").mkdir()
    (tmp_path / "motions" / "walk.npz").write_bytes(client.post("/save/motion.npz", json=asked).content)
    (tmp_path / "walking.yaml").write_bytes(client.post("/save/dataset.yaml", json=asked).content)
    few = ("people.count=1", "recordings_each=2")
    make_dataset(tmp_path / "walking.yaml", tmp_path / "out", overrides=few, processes=1, console=Console(quiet=True))
    assert pd.read_parquet(tmp_path / "out" / "recordings")["recording"].nunique() == 2


@pytest.mark.parametrize(
    ("changed", "status", "line"),
    [
        ({"host": "evil.example"}, 421, "evil.example"),
        ({"host": f"evil.example:{PORT}"}, 421, "expected 127.0.0.1:"),
        ({"host": "127.0.0.1"}, 421, "expected 127.0.0.1:"),
        ({"origin": "https://evil.example"}, 403, "https://evil.example"),
        ({"origin": "null"}, 403, "null"),
        ({"origin": f"http://127.0.0.1:{PORT + 1}"}, 403, "expected the studio's own page"),
        ({"x-imuforge-studio": None}, 403, "lacks the header"),
    ],
)
def test_other_sites_and_other_names_are_refused(client, changed, status, line):
    request = client.build_request("POST", "/readings", json=wearing())
    for name, value in changed.items():
        request.headers.pop(name, None)
        if value is not None:
            request.headers[name] = value
    answer = client.send(request)
    assert answer.status_code == status
    assert line in answer.json()["error"]
    assert client.post("/readings", json=wearing()).status_code == 200  # and the same request is taken as it was


def test_a_page_cannot_be_framed_and_loads_nothing(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert "access-control-allow-origin" not in answer.headers
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("address", "body", "line"),
    [
        ("/motions", {"prompt": "  ", "seconds": 4, "seed": 0}, "the sentence is blank"),
        ("/motions", {"prompt": "a person walks", "seconds": 1e9, "seed": 0}, "expected 1 to 60"),
        ("/motions", {"prompt": "a person walks", "seconds": None, "seed": 0}, "seconds: "),
        ("/motions", {"prompt": "a person walks", "seconds": 4, "seed": -1}, "the seed is -1"),
        ("/motions", {"prompt": "a person walks", "seconds": 4, "seed": 10**30}, "seed"),
        ("/motions", {"prompt": "w" * 301, "seconds": 4, "seed": 0}, "expected up to 300"),
        ("/motions", {"prompt": 7, "seconds": 4, "seed": 0}, "prompt: "),
        ("/readings", wearing({"preset": "left_wrst"}), "did you mean 'left_wrist'"),
        ("/readings", {"motion": "start", "sites": []}, "expected 1 to 12"),
        ("/readings", wearing(WRIST, WRIST), "two sensors are called left_wrist"),
        ("/readings", wearing(motion="gone"), "make it anew"),
        ("/readings", wearing(rate_hz=1e9), "expected 1 to 1000"),
        ("/readings", wearing(device="bmi999"), "bmi999"),
        ("/readings", wearing({"preset": "head", "mounting": "sideways"}), "sideways"),
        ("/readings", wearing({"name": "../x", "triangle": [1], "barycentric": [1, 0, 0]}), "small letters"),
        ("/readings", wearing({"name": "x", "triangle": [10**9], "barycentric": [1, 0, 0]}), "x"),
        ("/readings", wearing({"name": "x", "touch": {"vertices": [0, 1, 10**9], "weights": [1, 0, 0]}}), "vertices"),
        ("/readings", wearing({"name": "x", "touch": {"vertices": [0, 1, 2], "weights": [9, 0, 0]}}), "sum to one"),
        ("/readings", wearing({"preset": "head", "file": "/etc/passwd"}), "file"),
    ],
)
def test_nonsense_is_one_line(client, address, body, line):
    answer = client.post(address, json=body)
    assert 400 <= answer.status_code < 500
    said = answer.json()["error"]
    assert line in said
    assert "\n" not in said
    assert len(said) < 600


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("walk.exe", b"MZ", "is no motion file"),
        (".bvh", b"x", "is no motion file"),
        ("../../walk.bvh", b"", "walk.bvh is empty"),
        ("walk.bvh", b"\x00\xff" * 500, "walk.bvh"),
        ("walk.bvh", BVH.encode(), "walk.bvh"),
        ("walk.npz", b"PK\x03\x04 no archive", "walk.npz"),
        ("walk.amc", b"no skeleton", "walk.amc"),
        ("walk.c3d", b"\x02\x50" + bytes(600), "walk.c3d"),
    ],
)
def test_a_nonsense_file_is_one_line_and_is_removed(client, finish, name, content, line):
    answer = client.post("/files", params={"name": name}, content=content)
    said = finish(answer.json()) if answer.status_code == 200 else answer.json()
    assert line in said["error"]
    assert "\n" not in said["error"]
    assert "imuforge-studio-" not in said["error"]
    assert not list(Path(tempfile.gettempdir()).glob("imuforge-studio-*"))


def test_an_upload_beyond_the_limit_is_refused_by_its_declared_length(client):
    request = client.build_request("POST", "/files?name=walk.bvh", content=b"x")
    request.headers["content-length"] = str(65 * 2**20)
    answer = client.send(request)
    assert answer.status_code == 413
    assert "expected up to 67 MB" in answer.json()["error"]


def test_one_motion_is_made_at_a_time():
    pytest.importorskip("fastapi", reason="fastapi is not installed; pip install 'imuforge[studio]'")
    from experiments.studio.jobs import BusyError, Workbench

    bench, go = Workbench(), threading.Event()
    first = bench.start(lambda job: "made" if go.wait(60) else "", str)
    with pytest.raises(BusyError, match="wait until it is there"):
        bench.start(lambda job: "second", str)
    assert first.told()["state"] == "running"
    go.set()
    for _ in range(600):
        if first.told()["state"] == "done":
            break
        threading.Event().wait(0.05)
    assert first.told()["motion"] == "made"


def test_a_busy_bench_answers_409_and_then_goes_on(client, finish):
    begun = [client.post("/motions", json={"prompt": "a person walks", "seconds": 2, "seed": 1}) for _ in range(2)]
    assert begun[0].status_code == 200
    assert begun[1].status_code in (200, 409)  # 200 only if the first was ready already
    if begun[1].status_code == 409:
        assert "wait until it is there" in begun[1].json()["error"]
    for one in begun:
        if one.status_code == 200:
            assert finish(one.json())["state"] == "done"


def test_strange_words_are_told_on_the_page(client, finish):
    said = finish(client.post("/motions", json={"prompt": "qwrtz <b>xyzzy", "seconds": 1, "seed": 0}).json())
    page = client.get(f"/motions/{said['motion']}").text
    assert "<b>xyzzy" not in page
    assert "<h1>qwrtz &lt;b&gt;xyzzy</h1>" in page


def test_a_motion_that_is_gone_is_said_on_a_page(client):
    answer = client.get("/motions/nothing")
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]
    assert "make it anew" in answer.text


def test_a_taken_port_is_one_line(capsys):
    pytest.importorskip("fastapi", reason="fastapi is not installed; pip install 'imuforge[studio]'")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as left:
            main(["studio", "--port", str(port), "--no-browser"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is taken" in said
    assert said.count("\n") == 1


def test_a_missing_extra_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr("experiments.studio.command.PACKAGES", ("no_such_package_of_ours",))
    with pytest.raises(SystemExit) as left:
        main(["studio", "--no-browser"])
    assert left.value.code == 2
    assert "pip install 'imuforge[studio]'" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_ends_it_in_one_line_while_a_motion_is_made(client, plain_prior, tmp_path):
    words = [sys.executable, "-m", "experiments.cli", "studio", "--port", "0", "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*words, "--prior", str(plain_prior)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().split()[2].rstrip(",")
        body = json.dumps({"prompt": "a person walks", "seconds": 60, "seed": 0}).encode()
        headers = {"content-type": "application/json", "x-imuforge-studio": "1"}
        request = urllib.request.Request(f"{address}/motions", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert "job" in json.load(answer)
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, complaints) == (0, "")
    assert said == "studio ended; what was not saved is gone\n"
