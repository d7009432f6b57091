"""A real master and a real agent over rotations of every key: also one that slept through them."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.accept import standing
from saltern_agent.journal import Accepted as Kept
from saltern_master.bench.crowd.body import cluster_file
from saltern_master.bench.crowd.crowd import PROGRAMS, Crowd
from saltern_master.signing.authority import newest_root
from saltern_master.signing.ceremony import propose_root, take
from saltern_master.signing.home import Home
from saltern_master.signing.next_root import ROOT_LIFE, Wish
from saltern_protocol import envelope
from saltern_protocol.documents import (
    Identity,
    PayloadType,
    decode_document,
    decode_identity,
    decode_statement,
    encode_document,
    encode_statement,
)
from saltern_protocol.errors import Reason, RefusedError
from saltern_protocol.keys import PrivateKey
from saltern_protocol.lease import LEASE_SECONDS, LeasePayload, sign_lease
from saltern_protocol.terms import MAX_COUNT
from saltern_protocol.testing import key
from saltern_protocol.trust import Accepted, Trust

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

NODE = "n001"
SECONDS = 60.0
DAY = 24 * 3600


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path, 1)
    try:
        crowd.start_master()
        crowd.join()
        crowd.apply(cluster_file((NODE,), "a")).followed.must_be("changed")
        yield crowd
    finally:
        crowd.close()


def identity(crowd: Crowd) -> Identity:
    return decode_identity((crowd.folder / NODE / "config" / "identity").read_bytes())


def accepted(crowd: Crowd) -> Kept:
    """Read what the agent accepted, without touching its journal."""
    path = crowd.folder / NODE / "state" / "journal.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        statement, at = journal.execute("SELECT statement, at FROM accepted").fetchone()
    return Kept(statement, unfinished=False, at=at)


def believed(crowd: Crowd) -> tuple[Trust, Accepted]:
    """Give what the agent believes, as its journal has it."""
    trust, floor = standing(identity(crowd), accepted(crowd))
    assert floor is not None
    return trust, floor


def wait(what: str, holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def rotate(home: Home, role: str, new: PrivateKey, now: int, raise_epoch: bool = False) -> None:
    with home.locked():
        proposal = propose_root(home, {role: Wish((new.public,), 1)}, raise_epoch, now, {role: new})
        take(home, proposal, now)


def lease_by(crowd: Crowd, signer: PrivateKey, nonce: bytes) -> bytes:
    """Give a lease that is right in all but, maybe, who signed it."""
    trust, floor = believed(crowd)
    payload = LeasePayload(
        cluster=trust.root.cluster,
        node=NODE,
        incarnation=identity(crowd).incarnation,
        epoch=trust.root.epoch,
        version=floor.version,
        document=floor.document,
        issued=1,
        expires=1 + LEASE_SECONDS,
        nonce=nonce,
    )
    return sign_lease(payload, [signer])


def refused(crowd: Crowd, old_state: PrivateKey, old_lease: PrivateKey) -> None:
    """Demand that nothing which the dropped keys sign is believed any more."""
    trust, floor = believed(crowd)
    who, nonce = identity(crowd), bytes(16)
    with pytest.raises(RefusedError) as lease:
        trust.lease(lease_by(crowd, old_lease, nonce), who, nonce)
    assert lease.value.reason is Reason.UNSIGNED

    statement = decode_statement(accepted(crowd).statement)
    document = decode_document(envelope.decode(statement.document).payload)
    newer = encode_document(replace(document, version=floor.version + 1))
    forged = envelope.sign(PayloadType.DOCUMENT, newer, [old_state])
    with pytest.raises(RefusedError) as refusal:
        trust.accept(forged, statement.body, who, floor, document.issued)
    assert refusal.value.reason is Reason.UNSIGNED


def test_a_connected_node_follows_new_roots_and_dropped_keys_mean_nothing_to_it(
    crowd: Crowd,
) -> None:
    home = Home(crowd.home)
    old_state, old_lease = home.key("state"), home.key("lease")
    nonce = bytes(16)
    believed(crowd)[0].lease(lease_by(crowd, old_lease, nonce), identity(crowd), nonce)

    crowd.saltern("key", "rotate", "lease")  # no document is signed anew for that
    wait("root 2 at the node", lambda: believed(crowd)[0].root.version == 2)
    crowd.saltern("key", "rotate", "state")
    wait("root 3 at the node", lambda: believed(crowd)[0].root.version == 3)
    refused(crowd, old_state, old_lease)

    wait("the node to be up again", lambda: crowd.connected() == 1)
    crowd.apply(cluster_file((NODE,), "b")).followed.must_be("changed", 1)


def test_a_node_that_slept_for_years_of_rotations_trusts_the_master_again(crowd: Crowd) -> None:
    home = Home(crowd.home)
    old_state, old_lease = home.key("state"), home.key("lease")
    agent = crowd.agents[NODE]
    agent.terminate()
    agent.wait(20)

    now = int(time.clock_gettime(time.CLOCK_REALTIME))
    long_ago = now - 3 * ROOT_LIFE
    for number, role in enumerate(("root", "state", "policy", "lease", "root", "state")):
        rotate(home, role, key(60 + number), long_ago + number * DAY, number == 2)
    assert newest_root(home).expires < now, "what lies between has expired"
    rotate(home, "lease", key(70), now)
    wait("the master to sign under root 8", lambda: "under root 8" in log(crowd))

    crowd.agents[NODE] = crowd._begin(NODE, [*crowd._agent(NODE), "run"])
    wait("root 8 at the node", lambda: believed(crowd)[0].root.version == 8)
    refused(crowd, old_state, old_lease)
    wait("the node to be up again", lambda: crowd.connected() == 1)
    crowd.apply(cluster_file((NODE,), "b")).followed.must_be("changed", 1)
    assert believed(crowd)[1].epoch == 2


def test_a_thief_who_used_up_the_versions_is_shut_out_by_a_raised_epoch(crowd: Crowd) -> None:
    home = Home(crowd.home)
    old_state = home.key("state")
    statement = decode_statement(accepted(crowd).statement)
    document = decode_document(envelope.decode(statement.document).payload)
    last = encode_document(replace(document, version=MAX_COUNT))
    stolen = replace(statement, document=envelope.sign(PayloadType.DOCUMENT, last, [old_state]))
    file = crowd.folder / "stolen.statement"
    file.write_bytes(encode_statement(stolen))
    agent = crowd._agent(NODE)
    subprocess.run([*agent, "apply", str(file)], check=True, capture_output=True, timeout=20)
    assert believed(crowd)[1].version == MAX_COUNT, "nothing can be newer under this epoch"

    crowd.saltern("key", "revoke", old_state.public.fingerprint, "--raise-epoch")
    wait("epoch 2 at the node", lambda: believed(crowd)[1].epoch == 2)
    trust, floor = believed(crowd)
    with pytest.raises(RefusedError) as refusal:
        trust.accept(stolen.document, stolen.body, identity(crowd), floor, document.issued)
    assert refusal.value.reason is Reason.UNSIGNED
    wait("the node to be up again", lambda: crowd.connected() == 1)
    crowd.apply(cluster_file((NODE,), "b")).followed.must_be("changed", 1)


def test_a_node_that_is_told_the_masters_new_link_key_is_back(crowd: Crowd) -> None:
    """The walk of docs/howto/rotate-keys.md; nothing but the key by which it is known changes."""
    ready = ports_of(crowd)
    public = crowd.saltern("key", "rotate", "link").strip()
    restart(crowd, ready)
    agent = [*crowd._agent(NODE)]
    told = subprocess.run([*agent, "master", public], capture_output=True, text=True, timeout=20)
    assert told.returncode == 0, told.stderr
    bad = subprocess.run(
        [*agent, "master", public[:-1]], capture_output=True, text=True, timeout=20
    )
    assert (bad.returncode, "64 digits" in bad.stderr) == (1, True)
    old = crowd.agents[NODE]
    old.terminate()
    old.wait(20)
    crowd.agents[NODE] = crowd._begin(NODE, [*agent, "run"])
    wait("the node to be connected", lambda: crowd.connected() == 1)
    crowd.apply(cluster_file((NODE,), "b")).followed.must_be("changed", 1)


def restart(crowd: Crowd, ports: tuple[str, str]) -> None:
    """Start the master anew, at the ports that it had."""
    assert crowd.master is not None
    crowd.master.terminate()
    crowd.master.wait(20)
    where = ("--listen", "127.0.0.1", "--link-port", ports[0], "--door-port", ports[1])
    saltern = str(PROGRAMS / "saltern")
    crowd.master = crowd._begin("master", [saltern, "master", "run", *where])
    wait("the master to answer", crowd._answers)


def ports_of(crowd: Crowd) -> tuple[str, str]:
    """Read from the log where the master listens."""
    found = re.search(r"ports ([0-9]+) \(link\) and ([0-9]+) \(door\)", log(crowd))
    assert found is not None
    return found[1], found[2]


def log(crowd: Crowd) -> str:
    return (crowd.folder / "master.log").read_text()
