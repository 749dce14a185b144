"""A small valid file of every format that is opened from outside, and who reads it."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
import torch
import yaml
from safetensors.torch import save_file

from datamodules.clips.caption_files import read_caption_table, read_text_captions
from datamodules.formats.acclaim import read_acclaim
from datamodules.formats.amass import read_amass
from datamodules.formats.arrays import read_arrays
from datamodules.formats.bvh import read_bvh
from datamodules.formats.c3d import read_c3d
from datamodules.formats.deepmimic import read_deepmimic
from datamodules.formats.expmap import read_expmap
from datamodules.formats.mvnx import PARENTS as MVNX_PARENTS
from datamodules.formats.mvnx import read_mvnx
from datamodules.formats.trc import read_trc
from datamodules.har.parsing.archives import read_zip
from datamodules.har.parsing.mat_files import read_mat
from datamodules.har.parsing.number_table import read_number_table
from datamodules.har.readers.csv_folder import read_csv_folder
from datamodules.har.recordings.reading import Reading
from datamodules.humanml3d.files import read_features
from datamodules.markers.marker_sets import read_marker_set
from datamodules.motion_files import read_motion
from datamodules.motion_files.folder_rules import read_folder_rules
from datamodules.motion_files.joint_files import read_joints
from lightning_modules.weights.read import load_plainly, read_metadata
from sim import Body, ImuRecording, Motion, simulate_rigid
from sim.body.smpl_files import read_smpl
from sim.conventions import PARENTS
from sim.show.clip import read_clip

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 100 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: .0083333
0 100 0 0 0 0 10 0 0
1 100 0 90 0 0 20 0 0
"""
ASF = """:version 1.10
:units
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   orientation 0 0 0
:bonedata
  begin
     name thigh
     direction 0 -1 0
     length 2
     axis 0 0 90 XYZ
    dof rx
  end
:hierarchy
  begin
    root thigh
  end
"""
AMC = ":DEGREES\n:SAMPLES-PER-SECOND 120\n1\nroot 0 4 0 0 0 0\nthigh 90\n2\nroot 0 4 0 0 90 0\nthigh 0\n"
TRC = (
    "PathFileType\t4\t(X/Y/Z)\ta.trc\nDataRate\tNumFrames\tNumMarkers\tUnits\n100\t2\t2\tmm\n"
    "Frame#\tTime\tLASI\t\t\tRASI\t\t\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n1\t0.00\t1\t2\t3\t4\t5\t6\n2\t0.01\t1\t2\t3\t\t\t\n"
)
DESCRIPTION = {
    "files": r"(?P<subject>s\d+)_(?P<activity>[a-z]+)\.csv",
    "rate_hz": 50,
    "units": {"accel": "m/s^2", "gyro": "rad/s"},
    "gravity": "included",
    "sensors": {"waist": {"accel": ["ax", "ay", "az"], "gyro": ["gx", "gy", "gz"]}},
}
RULES = {"files": [{"match": "*.bvh", "fps": 60.0}], "paraphrases": {"walking": ["a person walks"]}}
MARKERS = {"sets": {"own": {"markers": {"C7": "c7"}}}}


@dataclass(frozen=True)
class Parser:
    """Writes a valid file into a folder and returns it, and reads whatever has become of it."""

    write: Callable[[Path], Path]
    read: Callable[[Path], object]


def text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(content, encoding="utf-8")
        return folder / name

    return write


def write_mvnx(folder: Path) -> Path:
    names = ("Pelvis", *MVNX_PARENTS)
    segments = "".join(f'<segment label="{name}"/>' for name in names)
    rows = f"<orientation>{'1 0 0 0 ' * 23}</orientation><position>{'0 0 1 ' * 23}</position>"
    frames = "".join(
        f'<frame index="{number}" time="{10 * number}" type="normal">{rows}</frame>' for number in range(2)
    )
    return text("a.mvnx", f'<mvnx><subject frameRate="100"><segments>{segments}</segments>{frames}</subject></mvnx>')(
        folder
    )


