"""``make doctor``: what is installed, who owns the command ``lightning`` and how to repair it, extras, weights, disk.

``imuforge doctor`` is the same outside of a checkout.

Two other distributions (lightning-sdk, litserve) also install a script named ``lightning``; whichever is installed last
owns the file, and uninstalling either deletes it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Final, Literal

import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.pipeline.own_packages import ROOT, list_shadows, list_taken

Verdict = Literal["ok", "warning", "problem"]

DISTRIBUTION: Final = "imuforge"
COMMAND: Final = "lightning"
OWN_TARGET: Final = "lightning_modules."
REPAIR: Final = "pip install --force-reinstall --no-deps -e . (in the repository), or use python -m lightning_modules"
PRIOR: Final = "prior"
LEAST_FREE_GB: Final = 3.0  # an environment of 2 GB and the runs of one experiment
_COLOURS: Final[Mapping[Verdict, str]] = {"ok": "green", "warning": "yellow", "problem": "red"}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        topic: what was looked at.
        verdict: ``ok``; ``warning`` if something optional is missing; ``problem`` if the main job cannot run.
        text: what was found and, unless it is ok, how to repair it.
    """

    topic: str
    verdict: Verdict
    text: str


def check_command(scripts: Path, claimants: Mapping[str, str]) -> Finding:
    """Say whose script ``lightning`` is.

    Args:
        scripts: folder of the environment's scripts.
        claimants: distributions that install a script of that name -> module that it calls.
    """
    script = next((path for path in (scripts / COMMAND, scripts / f"{COMMAND}.exe") if path.is_file()), None)
    if script is None:
        return Finding(COMMAND, "problem", f"no {scripts / COMMAND}; another package's removal deletes it: {REPAIR}")
    content = script.read_bytes().decode(errors="replace")
    rivals = sorted(name for name in claimants if name != DISTRIBUTION)
    if OWN_TARGET in content:
        if not rivals:
            return Finding(COMMAND, "ok", f"{script} is ours")
        names = " and ".join(rivals)
        return Finding(
            COMMAND, "warning", f"{script} is ours, but removing or updating {names} would take it: {REPAIR}"
        )
    owner = next((name for name, module in claimants.items() if name != DISTRIBUTION and module in content), "unknown")
    return Finding(COMMAND, "problem", f"{script} belongs to {owner}; repair: {REPAIR}")


def find_claimants(command: str = COMMAND) -> dict[str, str]:
    """Return the distributions that install a script of that name, with the module that each calls."""
    return {
        entry.dist.name: entry.module
        for entry in metadata.entry_points(group="console_scripts", name=command)
        if entry.dist is not None
    }


def check_shadowing(scripts: Path) -> Finding:
    """Say whether the shell finds the environment's own ``lightning`` first."""
    found = shutil.which(COMMAND)
    if found is None:
        return Finding("PATH", "warning", f"the environment is not active: source {scripts}/activate, or use make")
    if Path(found).parent.resolve() != scripts.resolve():
        return Finding(
            "PATH", "warning", f"the shell finds {found} before {scripts / COMMAND}; activate {scripts.parent}"
        )
    return Finding("PATH", "ok", f"the shell finds {found}")


def check_packages() -> Finding:
    """Say whether sim, datamodules and lightning_modules are imported from where this program lies."""
    faults = list_shadows()
    if faults:
        return Finding("packages", "problem", "; ".join(faults))
    return Finding("packages", "ok", f"sim, datamodules and lightning_modules are ours, in {ROOT}")


def check_folder(folder: Path) -> Finding:
    """Say whether ``python -m`` would take a folder's own modules for ours."""
    taken = list_taken(folder)
    if taken:
        text = (
            f"python -m in {folder} would import its own {' and '.join(taken)} for imuforge's; use the commands "
            "imuforge and lightning, or python -P -m (docs/packaging.md)"
        )
        return Finding("folder", "warning", text)
    return Finding("folder", "ok", f"nothing in {folder} stands before imuforge's packages")


def check_extra(extra: str, requirements: Sequence[str]) -> Finding:
    """Say which distributions of an extra are missing or too old.

    Args:
        extra: name of the extra.
        requirements: requirement strings of the distribution, markers included.
    """
    wanted = list(_requirements_of(extra, requirements))
    faults = [fault for requirement in wanted if (fault := _find_fault(requirement)) is not None]
    if faults:
        return Finding(f"extra {extra}", "warning", f"{', '.join(faults)}; pip install '{DISTRIBUTION}[{extra}]'")
    return Finding(f"extra {extra}", "ok", ", ".join(sorted(requirement.name for requirement in wanted)))


