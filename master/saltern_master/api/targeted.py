"""Nodes as people are shown them, with what each term of a target finds on them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from saltern_master.api.service import NodeView, ServiceError, TermView
from saltern_master.subjects import label_keys, subject
from saltern_master.targeting import Target, TargetError, parse


def targeted(nodes: Iterable[NodeView], text: str, explain: bool) -> tuple[NodeView, ...]:
    """Give the nodes that a target means, or, to explain it, all of them. invalid, all faults."""
    everybody = tuple(nodes)
    try:
        target = parse(text, label_keys(map(subject, everybody)))
    except TargetError as error:
        head = str(error).partition("\n")[0]
        raise ServiceError("invalid", head, error.faults) from error
    explained = (_explained(one, target) for one in everybody)
    return tuple(one for one in explained if explain or all(term.holds for term in one.terms))


def _explained(node: NodeView, target: Target) -> NodeView:
    found = target.explain(subject(node))
    terms = tuple(TermView(term=one.term, holds=one.holds, found=one.found) for one in found)
    return replace(node, terms=terms)
