"""What a token, and a node that joined, can do: become one node, and speak of that one alone."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import msgspec
import pytest
from saltern_master.api.drifts import DriftAsk
from saltern_master.api.service import TurnNode
from saltern_master.cli.drift_tables import drift_line, drift_lines
from saltern_master.cli.listing import Output, in_json
from saltern_master.cli.tables import (
    alarm_lines,
    cluster_lines,
    node_page,
    standing_line,
    summary_line,
    turn_lines,
)
from saltern_master.compile.yaml_text import to_yaml
from saltern_master.front.frames import Heard
from saltern_master.store import Store
from saltern_protocol import messages
from saltern_protocol.documents import decode_identity
from saltern_protocol.messages import Enrolled, Hello, Message, Refused, Waiting
from saltern_protocol.report import Hindrance
from saltern_protocol.token import JoinToken

from tests.master.clusters import SMALL
from tests.master.core_stand import Stand, core_stand, enrol_of, now
from tests.master.homes import made_home
from tests.protocol.examples import FROM_NODE

MANY = 100
MOVES = "\x1b[2J\x1b]0;t\x07\r\n\x7f\x9b\u202e\u2028\U000e0001\x00"


def played(tmp_path: Path, law: object) -> None:
    async def whole() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            await law(stand)  # type: ignore[operator]

    asyncio.run(whole())


async def knocked(stand: Stand, token: JoinToken, keys: list[bytes]) -> list[Message]:
    """Have all of them knock at once."""
    return list(await asyncio.gather(*(stand.front.knock(key, enrol_of(token)) for key in keys)))


def test_of_a_hundred_who_use_one_secret_at_once_one_joins(tmp_path: Path) -> None:
    async def law(stand: Stand) -> None:
        made = await stand.service.make_token("w1", "worker", 60, False)
        keys = [secrets.token_bytes(32) for _ in range(MANY)]
        answers = await knocked(stand, JoinToken.parse(made.token), keys)

        won = [key for key, one in zip(keys, answers, strict=True) if isinstance(one, Enrolled)]
        lost = [one.reason for one in answers if isinstance(one, Refused)]
        assert (len(won), lost) == (1, ["token"] * (MANY - 1))
        assert stand.front.allowed == set(won)
        assert (await stand.service.node("w1")).state == "joined"

    played(tmp_path, law)


def test_of_a_hundred_who_use_one_token_for_approval_the_approved_one_joins(
    tmp_path: Path,
) -> None:
    async def law(stand: Stand) -> None:
        made = await stand.service.make_token("w1", "worker", 60, True)
        token = JoinToken.parse(made.token)
        keys = [secrets.token_bytes(32) for _ in range(MANY)]
        answers = await knocked(stand, token, keys)
        waiting = [key for key, one in zip(keys, answers, strict=True) if isinstance(one, Waiting)]
        assert all(isinstance(one, Waiting | Refused) for one in answers)
        assert 0 < len(waiting) <= 16
        assert stand.front.allowed == set()

        shown = next(one.fingerprint for one in answers if isinstance(one, Waiting))
        await stand.service.approve("w1", shown)
        again = await knocked(stand, token, keys)
        joined = [one for one in again if isinstance(one, Enrolled)]
        assert len(joined) == 1
        assert sum(isinstance(one, Refused) for one in again) == MANY - 1
        assert len(stand.front.allowed) == 1

    played(tmp_path, law)


def everything(store: Store, but: str) -> dict[str, bytes]:
    """Give all that is stored, but what is of one node."""
    entries, after = {}, ""
    while page := store.list("", after=after, most=1000):
        entries.update({one.key: one.value for one in page if but not in one.key.split("/")})
        after = page[-1].key
    return entries


@pytest.mark.parametrize("name", FROM_NODE)
def test_a_node_has_no_effect_on_another_whatever_it_says(tmp_path: Path, name: str) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        turn = await stand.service.apply((SMALL + "- {name: w2, address: 10.9.0.22}\n").encode())
        await w1.fetch()
        await w2.fetch()
        said = FROM_NODE[name]
        known = {"turn": turn.turn, "first": 1, "incarnation": w2.incarnation, "resource": "w2"}
        fields = {each: known[each] for each in said.__struct_fields__ if each in known}
        claims = msgspec.structs.replace(said, **fields)
        others, before = everything(stand.store, "w1"), await stand.service.node("w2")
        turns = {key for key in others if key.startswith("turns/")}
        told = stand.front.told(w2.key).qsize()

        stand.front.say(*(Heard(key=w1.key, data=messages.encode(one)) for one in (said, claims)))
        await w1.connect()  # an answer that comes after them
        after = everything(stand.store, "w1")
        standing = {one.node: one.result for one in (await stand.service.turn(turn.turn)).nodes}

        assert {key: after[key] for key in others if key not in turns} == {
            key: value for key, value in others.items() if key not in turns
        }
        assert {key for key in after if key not in others and key not in turns} == set()
        assert await stand.service.node("w2") == before
        assert standing["w2"] == "waiting"
        assert stand.front.told(w2.key).qsize() == told

    played(tmp_path, law)


def test_a_hello_with_anothers_incarnation_begins_nothing(tmp_path: Path) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        w1.say(w1.hello(incarnation=w2.incarnation))
        assert (await w1.hear(Refused)).reason == "wrong-incarnation"
        assert isinstance(w2.hello(), Hello)
        assert (await stand.service.node("w2")).connected

    played(tmp_path, law)


def shown_by(lines: list[str]) -> str:
    return "\n".join(lines)


def test_nothing_that_a_machine_says_moves_a_terminal(tmp_path: Path) -> None:
    """Every field of Enrol, Hello, Health and Report that any command prints, and the log."""

    async def law(stand: Stand) -> None:
        facts = msgspec.json.encode({"mtu": 1500, MOVES: MOVES, "x": [MOVES]})
        made = await stand.service.make_token("w1", "worker", 60, False)
        key = secrets.token_bytes(32)
        token = JoinToken.parse(made.token)
        answer = await stand.front.knock(key, enrol_of(token, release=MOVES[:250]))
        assert isinstance(answer, Enrolled)
        (w2,) = await stand.joined("w2")
        w2.name, w2.key = "w1", key
        w2.incarnation = decode_identity(answer.identity).incarnation
        await w2.connect(release=MOVES, facts=facts, boot=MOVES)
        turn = await stand.service.apply(SMALL.encode())
        await w2.fetch()
        bad = Hindrance(resource=MOVES, outcome=MOVES, why=MOVES)
        fields = {"why": MOVES, "reason": MOVES, "hindrances": (bad,)}
        seen = msgspec.structs.replace(w2.deviation(MOVES), kind=MOVES, seen=MOVES, found=(MOVES,))
        await w2.report(w2.applied(turn.turn, "failed", **fields), seen)
        w2.say(w2.health(state=MOVES))
        await w2.report(msgspec.structs.replace(w2.healing(MOVES), outcome=MOVES))

        view, time = await stand.service.status(), now()
        drift = await stand.service.drift(DriftAsk(most=10))
        after = await stand.service.turn(turn.turn)
        pages = [
            cluster_lines(view, time, Output.WIDE),
            alarm_lines(view.alarms, time),
            *(node_page(one, time, None) for one in view.nodes),
            drift_lines(drift, None, Output.WIDE),
            [drift_line(one, None) for one in drift],
            turn_lines(after),
            [standing_line(one) for one in after.nodes],
            [summary_line(after)],
            [standing_line(TurnNode(node="w1", result="unreachable", why=MOVES))],
            *(in_json(msgspec.json.encode(one)).splitlines() for one in (view, drift, after)),
            *(to_yaml(msgspec.to_builtins(one)).splitlines() for one in (view, drift, after)),
            stand.log,
        ]
        text = shown_by([line for page in pages for line in page])
        assert "[2J" in text  # it is shown
        assert drift
        assert all(letter.isprintable() or letter == "\n" for letter in text)

    played(tmp_path, law)
