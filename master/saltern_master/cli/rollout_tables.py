"""Rollouts as tables: a line for each rollout, or for each of its nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from msgspec.structs import asdict

from saltern_master.api.rollouts import RolloutNode, RolloutView
from saltern_master.cli.listing import Output, columns, fields
from saltern_master.cli.moments import ago, iso, moment
from saltern_master.cli.rollout_words import (
    IN_HAND,
    counts,
    lasted,
    phase_text,
    told_counts,
    wait_text,
)
from saltern_master.rollouts.strategy import Probe

NO_ROLLOUTS = "no rollouts yet; for one: saltern rollout start -f CLUSTER.YAML"
HEAD = ("rollout", "phase", "revision", "from", "by", "began", "took", "nodes")
NODE = ("node", "wave", "group", "stage", "since", "impact", "why")


def rollout_lines(
    found: Iterable[RolloutView], now: float, zone: tzinfo | None, output: Output
) -> list[str]:
    """Give rollouts, a line each."""
    wide = ("undoes", "undone by", "why") if output is Output.WIDE else ()
    rows = ([*_row(one, now, zone), *(_wide(one) if wide else ())] for one in found)
    return columns((*HEAD, *wide), rows)


def _row(one: RolloutView, now: float, zone: tzinfo | None) -> list[str]:
    queued = one.phase == "queued"
    return [
        str(one.rollout),
        phase_text(one),
        str(one.revision or ""),
        str(one.before or ""),
        one.by,
        iso(one.began, zone),
        "" if queued else lasted((one.ended or now) - one.began),
        told_counts(counts(one)),
    ]


def _wide(one: RolloutView) -> list[str]:
    return [str(one.undoes or ""), str(one.undone_by or ""), one.why]


def show_lines(view: RolloutView, now: float, zone: tzinfo | None) -> list[str]:
    """Give all of a rollout: what it is, how it was to go, and each node."""
    return [*fields(_pairs(view, now, zone)), "", *columns(NODE, _node_rows(view, now))]


def trouble_lines(view: RolloutView) -> list[str]:
    """Give the nodes that are not done, and why; nothing where all are."""
    rows = [
        (one.node, str(one.wave + 1), one.stage, one.why)
        for one in view.nodes
        if one.stage != "done" and (one.stage != "waiting" or one.why)
    ]
    return columns(("node", "wave", "stage", "why"), rows) if rows else []


def _pairs(view: RolloutView, now: float, zone: tzinfo | None) -> list[tuple[str, str]]:
    return [
        ("rollout", str(view.rollout)),
        ("phase", phase_text(view)),
        ("why", wait_text(view)),
        ("revision", f"{view.revision}, from {view.before}"),
        ("by", view.by),
        ("began", moment(view.began, now, zone)),
        ("ended", moment(view.ended, now, zone)),
        ("took", lasted((view.ended or now) - view.began)),
        ("nodes", told_counts(counts(view))),
        ("failures", f"{view.failed}, and {view.may_fail} may"),
        ("takes back", f"rollout {view.undoes}" if view.undoes else ""),
        ("taken back by", f"rollout {view.undone_by}" if view.undone_by else ""),
        *((name.replace("_", " "), _told(value)) for name, value in asdict(view.strategy).items()),
        *(("note", one) for one in view.notes),
    ]


def _told(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in sorted(value.items()))
    if isinstance(value, tuple):
        return " ".join(_told(one) for one in value)
    if isinstance(value, Probe):
        return f"{value.port}{value.path}"
    return lasted(value) if isinstance(value, float) else str(value)


def _node_rows(view: RolloutView, now: float) -> Iterable[tuple[str, ...]]:
    return (
        (
            one.node,
            str(one.wave + 1),
            one.group,
            one.stage,
            _since(one, now),
            one.impact,
            _why(one),
        )
        for one in view.nodes
    )


def _since(one: RolloutNode, now: float) -> str:
    if one.stage == "waiting":
        return ""
    return lasted(now - one.since) if one.stage in IN_HAND else ago(one.since, now)


def _why(one: RolloutNode) -> str:
    notes = [
        *(["not connected"] if one.away else []),
        *(["cordoned"] if one.cordoned else []),
        *([one.why] if one.why else []),
    ]
    return "; ".join(notes)
