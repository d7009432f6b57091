"""Plain values -> YAML that every reader reads alike.

* Equal values give equal bytes; maps keep their order.
* Text always stands in double quotes as JSON has it, or as a block where it has lines, so no
  reader (YAML 1.1 or 1.2, Go's or ours) takes "yes", "0644" or "1e3" for something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

_PLAIN_KEY = re.compile(r"^[a-zA-Z][a-zA-Z0-9_]*\Z")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_LINE = re.compile(r"^[\x20-\x7e]*\Z")


def to_yaml(value: object) -> str:
    """Give a document in block style, with its newline."""
    return "\n".join(_block(value, "")) + "\n"


def _block(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _entry(f"{indent}{_key(key)}:", one, indent)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes) and value:
        for one in value:
            yield from _item(one, indent)
    else:
        yield f"{indent}{_flow(value)}"


def _entry(head: str, value: object, indent: str) -> Iterator[str]:
    if isinstance(value, str) and _is_block(value):
        yield f"{head} |"
        yield from (f"{indent}  {line}" if line else "" for line in value[:-1].split("\n"))
    elif _is_flow(value):
        yield f"{head} {_flow(value)}"
    else:
        yield head
        deeper = indent if isinstance(value, Sequence) else f"{indent}  "
        yield from _block(value, deeper)


def _item(value: object, indent: str) -> Iterator[str]:
    if _is_flow(value):
        yield f"{indent}- {_flow(value)}"
        return
    first, *rest = _block(value, f"{indent}  ")
    yield f"{indent}- {first.removeprefix(indent)[2:]}"
    yield from rest


def _is_flow(value: object) -> bool:
    return not isinstance(value, Mapping | list | tuple) or not value


def _flow(value: object) -> str:
    return "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))


def _escaped(letter: str) -> str:
    """Escape as YAML does; JSON's own form, two surrogates, is none of YAML's."""
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def _is_block(text: str) -> bool:
    """Tell whether a text can stand as lines without any mark that says how it ends."""
    lines = text.split("\n")
    return (
        len(lines) > 2
        and lines[-1] == ""
        and lines[0] != ""
        and lines[-2] != ""
        and not lines[0].startswith(" ")
        and all(_LINE.match(line) and not line.endswith(" ") for line in lines)
    )


def _key(key: object) -> str:
    text = str(key)
    if _PLAIN_KEY.match(text) and text.lower() not in _WORDS:
        return text
    return _flow(text)
