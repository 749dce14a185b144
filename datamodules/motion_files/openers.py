"""One function for each format, the file and what was said of it to a MotionFile; last the table of all formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from datamodules.formats.acclaim import read_acclaim, read_rate
from datamodules.formats.amass import KEYS as AMASS_KEYS
from datamodules.formats.amass import dress, find_gender, read_amass
from datamodules.formats.arrays import last_width, list_names, read_arrays
from datamodules.formats.bvh import read_bvh
from datamodules.formats.c3d import read_c3d
from datamodules.formats.deepmimic import is_deepmimic, read_deepmimic
from datamodules.formats.expmap import read_expmap
from datamodules.formats.joints import find_joints, read_features, read_joints, read_positions
from datamodules.formats.kimodo import KEYS as KIMODO_KEYS
from datamodules.formats.marker_recording import MarkerRecording
from datamodules.formats.mvnx import read_mvnx
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.formats.trc import read_trc
from datamodules.markers.fit import fit_markers
from datamodules.markers.marker_sets import choose_marker_set, read_marker_set
from datamodules.motion_files import generator_files as other
from datamodules.motion_files import terms
from datamodules.motion_files.guesses import (
    count_put_in_front,
    find_asf,
    find_skeleton_json,
    guess_unit,
    scale_skeleton,
    stands_along_z,
)
from datamodules.motion_files.motion_file import (
    MotionFile,
    MotionFormat,
    ReadOptions,
    carry_over,
    drop_first,
    move_skeleton,
    open_motion,
    suffix_of,
)
from datamodules.retargeting.find_map import find_map, strip_prefix
from datamodules.retargeting.rest_pose import map_joints
from datamodules.retargeting.retarget import SkeletonMap, put_on_floor
from datamodules.retargeting.skeleton_map_files import read_skeleton_map
from datamodules.retargeting.skeleton_maps import (
    ACCLAIM_MAPS,
    CGSPEED,
    DEEPMIMIC,
    XSENS_MVNX,
)
from sim.body import Body
from sim.checks import check_finite, check_rotations
from sim.conventions import NUM_FEATURES
from sim.files import named_damage
from sim.motion import Motion
from sim.recording_files import is_recording

MOTION_KEYS: Final[frozenset[str]] = frozenset({"rotations", "translation", "fps", "text"})
"""What Motion.save writes."""

JOINTS: Final = "joint positions"

CMU_FPS: Final[float] = 120.0
"""What an .amc is taken to have where nothing is said: CMU's rate."""


def open_bvh(path: Path, options: ReadOptions) -> MotionFile:
    """Open BVH of any hierarchy; its unit is taken from the length of its legs where nothing is said."""
    read = read_bvh(path, unit_m=options.unit_m or 1.0, fps=options.fps, drop_first=options.drop_first)
    notes = []
    source, skeleton, name = _map_of(strip_prefix(read), options, path)
    if options.unit_m is None:
        unit_m, unit = guess_unit(source, skeleton)
        source = scale_skeleton(source, unit_m)
        notes.append(f"BVH states no unit; {unit} taken, by the length of the legs")
    source, front = _leave_out_front(source, skeleton, options)
    opened = move_skeleton(source, skeleton, options, format_name="BVH", name=name)
    return replace(opened, notes=(*opened.notes, *notes, *front))


def _leave_out_front(
    source: SkeletonMotion, skeleton: SkeletonMap, options: ReadOptions
) -> tuple[SkeletonMotion, list[str]]:
    """Leave out a T-pose that was put in front, unless told how many frames go, and say so."""
    # Y may not be up yet; a T-pose along another axis stays.
    posed = 0 if options.drop_first else count_put_in_front(map_joints(source, skeleton), source.fps)
    if not 0 < posed < len(source.positions):
        return source, []
    frames = "frame 0 is" if posed == 1 else f"frames 0 to {posed - 1} are"
    return source.frames(posed), [f"{frames} a T-pose that a conversion put in front; left out"]


def _map_of(source: SkeletonMotion, options: ReadOptions, path: Path) -> tuple[SkeletonMotion, SkeletonMap, str]:
    if options.skeleton is not None:
        return source, read_skeleton_map(options.skeleton, source.names), str(options.skeleton)
    return find_map(source, path)


