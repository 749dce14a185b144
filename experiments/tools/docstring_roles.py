"""For the documentation site: Sphinx's roles in docstrings (``:class:`Body```) become links to the API reference.

An extension of griffe, which reads the docstrings for mkdocstrings (``mkdocs.yml`` names this file).
"""

from __future__ import annotations

import re
from typing import Final

import griffe

_ROLE: Final = re.compile(r":(?:py:)?(?:class|func|meth|attr|data|mod|exc|obj):`(?P<short>~?)(?P<target>[^`]+)`")


class DocstringRoles(griffe.Extension):
    """Rewrites roles before a docstring is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """Rewrite the docstring of each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = link_roles(obj.docstring.value, obj)


def link_roles(text: str, scope: griffe.Object) -> str:
    """Return a docstring in which roles are links, where the reference holds their target, and else code.

    Args:
        text: the docstring.
        scope: what it belongs to; names are looked up from there.
    """

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        name = target.rpartition(".")[2] if match["short"] else target
        return f'<autoref optional identifier="{_find(target, scope)}"><code>{name}</code></autoref>'

    return _ROLE.sub(link, text)


def _find(target: str, scope: griffe.Object) -> str:
    head, _, rest = target.partition(".")
    try:
        found = scope.resolve(head)
    except griffe.NameResolutionError:
        return target
    return f"{found}.{rest}" if rest else found
