"""What decoding changes: nothing of recorded features, jitter of what contradicts itself; and bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.tools.compare_decoders import Case, compare_decoders, golden_cases, main, read_case, tabulate
from sim.conventions import FEATURE_FPS
from sim.features import FEATURE_SLICES, features_to_joints


@pytest.fixture(scope="module")
def cases(shared: Path) -> dict[str, Case]:
    return {case.name: case for case in golden_cases(shared / "golden")}


def test_recorded_features_are_left_as_they_are_joint_0_too(cases: dict[str, Case]) -> None:
    case = cases["recorded, noise 0"]
    assert len(case.clips) == 6
    for clip in case.clips:
        theirs = features_to_joints(clip.float())
        for std in (None, case.std):
            ours = features_to_joints(clip.float(), "consistent", std=std)
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
            torch.testing.assert_close(ours[:, 0], theirs[:, 0], rtol=0, atol=1e-5)
    found = compare_decoders(case)
    assert found.furthest_m < 1e-5
    assert found.error["positions"] == 0
    assert found.error["consistent"] < 1e-5 * 4 * FEATURE_FPS**2  # what moving by 1e-5 m could make at most


def test_of_noise_little_reaches_consistent_accelerations(cases: dict[str, Case]) -> None:
    for size in (0.05, 0.1):
        case = cases[f"recorded, noise {size:g}"]
        found = compare_decoders(case)
        assert case.std is not None
        # A second difference carries sqrt(6) of what positions are off by, in three axes; joint 0 has its own height.
        spread = float(case.std[FEATURE_SLICES.positions].square().mean().sqrt())
        assert found.error["positions"] == pytest.approx(size * spread * (3 * 6) ** 0.5 * FEATURE_FPS**2, rel=0.1)
        assert found.error["consistent"] < found.error["positions"] / 8
        assert found.moved_m < size * spread * 3**0.5


def test_samples_of_mdms_own_code_are_peers(cases: dict[str, Case]) -> None:
    sampled = [case for name, case in cases.items() if name.startswith("MDM ")]
    assert len(sampled) == 3
    for case in sampled:
        found = compare_decoders(case)
        assert found.acceleration["consistent"] < 0.5 * found.acceleration["positions"]
    assert [row[0] for row in tabulate(sampled).rows] == [case.name for case in sampled]


def test_files_are_read_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(0).normal(0, 0.02, (2, 30, 263))
    np.save(tmp_path / "made.npy", values)
    assert [clip.shape for clip in read_case(tmp_path / "made.npy").clips] == [(30, 263)] * 2
    main([str(tmp_path / "made.npy")])
    assert "made.npy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give files of features, or --golden FOLDER"),
        (["no.npy"], "no.npy not found, expected an .npy file of features"),
        (["text.npy"], "text.npy is no .npy array of numbers"),
        (["odd.npy"], "odd.npy holds (4, 7), expected raw features (T, 263)"),
        (["short.npy"], "a clip has 2 frames, expected at least 3"),
        (["--golden", "."], "mdm.npz not found; give the folder of the golden files"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.npy").write_text("nonsense", encoding="utf-8")
    np.save(tmp_path / "odd.npy", np.zeros((4, 7)))
    np.save(tmp_path / "short.npy", np.zeros((2, 263)))
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
