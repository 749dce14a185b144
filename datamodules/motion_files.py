"""Any motion file -> Motion: one door, and the registry of formats behind it.

A new format is one reader in ``datamodules/formats`` and one line in :data:`FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from datamodules.formats.acclaim import read_acclaim
from datamodules.formats.amass import KEYS as AMASS_KEYS
from datamodules.formats.amass import read_amass
from datamodules.formats.arrays import Arrays, read_arrays
from datamodules.formats.bvh import read_bvh
from datamodules.formats.c3d import read_c3d
from datamodules.formats.deepmimic import read_deepmimic
from datamodules.formats.expmap import read_expmap
from datamodules.formats.joints import find_joints, is_features, read_features, read_joints
from datamodules.formats.marker_recording import MarkerRecording
from datamodules.formats.mvnx import read_mvnx
from datamodules.formats.skeleton import FloatArray, SkeletonMotion, read_text
from datamodules.formats.trc import read_trc
from datamodules.markers.fit import MarkerFit, fit_markers
from datamodules.markers.marker_sets import read_marker_set
from datamodules.rest_pose import Up, align_rest, is_standing, map_joints, turn_up
from datamodules.retarget import SkeletonMap, put_on_floor, retarget, scale_of_legs
from datamodules.skeleton_map_files import read_skeleton_map
from datamodules.skeleton_maps import ACCLAIM, BVH_MAPS, CGSPEED, DEEPMIMIC, XSENS_MVNX, name_map, strip_prefix
from sim.body import Body
from sim.motion import Motion

MOTION_KEYS: Final[frozenset[str]] = frozenset({"rotations", "translation", "fps", "text"})
CMU_FPS: Final[float] = 120.0
"""What an .amc is taken to have where nothing is said: CMU's rate."""


@dataclass(frozen=True)
class ReadOptions:
    """What a file does not say of itself, or says wrongly.

    Attributes:
        fps: frame rate [Hz].
        unit_m: metres per unit.
        up: the axis that points up, of skeletons and markers.
        drop_first: frames to leave out at the beginning.
        skeleton: YAML file that names the joints of a skeleton of one's own.
        asf: the skeleton of an .amc file.
        markers: YAML file that says where markers of one's own sit.
        static: calibration recording (.trc, .c3d) of the person whose markers are read.
        body: the subject's body, for AMASS files.
    """

    fps: float | None = None
    unit_m: float | None = None
    up: Up | None = None
    drop_first: int = 0
    skeleton: Path | None = None
    asf: Path | None = None
    markers: Path | None = None
    static: Path | None = None
    body: Body | None = None


@dataclass(frozen=True, eq=False)
class MotionFile:
    """A motion file, read.

    Attributes:
        motion: the motion on ``Body.default()`` (on ``options.body`` where one was given), Y up.
        format: name of the format.
        skeleton: what its joints or markers were understood as.
        joints: SMPL's 22 joints where and as large as the source has them ``(T, 22, 3)`` [m], Y up.
        notes: what was assumed, and what the file contradicts, in words.
        fit: the body fitted to markers, if there were any.
    """

    motion: Motion
    format: str
    skeleton: str
    joints: FloatArray
    notes: tuple[str, ...] = ()
    fit: MarkerFit | None = None


