"""What the agent tells while it works: values for a terminal, a log, or a line of JSON.

The same values are printed by `saltern-agent apply` and sent over the control socket, so what
a person reads and what a program reads cannot differ. What comes from a node's files (a name may
be no text at all) is escaped here.
"""

from __future__ import annotations

import msgspec
from saltern_protocol.errors import printable
from saltern_states.contract import Change

from saltern_agent.converge import Done
from saltern_agent.drift_record import Drift
from saltern_agent.plan import Planned
from saltern_agent.steps import Step


class ChangeLine(msgspec.Struct, frozen=True):
    """A change, for a reader."""

    text: str
    impact: str
    detail: str = ""  # a unified diff, where the thing is text


class PlannedLine(msgspec.Struct, frozen=True, tag_field="type", tag="planned"):
    """A step that was planned."""

    resource: str
    verb: str  # hold, remove, forget
    finding: str  # as declared, to change, blocked, unreadable
    changes: tuple[ChangeLine, ...] = ()
    why: str = ""


class MakingLine(msgspec.Struct, frozen=True, tag_field="type", tag="making"):
    """A change that is about to be made: the progress of what takes long."""

    resource: str
    cause: str  # as of DoneLine
    text: str


class DoneLine(msgspec.Struct, frozen=True, tag_field="type", tag="done"):
    """A step that was gone through."""

    resource: str
    verb: str
    outcome: str  # as declared, changed, failed, blocked
    cause: str  # document, drift, boot
    changes: tuple[ChangeLine, ...] = ()
    why: str = ""
    detail: str = ""  # lines that a program ended with

    @property
    def bad(self) -> bool:
        """Whether the resource is not as declared."""
        return self.outcome in ("failed", "blocked")


class DriftLine(msgspec.Struct, frozen=True, tag_field="type", tag="drift"):
    """Drift that was recorded."""

    resource: str
    seen: str  # event, look
    found: tuple[str, ...]
    milliseconds: float  # from the event, or the begin of the look, to the durable record
    by: str = ""  # the doer, where the kernel tells it
    nature: str = ""  # external, intended
    hindrance: str = ""  # why it is not set right
    incident: bool = False


class HealedLine(msgspec.Struct, frozen=True, tag_field="type", tag="healed"):
    """Drift that ended."""

    resource: str
    outcome: str  # healed, went away by itself, a document came …
    milliseconds: float  # from when it was noticed
    repair: float = 0.0  # milliseconds of them, from the beginning of its first change to its end


class End(msgspec.Struct, frozen=True, tag_field="type", tag="end"):
    """The last line of an answer."""

    ok: bool
    error: str = ""
    reason: str = ""  # the code of a refusal: "expired", "rollback" …
    changes: int = 0
    bad: int = 0
    milliseconds: float = 0.0
    digest: str = ""  # of a plan, in hexadecimal


Line = PlannedLine | MakingLine | DoneLine | DriftLine | HealedLine | End


def planned_line(planned: Planned) -> PlannedLine:
    """Tell of a step that was planned."""
    return PlannedLine(
        planned.step.resource.id,
        planned.step.verb,
        planned.finding,
        tuple(
            ChangeLine(printable(str(change)), change.impact.value, _encodable(change.detail))
            for change in planned.changes
        ),
        printable(planned.why),
    )


def done_line(done: Done, cause: str) -> DoneLine:
    """Tell of a step that was gone through."""
    return DoneLine(
        done.step.resource.id,
        done.step.verb,
        done.outcome,
        cause,
        tuple(ChangeLine(printable(str(change)), change.impact.value) for change in done.changes),
        printable(done.why),
        _encodable(done.detail),
    )


def making_line(step: Step, change: Change, cause: str) -> MakingLine:
    """Tell of a change that is about to be made."""
    return MakingLine(step.resource.id, cause, printable(str(change)))


def drift_line(drift: Drift, took: float) -> DriftLine:
    """Tell of drift that was recorded, `took` seconds after it was noticed."""
    return DriftLine(
        drift.resource,
        drift.seen,
        drift.found,
        took * 1000,
        drift.by,
        drift.nature.value,
        drift.hindrance,
        drift.incident,
    )


def healed_line(drift: Drift, outcome: str, now: float, repair: float = 0.0) -> HealedLine:
    """Tell of drift that ended; `repair`: the seconds that its changes took."""
    return HealedLine(drift.resource, outcome, (now - drift.since) * 1000, repair * 1000)


def text(line: Line) -> str:
    """Say it in one line, for a person; "" for what nobody needs to read."""
    match line:
        case (
            PlannedLine(finding="as declared", verb="hold")
            | DoneLine(outcome="as declared")
            | MakingLine()
        ):
            return ""
        case PlannedLine():
            return f"{line.resource}: {_what(line.verb, line.changes, line.why)}"
        case DoneLine():
            what = _what(line.verb, line.changes, line.why)
            return f"{line.resource}: {line.outcome}: {what}"
        case DriftLine():
            by = f", done by {line.by}" if line.by else ""
            left = f" (left alone: {line.hindrance})" if line.hindrance else ""
            return f"{line.resource} drifted (seen by {line.seen}{by}, recorded after " + (
                f"{line.milliseconds:.1f} ms): {'; '.join(line.found)}{left}"
            )
        case HealedLine():
            took = f" ({line.repair:.1f} ms of them to repair it)" if line.repair else ""
            said = f"{line.milliseconds:.1f} ms after it was seen{took}"
            return f"{line.resource} {line.outcome}, {said}"
        case End():
            return line.error


def _encodable(text: str) -> str:
    """A diff keeps its lines."""
    return text.encode("utf-8", "backslashreplace").decode()


def _what(verb: str, changes: tuple[ChangeLine, ...], why: str) -> str:
    made = "; ".join(change.text for change in changes)
    said = "; ".join(part for part in (made, why) if part)
    return said if verb == "hold" else f"{verb}: {said}" if said else verb
