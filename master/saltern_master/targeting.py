"""Which nodes are meant: `role=worker,zone=a,kernel<6,name=w*`. Pure.

    target = [term *("," term)]           a comma is "and"; nothing written: every node
    term   = ["!"] (name / word operator value)
    value  = one *("|" one)               "|" is "or", after = and != alone; `*` is any run
    operator: = != < <= > >=              measures.py says how values are compared

* A word is one of subjects.WORDS, or the key of a label; `label.KEY` is the label for certain.
* A name alone is name=…; `connected` alone is connected=yes.
* What is not known of a node equals nothing and has no order; so != and ! hold there.
* All faults are told at once, and each says what there is. parse() raises nothing but TargetError.
* The nodes of "a,b" are those of "a" that are those of "b" too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.cluster.faults import did_you_mean
from saltern_master.errors import MasterError
from saltern_master.measures import Labels
from saltern_master.named import there_are
from saltern_master.subjects import WORDS, Subject, Word, label_keys

LONGEST: Final = 4096
LABEL: Final = "label."
_OPERATOR: Final = re.compile(r"!=|<=|>=|=|<|>")
_NAME: Final = re.compile(r"[a-z0-9.*-]+\Z")


class TargetError(MasterError):
    """A target that means nothing, or no node; `faults` are all that were found."""

    def __init__(self, text: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        head = f"cannot take the target {printable(text)[:200]}: {_count(self.faults)}"
        super().__init__("\n".join([head, *(f"  {fault}" for fault in self.faults)]))


@dataclass(frozen=True, slots=True)
class Found:
    """Whether one term holds on one node, and the value that decided."""

    term: str
    holds: bool
    found: str  # "": the node has none, or it is not known


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is asked of a node; `text` as it was written."""

    text: str
    word: Word
    operator: str  # of measures.ORDERS
    values: tuple[str, ...]  # one of them
    negated: bool = False

    def look(self, node: Subject) -> Found:
        """Ask a node."""
        values = self.word.read(node)
        holds = any(
            self.word.measure.holds(self.operator, one, value)
            for one in values
            for value in self.values
        )
        return Found(self.text, holds is not self.negated, ",".join(values))


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for; without terms it is every node."""

    terms: tuple[Term, ...] = ()

    def matches(self, node: Subject) -> bool:
        """Tell whether a node is meant."""
        return all(term.look(node).holds for term in self.terms)

    def of(self, nodes: Iterable[Subject]) -> tuple[str, ...]:
        """Name those that are meant, in their order."""
        return tuple(node.name for node in nodes if self.matches(node))

    def explain(self, node: Subject) -> tuple[Found, ...]:
        """Say for each term whether it holds on a node."""
        return tuple(term.look(node) for term in self.terms)


def choose(text: str, nodes: Iterable[Subject]) -> tuple[str, ...]:
    """Name the nodes that a text means; TargetError, also where it means none."""
    everybody = tuple(nodes)
    target = parse(text, label_keys(everybody))
    names = target.of(everybody)
    if not names and target.terms:
        raise TargetError(text, (_nobody(target, everybody),))
    return names


def parse(text: str, labels: Iterable[str] = ()) -> Target:
    """Read a target; `labels`: the keys that there are. TargetError."""
    if len(text) > LONGEST:
        raise TargetError(text, (f"it is longer than {LONGEST} characters",))
    if not text.strip():
        return Target()
    known = frozenset(labels)
    read = [_term(part.strip(), known) for part in text.split(",")]
    faults = [one for one in read if isinstance(one, str)]
    terms = tuple(one for one in read if isinstance(one, Term))
    faults.extend(_two_names(terms))
    if faults:
        raise TargetError(text, map(printable, dict.fromkeys(faults)))
    return Target(terms)


def _term(text: str, labels: frozenset[str]) -> Term | str:
    """Read one term, or say what is wrong with it."""
    asked = text.removeprefix("!").strip()
    negated = asked != text
    if not asked:
        return f"{text or 'nothing'}: a term is missing beside a comma"
    operator = _OPERATOR.search(asked)
    if operator is None:
        return _alone(text, asked, negated)
    key, value = asked[: operator.start()].strip(), asked[operator.end() :].strip()
    word = _word(key, labels)
    if isinstance(word, str):
        return f"{text}: {word}"
    unequal = operator[0] == "!="
    return _made(text, word, "=" if unequal else operator[0], value, negated is not unequal)


def _alone(text: str, asked: str, negated: bool) -> Term | str:
    """Read a term without an operator."""
    if asked == "connected":
        return Term(text, WORDS["connected"], "=", ("yes",), negated)
    return _made(text, WORDS["name"], "=", asked, negated)


def _made(text: str, word: Word, operator: str, value: str, negated: bool) -> Term | str:
    values = tuple(one.strip() for one in value.split("|"))
    if _OPERATOR.search(value) or "!" in value:
        return f"{text}: one operator is enough: {', '.join(('=', '!=', '<', '<=', '>', '>='))}"
    if operator != "=" and len(values) > 1:
        return f"{text}: | can stand after = and != alone"
    wrong = dict.fromkeys(filter(None, (word.measure.wrong(operator, one) for one in values)))
    if wrong:
        return f"{text}: {'; '.join(wrong)}"
    if word is WORDS["name"] and not all(map(_NAME.match, values)):
        return f"{text}: a node's name has small letters, digits, dots and dashes; * is any run"
    return Term(text, word, operator, values, negated)


def _word(key: str, labels: frozenset[str]) -> Word | str:
    """Find what a key asks for, or say what could be asked."""
    if key in WORDS:
        return WORDS[key]
    label = key.removeprefix(LABEL)
    if label in labels:
        return Word(
            key, Labels(), lambda node: (node.labels[label],) if label in node.labels else ()
        )
    near = did_you_mean(key, {*WORDS, *labels}) if key else ""
    return f"there is no {key or 'word'}{near}; {_askable(labels)}"


def _askable(labels: Iterable[str]) -> str:
    """Say what a term can ask for."""
    return f"words: {', '.join(WORDS)}; labels here: {', '.join(sorted(labels)) or 'none'}"


def _two_names(terms: Iterable[Term]) -> list[str]:
    """Say so where a comma stands for "or"."""
    exact = dict.fromkeys(
        term.values[0]
        for term in terms
        if term.word is WORDS["name"] and not term.negated
        if len(term.values) == 1 and "*" not in term.values[0]
    )
    if len(exact) < 2:
        return []
    return [f"{', '.join(exact)}: no node has two names; one of them is {'|'.join(exact)}"]


def _nobody(target: Target, nodes: tuple[Subject, ...]) -> str:
    """Say of how many nodes each term holds, and what there is to ask for."""
    names = there_are(node.name for node in nodes)
    counts = ", ".join(_counts(target, nodes))
    return f"no node is meant: {counts}; {names}; {_askable(label_keys(nodes))}"


def _counts(target: Target, nodes: tuple[Subject, ...]) -> list[str]:
    """Say of how many nodes each term holds."""
    held = [sum(term.look(one).holds for one in nodes) for term in target.terms]
    return [
        f"{printable(term.text)}: {count} of {len(nodes)} nodes"
        for term, count in zip(target.terms, held, strict=True)
    ]


def _count(faults: tuple[str, ...]) -> str:
    return f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
