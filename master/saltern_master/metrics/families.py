"""Every number that /metrics tells: name, type, labels, meaning. Nothing that is not here is told.

* A name never changes its meaning; what means something else has another name.
* Labels are bounded: node names and certificates are the cluster file's, kinds of resources those
  that this release knows, without their version (any other is "other"), all else is a word of it.
* Counters and histograms count since core started, and begin at 0 with the next start: rate() and
  increase() know that. Gauges are read from what core knows when they are asked for.
* docs/reference/metrics.md tells the same: a test compares the two.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Type = Literal["gauge", "counter", "histogram"]


class Family(Struct, frozen=True):
    """One name. A counter's ends in _total, as it is told."""

    name: str
    type: Type
    meaning: str
    labels: tuple[str, ...] = ()


def _gauge(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"saltern_{name}", "gauge", meaning, labels)


def _counter(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"saltern_{name}_total", "counter", meaning, labels)


def _histogram(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"saltern_{name}", "histogram", meaning, labels)


BUILD: Final = _gauge("build_info", "Always 1; the release of this master.", "version")
REVISION: Final = _gauge("revision", "The revision that was applied last; 0: none yet.")
KUBERNETES: Final = _gauge(
    "kubernetes_ready", "1 where an API server says that it is ready.", "server"
)
AGENTS: Final = _gauge(
    "agents", "Nodes: connected, away, pending, locked, revoked or removing.", "state"
)
NODE: Final = _gauge(
    "node_info",
    "Always 1; what a node is.",
    "node",
    "class",
    "release",
    "address",
)
CONNECTED: Final = _gauge("node_connected", "1 where a node's agent is connected.", "node")
SEEN: Final = _gauge("node_seen_timestamp_seconds", "When a node was heard last; 0: never.", "node")
HELD: Final = _gauge(
    "node_held", "1 where a hold or a window leaves a node's drift alone now.", "node"
)
BEHIND: Final = _gauge(
    "document_behind", "1 where a node does not have its newest document yet.", "node"
)
PART: Final = _gauge(
    "part_state",
    "Always 1, where a part of a node is not good: degraded, bad or unknown.",
    "node",
    "part",
    "state",
)
PARTS: Final = _gauge("parts", "Parts of nodes: good, degraded, bad or unknown.", "part", "state")
DRIFT_OPEN: Final = _gauge("drift_open", "Resources that are not as declared now.", "node", "kind")
DRIFT_OLDEST: Final = _gauge(
    "drift_oldest_age_seconds", "Age of the oldest drift that is open; 0: none is."
)
INCIDENTS: Final = _gauge(
    "drift_incidents", "Fights that go on: set right as often as allowed, and off again.", "node"
)
DRIFT: Final = _counter("drift", "Drifts that began: external, corrective or intended.", "nature")
FIGHTS: Final = _counter("drift_fights", "Drifts that became an incident.")
DETECT: Final = _histogram(
    "drift_detect_seconds",
    "From a drift's beginning to the node's own record, and to the master's store.",
    "to",
)
HEAL: Final = _histogram("drift_heal_seconds", "From a drift's beginning to its being set right.")
ALARMS: Final = _gauge("alarms", "Alarms that go on (saltern status names them).", "kind")
ROLLOUT: Final = _gauge(
    "rollout", "1 for the phase of the rollout that is not over, or of the newest.", "phase"
)
ROLLOUT_NUMBER: Final = _gauge("rollout_number", "That rollout's number; 0: there was none yet.")
ROLLOUT_NODES: Final = _gauge("rollout_nodes", "Its nodes by how far they are.", "state")
CERTIFICATE: Final = _gauge(
    "certificate_expiry_timestamp_seconds",
    "When the certificate that a node was given last ends.",
    "node",
    "certificate",
)
TRUST: Final = _gauge(
    "trust_expiry_timestamp_seconds", "When the root or the policy in force ends.", "of"
)
MESSAGES: Final = _counter(
    "messages",
    "Messages that core took from nodes (in), and answered with (out).",
    "type",
    "direction",
)
UNHEARD: Final = _counter(
    "messages_unheard",
    "Messages that were not taken: failed, unknown (of no node) or unwritten (the store refused).",
    "why",
)
FRONT_MESSAGES: Final = _counter("front_messages", "Messages that the front read, heartbeats too.")
FRONT_BYTES: Final = _counter("front_bytes", "Bytes that the front read and wrote.", "direction")
FRONT_REFUSED: Final = _counter("front_refused", "Connections of unknown keys.")
FRONT_MALFORMED: Final = _counter("front_malformed", "Messages that could not be read.")
FRONT_DROPPED: Final = _counter("front_dropped", "Messages out of turn or over budget.")
FRONT_CPU: Final = _counter("front_cpu_seconds", "Processor time of the front.")
FRONT_SESSIONS: Final = _gauge("front_sessions", "Nodes that speak with the front.")
FRONT_DESCRIPTORS: Final = _gauge(
    "front_descriptors_ratio", "Of the descriptors that the front may open, what part is."
)
NOTIFY_WAITING: Final = _gauge(
    "notify_waiting", "Notifications that a receiver has not taken yet.", "receiver"
)
NOTIFY_TRIES: Final = _counter(
    "notify_tries",
    "Tries to tell a receiver: delivered, failed (tried again) or dropped.",
    "receiver",
    "result",
)

FAMILIES: Final[tuple[Family, ...]] = (
    BUILD,
    REVISION,
    KUBERNETES,
    AGENTS,
    NODE,
    CONNECTED,
    SEEN,
    HELD,
    BEHIND,
    PART,
    PARTS,
    DRIFT_OPEN,
    DRIFT_OLDEST,
    INCIDENTS,
    DRIFT,
    FIGHTS,
    DETECT,
    HEAL,
    ALARMS,
    ROLLOUT,
    ROLLOUT_NUMBER,
    ROLLOUT_NODES,
    CERTIFICATE,
    TRUST,
    MESSAGES,
    UNHEARD,
    FRONT_MESSAGES,
    FRONT_BYTES,
    FRONT_REFUSED,
    FRONT_MALFORMED,
    FRONT_DROPPED,
    FRONT_CPU,
    FRONT_SESSIONS,
    FRONT_DESCRIPTORS,
    NOTIFY_WAITING,
    NOTIFY_TRIES,
)
