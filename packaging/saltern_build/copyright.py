"""The file debian/copyright: who made what, under which licence. Pure.

The form is Debian's copyright-format 1.0. A long licence that Debian's base-files carries is
named there and not repeated; every other text stands whole, as its wheel brings it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from saltern_build.components import Component
from saltern_build.products import Product

HEAD: Final = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: saltern
Comment: What the package is built from is named below with the version; its wheels are
 locked by hash in packaging/locks/{lock} of the sources.
"""
OURS: Final = """\
Files: *
Copyright: {year} the authors of Saltern
License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
"""
COMMON: Final = (  # how a text begins, and where base-files has it
    (re.compile(r"Apache License\s+Version 2\.0"), "Apache-2.0"),
    (re.compile(r"GNU GENERAL PUBLIC LICENSE\s+Version 2"), "GPL-2"),
    (re.compile(r"Mozilla Public License Version 2\.0"), "MPL-2.0"),
)
_BEGINS: Final = 400  # characters in which a licence says which one it is
_HOLDER: Final = re.compile(r"^[^\w\n]*(?:copyright\b|\(c\)|©)[^\n]*\d{4}[^\n]*$", re.I | re.M)
_LEAD: Final = re.compile(r"^[^\w(©]*(?:copyright\s*)?(?:\(c\)|©)?:?\s*", re.I)


def copyright_file(product: Product, parts: Iterable[Component], year: int) -> str:
    """Give the whole file."""
    others = (one for one in parts if not one.name.startswith("saltern"))
    stanzas = [HEAD.format(lock=product.lock), OURS.format(year=year)]
    return "\n".join((*stanzas, *(_stanza(product, one) for one in others)))


def _stanza(product: Product, part: Component) -> str:
    root = product.tree.removeprefix("/")
    files = "\n ".join(f"{root}/{top}{'' if '.' in top else '/*'}" for top in _named(part.tops))
    return "\n".join(
        (
            f"Files: {files}",
            f"Comment: {part.name} {part.version}",
            "Copyright: " + "\n ".join(holders(part)),
            f"License: {short_name(part.license)}",
            *_indented("\n\n".join(map(_or_where, part.texts)) or "As its wheel says."),
            "",
        )
    )  # fmt: skip


def _named(tops: Iterable[str]) -> Iterator[str]:
    for top in tops:
        yield f"{top}/*" if top.endswith(".dist-info") else top


def holders(part: Component) -> tuple[str, ...]:
    """Give who holds the copyright: the lines of the licences that say so, else the author."""
    lines = [line for text in part.texts for line in _HOLDER.findall(text)]
    said = [_LEAD.sub("", line).strip(" .*>|\\") for line in lines if "[yyyy]" not in line]
    return tuple(dict.fromkeys(one for one in said if one)) or (part.author,)


def short_name(license_: str) -> str:
    """Spell an SPDX expression as the format does."""
    return license_.replace(" OR ", " or ").replace(" AND ", " and ").replace(", ", " ")


def _or_where(text: str) -> str:
    for begins, name in COMMON:
        if begins.search(text[:_BEGINS]):
            return f"On Debian systems the text is in /usr/share/common-licenses/{name}."
    return text


def _indented(text: str) -> Iterator[str]:
    for line in text.strip().expandtabs().splitlines():
        yield f" {line.rstrip()}" if line.strip() else " ."
