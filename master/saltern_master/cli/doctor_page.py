"""What `saltern doctor` prints for a person. Pure.

Equal findings of several nodes are told once, under the names of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from saltern_protocol.errors import printable

from saltern_master.api.findings import FindingsView, NodeFindings, NotedView
from saltern_master.api.service import FindingView
from saltern_master.cli.folding import folded
from saltern_master.cli.moments import ago


def doctor_lines(view: FindingsView, file: Path | None) -> Iterator[str]:
    """Give what was found, what could not be asked, and how much it is."""
    yield from _section("the cluster file" if file is None else str(file), view.file)
    yield from _section("between nodes", view.between)
    for names, findings in _by_nodes(view.nodes):
        told = min(one.told_at for one in view.nodes if one.node in names)
        yield f"{folded(names)} (told {ago(told, view.now) or 'never'}):"
        yield from (line for one in findings for line in _lines(one, ""))
    if view.revision == 0 and file is None:
        yield "no cluster file was applied yet; look at one: saltern doctor -f FILE"
    for one in silent(view):
        last = f"it told {ago(one.told_at, view.now)}" if one.told_at else "it never told anything"
        why = "not connected" if not one.connected else "connected"
        yield f"could not be asked: {one.node} ({why}; {last})"
    yield _sum(view)


def silent(view: FindingsView) -> tuple[NodeFindings, ...]:
    """Give the nodes that are not there to tell, or never told."""
    return tuple(one for one in view.nodes if not one.connected or not one.told_at)


def _section(title: str, found: tuple[NotedView, ...]) -> Iterator[str]:
    if found:
        yield f"{printable(title)}:"
    for one in found:
        yield from _lines(one.finding, f" ({folded(one.nodes)})" if one.nodes else "")


def _lines(one: FindingView, whom: str) -> Iterator[str]:
    mark = "!" if one.bad else "~"
    yield f"  {mark} {printable(one.trap)}{printable(whom)}: {printable(one.what)}"
    yield f"      {printable(one.remedy)}"


def _by_nodes(
    nodes: Iterable[NodeFindings],
) -> tuple[tuple[tuple[str, ...], tuple[FindingView, ...]], ...]:
    """Give findings under the very nodes that have them, in the order of the first of these."""
    whose: dict[FindingView, list[str]] = {}
    for node in nodes:
        for one in node.findings:
            names = whose.setdefault(one, [])
            if node.node not in names:
                names.append(node.node)
    groups: dict[tuple[str, ...], list[FindingView]] = {}
    for finding, names in whose.items():
        groups.setdefault(tuple(names), []).append(finding)
    return tuple((names, tuple(findings)) for names, findings in sorted(groups.items()))


def _sum(view: FindingsView) -> str:
    all_found = [one.finding for one in (*view.file, *view.between)]
    all_found += [one for _, findings in _by_nodes(view.nodes) for one in findings]
    asked = len(view.nodes) - len(silent(view))
    nodes = "1 node" if asked == 1 else f"{asked} nodes"
    told = f"told {ago(_oldest(view), view.now)}" if asked else ""
    if not all_found:
        looked = f"files, nodes, between nodes{'; ' if told else ''}{told}"
        where = f"on {nodes} ({looked})" if view.nodes else "in the file"
        return f"no trap found {where}"
    bad = sum(one.bad for one in all_found)
    notes = len(all_found) - bad
    parts = [f"{bad} trap{'' if bad == 1 else 's'}"] if bad else []
    parts += [f"{notes} note{'' if notes == 1 else 's'}"] if notes else []
    asked_text = f"; {nodes} asked{' (' if told else ''}{told}{')' if told else ''}"
    return f"{' and '.join(parts)}{asked_text if view.nodes else ''}"


def _oldest(view: FindingsView) -> float:
    """Give when the node that was asked and told longest ago did so."""
    mute = silent(view)
    return min(one.told_at for one in view.nodes if one not in mute)
