"""The master's views as tables. Pure: what is shown, and when it is, are arguments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from saltern_protocol.errors import printable

from saltern_master.api.service import (
    AlarmView,
    ClusterView,
    NodeView,
    TokenView,
    TurnNode,
    TurnView,
)
from saltern_master.cli.hold_tables import held_lines, held_text
from saltern_master.cli.listing import Output, columns, fields
from saltern_master.cli.moments import ago, moment
from saltern_master.cli.part_tables import page_lines, part_lines, parts_text

NODE = ("node", "class", "state", "health", "parts", "version", "drift", "seen")
NODE_WIDE = ("address", "pods", "roles", "release", "load", "memory", "disk", "fingerprint")
AWAY = "away"
NOT_WORKING = "not working"  # known of one whose link is up, though it says nothing
WELL = frozenset({"", "converged", "changed"})


def node_lines(nodes: Iterable[NodeView], now: float, output: Output) -> list[str]:
    """Give nodes, a line each."""
    if output is Output.WIDE:
        return columns((*NODE, *NODE_WIDE), ([*_node(one, now), *_wide(one)] for one in nodes))
    return columns(NODE, (_node(one, now) for one in nodes))


def _node(one: NodeView, now: float) -> list[str]:
    behind = f" of {one.wanted}" if one.wanted > one.version else ""
    seen = "connected" if one.connected else ago(one.seen_at, now)
    return [
        one.name,
        one.node_class,
        one.state,
        AWAY if _is_away(one) else one.health,
        parts_text(one),
        f"{one.version}{behind}",
        str(one.drift),
        seen,
    ]


def _is_away(one: NodeView) -> bool:
    """Whether what it said of itself is no more known to be so."""
    told = one.health not in ("", NOT_WORKING)
    return told and not one.connected and one.state in ("joined", "removing")


def _wide(one: NodeView) -> list[str]:
    return [
        one.address,
        one.pods,
        ",".join(one.roles),
        one.release,
        *_vitals(one),
        one.fingerprint,
    ]


def _vitals(one: NodeView) -> tuple[str, str, str]:
    """Give load, memory and disk; without memory no machine spoke, so no health came yet."""
    if not one.memory_kib:
        return "-", "-", "-"
    return f"{one.load:.2f}", f"{one.memory_kib // 1024} MiB", f"{one.disk_kib // 1024} MiB"


def node_page(one: NodeView, now: float, zone: tzinfo | None) -> list[str]:
    """Give all of one node."""
    behind = f", and shall have {one.wanted}" if one.wanted != one.version else ""
    pairs = [
        ("node", one.name),
        ("class", one.node_class),
        ("state", one.state),
        ("fingerprint", one.fingerprint),
        ("incarnation", one.incarnation),
        ("connected", "yes" if one.connected else "no"),
        ("seen", "connected" if one.connected else moment(one.seen_at, now, zone)),
        ("health", f"{AWAY}; {one.health} when it was heard" if _is_away(one) else one.health),
        ("version", f"{one.version}{behind}"),
        ("open drift", str(one.drift)),
        *([("held", held_text(one.hold, now, zone))] if one.hold is not None else []),
        ("agent", one.release),
        ("address", one.address),
        ("pods", one.pods),
        ("roles", " ".join(one.roles)),
        *zip(("load", "memory available", "disk free"), _vitals(one), strict=True),
    ]
    for name, value in sorted(one.facts.items()):
        now_text = f" (now {one.facts_now[name]})" if name in one.facts_now else ""
        pairs.append((f"fact {name}", f"{value}{now_text}"))
    return [*fields(pairs), *page_lines(one, now, zone)]


def token_lines(tokens: Iterable[TokenView], now: float, zone: tzinfo | None) -> list[str]:
    """Give the tokens that can be used."""
    head = ("token", "node", "class", "approval", "expires")
    return columns(
        head,
        (
            (
                one.id,
                one.node,
                one.node_class,
                "yes" if one.approval else "no",
                moment(one.expires, now, zone),
            )
            for one in tokens
        ),
    )


def alarm_lines(alarms: Iterable[AlarmView], now: float) -> list[str]:
    """Give what has to be seen to, above all else, each with its remedy; nothing where it is."""
    lines: list[str] = []
    for one in alarms:
        where = f" {one.node}" if one.node else ""
        lines.append(printable(f"ALARM {one.kind}{where} ({ago(one.since, now)}): {one.why}"))
        lines.append(printable(f"  {one.remedy}"))
    return [*lines, ""] if lines else []


def cluster_lines(view: ClusterView, now: float, output: Output) -> list[str]:
    """Give how the whole stands."""
    revision = f"revision {view.revision}" if view.revision else "nothing applied yet"
    version = f", Kubernetes {view.version}" if view.version else ""
    lines = [printable(f"{view.cluster}: {revision}{version}")]
    lines.extend(f"  {printable(f'{name}: {text}')}" for name, text in view.kubernetes.items())
    lines.extend(f"  {line}" for line in held_lines(view.nodes, now))
    if output is Output.WIDE:
        lines.extend(f"  front {name}: {count}" for name, count in view.front.items())
    nodes = node_lines(view.nodes, now, output) if view.nodes else [NO_NODES]
    return [*lines, "", *part_lines(view.nodes, now), *nodes]


NO_NODES = "no nodes yet; for one: saltern node token NAME"


def turn_lines(turn: TurnView) -> list[str]:
    """Give how every node of a turn stands, and what hinders the ones that did not come through."""
    head = ("node", "result", "version", "changes", "seconds", "why")
    lines = columns(
        head,
        (
            (
                one.node,
                one.result,
                str(one.version or ""),
                str(one.changes),
                f"{one.seconds:.1f}",
                one.why,
            )
            for one in turn.nodes
        ),
    )
    for one in turn.nodes:
        lines.extend(hindrance_lines(one))
    return lines


def hindrance_lines(one: TurnNode) -> list[str]:
    """Give what hinders a node."""
    return [
        printable(f"{one.node}: {each.resource} {each.outcome}: {each.why}")
        for each in one.hindrances
    ]


def standing_line(one: TurnNode) -> str:
    """Give how one node stands, as a line of progress."""
    if one.result == "waiting":
        return printable(f"{one.node}: waiting" + (f"; {one.why}" if one.why else ""))
    if one.result == "unreachable":
        return printable(f"{one.node}: unreachable; {one.why}")
    changes = f"{one.changes} change{'' if one.changes == 1 else 's'} in {one.seconds:.1f} s"
    why = f"; {one.why}" if one.why else ""
    return printable(f"{one.node}: {one.result}, {changes}{why}")


def summary_line(turn: TurnView) -> str:
    """Say in one line how a turn stands."""
    results = [one.result for one in turn.nodes]
    counts = [f"{results.count(each)} {each}" for each in dict.fromkeys(results)]
    changes = sum(one.changes for one in turn.nodes)
    took = f" in {turn.ended - turn.began:.1f} s" if turn.ended else ""
    return f"revision {turn.revision}: {', '.join(counts) or 'no nodes'}; {changes} changes{took}"
