"""What files do not say is found in them: one motion in three dialects comes out as one; nothing is guessed wrongly."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datamodules.formats.marker_recording import MarkerRecording
from datamodules.markers.marker_sets import load_marker_sets
from datamodules.motion_files import read_motion
from datamodules.motion_files.guesses import find_asf, stands_along_z
from datamodules.motion_files.motion_file import ReadOptions
from sim import Body

INCH = 0.0254
FRAMES = 40
LIMBS = [
    ("Hips", None, (0, 0, 0)),
    ("Spine", "Hips", (0, 0.12, 0)),
    ("Spine1", "Spine", (0, 0.25, 0)),
    ("HEad", "Spine1", (0, 0.09, 0)),
    *(
        (name, parent, (sign * x, y, z))
        for side, sign, shoulder in (("Left", 1, "LeftShoulder1"), ("Right", -1, "RightShoulder"))
        for name, parent, (x, y, z) in (
            (shoulder, "Spine1", (0.09, 0, 0)),
            (f"{side}Arm", shoulder, (0.1, 0, 0)),
            (f"{side}ForeArm", f"{side}Arm", (0.26, 0, 0)),
            (f"{side}Hand", f"{side}ForeArm", (0.22, 0, 0)),
            (f"{side}UpLeg", "Hips", (0.09, -0.09, 0)),
            (f"{side}Leg", f"{side}UpLeg", (0, -0.44, 0.01)),
            (f"{side}Foot", f"{side}Leg", (0, -0.42, -0.01)),
            (f"{side}Toes", f"{side}Foot", (0, -0.04, 0.09)),
        )
    ),
]
"""A skeleton as Seoul National University's: name, parent and offset [m]."""


def turn_joints() -> dict[str, np.ndarray]:
    """Local rotations of each joint ``(40, 3, 3)``, small and different from one another."""
    generator = np.random.default_rng(7)
    phase = 2 * np.pi * np.arange(FRAMES) / FRAMES
    return {
        name: Rotation.from_rotvec(
            0.3 * generator.normal(size=3) * np.sin(phase + generator.uniform(0, 6))[:, None]
        ).as_matrix()
        for name, _, _ in LIMBS
    }


ROOT = np.stack([np.linspace(0, 0.4, FRAMES), np.full(FRAMES, 1.0), np.linspace(0, 1.2, FRAMES)], axis=1)


