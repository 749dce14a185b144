"""Openers of what other generators write: MotionStreamer's 272 numbers, HY-Motion's 201 and SMPL-H, Kimodo's .npz."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from datamodules.formats.amass import RATE_KEYS, dress, read_amass
from datamodules.formats.arrays import last_width, list_names, read_arrays
from datamodules.formats.features201 import FPS as HY_FPS
from datamodules.formats.features201 import LATENT, read_features201
from datamodules.formats.features201 import WIDTH as HY_WIDTH
from datamodules.formats.features272 import WIDTH as STREAMER_WIDTH
from datamodules.formats.features272 import read_features272
from datamodules.formats.kimodo import FPS as KIMODO_FPS
from datamodules.formats.kimodo import read_kimodo
from datamodules.motion_files.motion_file import MotionFile, ReadOptions, drop_first, move_skeleton, open_motion
from datamodules.retargeting.retarget import put_on_floor
from datamodules.retargeting.skeleton_maps import SMPL, SOMA
from sim.motion import Motion

HY_KEYS: Final[frozenset[str]] = frozenset({"poses", "trans", "Rh"})
"""What HY-Motion writes beside AMASS's names; it says no rate."""

SMOOTHS: Final = (
    "rotations by a Gaussian of one frame (half the amplitude left at 5.6 Hz), the path by Savitzky and Golay's filter "
    "of 11 frames"
)


def open_272(path: Path, options: ReadOptions) -> MotionFile:
    """Open MotionStreamer's features; its own bones' lengths are read off its positions."""
    source = drop_first(read_features272(path, read_arrays(path), fps=options.fps), path, options)
    return move_skeleton(source, SMPL, replace(options, up="y"), format_name="MotionStreamer features", name="SMPL-22")


def is_201(path: Path) -> bool:
    """Say whether a file holds HY-Motion's features, alone or as its decoder names them."""
    return LATENT in list_names(path) if path.suffix == ".npz" else last_width(path) == HY_WIDTH


def is_272(path: Path) -> bool:
    """Say whether a file holds MotionStreamer's features."""
    return path.suffix == ".npy" and last_width(path) == STREAMER_WIDTH


def open_201(path: Path, options: ReadOptions) -> MotionFile:
    """Open HY-Motion's features, as its network gives them."""
    motion = read_features201(path, read_arrays(path), fps=options.fps)
    note = f"not smoothed yet: HY-Motion's own decoder smooths {SMOOTHS}"
    return _stand(motion, path, options, "HY-Motion features", note)


def open_hy_motion(path: Path, options: ReadOptions) -> MotionFile:
    """Open the SMPL-H archives that HY-Motion writes: AMASS's names, but Y up and without a rate."""
    arrays = read_arrays(path)
    stated = options.fps if options.fps is not None or any(key in arrays for key in RATE_KEYS) else HY_FPS
    up, unit_m = options.up or "y", options.unit_m or 1.0
    motion = read_amass(path, arrays, body=options.body, fps=stated, up=up, unit_m=unit_m)
    dressed = None if options.body is None else dress(options.body, arrays)
    opened = _stand(
        motion, path, replace(options, body=dressed), "HY-Motion", f"smoothed by HY-Motion's own decoder: {SMOOTHS}"
    )
    note = () if stated != HY_FPS or options.fps is not None else (f"states no rate; HY-Motion's {HY_FPS:g} fps taken",)
    return replace(opened, up=up, notes=(*opened.notes, *note))


def is_hy_motion(path: Path) -> bool:
    """Say whether an archive is one of SMPL-H that HY-Motion wrote."""
    return path.suffix == ".npz" and list_names(path) >= HY_KEYS


def open_kimodo(path: Path, options: ReadOptions) -> MotionFile:
    """Open Kimodo's archives of a person."""
    arrays = read_arrays(path)
    source = drop_first(read_kimodo(path, arrays, fps=options.fps), path, options)
    smplx = len(source.names) == len(SMPL.joints)
    name = "SMPL-X's 22 joints" if smplx else f"SOMA's {len(source.names)} joints"
    opened = move_skeleton(
        source, SMPL if smplx else SOMA, replace(options, up="y"), format_name="Kimodo archive", name=name
    )
    assumed = options.fps is None and "fps" not in arrays
    note = (f"states no rate; Kimodo's {KIMODO_FPS:g} fps taken",) if assumed else ()
    return replace(opened, notes=(*opened.notes, *note))


def _stand(motion: Motion, path: Path, options: ReadOptions, name: str, note: str) -> MotionFile:
    """Put a motion of HY-Motion's body on the floor of ours, unless its own was given."""
    opened = open_motion(drop_first(motion, path, options), name, "SMPL-H", body=options.body)
    if options.body is not None:
        return replace(opened, notes=(note,))
    whose = "the path is that of HY-Motion's body, the legs are the default body's: feet may slide"
    return replace(opened, motion=put_on_floor(opened.motion), notes=(whose, note))