@dataclass(frozen=True)
class MotionFormat:
    """A format.

    Attributes:
        name: what it is called.
        suffixes: how its files end; text may be compressed (``.xz``) too.
        read: reads a file.
        claims: whether a file with that suffix is of this format; None is always.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, ReadOptions], MotionFile]
    claims: Callable[[Path], bool] | None = field(default=None)


def read_motion(path: str | Path, options: ReadOptions | None = None) -> MotionFile:
    """Read a motion file of any known format.

    Args:
        path: the file.
        options: what it does not say of itself.

    Raises:
        FileNotFoundError: there is no such file, or one that belongs to it is missing.
        ModuleNotFoundError: a .c3d file, and ezc3d is not installed.
        ValueError: no format is known by that suffix, or the file is damaged; one line says what and where.
    """
    path, options = Path(path), options if options is not None else ReadOptions()
    if not path.is_file():
        raise FileNotFoundError(f"motion file {path} not found; check the path")
    suffix = suffix_of(path)
    candidates = [one for one in FORMATS if suffix in one.suffixes]
    if not candidates:
        raise ValueError(f"{path} ends in {suffix!r}, expected one of {', '.join(known_suffixes())}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty, expected a {candidates[0].name} file; fetch it again")
    chosen = next((one for one in candidates if one.claims is None or one.claims(path)), candidates[-1])
    return chosen.read(path, options)


def suffix_of(path: Path) -> str:
    """Return how a file ends, ``.xz`` aside, in small letters."""
    return Path(path.name.removesuffix(".xz")).suffix.lower()


def known_suffixes() -> list[str]:
    """Return every suffix that is known, sorted."""
    return sorted({suffix for one in FORMATS for suffix in one.suffixes})


def move_skeleton(
    source: SkeletonMotion, skeleton: SkeletonMap, options: ReadOptions, *, format_name: str, name: str
) -> MotionFile:
    """Carry a skeleton's motion over to ``Body.default()``.

    Args:
        source: as it was read.
        skeleton: names of its joints.
        options: axis that points up.
        format_name: what the format is called.
        name: what the skeleton is called.

    Raises:
        ValueError: the map names joints that the source lacks.
    """
    source, up = turn_up(source, skeleton, up=options.up)
    notes = ["z is up in the file; turned"] if up == "z" else []
    if not is_standing(source, skeleton):
        notes.append("the rest pose is no pose of a person; joint frames were found from the motion")
    aligned = align_rest(source, skeleton)
    # Where joint frames were found, feet lie along the source's; elsewhere the map knows whether they do.
    fitting = (
        replace(skeleton, aligned_feet=True)
        if aligned is not source and not is_standing(source, skeleton)
        else skeleton
    )
    return MotionFile(retarget(aligned, fitting), format_name, name, map_joints(source, skeleton), tuple(notes))


def _read_bvh(path: Path, options: ReadOptions) -> MotionFile:
    # Retargeting goes by the ratio of leg lengths, so a wrong unit changes no motion, only the sizes that are told.
    unit_m = options.unit_m if options.unit_m is not None else 0.01
    source = strip_prefix(read_bvh(path, unit_m=unit_m, fps=options.fps, drop_first=options.drop_first))
    skeleton, name = _map_of(source, options, path)
    return move_skeleton(source, skeleton, options, format_name="BVH", name=name)


def _map_of(source: SkeletonMotion, options: ReadOptions, path: Path) -> tuple[SkeletonMap, str]:
    if options.skeleton is not None:
        return read_skeleton_map(options.skeleton, source.names), str(options.skeleton)
    name = name_map(source, path)
    return BVH_MAPS[name], name


def _read_acclaim(path: Path, options: ReadOptions) -> MotionFile:
    asf = options.asf if options.asf is not None else _find_asf(path)
    fps = options.fps if options.fps is not None else CMU_FPS
    source = read_acclaim(path, asf, fps=fps, unit_m=options.unit_m, drop_first=options.drop_first)
    told = move_skeleton(source, ACCLAIM, options, format_name="Acclaim ASF/AMC", name=f"CMU's, of {asf.name}")
    note = () if options.fps is not None else (f"an .amc states no rate; CMU's {CMU_FPS:g} Hz taken",)
    return replace(told, notes=(*told.notes, *note))


def _find_asf(path: Path) -> Path:
    """Return the skeleton of an .amc: ``16.asf`` for ``16_15.amc``, or the only one in the folder."""
    subject = path.name.split(".")[0].split("_")[0]
    found = sorted([*path.parent.glob("*.asf"), *path.parent.glob("*.asf.xz")])
    named = [one for one in found if one.name.split(".")[0] == subject]
    if len(named or found) != 1:
        names = ", ".join(one.name for one in found) or "none"
        raise FileNotFoundError(f"{path} needs its skeleton {subject}.asf beside it, found {names}; pass --asf FILE")
    return (named or found)[0]


def _read_expmap(path: Path, options: ReadOptions) -> MotionFile:
    skeleton = find_skeleton_json(path)
    if skeleton is None:
        raise FileNotFoundError(f"{path} needs skeleton.json in its folder or one of the three above; copy it there")
    fps = options.fps if options.fps is not None else CMU_FPS
    source = read_expmap(path, skeleton, fps=fps, drop_first=options.drop_first)
    return move_skeleton(source, CGSPEED, options, format_name="exponential-map CSV", name="cgspeed")


def find_skeleton_json(path: Path) -> Path | None:
    """Return the skeleton of a table of exponential maps: in its folder or one of the three above."""
    return next(
        (one / "skeleton.json" for one in list(path.resolve().parents)[:4] if (one / "skeleton.json").is_file()), None
    )


def is_deepmimic(path: Path) -> bool:
    """Say whether a text is one of DeepMimic's, JSON with frames."""
    text = read_text(path).lstrip() if suffix_of(path) == ".txt" else ""
    return text[:1] == "{" and '"Frames"' in text


def _read_deepmimic(path: Path, options: ReadOptions) -> MotionFile:
    source = read_deepmimic(path).frames(options.drop_first)
    source = source if options.fps is None else replace(source, fps=options.fps)
    return move_skeleton(source, DEEPMIMIC, options, format_name="DeepMimic", name="DeepMimic")


def _read_mvnx(path: Path, options: ReadOptions) -> MotionFile:
    source = read_mvnx(path, fps=options.fps).frames(options.drop_first)
    return move_skeleton(source, XSENS_MVNX, options, format_name="Xsens MVNX", name="Xsens MVN segments")


