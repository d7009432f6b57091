"""Single values out of the YAML that Saltern's master writes into a body. Pure.

The agent has no reader of YAML: what is asked for stands in block style, a key a line, text in
double quotes as JSON has it (compile/yaml_text.py of the master). Of a text that a person wrote in
another style nothing is found, which costs its part of the node's health and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator


def top(text: str, key: str) -> str:
    """Give the value of a key at the top; "" where there is none."""
    found = re.search(rf"^{re.escape(key)}: (.+)$", text, re.MULTILINE)
    return plain(found[1]) if found else ""


def block(text: str, key: str, indent: str = "") -> str:
    """Give the lines that stand under a key, with lists at the key's own depth; "" for none."""
    head = re.compile(rf"{re.escape(indent)}{re.escape(key)}:\Z")
    return "\n".join(_under(text.split("\n"), head, indent))


def _under(lines: list[str], head: re.Pattern[str], indent: str) -> Iterator[str]:
    inside = False
    for line in lines:
        if inside and not line.startswith((f"{indent} ", f"{indent}-")) and line:
            return
        if inside:
            yield line
        inside = inside or bool(head.match(line))


def plain(value: str) -> str:
    """Give a value without its quotes."""
    if not value.startswith('"'):
        return value.strip()
    try:
        found = json.loads(value)
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""