def _requirements_of(extra: str, requirements: Sequence[str]) -> Iterator[Requirement]:
    """Yield what an extra adds, following extras that stand for others of the same distribution."""
    for text in requirements:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or not marker.evaluate({"extra": extra}) or marker.evaluate({"extra": ""}):
            continue
        if canonicalize_name(requirement.name) == DISTRIBUTION:
            for other in sorted(requirement.extras):
                yield from _requirements_of(other, requirements)
        else:
            yield requirement


def _find_fault(requirement: Requirement) -> str | None:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} is {version}, expected {requirement.specifier}"
    return None


def check_pins(constraints: Path) -> Finding:
    """Say which installed versions differ from a constraints file."""
    if not constraints.is_file():
        return Finding("pins", "warning", f"{constraints} not found: versions are not compared; run in the repository")
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", constraints.read_text(encoding="utf-8"), re.MULTILINE))
    installed = {canonicalize_name(item.name): item.version for item in metadata.distributions() if item.name}
    differing = [
        f"{name} {found} (pinned {pin})"
        for name, pin in pins.items()
        # A local build label (2.13.0+cpu) is the same release.
        if (found := installed.get(canonicalize_name(name))) is not None and found.split("+")[0] != pin.split("+")[0]
    ]
    if differing:
        return Finding(
            "pins", "warning", f"{', '.join(differing)}; pip install -c {constraints.name} -e . restores them"
        )
    return Finding("pins", "ok", f"all that is installed of {constraints.name} has its pinned version")


def check_machine() -> Finding:
    """Name Python, torch, Lightning, and what there is to compute on."""
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    versions = [f"{name} {metadata.version(name)}" for name in ("torch", "lightning", "jsonargparse")]
    parts = [f"Python {platform.python_version()}", *versions, f"{os.cpu_count()} CPU cores", *(gpus or ["no GPU"])]
    return Finding("machine", "ok", ", ".join(parts))


def check_disk(folder: Path) -> Finding:
    """Say how much space is left where runs go."""
    existing = next(path for path in (folder, *folder.resolve().parents) if path.is_dir())
    free_gb = shutil.disk_usage(existing).free / 1e9
    if not os.access(existing, os.W_OK):
        return Finding("disk", "problem", f"{existing} cannot be written to; set IMUFORGE_RUNS to another folder")
    if free_gb < LEAST_FREE_GB:
        text = f"{free_gb:.1f} GB free for {folder}, expected {LEAST_FREE_GB:g}; set IMUFORGE_RUNS or make clean"
        return Finding("disk", "warning", text)
    return Finding("disk", "ok", f"{free_gb:.0f} GB free for {folder}")


def check_prior() -> Finding:
    """Say whether the packaged prior is there."""
    path = Path(str(resources.files("lightning_modules"))) / "assets" / f"{PRIOR}.safetensors"
    if not path.is_file():
        return Finding(
            "weights", "problem", f"{path} is missing; check the clone is whole, or train it with make prior"
        )
    return Finding("weights", "ok", f"{path.name}, {path.stat().st_size / 1e6:.1f} MB")


def examine() -> list[Finding]:
    """Look at everything; nothing is changed."""
    scripts = Path(sysconfig.get_path("scripts"))
    requirements = metadata.requires(DISTRIBUTION) or []
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    return [
        check_machine(),
        check_command(scripts, find_claimants()),
        check_shadowing(scripts),
        check_packages(),
        check_folder(Path.cwd()),
        *(check_extra(extra, requirements) for extra in extras),
        check_pins(Path("constraints.txt")),
        check_prior(),
        check_disk(Path(os.environ.get("IMUFORGE_RUNS", "runs"))),
    ]


def main() -> int:
    """Print the findings; return 1 if the main job cannot run as things are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    findings = examine()
    for finding in findings:
        # Rich takes brackets, as in imuforge[bench], for its markup.
        table.add_row(f"[{_COLOURS[finding.verdict]}]{finding.verdict}[/]", escape(finding.topic), escape(finding.text))
    Console().print(table)
    return int(any(finding.verdict == "problem" for finding in findings))


if __name__ == "__main__":
    raise SystemExit(main())
