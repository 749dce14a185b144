"""From weights to a page: what ``python -m experiments.prior.quality`` does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from experiments.pipeline.typed_config import read_typed
from experiments.prior.quality.assess import Assessor, Quality
from experiments.prior.quality.config import QualityConfig
from experiments.prior.quality.page import render_quality, summarise
from experiments.prior.quality.pictures import draw_confusion, draw_contact_sheet
from experiments.prior.quality.recognise import confusion
from experiments.prior.quality.samples import write_samples
from lightning_modules.weights import find_weights
from sim.features import features_to_joints, features_to_motion
from sim.files import whole_file


def write_quality(
    prior: str,
    *,
    config_path: Path,
    overrides: Sequence[str] = (),
    name: str | None = None,
    out: Path,
    samples: Path | None = None,
) -> list[str]:
    """Measure a prior and write its page, pictures, table of ratios and, if asked for, playable samples.

    What is generated is kept in the configuration's ``cache_dir``: the same command goes on where it was stopped.

    Args:
        prior: packaged weights or a file.
        config_path: YAML of a :class:`QualityConfig`.
        overrides: ``key=value``.
        name: what the page calls it; None takes the file's name.
        out: folder of ``quality-NAME.md`` and its pictures.
        samples: HTML file that plays a motion of each activity; None writes none.

    Returns:
        Lines to print.

    Raises:
        FileNotFoundError: weights, configuration, a source or the evaluator are absent.
        ValueError: one of them cannot be read, or a key or a number is not what was expected.
    """
    weights = find_weights(prior)
    config = read_typed(QualityConfig, config_path, overrides)
    called = re.sub(r"[^\w.-]+", "-", name or weights.stem)
    console = Console(stderr=True)
    assessor = Assessor(weights, config, say=lambda line: console.print(line, style="dim", markup=False))
    quality = assessor.run()
    out.mkdir(parents=True, exist_ok=True)
    page = out / f"quality-{called}.md"
    with whole_file(page) as part:
        part.write_text(render_quality(called, quality, config, arguments=overrides), encoding="utf-8")
    _draw(called, quality, assessor, out)
    if quality.distribution is not None:
        quality.distribution.write_csv(Path(config.cache_dir) / "quality" / f"{called}-distribution.csv")
    lines = summarise(called, quality)
    if samples is not None:
        std = assessor.std
        motions = {key: features_to_motion(clip, text=text, std=std) for key, (clip, text) in quality.samples.items()}
        write_samples(motions, samples, title=called)
        lines.append(f"{samples}: {len(motions)} motions")
    return [*lines, f"written: {page}"]


def _draw(name: str, quality: Quality, assessor: Assessor, out: Path) -> None:
    joints = {
        key: features_to_joints(clip, "consistent", std=assessor.std) for key, (clip, _) in quality.samples.items()
    }
    draw_contact_sheet(joints, out / f"quality-{name}-motions.png")
    naming = quality.named
    draw_confusion(
        confusion(naming.generated, naming.activities),
        list(naming.generated),
        naming.activities,
        out / f"quality-{name}-confusion.png",
        title="generated motions by a classifier of recorded ones [%]",
    )
