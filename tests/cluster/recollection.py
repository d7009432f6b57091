"""What has to be there still after something was killed: what nodes are, and what they told."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from tests.cluster.cluster import Cluster, Json

SETTLED = ("name", "nodeClass", "fingerprint", "incarnation", "health", "version", "wanted", "pods")

JOURNAL = """
import json, sqlite3
db = sqlite3.connect("file:/var/lib/saltern/journal.db?mode=ro", uri=True)
one = lambda question: db.execute(question).fetchone()[0]
said = one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'")
print(json.dumps({"said": said, "waits": one("SELECT count(*) FROM outbox")}))
"""
"""How many things a node ever had to tell, and how many wait: read by the node's own python3."""


def standing(cluster: Cluster) -> dict[str, Json]:
    """Give what of each node's line has to come back."""
    return {
        name: {field: one[field] for field in SETTLED} for name, one in cluster.status().items()
    }


def demand_no_holes(cluster: Cluster, node: str) -> None:
    """Hold the master's numbers against the node's own journal, each read beside Saltern."""

    def journal() -> Json | None:
        found: Json = json.loads(cluster.say(node, "python3", "-c", JOURNAL))
        return found if not found["waits"] else None

    said = cluster.wait("all to be acknowledged", journal)["said"]
    incarnation = cluster.status()[node]["incarnation"]
    key = f"reported/{node}/{incarnation}".encode()
    with closing(sqlite3.connect(_store(cluster), uri=True)) as store:
        (value,) = store.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
    assert json.loads(value)["seq"] == said
    own = cluster.say(node, "saltern-agent", "drift", "--most", "1000", "--output", "json")
    numbers = [json.loads(line)["seq"] for line in own.splitlines()]
    assert [one["number"] for one in cluster.drift(node)] == numbers
    assert numbers == list(range(len(numbers), 0, -1))


def _store(cluster: Cluster) -> str:
    return f"file:{cluster.fleet.home / 'store.db'}?mode=ro"
