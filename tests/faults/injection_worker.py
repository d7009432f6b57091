"""python -m tests.faults.injection_worker DIRECTORY SEED COUNT: payloads in every string field.

Runs under strace, in a network namespace of its own; apt-get, dpkg and dpkg-deb are /bin/true in a
mount namespace of its own. All that a person would get to read goes to standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
from saltern_agent import commands
from saltern_agent.events import DoneLine, drift_line, planned_line
from saltern_agent.host.dpkg import DebianPackages
from saltern_agent.host.iptables import Iptables
from saltern_agent.host.kernel import KernelModules
from saltern_agent.host.systemd import last_lines
from saltern_agent.log import Log
from saltern_agent.plan import look
from saltern_agent.recording import Noticed, as_drift
from saltern_agent.show import show_done, show_plan
from saltern_agent.steps import Step
from saltern_master.api.drifts import DriftPage
from saltern_master.api.service import AlarmView, ClusterView, DriftView, NodeView, TurnView
from saltern_master.cli import drift_page, drift_tables, tables
from saltern_master.cli.listing import Output, in_json, write
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_master.compile.readable import readable_body
from saltern_master.compile.yaml_text import to_yaml
from saltern_master.errors import MasterError
from saltern_protocol.errors import ProtocolError
from saltern_states.body import Resource, read_resource
from saltern_states.contract import Blocked
from saltern_states.kinds import kind_of
from saltern_states.ports import Host, HostError
from saltern_states.started import NAME, SCRIPT

from tests.faults.every_field import FULL, places, plain, put
from tests.faults.hostile_ground import HostileGround
from tests.faults.injection_payloads import CANARY, payloads
from tests.faults.path_watch import BEGIN, END, mark
from tests.faults.path_worker import plain_yaml
from tests.master.clusters import STOCK
from tests.system.event_namespaces import mount_namespace, network_namespace

REFUSALS = (HostError, MasterError, ProtocolError, msgspec.ValidationError)
AS_TRUE = ("/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/dpkg-deb")
NODE = NodeView(name="w1", node_class="worker", state="joined", fingerprint="f", incarnation="i")
Gate = Callable[[str], object]


def main() -> None:
    """Try the payloads; the last line of what is printed says what came of them."""
    directory, seed, most = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with mount_namespace(), network_namespace():
        for program in AS_TRUE:
            subprocess.run(["/usr/bin/mount", "--bind", "/bin/true", program], check=True)
        told = attack(directory, seed, most)
    print(json.dumps(told))


def attack(directory: Path, seed: int, most: int) -> dict[str, Any]:
    """Put each payload in each place."""
    tried, through, strange = 0, 0, list[str]()
    (directory / "secret").write_text(CANARY)
    os.environ["KEY"] = os.environ["SALTERN_SECRET"] = CANARY
    given = tuple(payloads(seed, most, str(directory / "proof"), str(directory / "secret")))
    with closing(Iptables()) as rules:
        gates = [*spec_gates(host(directory, rules)), *shown_gates(), cluster_gate(), script_gate]
        mark(BEGIN)
        for payload in given:
            for gate in gates:
                tried += 1
                try:
                    gate(payload)
                    through += 1
                except REFUSALS as error:
                    commands._complain(str(error))  # what a person gets to read
                except Exception as error:  # noqa: BLE001  each is a finding
                    strange.append(f"{payload[:60]!r}: {type(error).__name__}: {error}"[:300])
        mark(END)
    return {"tried": tried, "payloads": most, "through": through, "strange": strange}


def host(directory: Path, rules: Iptables) -> Host:
    """Give a node whose programs are real ones, in namespaces."""
    made: Any = HostileGround(directory / "ground").host()
    made.rules = rules
    made.modules = KernelModules()
    made.packages = DebianPackages(directory, directory / "policy-rc.d", directory)
    for path in ("status", "updates"):
        (directory / path).mkdir() if path == "updates" else (directory / path).touch()
    return cast(Host, made)


def spec_gates(node: Host) -> Iterator[Gate]:
    """Every string field of every kind."""
    for spec in FULL:
        value = plain(spec)
        for at in places(value):
            if at != ("kind",):
                yield partial(_spec, node, value, at)


def _spec(node: Host, value: Any, at: tuple[str | int, ...], payload: str) -> None:  # noqa: ANN401
    read = read_resource({"id": "x", "spec": put(value, at, payload)}, "$")
    if not isinstance(read, Resource):
        raise HostError("; ".join(read))
    kind = kind_of(read.spec)
    for verb, plan in (("hold", kind.plan), ("remove", kind.plan_removal)):
        planned = look(node, Step(cast(Any, verb), read))
        commands._print_all(show_plan(planned_line(planned), diffs=True))
        drift = as_drift(planned, Noticed(0.0, "event", payload), 0.0)
        Log(sys.stdout, journald=False).hear(drift_line(drift, 0.0))
        for change in plan(node, read.spec):
            if not isinstance(change, Blocked):
                _apply(node, kind, change)


def _apply(node: Host, kind: Any, change: Any) -> None:  # noqa: ANN401  # of any kind
    try:
        kind.apply(node, change)
    except HostError as error:
        done = DoneLine("x", "hold", "failed", "", (), str(error), getattr(error, "detail", ""))
        Log(sys.stdout, journald=False).hear(done)
        commands._print_all(show_done(done))


def script_gate(payload: str) -> None:
    """What records a unit's start runs as root, with names of ours as its arguments."""
    if "\0" in payload:
        raise HostError("no argument can hold it")
    last_lines(payload, Path("/"))
    script = ["/bin/sh", "-c", SCRIPT, NAME, "/nonexistent/zq", payload, payload, payload]
    subprocess.run(script, capture_output=True, timeout=20, check=False)


