"""The arms of har_eval and what is compared, as typed, frozen dataclasses; har_eval.yaml names every one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from datamodules.har.windows.augmentation import Augmentation

ArmKind: TypeAlias = Literal["prior", "generated", "recorded", "real_people"]

SOURCES: Final[dict[str, ArmKind]] = {
    "weights": "prior",
    "config": "prior",
    "generated": "generated",
    "recorded": "recorded",
    "real_people": "real_people",
}
"""Keys of an arm that say what its classifiers are trained on, and the kind of arm that each makes it."""


PROTOCOLS: Final = ("mixed", "pretrain_then_finetune", "trts")
"""How some real people join what an arm trains on: in one training, or after it; or they alone are trained on and the
virtual sensors tested on (train on real, test on synthetic; Esteban et al. 2017, arXiv 1706.02633, section 4.1)."""


@dataclass(frozen=True)
class ArmConfig:
    """One thing that classifiers are trained on; its kind follows from the source that it names.

    Attributes:
        weights: of a prior whose motions are simulated: the name of packaged weights, or the path of a file.
        generated: folder of motions that something else generated, each file below a folder of its activity's name; of
            any format that is read (:mod:`datamodules.motion_files`).
        licence: terms of the generated folder, in words for the report.
        recorded: simulate from the recorded clips themselves, without any generation.
        motion_root: folder of motion files whose clips count as recorded besides the embedded ones; null takes that of
            ``fine_tuning``, if any.
        real_people: train on the real set's own training people, without any simulation.
        people: how many of the real training people an arm trains on, drawn for each seed, two of them among the four;
            beside its virtual sensors where it has any. Null is none for those, and everybody for ``real_people``.
        protocol: one of :data:`PROTOCOLS`, where there are both; ``trts`` takes all training people unless ``people``
            says how many.
        config: YAML for ``lightning fit`` that trains the prior here, once for each seed: where ``fine_tuning`` says
            so, or where there are no weights.
        start: arm whose weights that training starts from; null begins from nothing.
        layers: YAML to lay over ``config``, in this order.
        options: further arguments of ``lightning fit`` for this arm, such as ``--trainer.max_steps=300000``.
        first_stage: YAML for ``lightning fit`` of the autoencoder that a latent prior needs, trained before it with the
            same layers.
        first_stage_options: further arguments of that.
        decoder: how its features become joints, ``consistent`` or ``positions``, where not as ``generation`` says; a
            prior's alone, as the next three.
        sampler: one of :data:`lightning_modules.sampling.samplers.SAMPLER_NAMES`, where not as ``generation`` says.
        steps: network calls per motion, where not as ``generation`` says.
        guidance: classifier-free guidance scale, where not as ``generation`` says.
        calibrate: which of :data:`datamodules.har.windows.calibration.CALIBRATIONS` bring its virtual windows to real
            training people, never to who is tested: to the ``people`` that it trains on or, where it trains on none, to
            all others.
        augment: how changed copies of the real people's windows, as many as virtual ones would be, are made to train on
            beside them; only for ``real_people``, as the control of what virtual sensors add. Null for none.
        smooth_hz: low-pass of the motions before sensors sense them, the frequency at which 1/sqrt(2) of the amplitude
            is left [Hz]; null for none.
        draw: another number draws other noise to generate from: an arm of the same weights and another draw shows how
            much is luck. A prior's alone.
        title: what tables and figures of the report call it; empty for its own name.
        colour: of its bars and lines, such as ``"#D55E00"``; empty for the next one of the palette.
    """

    weights: str | None = None
    generated: str | None = None
    licence: str = ""
    recorded: bool = False
    motion_root: str | None = None
    real_people: bool = False
    people: int | None = None
    protocol: str = "mixed"
    calibrate: list[str] = field(default_factory=list)
    augment: Augmentation | None = None
    config: str | None = None
    start: str | None = None
    layers: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    first_stage: str | None = None
    first_stage_options: list[str] = field(default_factory=list)
    decoder: str | None = None
    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    smooth_hz: float | None = None
    draw: int = 0
    title: str = ""
    colour: str = ""

    @property
    def sources(self) -> list[str]:
        """Those of :data:`SOURCES` that it names."""
        return [source for source in SOURCES if getattr(self, source)]

    @property
    def kind(self) -> ArmKind:
        """Which kind of arm it is; ``check_arms`` has made sure that there is one and not two."""
        return SOURCES[self.sources[0]]


@dataclass(frozen=True)
class FineTuningConfig:
    """How arms are trained in this run, those that name a ``config``.

    Attributes:
        retrain: train them here, once for each seed, instead of taking their weights.
        motion_root: folder of motion files to train them on besides the embedded clips; implies ``retrain``. Recorded
            clips and paired errors take them in, too.
        steps: optimiser steps of arms that start from another; null takes the YAML's.
    """

    retrain: bool = False
    motion_root: str | None = None
    steps: int | None = None


@dataclass(frozen=True)
class ComparisonConfig:
    """Two arms that are compared: macro-F1 and, where both are priors, the paired acceleration error.

    Attributes:
        arm: name of one.
        against: name of the other.
        role: what ``against`` is to ``arm``, in words for the report, such as "its matched control".
    """

    arm: str = ""
    against: str = ""
    role: str = ""
