"""R11: no kind tells a secret. Every kind, on a node where everything that may be one is one.

A canary stands as content of every path that a kind touches, kept from others, and as the plain
content of every sealed blob. Plan, detail, drift and errors are looked through for it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from saltern_agent.converge import Done
from saltern_agent.drift import lines
from saltern_agent.events import done_line, drift_line, making_line, planned_line
from saltern_agent.items import drift_seen
from saltern_agent.plan import Planned, look
from saltern_agent.recording import Noticed, as_drift
from saltern_agent.show import show_plan
from saltern_agent.steps import Step, Verb
from saltern_states.body import Resource
from saltern_states.changes import RemovePath, WriteFile
from saltern_states.contract import Blocked, Spec
from saltern_states.file import File
from saltern_states.kinds import KINDS, AnyKind, kind_of
from saltern_states.ports import Entry, Host, HostError
from saltern_states.secret import Secret
from saltern_states.testing import FakeHost

from tests.faults.every_field import FULL
from tests.master.clusters import CONTROLLED
from tests.master.clusters import FULL as CLUSTER
from tests.master.test_compile import bodies, compiled

CANARY = b"canary-77c0ffee5ecre7"
KINDS_BY = pytest.mark.parametrize("spec", FULL, ids=lambda spec: kind_of(spec).name)
COMPILED = [
    (name, one)
    for text in (CLUSTER, CONTROLLED)
    for name, body in bodies(compiled(text)).items()
    for one in body.resources
]


def full_of_secrets(spec: Spec) -> tuple[FakeHost, Spec]:
    """Make a node on which each file that a Spec names is private and holds the canary."""
    host = FakeHost()
    kind = kind_of(spec)
    for path in sorted({*kind.paths(spec), *_named(spec)}):
        for above in reversed(Path(path).parents[:-1]):
            host.files.put_directory(str(above))
        host.files.put_file(path, CANARY, 0o600)
    if isinstance(spec, Secret):
        blob = host.secrets.put(CANARY[::-1], spec.secret, spec.generation)
        spec = msgspec.structs.replace(spec, blob=blob)
    return host, spec


def _named(spec: Spec) -> set[str]:
    """Give every absolute path in a Spec's fields."""
    plain = msgspec.to_builtins(spec)
    return {value for value in plain.values() if isinstance(value, str) and value[:1] == "/"}


def told_of(host: Host, resource: Resource, verb: Verb) -> str:
    """Give all that anybody is told of one step: planned, shown with --diff, drifted, done."""
    step = Step(verb, resource)
    planned = look(host, step)
    told = [msgspec.json.encode(planned_line(planned)).decode(), repr(lines(planned))]
    told += show_plan(planned_line(planned), diffs=True)
    drift = as_drift(planned, Noticed(0.0, "look"), 0.0)
    told += [repr(drift), repr(drift_line(drift, 0.0)), repr(drift_seen(drift))]
    told += [repr(making_line(step, change, "")) for change in planned.changes]
    for change in planned.changes:
        try:
            if not isinstance(change, Blocked):
                kind_of(resource.spec).apply(host, change)
        except HostError as error:
            told += [str(error), getattr(error, "detail", "")]
    told.append(repr(done_line(Done(step, "changed", planned.changes), "")))
    return "\n".join(told)


def holds_canary(text: str) -> bool:
    """Say whether a text has the canary, forwards, backwards or in hexadecimal."""
    hidden = (CANARY, CANARY[::-1])
    return any(one.decode() in text or one.hex() in text for one in hidden)


@KINDS_BY
@pytest.mark.parametrize("verb", ["hold", "remove"])
def test_no_kind_tells_what_others_may_not_read(spec: Spec, verb: Verb) -> None:
    host, wanted = full_of_secrets(spec)

    assert not holds_canary(told_of(host, Resource(id="x", spec=wanted), verb))


@pytest.mark.parametrize(("node", "resource"), COMPILED, ids=lambda one: getattr(one, "id", one))
def test_no_expansion_of_a_cluster_tells_it_either(node: str, resource: Resource) -> None:
    host, wanted = full_of_secrets(resource.spec)
    changed = msgspec.structs.replace(resource, spec=wanted)

    for verb in ("hold", "remove"):
        assert not holds_canary(told_of(host, changed, verb)), node


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_walked(kind: AnyKind) -> None:
    assert any(isinstance(spec, kind.spec) for spec in FULL)


@pytest.mark.parametrize(
    ("was", "mode", "shown"),
    [(0o644, 0o644, True), (0o600, 0o644, False), (0o644, 0o600, False), (0o640, 0o640, False)],
)
def test_a_plan_shows_what_anybody_may_read(was: int, mode: int, shown: bool) -> None:
    entry = Entry("file", was, "root", "root", "0" * 64, 21)
    write = WriteFile(
        path=Path("/etc/x"), was=entry, before=CANARY, content=b"new\n", mode=mode, owner="root",
        group="root",
    )  # fmt: skip
    remove = RemovePath(path=Path("/etc/x"), was=entry, before=CANARY)

    assert holds_canary(write.detail) is shown
    assert holds_canary(remove.detail) is bool(was & 0o004)
    assert write.detail
    assert remove.detail


def test_the_audit_finds_what_is_told() -> None:
    """A file that anybody may read is shown, so the walk would see a secret that is."""
    spec = File(path="/etc/x", text="new\n")
    host, _ = full_of_secrets(spec)
    host.files.put_file("/etc/x", CANARY, 0o644)
    planned: Planned = look(host, Step("hold", Resource(id="x", spec=spec)))

    assert holds_canary("\n".join(show_plan(planned_line(planned), diffs=True)))
