"""What `saltern-agent status` and its like print for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from saltern_protocol.errors import printable
from saltern_protocol.report import Nature

from saltern_agent.answers import StatusLine
from saltern_agent.drift_record import Drift
from saltern_agent.events import DoneLine, MakingLine, PlannedLine
from saltern_agent.status import LinkStatus, Status


def show_plan(line: PlannedLine, diffs: bool) -> Iterator[str]:
    """Show one step of a plan; nothing for one that is as declared."""
    if line.finding == "as declared" and line.verb != "forget":
        return
    mark = {"hold": "~", "remove": "-", "forget": "."}[line.verb]
    yield f"{mark} {line.resource}" + (f"  ({line.why})" if line.why else "")
    for change in line.changes:
        impact = "" if change.impact == "none" else f"  [{change.impact}]"
        yield f"    {change.text}{impact}"
        if diffs and change.detail:
            yield from (f"      {row}" for row in change.detail.rstrip("\n").split("\n"))


def show_done(line: DoneLine) -> Iterator[str]:
    """Show how a step of a converge ended, where its changes have been shown as they were made."""
    if line.bad:
        yield f"! {line.resource}: {line.outcome}: {line.why}"
        yield from (f"      {printable(row)}" for row in line.detail.splitlines())


@dataclass(slots=True)
class Making:
    """Shows changes as they are made, below the resource that they belong to."""

    resource: str = ""

    def show(self, line: MakingLine) -> Iterator[str]:
        """Show one change that is about to be made."""
        if line.resource != self.resource:
            self.resource = line.resource
            yield f"~ {line.resource}"
        yield f"    {line.text}"


def show_status(line: StatusLine, pss: int, now: float) -> Iterator[str]:
    """Show how things stand. `pss`: bytes."""
    status = line.status
    yield f"node       {status.node} of cluster {status.cluster}"
    yield f"state      {'working; before: ' if line.working else ''}{status.state}"
    if status.confirm_by:
        yield f"unproved   waiting for confirmation, {max(0.0, status.confirm_by - now):.0f} s left"
    if status.taken_back:
        yield f"newest     {status.taken_back}"
    if status.hold is not None and status.hold.until > now:
        hold = status.hold
        yield f"held       until {_date(hold.until)} by {hold.by}: {hold.why}; drift is only told"
    if status.version is not None:
        yield (
            f"document   version {status.version}, epoch {status.epoch}, "
            f"expires {_date(status.expires or 0)}"
        )
        yield f"trust      {', '.join(_ground(status, now))}"
        yield f"body       {status.body[:16]}…, {status.resources} resources"
        yield f"changes    {status.changes} by the last apply, {status.restored} after boot"
    if status.looks:
        yield (
            f"last look  {_ago(now - status.looked)} ago, {status.look_milliseconds:.1f} ms, "
            f"{status.look_cpu_milliseconds:.1f} ms of CPU"
        )
    if line.link is not None:
        yield from _link(line.link, now)
    yield f"agent      pid {line.pid}, {pss / 2**20:.1f} MiB PSS"
    yield from _wrong(status, now)


def _ground(status: Status, now: float) -> Iterator[str]:
    """Give root and policy, each with its end: nothing new is taken after it."""
    for name, version, until in (
        ("root", status.root, status.root_expires),
        ("policy", status.policy, status.policy_expires),
    ):
        end = until or 0
        yield f"{name} {version} {'until' if end > now else 'ended'} {_date(end)}"


def show_drift(drift: Sequence[Drift], now: float, diffs: bool = False) -> Iterator[str]:
    """Show drift, newest first."""
    for one in drift:
        told = (one.recorded - one.since) * 1000
        if one.healed is None:
            why = f": {one.hindrance}" if one.hindrance else ""
            end = f"open for {_ago(now - one.since)}{why}"
        else:
            end = f"{one.outcome} after {(one.healed - one.since) * 1000:.1f} ms"
        marks = ("incident, " if one.incident else "") + (
            f"{one.nature.value}, " if one.nature is not Nature.EXTERNAL else ""
        )
        by = f", done by {one.by}" if one.by else ""
        how = f"({marks}seen by {one.seen}{by}, recorded in {told:.1f} ms)"
        yield f"{_date(one.since)}  {one.seq}  {one.resource}  {end}  {how}"
        yield from (f"    {found}" for found in one.found)
        if diffs:
            yield from (f"      {row}" for row in one.detail.splitlines())


def _link(link: LinkStatus, now: float) -> Iterator[str]:
    stands = {"up": "connected", "away": "not connected"}.get(link.state, link.state)
    why = f": {link.why}" if link.why else ""
    yield f"master     {link.master}, {stands} for {_ago(now - link.since)}{why}"
    if link.lease_until:
        lasts = link.lease_until > now
        until = f"{'until' if lasts else 'ran out'} {_date(link.lease_until)}"
        yield f"lease      {until}, {link.unacked} results and drifts to be acknowledged"
    elif link.unacked:
        yield f"untold     {link.unacked} results and drifts"
    if link.fetching:
        yield f"on its way {link.fetching}"


def _wrong(status: Status, now: float) -> Iterator[str]:
    if status.trouble:
        yield f"trouble    {status.trouble}"
    for hindrance in status.hindrances:
        yield f"! {hindrance.resource}: {hindrance.outcome}: {hindrance.why}"
    yield from show_drift(status.drift, now)


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
