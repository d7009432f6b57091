"""The digest of a plan: one name for all that it would do, and for what it expects to find. Pure.

* SHA-256 over every step that would change something, is hindered, or is forgotten, in order: verb,
  resource, finding, and each change with all of its fields. Equal plans have equal digests, in any
  process; a plan that would do anything else, or to anything else, has another one.
* LEFT_OUT is what moves by itself and bears on nothing that would be done: the process of a unit
  that is restarted anyway, the state of one that does not run, the day on the node's clock. Else a
  service that ends and starts over would make every plan of it stale.
* Why a step is hindered is left out as well: nothing is done there, whatever the reason is by now.
* Of a file that others may not read, what is in it before the change does not count, as no plan
  shows it: whoever has the digest could try guesses. That it is as declared counts all the same.
* Each value is told with its type and length, so that no two run together into the same bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from hashlib import sha256
from pathlib import PurePath
from typing import Final

import msgspec
from msgspec.structs import asdict, replace
from saltern_protocol.errors import Reason, RefusedError, printable
from saltern_states.certificate import RequestCertificate
from saltern_states.changes import OTHERS_READ, RemovePath, WriteFile
from saltern_states.contract import Change
from saltern_states.ports import Entry
from saltern_states.started import RECORDS
from saltern_states.unit_changes import ReloadUnit, RestartUnit, StartUnit, StopUnit

from saltern_agent.plan import Plan, Planned

FORM: Final = "plan/1"  # goes in first: another way to count is another digest
MAX_LINES = 12  # of what a plan would do, where it is told in a few words
MAX_LINE = 200  # characters

LEFT_OUT: Final[Mapping[type[Change], frozenset[str]]] = {
    WriteFile: frozenset({"before"}),  # its hash is in `was`
    RemovePath: frozenset({"before"}),
    RestartUnit: frozenset({"invocation"}),
    ReloadUnit: frozenset({"invocation"}),
    StartUnit: frozenset({"was"}),  # inactive, failed, activating: it is started from any
    StopUnit: frozenset({"was"}),
    RequestCertificate: frozenset({"why"}),
}
"""The fields that do not count."""


def digest(plan: Plan) -> bytes:
    """Name a plan, in 32 bytes."""
    told = sha256()
    for part in _told([FORM, *(_step(one) for one in plan.steps if counts(one))]):
        told.update(part)
    return told.digest()


def counts(planned: Planned) -> bool:
    """Say whether a step is more than found as declared."""
    return planned.finding != "as declared" or planned.step.verb == "forget"


def in_words(plan: Plan) -> str:
    """Say in a few words what a plan would do: the first lines, and how many more there are."""
    lines = [line for one in plan.steps if counts(one) for line in _lines(one)]
    if not lines:
        return "nothing would change"
    more = (f"and {len(lines) - MAX_LINES} more",) if len(lines) > MAX_LINES else ()
    return "; ".join((*lines[:MAX_LINES], *more))


def refuse_stale(plan: Plan, expects: bytes) -> None:
    """See that a plan is the one that was agreed to. RefusedError: it is another one by now."""
    if digest(plan) != expects:
        raise RefusedError(
            Reason.STALE,
            "cannot do what was planned: this node, or what is to be done on it, is not as it was; "
            f"look at a new plan. It would be: {in_words(plan)}",
        )


def _lines(planned: Planned) -> Iterator[str]:
    said = [str(change) for change in planned.changes]
    if planned.hindered:
        said = [f"{planned.finding}: {planned.why}"]
    for one in said or [planned.step.verb]:
        shown = printable(f"{planned.step.key}: {one}")
        yield shown if len(shown) <= MAX_LINE else f"{shown[: MAX_LINE - 1]}…"


def _step(planned: Planned) -> list[object]:
    step = planned.step
    return [step.verb, step.resource.id, planned.finding, *map(_change, planned.changes)]


def _change(change: Change) -> list[object]:
    left_out = LEFT_OUT.get(type(change), frozenset())
    if isinstance(change, RemovePath) and change.path.parent == RECORDS:
        # what a unit was started with names the process that wrote it
        change = replace(change, was=dataclasses.replace(change.was, sha256=""))
    values = {name: one for name, one in asdict(change).items() if name not in left_out}
    return [str(change.__struct_config__.tag), values]


def _told(value: object) -> Iterator[bytes]:
    """Give a value's bytes: a letter for its type, its length, itself."""
    match value:
        case None:
            yield b"n"
        case bool() | int():
            yield f"i{int(value)};".encode()
        case str():  # a file's name may be no text at all
            data = value.encode("utf-8", "surrogatepass")
            yield b"s%d;%b" % (len(data), data)
        case bytes():
            yield b"b%d;%b" % (len(value), value)
        case list() | tuple():
            yield b"l%d;" % len(value)
            for each in value:
                yield from _told(each)
        case _:
            yield from _told(_plain(value))


def _plain(value: object) -> object:
    """Give a value of ours as its type's name and its fields, each with its name."""
    if isinstance(value, dict):  # fields, in the order of their class
        return list(value.items())
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, msgspec.Struct):
        return [type(value).__name__, asdict(value)]
    if isinstance(value, Entry) and not value.mode & OTHERS_READ:
        value = dataclasses.replace(value, sha256="", size=0)
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, dataclasses.asdict(value)]
    raise TypeError(f"cannot name a {type(value).__name__} of a change: it is no value")
