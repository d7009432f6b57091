"""Secrets and keys on a node with its keeper: plan is apply, and nothing of them is ever told."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_agent.plan import Planned
from saltern_states.body import Resource
from saltern_states.certificate import EXAMPLE_AUTHORITY, Certificate
from saltern_states.secret import Secret
from saltern_states.unit import LivesBy, Unit

from tests.agent.test_keeper import Node

CANARY = b"canary-9f3e1b7a55"
PATH = "/etc/kubernetes/tokens.csv"
CRT, KEY = "/etc/kubernetes/a.crt", "/etc/kubernetes/a.key"
UNIT = "docker.service"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.host.files.put_directory("/etc/kubernetes")
    made.host.units.install(UNIT)
    return made


def resources(node: Node, content: bytes, generation: int) -> tuple[Resource, ...]:
    blob = node.host.secrets.put(content, "tokens", generation)
    secret = Secret(path=PATH, secret="tokens", generation=generation, blob=blob)
    certificate = Certificate(
        path=CRT,
        key=KEY,
        issuer="kubernetes",
        common_name="w1",
        usages=("client",),
        ca=EXAMPLE_AUTHORITY,
    )
    unit = Unit(unit=UNIT, files=(LivesBy(path=PATH, sha256=""), LivesBy(path=CRT, sha256="")))
    return (
        Resource(id="tokens", spec=secret),
        Resource(id="pki", spec=certificate),
        Resource(id="probe", spec=unit, after=("tokens", "pki")),
    )


def shown(planned: tuple[Planned, ...]) -> list[str]:
    return [str(change) for one in planned for change in one.changes]


def everything(node: Node, told: list[object]) -> str:
    """All that was told and all that the agent wrote for itself."""
    kept = [path.read_bytes() for path in sorted(node.path.rglob("*")) if path.is_file()]
    assert kept
    return repr((told, kept))


def test_neither_plan_nor_apply_nor_drift_tells_a_secret(node: Node) -> None:
    told: list[object] = []
    wanted = resources(node, CANARY, 1)
    told.append(node.take(*wanted))
    assert node.host.files.read(Path(PATH)) == CANARY
    key = node.host.files.read(Path(KEY)) or b""

    for damage in (b"stranger " + CANARY[::-1], b""):
        node.host.files.put_file(PATH, damage, 0o644)
        node.host.files.put_file(KEY, damage, 0o644)
        node.now += 10
        plan = node.keeper.plan(None)
        told.append([(str(one), one.detail, repr(one)) for p in plan.steps for one in p.changes])
        told.append([p.why for p in plan.steps])
        told.append(node.look("tokens", "pki", "probe"))
        assert node.host.files.read(Path(PATH)) == CANARY
    told.append(node.take(*resources(node, b"next " + CANARY, 2)))
    assert node.host.files.read(Path(PATH)) == b"next " + CANARY
    told.append(node.take())
    assert node.host.files.look(Path(PATH)) is None

    all_of_it = everything(node, told)
    assert "write /etc/kubernetes/tokens.csv (secret tokens, generation 1" in all_of_it
    for hidden in (CANARY, CANARY[::-1], key.strip()):
        assert hidden
        assert hidden.decode() not in all_of_it
        assert hidden.hex() not in all_of_it


def test_a_blob_that_does_not_open_is_told_without_its_content(node: Node) -> None:
    first = resources(node, CANARY, 1)[0]
    wrong = Secret(path=PATH, secret="tokens", generation=2, blob=first.spec.blob)  # type: ignore[attr-defined]

    told = node.take(Resource(id="tokens", spec=wrong))

    assert node.host.files.look(Path(PATH)) is None
    assert CANARY.decode() not in everything(node, [told])


def test_a_renewal_is_planned_with_the_restart_that_it_brings(node: Node) -> None:
    node.take(*resources(node, CANARY, 1))
    node.host.certificates.now += 300 * 86400

    planned = shown(node.keeper.plan(None).steps)

    assert planned == [
        f"request {CRT} from authority kubernetes: it ends on 2028-01-15",
        f"restart {UNIT}: it runs with another {CRT}",
    ]
    assert node.look("pki", "probe")
    assert shown(node.keeper.plan(None).steps) == []


def test_without_a_master_a_node_holds_what_it_has(node: Node) -> None:
    node.take(*resources(node, CANARY, 1))
    node.host.certificates.unreachable = "the master was not heard"
    node.host.certificates.now += 300 * 86400

    assert node.look() == []
    node.host.units.crash(UNIT)
    node.look("probe")

    assert node.host.units.state(UNIT).active == "active"
