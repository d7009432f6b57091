"""One example of every message, and of every item that a report carries."""

from __future__ import annotations

from typing import Final

from saltern_protocol.condition import Finding, Part, State
from saltern_protocol.documents import Identity, body_hash, encode_identity
from saltern_protocol.messages import (
    Ack,
    Again,
    Beat,
    BlobAsk,
    BlobPart,
    Cert,
    Condition,
    Csr,
    Current,
    Doc,
    Enrol,
    Enrolled,
    Fetch,
    Health,
    Hello,
    Lease,
    Looked,
    Message,
    Plan,
    PlanLine,
    Poke,
    Proposal,
    Reading,
    Refused,
    Renew,
    Report,
    Survey,
    Waiting,
)
from saltern_protocol.reading import (
    AnyFact,
    LinkFact,
    ModuleFact,
    PackageFact,
    PathFact,
    RouteFact,
    RuleFact,
    SwapFact,
    SysctlFact,
    UnitFact,
    Unread,
)
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Hindrance, Nature, Outcome
from saltern_protocol.testing import (
    BODY,
    DOCUMENT,
    IDENTITY,
    LEASE,
    POLICY,
    signed_document,
    signed_lease,
    signed_policy,
)

DIGEST: Final = bytes(range(32))
NONCE: Final = bytes(range(16))
NOW_US: Final = 1_800_000_000_123_456
KINDS: Final = ("chain/1", "file/1", "pod-routes/1")
FACTS: Final = b'{"hostname":"w1"}'
WHO: Final[Identity] = IDENTITY
BAD: Final = Hindrance(resource="kubelet/unit", outcome="failed", why="cannot start: exit 1")
APPLIED: Final = Applied(
    at_us=NOW_US,
    turn=7,
    epoch=1,
    version=4,
    body=DIGEST,
    outcome=Outcome.FAILED,
    changes=3,
    took_us=1_500_000,
    hindrances=(BAD,),
)
REFUSED: Final = Applied(
    at_us=NOW_US,
    turn=0,
    epoch=1,
    version=5,
    body=b"",
    outcome=Outcome.REFUSED,
    changes=0,
    took_us=12,
    reason="outside-policy",
    why="cannot touch path /etc/shadow",
)
DRIFT: Final = DriftSeen(
    number=9,
    resource="docker/config",
    kind="file/1",
    since_us=NOW_US,
    recorded_us=NOW_US + 900,
    seen="inotify",
    found=("set mode 0600 -> 0644", "Ω\n"),
)
FOUGHT: Final = DriftSeen(
    number=10,
    resource="network/SALTERN-POST",
    kind="chain/1",
    since_us=NOW_US,
    recorded_us=NOW_US + 900,
    seen="event",
    found=("insert rule 1",),
    detail="-a\n+b\n",
    by="iptables (pid 4711)",
    nature=Nature.INTENDED,
    hindrance="held until 12:00 by ann: a new switch",
    attempts=3,
    incident=True,
)
HEALED: Final = DriftEnded(
    number=9, resource="docker/config", healed_us=NOW_US + 5000, outcome="healed"
)
CLOCK: Final = Part(name="clock", state=State.GOOD, since_us=NOW_US)
DOCKER: Final = Part(
    name="docker", state=State.BAD, why="docker.service has failed", since_us=NOW_US
)
SWAP: Final = Finding(
    trap="swap-on", what="/swap.img, 2 GiB, is in use", remedy="swapoff -a", bad=True
)
LINE: Final = PlanLine(
    resource="docker/config",
    verb="hold",
    finding="to change",
    change="write /etc/docker/daemon.json",
    impact="restart",
    detail="-a\n+b\n",
)
FOUND: Final[tuple[AnyFact, ...]] = (
    PathFact(
        path="/etc/docker/daemon.json",
        type="file",
        mode=0o644,
        owner="root",
        group="root",
        size=3,
        sha256="ab" * 32,
        text="{}\n",
    ),
    PathFact(path="/etc/kubernetes/pki", type="directory", mode=0o755, names=("ca.key",), more=1),
    PathFact(path="/etc/kubernetes/admin.conf", type="file", size=5, why="secret: it holds a key"),
    UnitFact(
        unit="docker.service",
        load="loaded",
        active="active",
        enabled="enabled",
        program="/usr/sbin/dockerd",
    ),
    SysctlFact(key="net.ipv4.ip_forward", value="1"),
    ModuleFact(name="overlay", state="loaded"),
    PackageFact(name="docker.io", version="20.10.24"),
    LinkFact(
        name="cbr0",
        kind="bridge",
        up=True,
        mtu=1500,
        promiscuous=False,
        addresses=("10.10.5.1/24",),
        loose=("veth1",),
    ),
    RouteFact(
        destination="10.10.7.0/24",
        via="10.9.0.12",
        device="eth0",
        metric=0,
        protocol=3,
        type="unicast",
    ),
    RuleFact(backend="nft", table="nat", chain="POSTROUTING", rule="-j MASQUERADE"),
    SwapFact(active=("/swap.img",), returns=True),
    Unread(what="units", why="cannot ask systemd"),
)