def cluster_gate() -> Gate:
    """One string of a cluster file after the other."""
    tree = plain_yaml()
    fields = [at for at in places(tree) if at[0] != "apiVersion"]
    turns = iter(range(10**9))

    def compiled(payload: str) -> None:
        for _ in range(2):
            changed = put(tree, fields[next(turns) % len(fields)], payload)
            made = compile_cluster(
                load(json.dumps(changed).encode()), {}, Allocation(), STOCK, None
            )
            for one in made.nodes:
                print(to_yaml(readable_body(one.body)))

    return compiled


def shown_gates() -> Iterator[Gate]:
    """Everything that a node reports and a person is shown."""
    drift = DriftView(
        node="w1", number=1, resource="r", kind="k", since=1.0, recorded=1.0, stored=1.0,
        seen="look", found=("f",), healed=2.0, outcome="o", id="w1:1", detail="-d", by="b",
        hindrance="h",
    )  # fmt: skip
    page = plain(DriftPage(drift=drift, now=3.0, connected=True, after=("w1:2",)))
    alarm = AlarmView(kind="ahead", node="w1", since=1.0, why="w", remedy="r")
    facts = msgspec.structs.replace(NODE, facts={"a": "b"}, roles=("worker",), health="h")
    cluster = ClusterView(cluster="c", revision=1, version="1", nodes=(facts,), alarms=(alarm,))
    turn = plain(TurnView(turn=1, revision=1, began=1.0, ended=2.0, notes=("n",), nodes=()))
    turn["nodes"] = [
        {"node": "w1", "result": "failed", "why": "w", "changes": 1, "seconds": 1.0, "version": 1,
         "hindrances": [{"resource": "r", "outcome": "failed", "why": "w"}]}
    ]  # fmt: skip
    shows: tuple[tuple[object, Any, Callable[[Any], list[str]]], ...] = (
        (plain(facts), NodeView, lambda one: tables.node_page(one, 5.0, None)),
        (plain(facts), NodeView, lambda one: tables.node_lines([one], 5.0, Output.WIDE)),
        (plain(cluster), ClusterView, lambda one: tables.cluster_lines(one, 5.0, Output.WIDE)),
        (plain(drift), DriftView, lambda one: drift_tables.drift_lines([one], None, Output.WIDE)),
        (plain(drift), DriftView, lambda one: [drift_tables.drift_line(one, None)]),
        (
            plain(drift),
            DriftView,
            lambda one: drift_tables.open_lines([one], 5.0, None, Output.WIDE),
        ),
        (page, DriftPage, lambda one: drift_page.page_lines(one, None)),
        (turn, TurnView, tables.turn_lines),
    )
    for value, kind, lines in shows:
        for at in places(value):
            yield partial(_shown, value, at, kind, lines)


def _shown(
    value: object,
    at: tuple[str | int, ...],
    kind: Any,  # noqa: ANN401  # a view
    lines: Callable[[Any], list[str]],
    payload: str,
) -> None:
    view = msgspec.convert(put(value, at, payload), kind)
    with suppress(StopIteration):
        write(view, Output.TABLE, lines(view))
    print(in_json(msgspec.json.encode(view)))


if __name__ == "__main__":
    main()
