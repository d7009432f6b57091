"""Fault 29: our chains among others who write, under traffic, cut off in the middle, thrown out.

Everything happens in a network namespace made for it. Rewrites are those of the real kind on the
real port; the jump is brought back by a real agent process.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from msgspec.structs import replace
from saltern_agent.host.iptables import Iptables
from saltern_agent.places import Places, pin
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity, encode_statement
from saltern_states import chain, iptables_rule
from saltern_states.body import Resource, make_body, write_body
from saltern_states.chain import Chain, Jump
from saltern_states.ports import Host, HostError
from saltern_states.testing import FakeHost

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.firewall_net import FOREIGN, IPTABLES, PORT, busy, namespace, rules_of, saved
from tests.system.namespace import ENVIRONMENT, run

ACCEPT = f"-p udp -m udp --dport {PORT} -j ACCEPT"
WORST = 60.0  # seconds for a jump to be back
OURS = "SALTERN-"


@dataclass(slots=True)
class Tally:
    """What was seen."""

    rewrites: int = 0
    sent: int = 0
    lost: int = 0
    foreign: int = 0
    half: int = 0
    tables: int = 0
    back: list[float] = field(default_factory=list)


def filtering(turn: int) -> Chain:
    """Our chain in the table that the packets cross; each turn it has other rules."""
    others = tuple(f"-s 10.0.{turn % 250}.{n}/32 -j RETURN" for n in range(1, 4 + turn % 5))
    place: Literal["first", "any"] = "any" if turn % 3 else "first"
    jump = Jump("INPUT", place)
    return Chain(table="filter", name="SALTERN-INPUT", rules=(*others, ACCEPT), jump=jump)


def translating(turn: int) -> Chain:
    """Our chain in another table."""
    rules = tuple(f"-s 10.8.{turn % 250}.{n}/32 -j MASQUERADE" for n in range(1, 4 + turn % 5))
    return Chain(table="nat", name="SALTERN-POST", rules=rules, jump=Jump("POSTROUTING", "last"))


def hold(host: Host, want: Chain) -> None:
    """Plan and apply until it stands; others may have come between."""
    for _ in range(20):
        changes = chain.KIND.plan(host, want)
        if not changes:
            return
        for change in changes:
            try:
                chain.KIND.apply(host, cast(Any, change))
            except HostError:
                break  # it moved meanwhile: plan again
    raise AssertionError(f"{want.name} cannot be held")


@contextmanager
def node() -> Iterator[Host]:
    """Give a node whose rules are the namespace's."""
    host: Any = FakeHost()
    with closing(Iptables()) as host.rules:
        yield cast(Host, host)


