"""A document that expects a plan: it does just that, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_agent.answers import plan_end
from saltern_agent.applying import Order
from saltern_agent.control import to_json
from saltern_agent.host.vitals import read_vitals
from saltern_agent.keeper import Keeper
from saltern_agent.link.deeds import AgentDeeds
from saltern_agent.loop import Agent, Turns
from saltern_agent.plan import Plan
from saltern_agent.plan_digest import counts, digest
from saltern_agent.supervised import untold
from saltern_agent.worker import Worker
from saltern_protocol import testing
from saltern_protocol.documents import PayloadType, decode_statement, encode_statement
from saltern_protocol.envelope import decode, sign
from saltern_protocol.errors import Reason, RefusedError
from saltern_protocol.report import Applied, Outcome
from saltern_states.body import Resource
from saltern_states.bridge import Bridge
from saltern_states.contract import Change
from saltern_states.file import File

from tests.agent.test_keeper import CBR0, DAEMON, hold
from tests.agent.test_loop import CLOCKS
from tests.agent.test_outbox import Joined

FILE, BRIDGE = hold("file", DAEMON), hold("bridge", CBR0)
OTHER_FILE = hold("file", File(path="/etc/docker/daemon.json", text='{"a": 1}\n'))
OTHER_BRIDGE = hold("bridge", Bridge(name="cbr0", address="10.10.6.1/24"))


@pytest.fixture
def node(tmp_path: Path) -> Joined:
    return Joined(tmp_path)


def proposal_of(statement: bytes) -> bytes:
    """Give the same as a proposal, as a master asks for a plan of it."""
    made = decode_statement(statement)
    payload = decode(made.document).payload
    envelope = sign(PayloadType.PROPOSAL, payload, testing.STATE_KEYS)
    return encode_statement(replace(made, document=envelope))


def planned(node: Joined, statement: bytes) -> Plan:
    return node.keeper.consider(proposal_of(statement))


def refusal(node: Joined, statement: bytes, expects: bytes) -> str:
    """Have it refused as stale; gives why."""
    with pytest.raises(RefusedError) as refused:
        node.keeper.take(statement, turn=7, expects=expects)
    assert refused.value.reason is Reason.STALE
    return str(refused.value)


def stands(node: Joined) -> tuple[object, ...]:
    """Give all that a document could change: of the node, and of what its agent remembers."""
    host, journal = node.host, node.keeper.journal
    return (dict(host.files.nodes), dict(host.links.table), journal.accepted(), journal.owned())


def changes(plan: Plan) -> list[tuple[str, Change]]:
    return [(one.step.key, change) for one in plan.steps for change in one.changes]


def test_what_is_done_is_what_was_planned(node: Joined) -> None:
    statement = node.statement(FILE, BRIDGE)
    plan = planned(node, statement)
    result = node.keeper.take(statement, expects=digest(plan))

    assert result.converged
    assert [(one.step.key, each) for one in result.done for each in one.changes] == changes(plan)
    assert changes(plan), "a plan of nothing shows nothing"


def test_a_node_that_was_changed_meanwhile_is_left_as_it_is(node: Joined) -> None:
    node.take(FILE)
    statement = node.statement(OTHER_FILE, BRIDGE)
    expects = digest(planned(node, statement))
    node.host.files.put_file("/etc/docker/daemon.json", b"a stranger's\n")
    before = stands(node)
    why = refusal(node, statement, expects)

    assert stands(node) == before
    assert "file: write /etc/docker/daemon.json" in why
    assert "bridge: make the bridge cbr0" in why
    (told,) = (one for one in node.items() if isinstance(one, Applied) and one.turn == 7)
    assert (told.outcome, told.reason, told.version) == (Outcome.REFUSED, "stale", 2)
    assert told.why == why
    assert told.changes == 0


def test_a_stale_document_lets_older_and_the_same_ones_in(node: Joined) -> None:
    """It raised no floor: not even that of its own version."""
    node.take(FILE)
    older, stale = node.statement(BRIDGE), node.statement(OTHER_FILE)
    refusal(node, stale, bytes(32))

    node.keeper.take(older)
    node.keeper.take(stale)
    assert node.host.files.read(Path("/etc/docker/daemon.json")) == b'{"a": 1}\n'


def test_a_plan_anew_is_taken(node: Joined) -> None:
    statement = node.statement(FILE)
    refusal(node, statement, bytes(32))

    assert node.keeper.take(statement, expects=digest(planned(node, statement))).converged


def test_the_node_itself_names_its_plan_as_the_master_hears_it(node: Joined) -> None:
    statement = node.statement(FILE)
    end = plan_end(node.keeper, statement, lambda: 0.0)

    assert end.digest == digest(planned(node, statement)).hex()
    assert b'"digest":"' + end.digest.encode() in to_json(end)


@pytest.mark.parametrize("expects", [b"\0", bytes(31), bytes(32)])
def test_what_is_no_digest_of_it_is_none(node: Joined, expects: bytes) -> None:
    assert "nothing would change" in refusal(node, node.statement(), expects)


def test_what_is_accepted_already_was_agreed_to_before(node: Joined) -> None:
    """It comes again where its apply was cut off: by then some of the plan has been done."""
    statement = node.statement(FILE, BRIDGE)
    expects = digest(planned(node, statement))
    first = node.keeper.take(statement, newer=iter([False, True]).__next__, expects=expects)
    assert first.interrupted

    assert digest(planned(node, statement)) != expects
    assert node.keeper.take(statement, expects=expects).converged
    assert node.start() is False
    assert node.keeper.take(statement, expects=expects).converged


def test_a_document_that_may_not_be_taken_is_not_called_stale(node: Joined) -> None:
    node.take(FILE)
    old = node.statement(BRIDGE)
    node.take(FILE)

    with pytest.raises(RefusedError) as refused:
        node.keeper.take(old, expects=bytes(32))
    assert refused.value.reason is Reason.ROLLBACK


BODIES = st.lists(
    st.sampled_from([FILE, OTHER_FILE, BRIDGE, OTHER_BRIDGE]),
    unique_by=lambda resource: resource.id,
).map(tuple)
EDITS: tuple[Callable[[Joined], object], ...] = (
    lambda _: None,
    lambda node: node.host.files.put_file("/etc/docker/daemon.json", b"a stranger's\n"),
    lambda node: node.host.files.put_file("/etc/docker/daemon.json", DAEMON.text.encode()),
    lambda node: node.host.files.put_file("/etc/hosts", b"nobody's business\n"),
    lambda node: node.host.links.table.pop("cbr0", None),
    lambda node: node.host.links.add("cbr0", "bridge", up=False),
)


@given(BODIES, BODIES, st.sampled_from(EDITS), st.sampled_from(EDITS))
def test_law_what_was_planned_or_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    held: tuple[Resource, ...],
    wanted: tuple[Resource, ...],
    before: Callable[[Joined], object],
    meanwhile: Callable[[Joined], object],
) -> None:
    node = Joined(tmp_path_factory.mktemp("node"))
    node.take(*held)
    before(node)
    statement = node.statement(*wanted)
    plan = planned(node, statement)
    meanwhile(node)
    now, stood = planned(node, statement), stands(node)

    if changes(now) == changes(plan):
        result = node.keeper.take(statement, expects=digest(plan))
        assert [(d.step.key, one) for d in result.done for one in d.changes] == changes(plan)
        assert not any(counts(one) for one in planned(node, statement).steps)
    else:
        refusal(node, statement, digest(plan))
        assert stands(node) == stood


def test_the_apply_that_made_way_for_a_stale_document_is_gone_on_with(tmp_path: Path) -> None:
    node, refused = Joined(tmp_path), list[str]()
    first, second = node.statement(FILE), node.statement(OTHER_FILE)

    def keeper() -> Keeper:
        """Made in the worker's thread, as the journal asks for."""
        node.start()
        return node.keeper

    worker = Worker(keeper)
    agent = Agent(worker, [], CLOCKS, Turns(), untold(), lambda _: None)
    deeds = AgentDeeds(agent, lambda: read_vitals(tmp_path))
    deeds.take(Order(1), first, refused.append)
    deeds.take(Order(2, bytes(32)), second, refused.append)
    worker.start(agent.fail)
    while worker.waiting:
        worker.wait()
        worker.collect()

    assert refused == ["", "stale"]
    assert agent.fault is None
    assert node.host.files.read(Path("/etc/docker/daemon.json")) == b"{}\n"
    assert worker.stop(10)
    told = [one for one in Joined(tmp_path).items() if isinstance(one, Applied)]
    assert [(one.turn, one.outcome) for one in told] == [
        (1, Outcome.SUPERSEDED),
        (2, Outcome.REFUSED),
        (1, Outcome.CHANGED),
    ]
