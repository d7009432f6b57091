"""A strategy's file: YAML -> the words in it, each with its line, or all faults of its form. Pure.

canary: 1
waves: [10%, 30%, 100%]
maxUnavailable: {worker: 2}
soak: 60s
onSpent: undo
"""

from __future__ import annotations

from collections.abc import Iterator

from saltern_master.cli.strategy import Word, Words
from saltern_master.cluster.faults import ClusterFileError, Fault, did_you_mean
from saltern_master.cluster.shape import Reading, read
from saltern_master.cluster.source import Entry, List, Map, Scalar, Tree, parse
from saltern_master.rollouts.strategy import Probe, Strategy

LISTS = {"waves": "[10%, 100%]", "probes": "[10250, 8080/healthz]"}
FIELDS = dict(zip(Strategy.__struct_encode_fields__, Strategy.__struct_fields__, strict=True))


def words_of(data: bytes, name: str) -> tuple[Words, tuple[str, ...]]:
    """Give the words of a file of this name, and what is wrong with it."""
    try:
        tree = parse(data)
    except ClusterFileError as error:
        return {}, tuple(f"{name}: {one}" for one in error.faults)
    if not isinstance(tree, Map):
        return {}, (f"{name}: expected a map, such as 'canary: 1'",)
    words: dict[str, tuple[Word, ...]] = {}
    faults: list[Fault] = []
    for entry in tree.entries:
        if entry.key not in FIELDS:
            text = f"no such field{did_you_mean(entry.key, FIELDS)}"
            faults.append(Fault((entry.key,), entry.line, text))
            continue
        try:
            words[FIELDS[entry.key]] = tuple(_words(entry, name))
        except ClusterFileError as error:
            faults.extend(error.faults)
    return words, tuple(f"{name}: {one}" for one in faults)


def _words(entry: Entry, name: str) -> Iterator[Word]:
    field = FIELDS[entry.key]
    if field in LISTS:
        wanted = entry.tree.items if isinstance(entry.tree, List) else ()
        if not wanted:
            raise _wrong(entry.key, entry.line, f"expected a list, such as {LISTS[field]}")
        for at, one in enumerate(wanted):
            is_probe = field == "probes" and isinstance(one, Map)
            yield _probe(at, one, name) if is_probe else _word(entry.key, one, name, "")
    elif field == "max_unavailable":
        if not isinstance(entry.tree, Map):
            raise _wrong(entry.key, entry.line, "expected a map, such as {worker: 2}")
        for each in entry.tree.entries:
            yield _word(entry.key, each.tree, name, f"{each.key}=")
    else:
        yield _word(entry.key, entry.tree, name, "")


def _probe(at: int, tree: Tree, name: str) -> Word:
    reading = Reading()
    value = read(tree, Probe, ("probes", at), reading)
    if reading.faults:
        raise ClusterFileError(reading.faults)
    return Word(f"{name}: probes: line {tree.line}", "", value)


def _word(key: str, tree: Tree, name: str, before: str) -> Word:
    if not isinstance(tree, Scalar) or tree.value is None:
        raise _wrong(key, tree.line, "expected one value")
    return Word(f"{name}: {key}: line {tree.line}", before + tree.written)


def _wrong(key: str, line: int, text: str) -> ClusterFileError:
    return ClusterFileError([Fault((key,), line, text)])