def write_deepmimic(folder: Path) -> Path:
    turn = [1.0, 0.0, 0.0, 0.0]
    row = [0.0166, 0, 1, 0, *turn, *turn, *turn, *turn, 0.1, *turn, *turn, 0.1, *turn, 0.1, *turn, *turn, 0.1]
    return text("a.json", json.dumps({"Loop": "wrap", "Frames": [row, row]}))(folder)


def write_expmap(folder: Path) -> Path:
    return text("a.txt", "0,1,0,0.1,0,0,0,0.1,0\n0,1,0,0,0,0,0,0,0\n")(folder)


def write_skeleton(folder: Path) -> Path:
    write_expmap(folder)
    about = {"names": ["a", "b"], "parents": [-1, 0], "offsets_asf_units": [[0, 0, 0], [0, 1, 0]], "metres_per_unit": 1}
    return text("skeleton.json", json.dumps(about))(folder)


def write_c3d(folder: Path) -> Path:
    import ezc3d

    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [120.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = ["LASI", "RASI"]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["data"]["points"] = np.ones((4, 2, 5))
    file.write(str(folder / "a.c3d"))
    return folder / "a.c3d"


def arrays(name: str, **content: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        if name.endswith(".npy"):
            np.save(folder / name, content["values"])
        else:
            np.savez_compressed(folder / name, **content)
        return folder / name

    return write


def write_motion(folder: Path) -> Path:
    Motion(torch.eye(3).expand(3, 22, 3, 3).clone(), torch.zeros(3, 3), 20.0, text="a person").save(folder / "a.npz")
    return folder / "a.npz"


def recording(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        simulate_rigid(torch.zeros(21, 3), torch.eye(3).expand(21, 3, 3), fps=50, rate_hz=50).save(folder / name)
        return folder / name

    return write


def write_csv_set(folder: Path) -> Path:
    text("imuforge.yaml", yaml.safe_dump(DESCRIPTION))(folder)
    rows = "\n".join(f"{number},0.5,9.8,0.01,0.02,0.03" for number in range(60))
    return text("s1_walking.csv", f"ax,ay,az,gx,gy,gz\n{rows}\n")(folder)


def write_description(folder: Path) -> Path:
    write_csv_set(folder)
    return folder / "imuforge.yaml"


def read_csv_set(path: Path) -> object:
    return list(read_csv_folder(path.parent, Reading()))


def write_smpl(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        joints, vertices = 24, 30
        parents = np.array([*PARENTS, 20, 21])
        parents[0] = -1
        content = {
            "v_template": np.zeros((vertices, 3)),
            "shapedirs": np.zeros((vertices, 3, 10)),
            "J_regressor": np.full((joints, vertices), 1 / vertices),
            "weights": np.full((vertices, joints), 1 / joints),
            "kintree_table": np.stack([parents, np.arange(joints)]),
            "f": np.zeros((4, 3), dtype=np.int64),
            "posedirs": np.zeros((vertices, 3, 207)),
        }
        if name.endswith(".pkl"):
            (folder / name).write_bytes(pickle.dumps(content, protocol=2))
            return folder / name
        return arrays(name, **content)(folder)

    return write


def write_mat(folder: Path) -> Path:
    scipy.io.savemat(folder / "a.mat", {"values": np.ones((4, 3)), "more": np.ones(3)})
    return folder / "a.mat"


def write_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/one.csv", "1,2,3\n" * 20)
    return folder / "a.zip"


def write_checkpoint(folder: Path) -> Path:
    torch.save({"state_dict": {"weight": torch.ones(3)}, "global_step": 3}, folder / "a.ckpt")
    return folder / "a.ckpt"


def write_safetensors(folder: Path) -> Path:
    save_file({"weight": torch.ones(3)}, folder / "a.safetensors", metadata={"format": "imuforge-prior-1"})
    return folder / "a.safetensors"


AMASS = {"poses": np.zeros((3, 156)), "trans": np.zeros((3, 3)), "mocap_framerate": np.array(60.0)}
STANDING = np.repeat(Body.default().rest_joints[None, :22].numpy(), 40, axis=0)
UPRIGHT = np.tile([1.0, 0, 0, 0, 1.0, 0], 22)
STREAMED = np.tile([0, 0, *UPRIGHT[:6], *STANDING[0].reshape(-1), *np.zeros(66), *UPRIGHT], (4, 1))
HY_MOTION = np.tile([0, 0.9, 0, *np.tile([1.0, 0, 0, 1.0, 0, 0], 22), *np.zeros(66)], (4, 1))
KIMODO = {
    "posed_joints": STANDING[:4],
    "root_positions": STANDING[:4, 0],
    **{name: np.tile(np.eye(3), (4, 22, 1, 1)) for name in ("global_rot_mats", "local_rot_mats")},
}

PARSERS: dict[str, Parser] = {
    "bvh": Parser(text("a.bvh", BVH), lambda path: read_bvh(path, unit_m=0.01)),
    "asf": Parser(
        lambda folder: [text("a.amc", AMC)(folder), text("a.asf", ASF)(folder)][1],
        lambda path: read_acclaim(path.with_suffix(".amc"), path),
    ),
    "amc": Parser(
        lambda folder: [text("a.asf", ASF)(folder), text("a.amc", AMC)(folder)][1],
        lambda path: read_acclaim(path, path.with_suffix(".asf")),
    ),
    "trc": Parser(text("a.trc", TRC), read_trc),
    "mvnx": Parser(write_mvnx, read_mvnx),
    "c3d": Parser(write_c3d, read_c3d),
    "deepmimic": Parser(write_deepmimic, read_deepmimic),
    "expmap": Parser(
        lambda folder: [write_skeleton(folder), write_expmap(folder)][1],
        lambda path: read_expmap(path, path.with_name("skeleton.json"), fps=120.0),
    ),
    "skeleton.json": Parser(write_skeleton, lambda path: read_expmap(path.with_name("a.txt"), path, fps=120.0)),
    "amass": Parser(arrays("a.npz", **AMASS), lambda path: read_amass(path, read_arrays(path))),
    "motion": Parser(write_motion, Motion.load),
    "shown motion": Parser(write_motion, read_clip),
    "shown joints": Parser(arrays("a.npy", values=STANDING), lambda path: read_clip(path, fps=20.0)),
    "joints": Parser(arrays("a.npz", joints=STANDING), lambda path: read_joints(path, fps=20.0, up="y")),
    "humanml3d": Parser(arrays("a.npy", values=np.ones((4, 263), np.float32)), read_features),
    "motionstreamer": Parser(arrays("a.npy", values=STREAMED), read_motion),
    "hy-motion": Parser(arrays("a.npy", values=HY_MOTION), read_motion),
    "hy-motion.npz": Parser(arrays("a.npz", **{**AMASS, "Rh": np.zeros((3, 3))}), read_motion),
    "kimodo": Parser(arrays("a.npz", **KIMODO), read_motion),
    "recording.csv": Parser(recording("a.csv"), ImuRecording.load),
    "recording.parquet": Parser(recording("a.parquet"), ImuRecording.load),
    "csv set": Parser(write_csv_set, read_csv_set),
    "description": Parser(write_description, read_csv_set),
    "numbers": Parser(
        text("a.txt", "1 2 3\n4 5 6\n"), lambda path: read_number_table(path, columns=3, take=(0, 2), delimiter=None)
    ),
    "mat": Parser(write_mat, lambda path: read_mat(path, ("values",))),
    "zip": Parser(write_zip, lambda path: list(read_zip(path, suffixes=(".csv",)))),
    "smpl.npz": Parser(write_smpl("a.npz"), lambda path: read_smpl(path, gender="neutral", num_betas=10)),
    "smpl.pkl": Parser(write_smpl("a.pkl"), lambda path: read_smpl(path, gender="neutral", num_betas=10)),
    "checkpoint": Parser(write_checkpoint, load_plainly),
    "safetensors": Parser(write_safetensors, read_metadata),
    "captions.csv": Parser(text("captions.csv", "file,caption\na.bvh,a person walks\n"), read_caption_table),
    "captions.txt": Parser(text("a.txt", "a person walks#a/DET person/NOUN#0.0#0.0\n"), read_text_captions),
    "marker set": Parser(text("a.yaml", yaml.safe_dump(MARKERS)), read_marker_set),
    "folder rules": Parser(text("motions.yaml", yaml.safe_dump(RULES)), lambda path: read_folder_rules(path.parent)),
}