FROM_NODE: Final[dict[str, Message]] = {
    "hello": Hello(
        protocol=1,
        incarnation=DOCUMENT.incarnation,
        instance=bytes(range(16)),
        boot="5f1c9c1e-8f3b-4f0e-9b7f-3d0c5a6b7c8d",
        root=1,
        epoch=1,
        version=4,
        document=DIGEST,
        nonce=NONCE,
        unacked=12,
        kinds=KINDS,
        release="0.1.0",
        facts=FACTS,
    ),
    "fetch": Fetch(),
    "looked": Looked(
        turn=8,
        at_us=NOW_US,
        version=4,
        outcome=Outcome.CHANGED,
        changes=1,
        took_us=2000,
        hindrances=(BAD,),
    ),
    "plan": Plan(turn=7, page=0, last=True, lines=(LINE,)),
    "plan-refused": Plan(turn=7, page=0, last=True, lines=(), reason="expired", why="cannot take"),
    "reading": Reading(turn=9, page=0, last=True, facts=FOUND),
    "reading-refused": Reading(turn=9, page=0, last=True, facts=(), why="cannot read"),
    "blob-ask": BlobAsk(blob=DIGEST, offset=131_072, credit=8),
    "csr": Csr(request=1, resource="pki/kubelet", csr=b"0\x82\x01\x00"),
    "report": Report(first=12, items=(APPLIED, REFUSED, DRIFT, FOUGHT, HEALED)),
    "condition": Condition(at_us=NOW_US, parts=(CLOCK, DOCKER), findings=(SWAP,)),
    "health": Health(
        tick=99,
        at_us=NOW_US,
        state="converged",
        version=4,
        drift=0,
        load_percent=42,
        memory_kib=1_000_000,
        disk_kib=20_000_000,
    ),
    "health-for-a-lease": Health(
        tick=100,
        at_us=NOW_US,
        state="drifted",
        version=4,
        drift=1,
        load_percent=0,
        memory_kib=0,
        disk_kib=0,
        nonce=NONCE,
    ),
}
FROM_MASTER: Final[dict[str, Message]] = {
    "lease": Lease(lease=signed_lease(LEASE), spread=20),
    "poke": Poke(),
    "renew": Renew(),
    "doc": Doc(
        turn=7,
        roots=(),
        policy=signed_policy(POLICY),
        document=signed_document(DOCUMENT),
        body=body_hash(BODY),
    ),
    "current": Current(turn=8),
    "proposal": Proposal(
        turn=7, roots=(WHO.root,), policy=b"policy", proposal=b"proposal", body=DIGEST
    ),
    "blob-part": BlobPart(blob=DIGEST, offset=131_072, size=131_075, data=b"\0\1\2"),
    "cert": Cert(request=1, chain=b"-----BEGIN CERTIFICATE-----\n"),
    "cert-refused": Cert(request=1, chain=b"", why="cannot sign: no such resource"),
    "ack": Ack(seq=15),
    "beat": Beat(),
    "survey": Survey(turn=9),
    "again": Again(),
    "refused": Refused(reason="protocol", why="cannot speak version 2"),
}
FROM_STRANGER: Final[dict[str, Message]] = {
    "enrol": Enrol(
        protocol=1,
        secret=DIGEST,
        node="w1",
        sealing=DIGEST,
        kinds=KINDS,
        release="0.1.0",
        facts=FACTS,
    ),
    "enrol-for-approval": Enrol(
        protocol=1, secret=b"", node="w1", sealing=DIGEST, kinds=(), release="", facts=b""
    ),
}
FROM_DOOR: Final[dict[str, Message]] = {
    "enrolled": Enrolled(identity=encode_identity(WHO)),
    "waiting": Waiting(fingerprint="0123-4567-89ab-cdef-0123-4567-89ab-cdef"),
    "refused": FROM_MASTER["refused"],
}
ALL: Final = FROM_NODE | FROM_MASTER | FROM_STRANGER | FROM_DOOR