def run_all(trial: Trial) -> Seen:
    """Rewrite among others, break the second table, kill between two, throw the jump out."""
    tally, chance = Tally(), random.Random(trial.seed)
    with namespace():
        with node() as host:
            rewrite(host, trial.rounds, tally)
            second_table(host, tally)
            killed(host, max(4, trial.rounds // 12), chance, tally)
        thrown_out(trial.directory, max(2, trial.rounds // 50), tally)
    figures = (
        Figure("packets lost", tally.lost),
        Figure("foreign chains changed", tally.foreign),
        Figure("chains half written", tally.half),
        Figure("tables touched by a refused one", tally.tables),
        Figure("longest until the jump was back", max(tally.back), WORST, "s"),
    )
    how = f"{tally.sent} packets, 4 foreign writers, {len(tally.back)} jumps thrown out"
    return Seen(tally.rewrites, figures, how)


def rewrite(host: Host, rounds: int, tally: Tally) -> None:
    """Rewrite our chains under traffic, beside four others who write theirs."""
    hold(host, filtering(0))
    laid = [line for line in saved() if _laid(line)]
    with busy(traffic=True) as others:
        for turn in range(1, rounds + 1):
            hold(host, filtering(turn))
            if turn % 10 == 0:
                hold(host, translating(turn))
            tally.rewrites += 1
    tally.sent, tally.lost = others.sent, others.lost
    assert others.sent > rounds
    assert others.wrote > len(FOREIGN)
    for name, last in others.last.items():
        tally.foreign += rules_of(name) != last
    tally.foreign += [line for line in saved() if _laid(line)] != laid
    tally.foreign += others.failed


def _laid(line: str) -> bool:
    return any(name in line for name in ("DOCKER-USER", "KUBE-MARK-MASQ", "-j DROP"))


def second_table(host: Host, tally: Tally) -> None:
    """A bad rule in the second table leaves that one as it was, and the first whole."""
    hold(host, filtering(1))
    hold(host, translating(1))
    before = saved()
    bad = replace(translating(2), rules=(*translating(2).rules, "-m nosuchmatch -j RETURN"))
    for text in (
        chain.restore_text(cast(Any, chain.KIND.plan(host, filtering(2))[0]))
        + chain.restore_text(cast(Any, chain.KIND.plan(host, bad)[0])),
        chain.restore_text(cast(Any, chain.KIND.plan(host, bad)[0])),
    ):
        try:
            host.rules.restore("nft", text)
        except HostError:
            pass
        else:
            tally.tables += 1
    tally.tables += saved() != before
    hold(host, filtering(2))
    before = saved()
    with suppress(AssertionError):  # as it has to be: it cannot be held
        hold(host, bad)
    tally.tables += saved() != before


def killed(host: Host, times: int, chance: random.Random, tally: Tally) -> None:
    """Kill who writes two tables, at any moment: each has its old chain or its new one, whole."""
    for turn in range(times):
        old, new = (
            (filtering(turn), translating(turn)),
            (filtering(turn + 1), translating(turn + 1)),
        )
        for want in old:
            hold(host, want)
        foreign = [line for line in saved() if OURS not in line]
        child = os.fork()
        if child == 0:
            _write_and_end(new)
        deadline = time.monotonic() + chance.random() * 0.25
        while time.monotonic() < deadline and os.waitpid(child, os.WNOHANG) == (0, 0):
            signal.sigtimedwait([], 0.002)
        try:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # it was done
        for want in (*old, *new):
            rules = chain.KIND.observe(host, want).rules
            whole = [
                chain.KIND.observe(host, want).rules == _canonical(one) for one in (*old, *new)
            ]
            tally.half += rules is not None and not any(whole)
        tally.foreign += [line for line in saved() if OURS not in line] != foreign
        for want in new:
            hold(host, want)


def _canonical(want: Chain) -> tuple[str, ...]:
    return tuple(map(iptables_rule.canonical, want.rules))


def _write_and_end(wanted: tuple[Chain, ...]) -> None:
    """Be the child: a group of its own, so that its iptables dies with it."""
    try:
        os.setpgid(0, 0)
        with node() as host:
            for want in wanted:
                hold(host, want)
    finally:
        os._exit(0)


def thrown_out(directory: Path, times: int, tally: Tally) -> None:
    """Have a real agent hold a chain; throw its jump out as docker, kube-proxy and firewalld do."""
    damages = (
        ("-D", "INPUT", "-j", "SALTERN-INPUT"),
        ("-F", "INPUT"),
        ("-F",),
        ("-I", "INPUT", "-j", "DOCKER-USER"),
    )
    with agent(directory, filtering(0)):
        _until(_first)
        for turn in range(times):
            run(IPTABLES, "-w", *damages[turn % len(damages)])
            began = time.monotonic()
            _until(_first)
            tally.back.append(time.monotonic() - began)


def _first() -> bool:
    """Say whether the jump is where it is declared, and the chain lets its packets through."""
    first = rules_of("INPUT")[:1] == ["-A INPUT -j SALTERN-INPUT"]
    return first and f"-A SALTERN-INPUT {ACCEPT}" in rules_of("SALTERN-INPUT")


def _until(well: Any) -> None:  # noqa: ANN401  # a question without arguments
    deadline = time.monotonic() + WORST + 5
    while not well():
        if time.monotonic() > deadline:
            return
        signal.sigtimedwait([], 0.02)


@contextmanager
def agent(directory: Path, want: Chain) -> Iterator[None]:
    """Run a real agent that holds one chain, on this machine, in this namespace."""
    places = Places(directory / "config", directory / "state", directory / "run")
    for path in (places.config, places.state, places.run):
        path.mkdir(mode=0o700)
    pin(places, encode_identity(testing.IDENTITY))
    body = write_body(make_body((Resource(id="chain", spec=want),)))
    statement = directory / "statement"
    statement.write_bytes(encode_statement(testing.statement(body)))
    options = [f"--{name}={getattr(places, name)}" for name in ("config", "state", "run")]
    command = [sys.executable, "-m", "saltern_agent", *options]
    done = subprocess.run(
        [*command, "apply", str(statement)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    log = (directory / "log").open("w")
    process = subprocess.Popen([*command, "run"], stderr=log, env=ENVIRONMENT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
        log.close()


FAULT = Fault(
    number=29,
    what="our chains among others', cut off and thrown out",
    short=10,
    full=500,
    run=run_all,
    alone=True,
)
