"""Make sure that a built site can be read without a network: ``python -m experiments.tools.check_site [FOLDER]``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

_FETCHED_LINKS: Final = frozenset(
    {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
)
"""Values of ``rel`` for which a browser goes out before anybody clicks; ``canonical`` and its kin are only told."""

_FETCHED_TAGS: Final = frozenset(
    {"script", "img", "iframe", "source", "video", "audio", "embed", "track", "object", "image", "use"}
)
_OUTSIDE: Final = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_CSS_ADDRESS: Final = re.compile(r"(?:url\(\s*[\"']?|@import\s+[\"'])((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)


class _Fetches(HTMLParser):
    """Collects the addresses outside the site that a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes by which a tag has something fetched."""
        values = {name: value or "" for name, value in attrs}
        names: tuple[str, ...] = (
            ("src", "srcset", "data", "poster", "href", "xlink:href") if tag in _FETCHED_TAGS else ()
        )
        if tag == "link" and _FETCHED_LINKS & set(values.get("rel", "").lower().split()):
            names = ("href",)
        self.found += [values[name] for name in names if _OUTSIDE.match(values.get(name, ""))]
        self.found += _CSS_ADDRESS.findall(values.get("style", ""))


def find_fetches(site: Path) -> Iterator[tuple[Path, str]]:
    """Yield each page or style sheet of a site with an address outside the site that a browser would fetch for it.

    Args:
        site: folder of the built site.
    """
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            page = _Fetches()
            page.feed(path.read_text(encoding="utf-8"))
            for address in page.found:
                yield path, address
        elif path.suffix in (".css", ".svg"):
            for address in _CSS_ADDRESS.findall(path.read_text(encoding="utf-8")):
                yield path, address


def main(args: Sequence[str] | None = None) -> int:
    """Print what a browser would fetch from outside; 0 if it is nothing, else 2."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.tools.check_site", description="Refuse pages that fetch from the network."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("site"))
    folder = parser.parse_args(args).folder
    pages = len(list(folder.rglob("*.html")))
    if not pages:
        print(f"error: no page in {folder}, expected a built site; run make docs", file=sys.stderr)
        return 2
    fetches = list(find_fetches(folder))
    for path, address in fetches:
        print(
            f"error: {path} fetches {address}, expected nothing from outside; keep a copy below docs/assets",
            file=sys.stderr,
        )
    if fetches:
        return 2
    print(f"{folder}/index.html: {pages} pages, none of which fetches anything from the network")
    return 0


if __name__ == "__main__":
    sys.exit(main())
