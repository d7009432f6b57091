"""Shell completion of a target's last term: names, words, and the values that nodes have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from saltern_master.api.service import NodeView
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.remote import socket_of


def target_terms(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a target by asking the master; nothing where it does not answer at once."""
    from saltern_master.api.client import Client
    from saltern_master.errors import MasterError

    home = context.params.get("home") or DEFAULT_HOME
    try:
        nodes = Client(socket_of(Path(home)), seconds=0.5).status().nodes
    except MasterError:
        return []
    return completed(incomplete, nodes)


def completed(incomplete: str, nodes: Iterable[NodeView]) -> list[str]:
    """Give what a target that was begun may become. Pure."""
    head, comma, last = incomplete.rpartition(",")
    term = last.removeprefix("!")
    begun = f"{head}{comma}{last[: len(last) - len(term)]}"
    offers = dict.fromkeys(one for one in _offers(term, tuple(nodes)) if one.startswith(term))
    return [f"{begun}{one}" for one in offers]


def _offers(term: str, nodes: tuple[NodeView, ...]) -> Iterator[str]:
    from saltern_master.subjects import WORDS, label_keys, subject
    from saltern_master.targeting import LABEL

    subjects = tuple(map(subject, nodes))
    labels = label_keys(subjects)
    key, equals, _ = term.partition("=")
    if not equals:
        yield from (node.name for node in nodes)
        yield "connected"
        yield from (f"{word}=" for word in WORDS)
        yield from (f"{LABEL}{one}=" if one in WORDS else f"{one}=" for one in sorted(labels))
        return
    for node in subjects:
        label = node.labels.get(key.removeprefix(LABEL), "")
        values = WORDS[key].read(node) if key in WORDS else (label,)
        yield from (f"{key}={value}" for value in values if value)


Target = Annotated[
    str,
    typer.Option(
        help="Only these nodes: role=worker,zone=a,kernel<6,name=w* …",
        autocompletion=target_terms,
    ),
]
