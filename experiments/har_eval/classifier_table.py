"""What each classifier is worth when it is trained on real people, and what it costs: no arm, no generation.

``python -m experiments.har_eval.classifier_table [-c YAML ...] [--sets NAME ...]`` trains every classifier by the
budget of the YAML, or by the default one, on the training people of a set and prints what it says of the test people.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from rich.console import Console

from experiments.har_eval.checks import load_config
from experiments.har_eval.config import ClassifierConfig, HarEvalConfig
from experiments.har_eval.options import DEFAULT_CONFIG, add_config
from experiments.har_eval.stages.classify import PREDICTIONS, Classify
from experiments.har_eval.stages.real import RealWindows, load_real
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors, print_line
from experiments.pipeline.tasks import Inputs
from lightning_modules.har_evaluation import CLASSIFIERS, Predictions, score
from sim.names import check_name


def main(args: Sequence[str] | None = None) -> int:
    """Run from the command line; returns 0, or leaves with code 2 and one line on bad input."""
    options = _parse(args)
    torch.set_num_threads(1)
    with one_line_errors():
        config = load_config(options.config or [DEFAULT_CONFIG], options.overrides)
        for name in options.sets or ():
            check_name(name, tuple(config.sets), "entry of sets")
        for name in options.classifiers or ():
            check_name(name, CLASSIFIERS, "classifier")
        print_line("| set | classifier | balanced accuracy | macro-F1 | seconds for each training |")
        print_line("|---|---|---|---|---|")
        for name in options.sets or config.sets:
            for line in rate_classifiers(config, name, options.classifiers or CLASSIFIERS, seed=options.seed):
                print_line(line)
    return 0


def rate_classifiers(config: HarEvalConfig, entry: str, classifiers: Sequence[str], *, seed: int) -> Iterator[str]:
    """Train and test classifiers on the real people of an entry of ``sets``; gives a row of a table for each.

    Seconds are those of the processor, predictions included, without those of reading the set.

    Raises:
        ValueError: the set cannot be cut or split as the entry says.
    """
    real = RealWindows.of(entry, config)
    console = Console(stderr=True)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        inputs = Inputs([(real, root)])
        real.run(inputs, root)
        test = load_real(root)[1]
        trainings = 1 if real.split == "official" else real.folds or len(np.unique(test.subjects))
        for classifier in classifiers:
            settings = config.classifiers.get(classifier, ClassifierConfig())
            count = config.sets[entry].train_windows_per_class
            task = Classify(classifier, settings, real, None, count, 0, seed)
            start = time.process_time()
            with console.status(f"{entry}: {classifier}"):
                task.run(inputs, root)
            seconds = (time.process_time() - start) / trainings
            with np.load(root / PREDICTIONS, allow_pickle=False) as found:
                scores = score(
                    Predictions(found["labels"], found["predictions"], found["subjects"], tuple(real.classes))
                )
            figures = f"{scores.balanced_accuracy:.3f} | {scores.macro_f1:.3f} | {seconds:.1f}"
            yield f"| {entry} | {classifier} | {figures} |"


def _parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineArgumentParser(
        prog="python -m experiments.har_eval.classifier_table", description="Classifiers trained on real people."
    )
    add_config(parser)
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="entries of its sets; all where none is named")
    parser.add_argument("--classifiers", nargs="+", metavar="NAME", help="all where none is named")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches, held-out people and the forest")
    parser.add_argument("--overrides", nargs="+", default=[], metavar="key=value", help="of the YAML")
    return parser.parse_args(args)


if __name__ == "__main__":
    sys.exit(main())
