"""What is installed: pins with hashes, versions that never are, licences, an audit that says what it did not see."""

from __future__ import annotations

import tomllib
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from experiments.tools.audit import Dependency, audit
from experiments.tools.hash_pins import CUDA, HASHED, LOCAL_BUILDS, PINS, ROOT, read_hashes, read_pins, write_hashes
from experiments.tools.licences import judge, list_asking, read_licence

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def test_every_pin_has_hashes_and_both_files_pin_the_same() -> None:
    hashed = (ROOT / HASHED).read_text(encoding="utf-8")
    assert read_pins(hashed) == read_pins((ROOT / PINS).read_text(encoding="utf-8")), "run make hashes"
    assert all(read_hashes(hashed).values())
    assert all(read_hashes((ROOT / CUDA).read_text(encoding="utf-8")).values())
    assert LOCAL_BUILDS["torch==2.13.0"] in read_hashes(hashed)["torch"]


@pytest.mark.parametrize("name", ["lightning", "pytorch-lightning"])
def test_the_malicious_uploads_are_excluded_by_name(name: str) -> None:
    (found,) = (one for one in map(Requirement, PROJECT["dependencies"]) if one.name == name)
    assert {"!=2.6.2", "!=2.6.3"} <= {str(one) for one in found.specifier}
    assert found.specifier.contains("2.6.6")


def test_hashes_are_written_with_local_builds_and_cuda_apart(tmp_path: Path) -> None:
    (tmp_path / PINS).write_text("torch==2.13.0\nNumPy==2.3.5\n", encoding="utf-8")

    def resolve(arguments: list[str]) -> str:
        torch = f"torch==2.13.0 \\\n    --hash=sha256:{A}\n"
        return torch + (
            f"numpy==2.3.5 \\\n    --hash=sha256:{B}\n"
            if arguments[-1] == PINS
            else f"triton==3.7.1 \\\n    --hash=sha256:{C}\n"
        )

    assert write_hashes(tmp_path, resolve) == (2, 1)
    found = read_hashes((tmp_path / HASHED).read_text(encoding="utf-8"))
    assert found == {"torch": [LOCAL_BUILDS["torch==2.13.0"], A], "numpy": [B]}
    assert read_hashes((tmp_path / CUDA).read_text(encoding="utf-8")) == {"triton": [C]}
    with pytest.raises(ValueError, match="PyPI has no numpy"):
        write_hashes(tmp_path, lambda _: f"torch==2.13.0 \\\n    --hash=sha256:{A}\n")


@pytest.mark.parametrize(
    ("fields", "licence", "verdict"),
    [
        (
            {"License-Expression": "Apache-2.0 WITH LLVM-exception AND MIT"},
            "Apache-2.0 WITH LLVM-exception AND MIT",
            "ok",
        ),
        ({"Classifier": "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)"}, None, "ok"),
        ({"License": "GNU LESSER GENERAL PUBLIC LICENSE\n  Version 3"}, "GNU LESSER GENERAL PUBLIC LICENSE", "ok"),
        ({"License-Expression": "GPL-3.0-or-later"}, "GPL-3.0-or-later", "refused"),
        ({"License-Expression": "MIT AND AGPL-3.0-only"}, None, "refused"),
        ({"License": "Free for non-commercial use"}, None, "refused"),
        ({"License": "UNKNOWN"}, "", "refused"),
        ({}, "", "refused"),
    ],
)
def test_licences_are_read_and_judged(fields: dict[str, str], licence: str | None, verdict: str) -> None:
    message = Message()
    for name, value in fields.items():
        message[name] = value
    read = read_licence(message)
    assert licence is None or read == licence
    assert judge("some-package", "1.0", read, []).verdict == verdict


def test_what_has_terms_of_its_own_only_those_that_were_looked_at_may_ask_for() -> None:
    assert judge("smplx", "0.1.28", "", ["", "bench"]).verdict == "restricted"
    assert "a plain installation asks for it" in judge("imusim", "1.1.2", "", [""]).note
    assert list_asking("smplx", ["SMPLX>=0.1; extra == 'smpl'", "numpy"], ["smpl", "har"]) == ["smpl"]
    assert list_asking("smplx", ["smplx>=0.1"], ["smpl"]) == [""]


def test_an_audit_counts_what_it_finds_and_fails_on_what_it_does_not_see(tmp_path: Path) -> None:
    path = tmp_path / HASHED
    text = "".join(f"{name} \\\n    --hash=sha256:{A}\n" for name in ("lightning==2.6.6", "numpy==2.3.5"))
    path.write_text(f"# pins\n{text}", encoding="utf-8")
    asked: list[list[str]] = []

    def answer(pins: Path) -> list[Dependency]:
        asked.append(list(read_pins(pins.read_text(encoding="utf-8"))))
        weak = [{"id": "PYSEC-1", "fix_versions": ["2.4"]}]
        return [{"name": name, "version": "1", "vulns": weak if name == "numpy" else []} for name in asked[-1]]

    assert audit(path, answer) == (2, ["numpy 1: PYSEC-1, mended in 2.4"])
    assert asked == [["lightning"], ["lightning", "numpy"]]
    with pytest.raises(ValueError, match="lightning not audited"):
        audit(path, lambda _: [{"name": "lightning", "version": "2.6.6", "skip_reason": "not found"}])
