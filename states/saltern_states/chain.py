"""chain: one iptables chain of our own, whole, with its jump from a built-in chain.

* The chain and its jump are written in one `iptables-restore --noflush` of one table: a
  packet meets the old rules or the new ones. Nothing else in the table is named in it, so
  nothing else changes; no built-in chain is flushed, and no policy set.
* The jump is the plain rule "-j NAME". It stands once in the table's built-in chains, at
  its place. A rule of that form is ours wherever it stands in a built-in chain: nobody else
  has cause to call a chain of our name. Calls of another form, or from a chain that is not
  built in, are others' rules: they stay, and forbid the chain's removal.
* Rules are compared in iptables_rule.canonical form, so a person may write them in another
  order or with other quotes. One that iptables prints differently in another way than that
  is rewritten at each look, and reported as not converged.
* A change holds for every table that has the same chain and the same calls of it as the
  planned one. Others' rules may come and go meanwhile: the jump is placed anew, not by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states import iptables_rule, iptables_text
from saltern_states.changes import unified
from saltern_states.contract import (
    BY_PACKAGE,
    Blocked,
    Change,
    Kind,
    Spec,
    Watch,
    WatchChain,
    WatchLegacyRules,
)
from saltern_states.ports import Backend, Host, MovedError

ChainName = Annotated[str, Meta(pattern=r"^SALTERN-[A-Z0-9-]{1,20}\Z")]
Place = Literal["first", "last", "any"]


class Jump(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the chain is called: once, from one built-in chain, at a declared place."""

    chain: Literal["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]
    place: Place = "any"


class Chain(Spec, frozen=True, kw_only=True, tag="chain/1"):
    """A chain and all its rules, in order, each as iptables-save prints it after "-A NAME "."""

    table: Literal["filter", "nat", "mangle", "raw"]
    name: ChainName
    rules: tuple[Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+\Z", max_length=512)], ...]
    jump: Jump
    backend: Backend = "nft"

    def __post_init__(self) -> None:
        if self.jump.chain not in iptables_text.BUILT_IN[self.table]:
            raise ValueError(f"cannot jump from {self.jump.chain}: {self.table} has no such chain")
        for rule in self.rules:
            iptables_rule.check(rule)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has of the chain."""

    installed: bool  # whether this back end's programs are there
    rules: tuple[str, ...] | None = None  # canonical; None: no such chain
    jumps: tuple[str, ...] = ()  # the built-in chain of each plain jump to it, in order
    foreign: tuple[str, ...] = ()  # others' rules that call it, each with its chain
    placed: tuple[Place, ...] = ()  # which places the jump now keeps in the wanted chain


class WriteChain(Change, frozen=True, kw_only=True, tag="write-chain"):
    """Write the chain's rules, or its jump, or both, in one transaction."""

    backend: Backend
    table: str
    name: str
    was: tuple[str, ...] | None
    jumps: tuple[str, ...]  # the plain jumps that are there now
    rules: tuple[str, ...] | None  # None: they are right, only the jump is not
    jump: Jump | None  # None: it is right, only the rules are not

    def __str__(self) -> str:
        verb = "make" if self.was is None else "write"
        parts = [] if self.rules is None else [_counted(len(self.rules))]
        if self.jump is not None:
            place = "" if self.jump.place == "any" else f", {self.jump.place}"
            parts.append(f"jump from {self.jump.chain}{place}")
        return f"{verb} the chain {self.table}/{self.name} ({self.backend}): {'; '.join(parts)}"

    @property
    def detail(self) -> str:
        """The rules and the jumps, before and after."""
        jumps = self.jumps if self.jump is None else (self.jump.chain,)
        rules = self.rules if self.rules is not None else self.was or ()
        return unified(
            f"{self.table}/{self.name}",
            _listed(self.name, self.was or (), self.jumps),
            _listed(self.name, tuple(map(iptables_rule.canonical, rules)), jumps),
        )


class DeleteChain(Change, frozen=True, kw_only=True, tag="delete-chain"):
    """Take the jumps away, empty the chain and delete it, in one transaction."""

    backend: Backend
    table: str
    name: str
    was: tuple[str, ...]
    jumps: tuple[str, ...]

    def __str__(self) -> str:
        return f"delete the chain {self.table}/{self.name} ({self.backend}) and its jump"

    @property
    def detail(self) -> str:
        """What is lost."""
        before = _listed(self.name, self.was, self.jumps)
        return unified(f"{self.table}/{self.name}", before, b"")


ChainChange = WriteChain | DeleteChain


def observe(host: Host, want: Chain) -> Observed:
    """Read the chain and who calls it."""
    return _look(host, want.backend, want.table, want.name, want.jump.chain)


def diff(want: Chain, have: Observed) -> tuple[ChainChange | Blocked, ...]:
    """Compare the rules in order, and the jump with its place."""
    rules_right = have.rules == tuple(map(iptables_rule.canonical, want.rules))
    jump_right = have.jumps == (want.jump.chain,) and want.jump.place in have.placed
    if rules_right and jump_right:
        return ()
    write = WriteChain(
        backend=want.backend,
        table=want.table,
        name=want.name,
        was=have.rules,
        jumps=have.jumps,
        rules=None if rules_right else want.rules,
        jump=None if jump_right else want.jump,
    )
    if not have.installed:
        why = f"there is no iptables with the back end {want.backend}; install the package iptables"
        return (Blocked(why, (write,), BY_PACKAGE),)
    return (write,)


def remove(want: Chain, have: Observed) -> tuple[ChainChange | Blocked, ...]:
    """Delete the chain with its jump; others' calls of it are in the way."""
    if have.rules is None:
        return ()
    delete = DeleteChain(
        backend=want.backend,
        table=want.table,
        name=want.name,
        was=have.rules,
        jumps=have.jumps,
    )
    if have.foreign:
        why = f"others call {want.table}/{want.name}: {'; '.join(have.foreign)}; take that away"
        return (Blocked(why, (delete,)),)
    return (delete,)


def claims(want: Chain) -> tuple[Claim, ...]:
    """The chain; its jump goes with it."""
    return (Claim("chain", f"{want.table}/{want.name}"),)


def stands_at(want: Chain) -> tuple[str, ...]:
    """The chain of one back end: the other's chain of the same name is another one."""
    return (f"chain {want.table}/{want.name} ({want.backend})",)


def positions(want: Chain) -> tuple[str, ...]:
    """The first or the last place in a built-in chain: one jump alone can have it."""
    if want.jump.place == "any":
        return ()
    where = f"{want.table}/{want.jump.chain} ({want.backend})"
    return (f"the {want.jump.place} place in {where}",)


def watch(want: Chain) -> tuple[Watch, ...]:
    """The chain and the one that calls it; legacy tells of nothing, so its table is read."""
    if want.backend == "legacy":
        return (WatchLegacyRules(want.table),)
    return (WatchChain(want.table, (want.name, want.jump.chain)),)


def apply(host: Host, change: ChainChange) -> None:
    """Restore one table's text, if the chain and its jumps still are what was planned for."""
    have = _look(host, change.backend, change.table, change.name, "")
    if (have.rules, have.jumps) != (change.was, change.jumps):
        raise MovedError(f"cannot {change}: it is not as it was; plan again")
    host.rules.restore(change.backend, restore_text(change))


def restore_text(change: ChainChange) -> str:
    """Give the input of iptables-restore --noflush that makes the change."""
    name = change.name
    away = [f"-D {chain} -j {name}" for chain in change.jumps]
    if isinstance(change, DeleteChain):
        return iptables_text.join(change.table, [*away, f"-F {name}", f"-X {name}"])
    lines: list[str] = []
    if change.rules is not None:
        lines += [f":{name} - [0:0]", *(f"-A {name} {rule}" for rule in change.rules)]
    if change.jump is not None:
        where = (
            f"-I {change.jump.chain} 1"
            if change.jump.place == "first"
            else (f"-A {change.jump.chain}")
        )
        lines += [*away, f"{where} -j {name}"]
    return iptables_text.join(change.table, lines)


def _look(host: Host, backend: Backend, table: str, name: str, caller: str) -> Observed:
    text = host.rules.save(backend, table)
    if text is None:
        return Observed(installed=False)
    rules = iptables_text.rules_in(text, name)
    there = iptables_text.declares(text, name)
    jump = f"-j {name}"
    built_in = iptables_text.BUILT_IN[table]
    calls = [
        (chain, rule)
        for chain, rule in iptables_text.mentions(text, name)
        if iptables_rule.target(rule) == name
    ]
    ours = [chain for chain, rule in calls if rule == jump and chain in built_in]
    others = [f"-A {c} {rule}" for c, rule in calls if rule != jump or c not in built_in]
    return Observed(
        installed=True,
        rules=tuple(map(iptables_rule.canonical, rules)) if there else None,
        jumps=tuple(ours),
        foreign=tuple(others),
        placed=_places(iptables_text.rules_in(text, caller), jump) if caller in ours else (),
    )


def _places(rules: tuple[str, ...], jump: str) -> tuple[Place, ...]:
    """Give the places that a jump keeps, where it stands among these rules."""
    places: list[Place] = ["any"]
    if rules[0] == jump:
        places.append("first")
    if rules[-1] == jump:
        places.append("last")
    return tuple(places)


def _counted(rules: int) -> str:
    return "1 rule" if rules == 1 else f"{rules} rules"


def _listed(name: str, rules: tuple[str, ...], jumps: tuple[str, ...]) -> bytes:
    lines = [f"-A {chain} -j {name}\n" for chain in jumps]
    lines += [f"-A {name} {rule}\n" for rule in rules]
    return "".join(lines).encode()


KIND: Kind[Chain, Observed, ChainChange] = Kind(
    spec=Chain,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    stands_at=stands_at,
    positions=positions,
    watch=watch,
    apply=apply,
    example=Chain(
        table="nat",
        name="SALTERN-POSTROUTING",
        rules=("-s 10.10.5.0/24 ! -d 10.10.0.0/16 -m addrtype ! --dst-type LOCAL -j MASQUERADE",),
        jump=Jump("POSTROUTING", "last"),
    ),
    volatile=True,
)
