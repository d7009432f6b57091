"""A table of iptables as text: what iptables-save prints, taken apart and put together.

Laws:

* parse(render(table)) == table.
* Counters and comment lines are no part of a table: two saves of an unchanged table are equal.
* A built-in chain that the text does not show has no rules and accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
}
"""The chains that the kernel itself calls, in the order in which iptables-save prints them."""

_COUNTERS = re.compile(r"\[[0-9]+:[0-9]+\]")


@dataclass(frozen=True, slots=True)
class Table:
    """One table."""

    name: str
    policies: Mapping[str, str]  # chain -> ACCEPT, DROP, or "-" for one that is not built in
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # chain -> rules, in order

    def rules_of(self, chain: str) -> tuple[str, ...] | None:
        """Give a chain's rules; None where there is no such chain."""
        return self.rules.get(chain, ()) if chain in self.policies else None


def empty(name: str) -> Table:
    """Give the table as the kernel makes it."""
    return Table(name, dict.fromkeys(BUILT_IN.get(name, ()), "ACCEPT"))


def split(text: str) -> dict[str, tuple[str, ...]]:
    """Cut what iptables-save printed into tables: name -> lines, without comments and counters."""
    found: dict[str, tuple[str, ...]] = {}
    name, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith("*"):
            name, lines = line[1:].strip(), []
        elif line == "COMMIT":
            found[name] = tuple(lines)
        elif line.startswith(":"):
            lines.append(_COUNTERS.sub("[0:0]", line))
        elif line and not line.startswith("#"):
            lines.append(line)
    return found


def join(name: str, lines: Iterable[str]) -> str:
    """Give one table's text, for iptables-restore."""
    return "\n".join((f"*{name}", *lines, "COMMIT", ""))


def named(text: str) -> str:
    """Name the one table that a text for iptables-restore is of; ValueError where it is not one."""
    lines = text.splitlines()
    if len(lines) < 2 or not lines[0].startswith("*") or lines[-1] != "COMMIT":
        raise ValueError("the text is not one table with its COMMIT")
    return lines[0][1:]


def parse(name: str, text: str) -> Table:
    """Read one table out of what iptables-save printed; empty where the text has it not."""
    table = empty(name)
    policies, rules = dict(table.policies), dict[str, list[str]]()
    for line in split(text).get(name, ()):
        head, _, rest = line.partition(" ")
        if head.startswith(":"):
            policies[head[1:]] = rest.split(" ")[0]
        elif head == "-A":
            chain, _, rule = rest.partition(" ")
            rules.setdefault(chain, []).append(rule)
    return Table(name, policies, {chain: tuple(of) for chain, of in rules.items()})


def declares(text: str, chain: str) -> bool:
    """Say whether the text has the chain."""
    return f"\n:{chain} " in text


def rules_in(text: str, chain: str) -> tuple[str, ...]:
    """Give one chain's rules, in order. Of ten thousand lines only the chain's are touched."""
    head = f"\n-A {chain}"
    found: list[str] = []
    at = text.find(head)
    while at >= 0:
        end = text.find("\n", at + 1)
        rule = text[at + len(head) : end]
        if not rule or rule[0] == " ":  # else it is a longer name that starts with ours
            found.append(rule[1:])
        at = text.find(head, end)
    return tuple(found)


def mentions(text: str, word: str) -> tuple[tuple[str, str], ...]:
    """Give (chain, rule) of each rule that has the word after a space, in order."""
    found: dict[int, tuple[str, str]] = {}
    at = text.find(f" {word}")
    while at >= 0:
        start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        command, chain, rule = (*text[start:end].split(" ", 2), "", "")[:3]
        ends = text[at + 1 + len(word) : at + 2 + len(word)] in ' \n"'  # else: a longer word
        if command == "-A" and chain != word and ends:
            found[start] = (chain, rule)
        at = text.find(f" {word}", at + 1)
    return tuple(found.values())


def render(table: Table) -> str:
    """Give the table as iptables-save prints it, without comment lines and counters."""
    chains = [f":{chain} {policy} [0:0]" for chain, policy in table.policies.items()]
    rules = [
        f"-A {chain} {rule}".rstrip()
        for chain in table.policies
        for rule in table.rules.get(chain, ())
    ]
    return join(table.name, [*chains, *rules])
