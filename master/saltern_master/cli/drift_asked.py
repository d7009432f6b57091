"""Which drift a command line asks for: its options, and the query that they make.

A time is one of the past such as 2h, or one of ISO 8601, of this machine's zone where it says
none. What is wrong is told all at once, before the master is asked; what only the master knows
(targets, kinds) it tells all at once itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from saltern_master.api.drift_requests import DriftFollow
from saltern_master.cli.moments import SpanError, span
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError
from saltern_master.cli.remote import node_names, socket_of


class NatureName(StrEnum):
    """Whose doing a drift is."""

    EXTERNAL = "external"
    CORRECTIVE = "corrective"
    INTENDED = "intended"


def kind_names(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a kind."""
    from saltern_master.api.drift_asked import KINDS

    return [one for one in KINDS if one.startswith(incomplete)]


def drift_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of a drift by asking the master; nothing where it does not answer at once."""
    from saltern_master.api.client import Client
    from saltern_master.api.drift_requests import DriftQuery
    from saltern_master.errors import MasterError

    home = context.params.get("home") or DEFAULT_HOME
    try:
        found = Client(socket_of(Path(home)), seconds=0.5).drift(DriftQuery(most=200))
    except MasterError:
        return []
    return [one.id for one in found if one.id.startswith(incomplete)]


NodeWords = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NODE]...", help="Only of these.", autocompletion=node_names),
]
NodeOptions = Annotated[
    list[str] | None,
    typer.Option("--node", help="Only of this one; may be repeated.", autocompletion=node_names),
]
Resource = Annotated[str, typer.Option(help="Only these resources: an id, * is any run.")]
KindName = Annotated[
    str, typer.Option("--kind", help="Only of this kind: file, unit …", autocompletion=kind_names)
]
OfNature = Annotated[NatureName | None, typer.Option("--nature", help="Only whose doing it is.")]
Since = Annotated[str, typer.Option(help="Only what was recorded since: 2h, 2026-11-23T05:00.")]
Until = Annotated[str, typer.Option(help="Only what was recorded before: 30m, 2026-11-23T05:00.")]
Incident = Annotated[bool, typer.Option("--incident", help="Only fights.")]
Most = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was written. An empty word was not given."""

    words: list[str] | None  # nodes
    named: list[str] | None  # nodes too
    target: str
    resource: str
    kind: str
    nature: NatureName | None
    since: str
    until: str
    incident: bool

    def query(self, now: float, zone: tzinfo | None) -> DriftFollow:
        """Give what the master is asked; UsageError, all faults."""
        times, faults = {"since": self.since, "until": self.until}, []
        for name, text in times.items():
            try:
                times[name] = str(moment_of(text, now, zone)) if text else ""
            except SpanError as error:
                faults.append(f"--{name}: {error}")
        if faults:
            raise UsageError("\n  ".join(["cannot look for this drift:", *faults]))
        return DriftFollow(
            node=",".join((*(self.words or ()), *(self.named or ()))),
            target=self.target,
            resource=self.resource,
            kind=self.kind,
            nature=self.nature.value if self.nature is not None else "",
            since=times["since"],
            until=times["until"],
            incident=self.incident,
        )


def moment_of(text: str, now: float, zone: tzinfo | None) -> float:
    """Read a time as seconds since 1970: 2h ago, or one of ISO 8601; SpanError."""
    try:
        return now - span(text)
    except SpanError as error:
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo is not None else _at(found, zone)).timestamp()
        except (ValueError, OverflowError):
            raise SpanError(f"{error}, or a time such as 2026-11-23T05:00") from None


def _at(found: datetime, zone: tzinfo | None) -> datetime:
    """Take a time as one of this zone; None: this machine's."""
    return found.replace(tzinfo=zone) if zone is not None else found.astimezone()