def _read_saved(path: Path, options: ReadOptions) -> MotionFile:
    motion = Motion.load(path)
    motion = motion if options.fps is None else replace(motion, fps=options.fps)
    return _tell(motion.frames(options.drop_first), "Motion.save", "SMPL-22", body=options.body)


def _read_amass(path: Path, options: ReadOptions) -> MotionFile:
    motion = read_amass(path, read_arrays(path), body=options.body, fps=options.fps).frames(options.drop_first)
    if options.body is not None:
        return _tell(motion, "AMASS", "SMPL-H", body=options.body)
    told = _tell(motion, "AMASS", "SMPL-H", body=None)
    note = "the path is the subject's, the legs are the default body's: feet may slide; pass the subject's body"
    return replace(told, motion=put_on_floor(motion), notes=(note,))


def _read_arrays(path: Path, options: ReadOptions) -> MotionFile:
    arrays = read_arrays(path)
    if is_features(arrays):
        motion = read_features(path, arrays, fps=options.fps)
        told = _tell(motion, "HumanML3D features", "HumanML3D's uniform skeleton", body=None)
    elif find_joints(arrays) is not None or not MOTION_KEYS & set(arrays):
        motion = read_joints(path, arrays, fps=options.fps)
        told = _tell(motion, "joint positions", "SMPL-22", body=None)
    else:
        raise ValueError(f"{path} lacks {sorted(MOTION_KEYS - set(arrays))}; expected a file written by Motion.save")
    return replace(told, motion=told.motion.frames(options.drop_first), joints=told.joints[options.drop_first :])


def _tell(motion: Motion, format_name: str, skeleton: str, *, body: Body | None) -> MotionFile:
    joints = (body if body is not None else Body.default()).joints(motion)
    return MotionFile(motion, format_name, skeleton, joints.double().numpy())


def _markers(reader: Callable[..., MarkerRecording], name: str) -> Callable[[Path, ReadOptions], MotionFile]:
    def read(path: Path, options: ReadOptions) -> MotionFile:
        recording = reader(path, fps=options.fps, unit_m=options.unit_m)
        recording = replace(recording, positions=recording.positions[options.drop_first :])
        recording = recording if options.up is None else replace(recording, up=options.up)
        chosen = read_marker_set(options.markers) if options.markers is not None else None
        static = None
        if options.static is not None:
            readers = {".trc": read_trc, ".c3d": read_c3d}
            if suffix_of(options.static) not in readers:
                raise ValueError(f"static recording {options.static} ends in another suffix, expected .trc or .c3d")
            static = readers[suffix_of(options.static)](options.static, unit_m=options.unit_m)
        fit = fit_markers(recording, marker_set=chosen, static=static, origin=path)
        return MotionFile(
            motion=carry_over(fit.motion, fit.body, Body.default()),
            format=name,
            skeleton=f"{len(fit.names)} markers of the set {fit.set_name}",
            joints=fit.body.joints(fit.motion).double().numpy(),
            notes=(*recording.notes, *fit.describe()),
            fit=fit,
        )

    return read


def carry_over(motion: Motion, source: Body, target: Body) -> Motion:
    """Move another body as one body moves: the path is scaled by the ratio of leg lengths, and stands on y = 0."""
    scale = scale_of_legs(target.rest_joints.double().numpy()) / scale_of_legs(source.rest_joints.double().numpy())
    return put_on_floor(replace(motion, translation=motion.translation * scale), body=target)


def _holds(keys: frozenset[str]) -> Callable[[Path], bool]:
    def claims(path: Path) -> bool:
        arrays: Arrays = read_arrays(path)
        return keys <= set(arrays)

    return claims


FORMATS: Final[tuple[MotionFormat, ...]] = (
    MotionFormat("BVH", (".bvh",), _read_bvh),
    MotionFormat("Acclaim AMC", (".amc",), _read_acclaim),
    MotionFormat("Motion.save", (".npz",), _read_saved, _holds(MOTION_KEYS)),
    MotionFormat("AMASS", (".npz",), _read_amass, _holds(AMASS_KEYS)),
    MotionFormat("joints or features", (".npz", ".npy"), _read_arrays),
    MotionFormat("Xsens MVNX", (".mvnx",), _read_mvnx),
    MotionFormat("TRC markers", (".trc",), _markers(read_trc, "TRC markers")),
    MotionFormat("C3D markers", (".c3d",), _markers(read_c3d, "C3D markers")),
    MotionFormat("DeepMimic", (".txt",), _read_deepmimic, is_deepmimic),
    MotionFormat("exponential-map CSV", (".txt", ".csv"), _read_expmap),
)
"""The formats that are read; of several with one suffix the first that claims a file, else the last."""

__all__ = ["FORMATS", "MotionFile", "MotionFormat", "ReadOptions", "read_motion"]
