"""Stories of one node: documents come, things drift, agents are killed, nodes are rebooted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.converge import Done
from saltern_agent.drift_record import Drift
from saltern_agent.journal import Journal
from saltern_agent.keeper import Keeper
from saltern_agent.plan import Planned
from saltern_agent.recording import Noticed
from saltern_agent.status import status_of
from saltern_agent.steps import Step
from saltern_protocol import testing
from saltern_protocol.documents import Document, encode_statement
from saltern_protocol.errors import Reason, RefusedError
from saltern_protocol.wire import pack
from saltern_states.body import BodyError, DriftPolicy, Resource, make_body, write_body
from saltern_states.bridge import Bridge
from saltern_states.contract import Change, Spec
from saltern_states.file import File
from saltern_states.ports import Entry, HostError
from saltern_states.testing import FakeHost

DAEMON = File(path="/etc/docker/daemon.json", text="{}\n")
CBR0 = Bridge(name="cbr0", address="10.10.5.1/24")


@dataclass
class Heard:
    """What the keeper told, in words."""

    words: list[str] = field(default_factory=list)

    def planned(self, planned: Planned) -> None:
        self.words.append(f"planned {planned.step.key}: {planned.finding}")

    def making(self, step: Step, change: Change, cause: str) -> None:
        """Each change is told by done() too."""

    def done(self, done: Done, cause: str) -> None:
        if done.outcome != "as declared":
            self.words.append(f"{cause}: {done.step.key}: {done.outcome}")

    def drifted(self, drift: Drift, took: float) -> None:
        self.words.append(f"drift: {drift.resource} by {drift.seen} after {took:.0f} s")

    def healed(self, drift: Drift, outcome: str, now: float) -> None:
        self.words.append(f"{outcome}: {drift.resource} after {now - drift.since:.0f} s")

    def take(self) -> list[str]:
        words, self.words = self.words, []
        return words


@dataclass
class Mark:
    """A boot that the test decides."""

    booted: bool = True

    def fresh(self) -> bool:
        return self.booted

    def mark(self) -> None:
        self.booted = False


@dataclass
class Node:
    """A node in memory with its keeper, which can be killed."""

    path: Path
    host: FakeHost = field(default_factory=FakeHost)
    heard: Heard = field(default_factory=Heard)
    mark: Mark = field(default_factory=Mark)
    now: float = float(testing.NOW)
    version: int = 0
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        for path in ("/etc", "/etc/docker"):
            self.host.files.put_directory(path)
        self.start()

    def start(self) -> bool:
        """Start the agent anew: nothing but the disk is remembered."""
        self.keeper = Keeper(
            host=self.host,
            journal=Journal(self.path / "journal.db"),
            identity=testing.IDENTITY,
            clock=lambda: self.now,
            listener=self.heard,
            boot=self.mark,
        )
        return self.keeper.load()

    def statement(self, *resources: Resource) -> bytes:
        self.version += 1
        document = replace(testing.DOCUMENT, version=self.version)
        body = write_body(make_body(resources))
        return encode_statement(testing.statement(body, document))

    def take(self, *resources: Resource) -> list[str]:
        self.keeper.take(self.statement(*resources))
        return self.heard.take()

    def look(self, *names: str) -> list[str]:
        """Look at some of which an event told 2 seconds ago, or at all."""
        noticed = {name: Noticed(self.now - 2, "event") for name in names}
        self.keeper.look(noticed, whole=not names)
        return self.heard.take()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def hold(name: str, spec: Spec, *after: str, drift: DriftPolicy = DriftPolicy()) -> Resource:  # noqa: B008
    return Resource(id=name, spec=spec, after=after, drift=drift)


def edit(node: Node, text: str = "{bad") -> None:
    node.host.files.put_file("/etc/docker/daemon.json", text.encode())


def test_a_document_comes_twice_and_the_second_time_nothing_is_done(node: Node) -> None:
    assert node.take(hold("file", DAEMON), hold("bridge", CBR0)) == [
        "document: file: changed",
        "document: bridge: changed",
    ]
    assert node.take(hold("file", DAEMON), hold("bridge", CBR0)) == []


def test_what_somebody_edits_is_recorded_then_healed(node: Node) -> None:
    node.take(hold("file", DAEMON))
    edit(node)

    assert node.look("file") == [
        "drift: file by event after 2 s",
        "drift: file: changed",
        "healed: file after 2 s",
    ]
    assert node.host.files.read(Path("/etc/docker/daemon.json")) == b"{}\n"
    (drift,) = node.keeper.journal.drift()
    assert drift.found == ("write /etc/docker/daemon.json (3 bytes, 0644 root:root)",)


def test_our_own_writes_are_no_drift(node: Node) -> None:
    node.take(hold("file", DAEMON))

    assert node.look("file") == []
    assert node.keeper.journal.drift() == ()


def test_what_is_only_to_be_told_is_told_once_and_not_touched(node: Node) -> None:
    node.take(hold("file", DAEMON, drift=DriftPolicy(mode="report")))
    edit(node)

    assert node.look("file") == ["drift: file by event after 2 s"]
    assert node.look() == []
    assert node.host.files.read(Path("/etc/docker/daemon.json")) == b"{bad"

    edit(node, "{}\n")
    assert node.look("file") == ["went away by itself: file after 2 s"]


def test_a_fight_is_told_and_no_longer_fought(node: Node) -> None:
    node.take(hold("file", DAEMON, drift=DriftPolicy(times=2, minutes=1)))
    for _ in range(2):
        edit(node)
        assert "healed: file after 2 s" in node.look("file")
    edit(node)

    assert node.look("file") == ["drift: file by event after 2 s"]
    assert "fight" in node.keeper.journal.open_drift()["file"].hindrance

    node.now += 120
    assert node.look() == ["drift: file: changed"]  # it may be off again at once
    assert node.keeper.retries() == {"file": 10.0}
    node.now += 10
    assert node.look("file") == ["healed: file after 122 s"]


def test_a_start_that_finds_an_unfinished_apply_goes_on_with_it(node: Node) -> None:
    statement = node.statement(hold("file", DAEMON), hold("bridge", CBR0))
    node.keeper.take(statement, newer=iter([False, True]).__next__)
    node.heard.take()

    assert node.start()
    node.keeper.converge_all()

    assert node.heard.take() == ["document: bridge: changed"]
    assert node.keeper.journal.drift() == ()
    assert not node.start()


def test_after_a_boot_what_lives_in_the_kernel_is_restored_and_is_no_drift(node: Node) -> None:
    node.take(hold("file", DAEMON), hold("bridge", CBR0))
    node.host.links.delete("cbr0")
    node.mark.booted = True
    node.start()

    assert node.keeper.restore_after_boot() > 0
    assert node.heard.take() == ["boot: bridge: changed"]
    assert node.look() == []
    assert node.keeper.restore_after_boot() == 0


def test_what_heals_is_looked_at_with_all_that_comes_after_it(node: Node) -> None:
    node.take(hold("bridge", CBR0), hold("file", DAEMON, "bridge"))
    node.host.links.delete("cbr0")
    edit(node)  # no event told of it

    assert node.look("bridge") == [
        "drift: bridge by event after 2 s",
        "drift: bridge: changed",
        "healed: bridge after 2 s",
        "drift: file: changed",
    ]


def test_what_cannot_be_healed_stays_open_with_the_reason(node: Node) -> None:
    node.take(hold("file", DAEMON))
    node.host.files.take("/etc/docker/daemon.json")
    node.host.files.put_symlink("/etc/docker/daemon.json")

    assert "drift: file: blocked" in node.look("file")
    assert "symlink" in node.keeper.journal.open_drift()["file"].hindrance


def test_a_new_document_ends_what_was_open(node: Node) -> None:
    node.take(hold("file", DAEMON, drift=DriftPolicy(mode="report")))
    edit(node)
    node.look("file")

    assert node.take(hold("file", DAEMON))[-1] == "a document came: file after 2 s"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda node: replace(testing.DOCUMENT, node="w2"), Reason.WRONG_NODE),
        (
            lambda node: replace(testing.DOCUMENT, version=9, expires=testing.NOW),
            Reason.EXPIRED,
        ),
        (lambda node: replace(testing.DOCUMENT, version=1), Reason.ROLLBACK),
    ],
)
def test_a_document_that_is_refused_changes_nothing(
    node: Node, wrong: Callable[[Node], Document], reason: Reason
) -> None:
    node.version = 1
    node.take(hold("file", DAEMON))
    before = node.keeper.journal.accepted()
    body = write_body(make_body((hold("bridge", CBR0),)))

    with pytest.raises(RefusedError) as raised:
        node.keeper.take(encode_statement(testing.statement(body, wrong(node))))

    assert raised.value.reason is reason
    assert node.keeper.journal.accepted() == before
    assert node.host.links.link("cbr0") is None


def test_a_body_outside_policy_or_with_a_fault_is_refused_whole(node: Node) -> None:
    with pytest.raises(RefusedError) as raised:
        node.take(hold("file", DAEMON), hold("other", File(path="/etc/shadow", text="")))
    assert raised.value.reason is Reason.OUTSIDE_POLICY

    document = replace(testing.DOCUMENT, version=99)
    with pytest.raises(BodyError):
        node.keeper.take(encode_statement(testing.statement(b"\x80", document)))
    assert node.keeper.journal.accepted() is None
    assert node.host.files.look(Path("/etc/docker/daemon.json")) is None


def test_a_plan_remembers_nothing(node: Node) -> None:
    plan = node.keeper.plan(node.statement(hold("file", DAEMON)))

    assert plan.changes == 1
    assert node.keeper.journal.accepted() is None
    assert node.keeper.journal.owned() == {}


def test_a_host_that_does_not_answer_is_drift_with_its_reason(node: Node) -> None:
    node.take(hold("bridge", CBR0))

    def broken(_name: str) -> None:
        raise HostError("cannot read cbr0: netlink does not answer")

    node.host.links.link = broken  # type: ignore[method-assign,assignment]

    assert node.look() == []
    assert node.keeper.retries() == {"bridge": 1.0}
    assert node.look()[0] == "drift: bridge by look after 0 s"
    assert "netlink" in node.keeper.journal.open_drift()["bridge"].hindrance


def test_what_stops_while_the_node_goes_down_is_no_drift(node: Node) -> None:
    node.take(hold("bridge", CBR0))
    node.host.links.delete("cbr0")
    node.host.units.going_down = True

    assert node.look("bridge") == []
    assert node.keeper.journal.drift() == ()
    assert node.host.links.link("cbr0") is None


def test_what_could_not_be_taken_back_is_tried_again(node: Node) -> None:
    node.take(hold("bridge", CBR0), hold("file", DAEMON))
    delete = node.host.links.delete

    def refuse(name: str) -> None:
        raise HostError(f"cannot delete the link {name}: Device or resource busy")

    node.host.links.delete = refuse  # type: ignore[method-assign]
    assert node.take(hold("file", DAEMON)) == ["document: remove bridge: failed"]
    assert node.look() == ["document: remove bridge: failed"]

    node.host.links.delete = delete  # type: ignore[method-assign]
    assert node.start() is False
    assert node.look() == ["document: remove bridge: changed"]
    assert node.keeper.journal.owned().keys() == {"file"}
    assert node.look() == []


def test_a_body_of_another_release_is_told_and_a_new_document_is_taken(node: Node) -> None:
    node.take(hold("file", DAEMON))
    strange = pack({"type": "body/1", "resources": [{"id": "x", "spec": {"kind": "future/1"}}]})
    document = replace(testing.DOCUMENT, version=node.version + 1)
    node.version += 1
    statement = encode_statement(testing.statement(strange, document))
    node.keeper.journal.accept(statement, node.now)

    assert node.start() is False
    assert "no kind 'future/1'" in status_of(node.keeper).trouble
    assert node.look() == []
    assert node.host.files.read(Path("/etc/docker/daemon.json")) == b"{}\n"

    assert node.take(hold("file", DAEMON), hold("bridge", CBR0)) == ["document: bridge: changed"]
    assert status_of(node.keeper).state == "converged"


def test_what_an_interrupted_apply_left_undone_is_no_drift(node: Node) -> None:
    statement = node.statement(hold("file", DAEMON), hold("bridge", CBR0))
    node.keeper.take(statement, newer=iter([False, True]).__next__)
    node.heard.take()

    assert node.look() == []
    assert node.keeper.journal.drift() == ()


def test_what_still_stands_elsewhere_is_taken_back_before_it_is_held(node: Node) -> None:
    old, new = (File(path=f"/etc/docker/{name}", text="x") for name in ("old", "new"))
    node.take(hold("f", old))
    remove = node.host.files.remove

    def refuse(path: Path, was: Entry) -> None:
        raise HostError(f"cannot remove {path}: Operation not permitted")

    node.host.files.remove = refuse  # type: ignore[method-assign]
    node.take(hold("f", new))
    node.look("f")
    node.host.files.remove = remove  # type: ignore[method-assign]
    node.look()

    assert node.host.files.look(Path(old.path)) is None
    assert node.host.files.look(Path(new.path)) is not None
