"""A unit's files as text -> its settings, and the command that it runs. Pure.

Of systemd.syntax(7) and systemd.service(5) as much as daemons of a node are written in:

* a line ends with a backslash: the next one goes on; lines that begin with # or ; are none;
* drop-ins come after the file, by name; a setting without a value empties what came before;
* "…" and '…' quote words; $NAME as a word of its own is split into words, ${NAME} is one word;
* Environment= and EnvironmentFile= give the names; of two the later counts, files after lines.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

_PREFIXES = "@-:+!|"
_NAME = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_WHOLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)\Z")


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a unit file."""

    section: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Command:
    """What a service runs."""

    program: str
    arguments: tuple[str, ...]

    @property
    def flags(self) -> dict[str, str]:
        """Give its flags by name without dashes; of one that stands twice the later counts.

        A flag without a value is "true", as Go's flags are.
        """
        found: dict[str, str] = {}
        words = [*self.arguments, ""]
        for word, following in pairwise(words):
            if not word.startswith("-") or word in ("-", "--"):
                continue
            name, mark, value = word.lstrip("-").partition("=")
            alone = not following or following.startswith("-")
            found[name] = value if mark else "true" if alone else following
        return found


def settings(texts: Iterable[str]) -> tuple[Setting, ...]:
    """Read a unit's file and its drop-ins, in that order."""
    return tuple(one for text in texts for one in _settings(text))


def values(found: Iterable[Setting], section: str, key: str) -> tuple[str, ...]:
    """Give the values of a setting that are in force."""
    given: list[str] = []
    for one in found:
        if (one.section, one.key) == (section, key):
            given = [*given, one.value] if one.value else []
    return tuple(given)


def command(found: tuple[Setting, ...], files: Mapping[str, str]) -> Command | None:
    """Give what the service runs; None where there is no one command that can be read.

    `files`: the texts of the environment files that are known, by path.
    """
    lines = values(found, "Service", "ExecStart")
    if len(lines) != 1:
        return None
    names = _environment(found, files)
    words = [part for word in _words(lines[0].lstrip(_PREFIXES)) for part in _given(word, names)]
    return Command(words[0], tuple(words[1:])) if words else None


def unread_files(
    found: tuple[Setting, ...], files: Mapping[str, str], there: Container[str]
) -> tuple[str, ...]:
    """Name the environment files that nobody has read here.

    Those that the unit can do without ("-") only where they are `there`.
    """
    named = values(found, "Service", "EnvironmentFile")
    bare = ((path.lstrip("-"), path.startswith("-")) for path in named)
    return tuple(
        path for path, is_spare in bare if path not in files and (path in there or not is_spare)
    )


def _settings(text: str) -> Iterator[Setting]:
    section, pending = "", ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            pending += f"{line[:-1]} "
            continue
        line, pending = (pending + line).strip(), ""
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line:
            key, _, value = line.partition("=")
            yield Setting(section, key.strip(), value.strip())


def _environment(found: tuple[Setting, ...], files: Mapping[str, str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for value in values(found, "Service", "Environment"):
        names |= _assigned(_words(value))
    for path in values(found, "Service", "EnvironmentFile"):
        for line in files.get(path.lstrip("-"), "").splitlines():
            if not line.strip().startswith(("#", ";")):
                key, mark, value = line.strip().partition("=")
                names |= {key: " ".join(_words(value))} if mark else {}
    return names


def _assigned(words: Iterable[str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in words)
    return {key: value for key, mark, value in pairs if mark}


def _given(word: str, names: Mapping[str, str]) -> tuple[str, ...]:
    whole = _WHOLE.match(word)
    if whole:
        return tuple(_words(names.get(whole[1], "")))
    return (_NAME.sub(lambda found: names.get(found[1] or found[2], ""), word),)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=False)
    except ValueError:  # a quote that is never closed
        return text.split()