def write_bvh(path: Path, *, unit: float, order: str, dummies: bool, braces: bool = False, front: int = 0) -> Path:
    """Write the motion in one of the two BVH dialects, behind frames of the rest pose."""
    turns = turn_joints()
    lines, opened = ["HIERARCHY"], []

    def open_joint(name: str, depth: int, offset: tuple[float, ...]) -> None:
        kind = "ROOT" if depth == 0 else "JOINT"
        lines.append(f"{kind} {name} {{" if braces else f"{kind} {name}\n{{")
        lines.append("OFFSET " + " ".join(f"{value / unit:.9f}" for value in offset))
        moves = "Xposition Yposition Zposition " if depth == 0 else ""
        lines.append(f"CHANNELS {6 if depth == 0 else 3} {moves}" + " ".join(f"{axis}rotation" for axis in order))
        opened.append(name)
        children = [(one, there) for one, parent, there in LIMBS if parent == name]
        for child, there in children:
            if dummies and child in ("Spine", "HEad", "LeftUpLeg", "RightUpLeg"):
                open_dummy(child, depth + 1, there)
            else:
                open_joint(child, depth + 1, there)
        if not children:
            lines.append("END SITE\n{\nOFFSET 0 0 0\n}" if dummies else "End Site\n{\nOFFSET 0 0 0\n}")
        lines.append("}")

    def open_dummy(child: str, depth: int, there: tuple[float, ...]) -> None:
        lines.append(f"JOINT {child}Dummy\n{{\nOFFSET 0 0 0\nCHANNELS 3 " + " ".join(f"{one}rotation" for one in order))
        opened.append("")
        open_joint(child, depth + 1, there)
        lines.append("}")

    open_joint("Hips", 0, (0, 0, 0))
    columns = [ROOT / unit]
    for name in opened:
        angles = Rotation.from_matrix(turns[name]).as_euler(order, degrees=True) if name else np.zeros((FRAMES, 3))
        columns.append(angles)
    rows = np.concatenate(columns, axis=1)
    rest = np.concatenate([rows[:1, :3], np.zeros((1, rows.shape[1] - 3))], axis=1)
    rows = np.concatenate([np.repeat(rest, front, axis=0), rows])
    lines += ["MOTION", f"Frames: {len(rows)}", "Frame Time: 0.0333333"]
    lines += [" ".join(f"{value:.9f}" for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_asf(path: Path, *, toes: float = 0.0) -> Path:
    """Write the skeleton in inches, bones named by their heads, last ones without a length where ``toes`` is 0."""
    parts, tree = [], {}
    for name, parent, offset in LIMBS[1:]:
        # What lies between two joints is the upper one's bone; where several start, a bone of its own without freedom.
        siblings = [one for one, above, _ in LIMBS if above == parent]
        bone = parent if len(siblings) == 1 else f"{name}Dummy"
        if bone != parent:
            parts.append((bone, offset, ""))
            tree.setdefault("root" if parent == "Hips" else parent, []).append(bone)
        tree.setdefault(bone, []).append(name)
        below = [there for _, above, there in LIMBS if above == name]
        tail = below[0] if len(below) == 1 else (0, 0, toes if name.endswith("Toes") else 0)
        parts.append((name, tail, "dof rx ry rz"))
    text = [":units", "mass 1", "length 1", "angle deg", ":root", "axis xyz", "order tx ty tz rx ry rz", ":bonedata"]
    for name, tail, freedom in parts:
        length = float(np.linalg.norm(tail))
        direction = np.array(tail) / length if length else np.zeros(3)
        text += ["begin", f"name {name}", "direction " + " ".join(f"{value:.9f}" for value in direction)]
        text += [f"length {length / INCH:.9f}", "axis 0 0 0 xyz", freedom, "end"]
    text += [":hierarchy", "begin", *(" ".join([parent, *children]) for parent, children in tree.items()), "end"]
    path.write_text("\n".join(line for line in text if line) + "\n", encoding="utf-8")
    return path


def write_amc(path: Path, *, rate: str = ":SAMPLES-PER-SECOND 30\n") -> Path:
    turns = turn_joints()
    lines = []
    for frame in range(FRAMES):
        lines.append(str(frame + 1))
        for name, _, _ in LIMBS:
            angles = Rotation.from_matrix(turns[name][frame]).as_euler("xyz", degrees=True)
            numbers = [*(ROOT[frame] / INCH), *angles] if name == "Hips" else list(angles)
            lines.append(f"{'root' if name == 'Hips' else name} " + " ".join(f"{value:.9f}" for value in numbers))
    path.write_text(f"{rate}:FULLY-SPECIFIED\n:DEGREES\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_one_motion_in_three_dialects_is_one(tmp_path: Path) -> None:
    centimetres = read_motion(write_bvh(tmp_path / "a.bvh", unit=0.01, order="ZXY", dummies=False))
    inches = read_motion(write_bvh(tmp_path / "b.bvh", unit=INCH, order="ZYX", dummies=True, braces=True))
    write_asf(tmp_path / "wd2.asf")
    acclaim = read_motion(write_amc(tmp_path / "walk_wd2_1.amc"))
    assert "BVH states no unit; centimetres taken, by the length of the legs" in centimetres.notes
    assert "BVH states no unit; inches taken, by the length of the legs" in inches.notes
    assert acclaim.skeleton == "SNU's, of wd2.asf"
    assert acclaim.notes == ()
    for other in (inches, acclaim):
        assert other.motion.fps == 30.0
        assert np.isfinite(other.motion.rotations.numpy()).all()
        assert np.abs(other.joints - centimetres.joints).max() < 1e-6
        joints = [Body.default().joints(one.motion).numpy() for one in (other, centimetres)]
        assert np.abs(joints[0] - joints[1]).max() < 1e-4


def test_cmus_unit_and_millimetres_are_known_by_the_legs_and_a_stated_one_is_kept(tmp_path: Path) -> None:
    for unit, name in ((INCH / 0.45, "CMU's unit"), (0.001, "millimetres"), (1.0, "metres")):
        path = write_bvh(tmp_path / "a.bvh", unit=unit, order="ZXY", dummies=False)
        read = read_motion(path)
        assert f"BVH states no unit; {name} taken, by the length of the legs" in read.notes
        assert np.abs(read.joints[:, 0] - ROOT).max() < 1e-6
    assert read_motion(path, ReadOptions(unit_m=2.0)).joints[0, 0, 1] == pytest.approx(2.0)


@pytest.mark.parametrize("front", [1, 3])
def test_a_t_pose_put_in_front_is_left_out_and_a_recorded_one_is_kept(tmp_path: Path, front: int) -> None:
    plain = read_motion(write_bvh(tmp_path / "a.bvh", unit=0.01, order="ZXY", dummies=False))
    assert plain.motion.num_frames == FRAMES
    path = write_bvh(tmp_path / "b.bvh", unit=0.01, order="ZXY", dummies=False, front=front)
    # The arms of this motion stay near level: nobody jumps out of the pose, so it may have been recorded.
    assert read_motion(path).motion.num_frames == FRAMES + front
    text = path.read_text(encoding="utf-8").splitlines()
    first = text.index("Frame Time: 0.0333333") + 1 + front
    hanging = [row.split() for row in text[first:]]
    columns = [line.split()[1] for line in text[:first] if line.split()[0] in ("ROOT", "JOINT")]
    for row in hanging:
        for name, angle in (("LeftArm", "-80"), ("RightArm", "80")):
            at = 3 + 3 * columns.index(name)
            row[at : at + 3] = [angle, "0", "0"]
    path.write_text("\n".join([*text[:first], *(" ".join(row) for row in hanging)]) + "\n", encoding="utf-8")
    read = read_motion(path)
    assert read.motion.num_frames == FRAMES
    frames = "frame 0 is" if front == 1 else f"frames 0 to {front - 1} are"
    assert f"{frames} a T-pose that a conversion put in front; left out" in read.notes


def test_an_amc_finds_its_skeleton(tmp_path: Path) -> None:
    inside = tmp_path / "1"
    inside.mkdir()
    amc = write_amc(inside / "avoid.amc", rate="")
    write_asf(tmp_path / "35.asf")
    # Another subject's skeleton lies above; that is nobody's here.
    with pytest.raises(FileNotFoundError, match=r"needs its skeleton avoid\.asf beside it, found none"):
        find_asf(amc)
    write_asf(tmp_path / "edit.asf")
    assert find_asf(amc) == tmp_path / "edit.asf"
    assert "the .amc states no rate; CMU's 120 Hz taken" in read_motion(amc).notes
    # Toes of another length turn no joint; other legs are another person's.
    write_asf(tmp_path / "other.asf", toes=0.09)
    assert find_asf(amc) == tmp_path / "edit.asf"
    text = (tmp_path / "other.asf").read_text(encoding="utf-8")
    (tmp_path / "other.asf").write_text(text.replace("length 17.32", "length 15.32"), encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"found edit\.asf, other\.asf; pass --asf"):
        find_asf(amc)
    shutil.copy(tmp_path / "edit.asf", inside / "avoid.asf")
    assert find_asf(amc) == inside / "avoid.asf"


def test_markers_stand_along_z_only_if_a_person_does() -> None:
    marker_set = next(one for one in load_marker_sets() if one.name == "cortex")
    names = ("Top.Head", "R.Shoulder", "L.Ankle", "R.Heel", "V.Sacral")
    standing = np.array([[0, 0, 1.7], [0, -0.2, 1.4], [0, 0.1, 0.1], [-0.1, -0.1, 0.05], [-0.1, 0, 1.0]])
    recording = MarkerRecording(names, np.repeat(standing[None], 20, axis=0), 100.0, "y")
    assert stands_along_z(recording, marker_set)
    turned = recording.positions[..., [1, 2, 0]]
    assert not stands_along_z(MarkerRecording(names, turned, 100.0, "y"), marker_set)
    # One who lies along z at the height of a bed does not stand.
    lying = recording.positions + np.array([0.0, 0.0, 3.0])
    assert not stands_along_z(MarkerRecording(names, lying, 100.0, "y"), marker_set)
    hidden = recording.positions.copy()
    hidden[:, 2:4] = np.nan
    assert not stands_along_z(MarkerRecording(names, hidden, 100.0, "y"), marker_set)