def open_acclaim(path: Path, options: ReadOptions) -> MotionFile:
    """Open an .amc over the .asf beside it or above."""
    asf = options.asf if options.asf is not None else find_asf(path)
    if not asf.is_file():
        raise FileNotFoundError(f"skeleton {asf} of {path} not found; check the path (--asf)")
    stated = options.fps if options.fps is not None else read_rate(path)
    fps = stated if stated is not None else CMU_FPS
    read = read_acclaim(path, asf, fps=fps, unit_m=options.unit_m, drop_first=options.drop_first)
    if options.skeleton is not None:
        source, skeleton, name = read, read_skeleton_map(options.skeleton, read.names), str(options.skeleton)
    else:
        source, skeleton, name = find_map(read, path, ACCLAIM_MAPS)
    source, front = _leave_out_front(source, skeleton, options)
    opened = move_skeleton(source, skeleton, options, format_name="Acclaim ASF/AMC", name=f"{name}, of {asf.name}")
    note = () if stated is not None else (f"the .amc states no rate; CMU's {CMU_FPS:g} Hz taken",)
    return replace(opened, notes=(*opened.notes, *note, *front))


def open_expmap(path: Path, options: ReadOptions) -> MotionFile:
    """Open a table of exponential maps over the ``skeleton.json`` near it."""
    if path.suffix.lower() == ".csv" and is_recording(path):
        raise ValueError(f"{path} is a recording of sensors, expected a motion; sensors cannot be simulated from it")
    skeleton = find_skeleton_json(path)
    if skeleton is None:
        raise FileNotFoundError(
            f"{path} is taken for exponential maps, which need skeleton.json in its folder or one of the three above; "
            "copy it there, or give a motion file of another format"
        )
    fps = options.fps if options.fps is not None else CMU_FPS
    source = read_expmap(path, skeleton, fps=fps, drop_first=options.drop_first)
    return move_skeleton(source, CGSPEED, options, format_name="exponential-map CSV", name="cgspeed")


def open_deepmimic(path: Path, options: ReadOptions) -> MotionFile:
    """Open DeepMimic's text."""
    source = drop_first(read_deepmimic(path), path, options)
    source = source if options.fps is None else replace(source, fps=options.fps)
    return move_skeleton(source, DEEPMIMIC, options, format_name="DeepMimic", name="DeepMimic")


def open_mvnx(path: Path, options: ReadOptions) -> MotionFile:
    """Open Xsens's .mvnx."""
    source = drop_first(read_mvnx(path, fps=options.fps), path, options)
    return move_skeleton(source, XSENS_MVNX, options, format_name="Xsens MVNX", name="Xsens MVN segments")


def open_saved(path: Path, options: ReadOptions) -> MotionFile:
    """Open what Motion.save wrote."""
    if options.fps is not None:
        raise ValueError(f"fps is {options.fps:g}, but {path} is a Motion and carries its own rate; leave --fps out")
    motion = Motion.load(path)
    with named_damage(path, "look what wrote it"):
        check_finite(motion.translation.movedim(-2, 0), "translation")
        check_rotations(motion.rotations, "rotations")
    return open_motion(drop_first(motion, path, options), "Motion.save", "SMPL-22", body=options.body)


def open_amass(path: Path, options: ReadOptions) -> MotionFile:
    """Open AMASS, on the subject's own body where one is given."""
    arrays, up = read_arrays(path), options.up or "z"
    unit_m = options.unit_m or 1.0
    motion = read_amass(path, arrays, body=options.body, fps=options.fps, up=up, unit_m=unit_m)
    motion, gender = drop_first(motion, path, options), find_gender(arrays)
    dressed = None if options.body is None else dress(options.body, arrays)
    opened = replace(open_motion(motion, "AMASS", "SMPL-H", body=dressed), up=up)
    if options.body is not None:
        note = f"the file's subject is {gender}; the body given should be, too" if gender else ""
        return replace(opened, notes=(note,) if note else ())
    whose = f" ({gender})" if gender else ""
    note = f"the path is the subject's{whose}, the legs are the default body's: feet may slide; pass the subject's body"
    return replace(opened, motion=put_on_floor(motion), notes=(note,))


def open_features(path: Path, options: ReadOptions) -> MotionFile:
    """Open HumanML3D features."""
    motion = read_features(path, read_arrays(path), fps=options.fps)
    motion = drop_first(motion, path, options)
    return open_motion(motion, "HumanML3D features", "HumanML3D's uniform skeleton", body=None)


def is_263(path: Path) -> bool:
    """Say whether a file holds HumanML3D features."""
    return path.suffix == ".npy" and last_width(path) == NUM_FEATURES


def open_arrays(path: Path, options: ReadOptions) -> MotionFile:
    """Open joint positions."""
    arrays = read_arrays(path)
    if find_joints(arrays) is not None or not (MOTION_KEYS - {"fps"}) & set(arrays):
        motion = read_joints(path, arrays, fps=options.fps, up=options.up or "y", unit_m=options.unit_m or 1.0)
        found = read_positions(path, arrays, up=options.up or "y", unit_m=options.unit_m or 1.0).double().numpy()
        opened = MotionFile(motion, JOINTS, "SMPL-22", found, up=options.up or "y")
    else:
        raise ValueError(f"{path} lacks {sorted(MOTION_KEYS - set(arrays))}; expected a file written by Motion.save")
    return replace(opened, motion=drop_first(opened.motion, path, options), joints=opened.joints[options.drop_first :])


