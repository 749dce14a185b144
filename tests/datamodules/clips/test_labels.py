"""Labels of known sets: every rule speaks the vocabulary, and what a name says is what the label says."""

from __future__ import annotations

import pytest

from datamodules.clips.captions import load_paraphrases
from datamodules.clips.clip import ACTIVITIES, LYING, includes
from datamodules.clips.labels import label_of, labelled_sets
from datamodules.clips.mocap_sets import MOCAP_SETS
from datamodules.motion_windows import swap_sides


@pytest.mark.parametrize(
    ("folder", "inside", "activity", "words"),
    [
        ("snu_tiling", "1/chair_2.amc.xz", "sitting", "a person sits on a chair."),
        ("snu_tiling", "1/walk_left_90degree_1", "turning", "turns 90 degrees left"),
        ("snu_tiling", "1/open_door.amc.xz", "everyday", "someone opens a door."),
        ("snu_ys2010", "woody2/Samsung/wd2_tt_serve", "table_tennis", "serves at table tennis"),
        ("snu_ys2010", "woody2/Physics2/wd2_PushStep01", "pushed", "is pushed and takes a step"),
        ("cmu_amc", "127/127_25.amc.xz", "jumping", "runs and jumps over something"),
        ("cmu_expmap8", "train/walking_extra/walking_extra_3", "walking", ""),
        ("cmu_daz_bvh_dance_martial", "salsa/03", "dancing", "dances salsa"),
    ],
)
def test_a_file_shows_what_its_name_says(folder: str, inside: str, activity: str, words: str) -> None:
    label = label_of(folder, inside)
    assert label.activity == activity
    assert words in " ".join(label.captions)


def test_a_person_is_one_in_all_sets() -> None:
    assert label_of("cmu_amc", "14/14_27").person == label_of("cmu_misc", "jump_bvh_2s/13_39").person == "cmu/13"
    assert label_of("cmu35_asfamc", "35_17_jog_30fps").person == "cmu/35"
    assert label_of("reactidle_bvh", "genuine/011_genuine").person == "reactidle/011"
    assert label_of("cmu_expmap8", "test/walking/walking_1").person is None
    first, second = (label_of("snu_timecritical_martial", f"motion/s_024_2_{person}") for person in (1, 4))
    assert first.session == second.session is not None


def test_files_lie_on_the_side_that_is_kept() -> None:
    assert {label_of("cmu_amc", f"09/09_{number:02d}").split for number in (1, 5, 9)} == {"test"}
    assert label_of("cmu_cgspeed_bvh_01_06_07_08", "08/08_01").split == "val"
    assert label_of("cmu_amc", "16/16_55").split == label_of("cmu_amc", "16/16_999").split == "train"
    takes = [label_of("snu_vsports_basketball", f"motion/s_008_{take}").split for take in ("1_1", "2_2", "3_3", "4_4")]
    assert takes == ["test"] * 4  # the whole session


def test_what_no_activity_describes_is_left_out_for_a_reason() -> None:
    label = label_of("cmu_amc", "127/127_02")
    assert label.activity is None
    assert "range-of-motion" in label.why


def test_unknown_sets_and_files_are_named() -> None:
    with pytest.raises(ValueError, match=r"no labels.*'elsewhere'.*cmu_amc"):
        label_of("elsewhere", "a")
    with pytest.raises(ValueError, match=r"no rule of snu_tiling.*'9/new'"):
        label_of("snu_tiling", "9/new.amc")


def test_every_set_has_labels() -> None:
    assert {one.folder for one in MOCAP_SETS} <= set(labelled_sets())


def test_ten_sentences_an_activity_and_a_side_in_each_of_lying() -> None:
    table = load_paraphrases()
    assert set(table) == set(ACTIVITIES)
    for activity, sentences in table.items():
        assert len(set(sentences)) == len(sentences) >= 10, activity
    words = dict(zip(LYING, (r"back|face up", "left side", "right side", "face down|stomach|belly|prone"), strict=True))
    for activity, side in words.items():
        assert all(any(word in sentence for word in side.split("|")) for sentence in table[activity])
    assert not [text for text in table["lying"] if "side" in text]


def test_mirror_images_swap_sides() -> None:
    assert swap_sides("lying_on_left_side") == "lying_on_right_side"
    assert swap_sides("a person turns left; the right arm hangs.") == "a person turns right; the left arm hangs."
    assert swap_sides("upright, bright") == "upright, bright"
    assert includes("lying", "lying_face_down")
    assert not includes("lying_face_down", "lying")
