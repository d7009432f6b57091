"""What iptables-restore --noflush makes of a table. Pure.

The fake of tests and a plan ask it; that it is what the real one does, show the contracts of rules.

* A chain that the input declares is emptied, or made; what it does not declare stays.
* A built-in chain that is declared gets the policy and keeps its rules, as in iptables 1.8.
* One input is one table and one transaction: a line that is refused leaves all as it was.
"""

from __future__ import annotations

from saltern_states import iptables_rule, iptables_text

TARGETS = frozenset(
    {"ACCEPT", "DROP", "RETURN", "REJECT", "LOG", "MARK", "CONNMARK", "CT", "TCPMSS"}
    | {"MASQUERADE", "SNAT", "DNAT", "REDIRECT"}
)
"""The targets that this iptables knows, beside the chains."""


def restored(table: iptables_text.Table, text: str) -> iptables_text.Table:
    """Give the table after one table's text was restored; ValueError where iptables refuses it."""
    work = Work(table)
    for number, line in enumerate(text.splitlines()[1:-1], 2):
        try:
            work.do(line)
        except ValueError as error:
            raise ValueError(f"line {number} ({line}): {error}") from error
    return work.table()


class Work:
    """A table while one input is applied to it."""

    def __init__(self, table: iptables_text.Table) -> None:
        self.name = table.name
        self.policies = dict(table.policies)
        self.rules = {chain: list(table.rules.get(chain, ())) for chain in self.policies}

    def table(self) -> iptables_text.Table:
        """Give the table as it is now; ValueError where a rule calls what is not there."""
        for chain in self.policies:
            for rule in self.rules[chain]:
                self._check_target(iptables_rule.target(rule))
        rules = {chain: tuple(of) for chain, of in self.rules.items() if of}
        return iptables_text.Table(self.name, dict(self.policies), rules)

    def do(self, line: str) -> None:
        """Do one line; ValueError where iptables would refuse it."""
        if line.startswith(":"):
            chain, policy, *_ = line[1:].split(" ")
            self._declare(chain, policy)
            return
        command, chain, rest = (*line.split(" ", 2), "", "")[:3]
        if chain not in self.policies:
            raise ValueError(f"no chain {chain}")
        if command == "-A":
            self.rules[chain].append(self._rule(rest))
        elif command == "-I":
            number, rule = _number(rest)
            self.rules[chain].insert(number - 1, self._rule(rule))
        elif command == "-D":
            self.rules[chain].remove(self._rule(rest))
        elif command == "-F":
            self.rules[chain].clear()
        elif command == "-X":
            self._delete(chain)
        else:
            raise ValueError(f"unknown option {command}")

    def _declare(self, chain: str, policy: str) -> None:
        built_in = chain in iptables_text.BUILT_IN[self.name]
        self.policies[chain] = policy
        if not built_in:
            self.rules[chain] = []

    def _delete(self, chain: str) -> None:
        callers = [
            c for c, rules in self.rules.items() for r in rules if iptables_rule.target(r) == chain
        ]
        if chain in iptables_text.BUILT_IN[self.name] or self.rules[chain] or callers:
            raise ValueError(
                f"chain {chain} is built in, not empty, or called: Device or resource busy"
            )
        del self.policies[chain], self.rules[chain]

    def _rule(self, text: str) -> str:
        iptables_rule.check(text)
        rule = iptables_rule.canonical(text)
        if iptables_rule.lacks_protocol(text):
            raise ValueError("unknown option: it belongs to a protocol, and none is given")
        self._check_target(iptables_rule.target(rule))
        return rule

    def _check_target(self, target: str) -> None:
        if target and target not in TARGETS and target not in self.policies:
            raise ValueError(f"Couldn't load target {target}")


def _number(rest: str) -> tuple[int, str]:
    head, _, rule = rest.partition(" ")
    return (int(head), rule) if head.isdigit() else (1, rest)