def open_markers(reader: Callable[..., MarkerRecording], name: str) -> Callable[[Path, ReadOptions], MotionFile]:
    """Return a function that opens a file of markers by its reader, and fits a body."""

    def read(path: Path, options: ReadOptions) -> MotionFile:
        recording = reader(path, fps=options.fps, unit_m=options.unit_m)
        if options.drop_first >= len(recording.positions):
            raise ValueError(f"{path} has no frame left after the first {options.drop_first} were dropped")
        recording = replace(recording, positions=recording.positions[options.drop_first :])
        recording = recording if options.up is None else replace(recording, up=options.up)
        chosen = read_marker_set(options.markers) if options.markers is not None else None
        notes = list(recording.notes)
        # C3D says which axis is up, TRC does not.
        if options.up is None and recording.up == "y" and suffix_of(path) == ".trc":
            chosen = chosen if chosen is not None else choose_marker_set(recording.names, path)
            if stands_along_z(recording, chosen):
                recording = replace(recording, up="z")
                notes.append("z is up in the file; turned")
        static = None
        if options.static is not None:
            readers = {".trc": read_trc, ".c3d": read_c3d}
            if suffix_of(options.static) not in readers:
                raise ValueError(f"static recording {options.static} ends in another suffix, expected .trc or .c3d")
            static = readers[suffix_of(options.static)](options.static, unit_m=options.unit_m)
            static = static if options.up is None else replace(static, up=options.up)
        fit = fit_markers(recording, marker_set=chosen, static=static, origin=path)
        return MotionFile(
            motion=carry_over(fit.motion, fit.body, Body.default()),
            format=name,
            skeleton=f"{len(fit.names)} markers of the set {fit.set_name}",
            joints=fit.body.joints(fit.motion).double().numpy(),
            notes=(*notes, *fit.describe()),
            fit=fit,
            up=recording.up,
        )

    return read


def holds(*alternatives: frozenset[str]) -> Callable[[Path], bool]:
    """Return whether an archive holds the arrays of one of these sets of names."""

    def claims(path: Path) -> bool:
        return any(keys <= list_names(path) for keys in alternatives)

    return claims


_SKELETON: Final = frozenset({"unit_m", "up", "skeleton"})
_AMASS: Final = frozenset({"body", "up", "unit_m"})
_MARKERS: Final = frozenset({"unit_m", "up", "markers", "static"})

FORMATS: Final[tuple[MotionFormat, ...]] = (
    MotionFormat("BVH", (".bvh",), open_bvh, takes=_SKELETON),
    MotionFormat("Acclaim AMC", (".amc",), open_acclaim, takes=_SKELETON | {"asf"}),
    MotionFormat("Motion.save", (".npz",), open_saved, holds(MOTION_KEYS), frozenset({"body"}), terms.saved_terms),
    MotionFormat(
        "HY-Motion", (".npz",), other.open_hy_motion, other.is_hy_motion, _AMASS, terms.always(terms.HY_MOTION)
    ),
    MotionFormat("AMASS", (".npz",), open_amass, holds(*AMASS_KEYS), _AMASS, terms.always(terms.AMASS)),
    MotionFormat("Kimodo archive", (".npz",), other.open_kimodo, holds(KIMODO_KEYS), terms=terms.kimodo_terms),
    MotionFormat(
        "HY-Motion features",
        (".npy", ".npz"),
        other.open_201,
        other.is_201,
        frozenset({"body"}),
        terms.always(terms.HY_MOTION),
    ),
    MotionFormat(
        "MotionStreamer features", (".npy",), other.open_272, other.is_272, terms=terms.always(terms.MOTIONSTREAMER)
    ),
    MotionFormat("HumanML3D features", (".npy",), open_features, is_263, terms=terms.always(terms.HUMANML3D)),
    MotionFormat(JOINTS, (".npz", ".npy"), open_arrays, takes=frozenset({"up", "unit_m"})),
    MotionFormat("Xsens MVNX", (".mvnx",), open_mvnx),
    MotionFormat("TRC markers", (".trc",), open_markers(read_trc, "TRC markers"), takes=_MARKERS),
    MotionFormat("C3D markers", (".c3d",), open_markers(read_c3d, "C3D markers"), takes=_MARKERS),
    MotionFormat("DeepMimic", (".txt",), open_deepmimic, is_deepmimic),
    MotionFormat("exponential-map CSV", (".txt", ".csv"), open_expmap),
)
"""The formats that are read; of several with one suffix the first that claims a file, else the last."""
