"""The compact pack: what coding changes, and what is in the packaged file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from datamodules.clips import motion_pack
from datamodules.clips.clip import ACTIVITIES
from datamodules.clips.embedded import load_embedded
from datamodules.clips.motion_pack import PackedClip, decode_motion, encode_motion, list_packed, write_pack
from datamodules.clips.sources import list_items
from sim import Body, Motion
from sim.trajectory import resample_motion

CLIPS = {clip.name: clip for clip in load_embedded()}
PACKED = list_packed()
BODY = Body.default()


@pytest.mark.parametrize("name", ["walk", "run", "cartwheel", "backflip", "lying/1"])
def test_coding_costs_little(name: str) -> None:
    motion = resample_motion(CLIPS[name].motion, fps=30.0)
    again = decode_motion(*encode_motion(motion), 30.0)
    moved = again.translation + (motion.translation[0] - again.translation[0]) * torch.tensor([1.0, 0.0, 1.0])
    where = BODY.joints(motion).double()
    error = BODY.joints(Motion(again.rotations, moved, 30.0)).double() - where
    assert float(error.norm(dim=-1).square().mean().sqrt()) < 2e-4
    bend = error.diff(n=2, dim=0) * 30.0**2
    assert float(bend.square().mean(dim=0).sum(dim=-1).sqrt().max()) < 0.3


def test_turns_past_half_a_circle_and_long_paths_come_back() -> None:
    angles = np.linspace(0, 6 * np.pi, 200)
    rotations = torch.eye(3).expand(200, 22, 3, 3).clone()
    rotations[:, 0] = torch.from_numpy(Rotation.from_euler("y", angles[:, None]).as_matrix()).float()
    path = torch.stack([torch.linspace(5, 40, 200), torch.full((200,), 0.9), torch.zeros(200)], dim=-1)
    again = decode_motion(*encode_motion(Motion(rotations, path, 30.0)), 30.0)
    assert float((again.rotations - rotations).abs().max()) < 5e-4
    assert float((again.translation - path + torch.tensor([5.0, 0.0, 0.0])).abs().max()) < 1e-4
    with pytest.raises(ValueError, match=r"moves 50\.0 m in a frame"):
        encode_motion(Motion(rotations[:2], torch.tensor([[0.0, 1.0, 0.0], [50.0, 1.0, 0.0]]), 30.0))


def test_a_written_pack_is_read_clip_by_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion_pack, "PACK", str(tmp_path / "pack.npz"))
    for cached in (motion_pack._digest, motion_pack._read_about, motion_pack._open_arrays):
        cached.cache_clear()
    try:
        assert motion_pack.list_packed() == ()
        motion_pack._read_about.cache_clear()
        motions = [resample_motion(CLIPS[name].motion, fps=30.0) for name in ("walk", "jump")]
        entries = [
            PackedClip(name, f"set/{name}", kind, (f"{name}.",), "val", name, None, "own", 30.0, 0, 0)
            for name, kind in (("walk", "walking"), ("jump", "jumping"))
        ]
        write_pack(tmp_path / "pack.npz", list(zip(entries, motions, strict=True)))
        jump = motion_pack.list_packed()[1]
        clip = jump.load()
        assert (clip.name, clip.activity, clip.source) == ("jump", "jumping", "embedded")
        assert clip.motion.num_frames == motions[1].num_frames
        assert float((clip.motion.rotations - motions[1].rotations).abs().max()) < 1e-3
        assert "jump." in clip.captions
        assert jump.key != motion_pack.list_packed()[0].key
    finally:
        for cached in (motion_pack._digest, motion_pack._read_about, motion_pack._open_arrays):
            cached.cache_clear()


def test_the_packaged_clips_are_of_every_activity_and_may_be_passed_on() -> None:
    sides = {side: {clip.activity for clip in PACKED if clip.split == side} for side in ("train", "val", "test")}
    known = {clip.activity for clip in CLIPS.values()} | sides["train"]
    assert set(ACTIVITIES) - known <= {"lying", "soccer", "directing_traffic", "basketball_signals"}
    common = {"walking", "running", "jumping", "standing", "sitting", "sitting_down", "standing_up", "turning"}
    assert common <= sides["train"] & sides["val"] & sides["test"]
    assert all("CMU" in clip.licence or "Apache-2.0" in clip.licence or "BSD-3" in clip.licence for clip in PACKED)
    groups = {side: {clip.group for clip in PACKED if clip.split == side} for side in sides}
    assert not groups["train"] & (groups["test"] | groups["val"])
    names = [item.name for item in list_items("embedded")]
    assert len(names) == len(set(names)) == len(CLIPS) + len(PACKED)


def test_packaged_clips_move_as_people_do() -> None:
    for clip in PACKED[:: max(1, len(PACKED) // 12)]:
        motion = clip.load().motion
        assert motion.num_frames == clip.frames
        joints = BODY.joints(motion)
        assert float(joints.diff(dim=0).norm(dim=-1).max()) * clip.fps < 16.0, clip.name
        assert -0.2 < float(joints[..., 1].amin()) < 1.2, clip.name
