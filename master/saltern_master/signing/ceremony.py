"""Roots and policies of a HOME: proposed, signed with what is here, and taken in.

    propose -> a file -> signed by each where his key is -> take -> HOME/roots, policy.envelope

* What is taken in was checked by the very steps of a node first; all that stands against it is
  told at once, with who has yet to sign.
* A root is kept before the policy under it is: a crash between the two leaves a master that goes
  on under the root before (authority.py).
* A root that changes the policy's keys or the epoch needs the policy signed again. That is
  done here where the keys are here: the same classes, until the same day.
* No private key is ever removed: people do that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace
from saltern_protocol import envelope
from saltern_protocol.documents import PayloadType
from saltern_protocol.errors import ProtocolError
from saltern_protocol.keys import PrivateKey, PublicKey, generate
from saltern_protocol.policy import Policy, encode_policy
from saltern_protocol.root import Root, encode_root

from saltern_master.signing.authority import newest_policy, newest_root, pinned
from saltern_master.signing.home import Home
from saltern_master.signing.key_file import HomeError, read_key, write_secret
from saltern_master.signing.next_root import DAY, ONLINE, CeremonyError, Wish, next_root, roles_of
from saltern_master.signing.policy_file import read_policy
from saltern_master.signing.proposal import Proposal, lacking, needs, proposed, sign_proposal

POLICY_LIFE: Final = 90 * DAY


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken in, and what a person should know of it."""

    thing: Root | Policy
    notes: tuple[str, ...] = ()
    before: bool = False  # it was here already, and nothing was done


def make_key(path: Path, random: Callable[[int], bytes]) -> PublicKey:
    """Make a key pair in a new file; give the public half. HomeError where a file is there."""
    key = generate(random)
    write_secret(path, key.seed())
    return key.public


def propose_root(
    home: Home,
    wishes: Mapping[str, Wish],
    raise_epoch: bool,
    now: int,
    made: Mapping[str, PrivateKey] = MappingProxyType({}),
) -> Proposal:
    """Give the next root, signed with the root keys that are here. CeremonyError, HomeError.

    `made`: new keys by role, which the wishes name; they are kept in HOME if the root can be.
    """
    new = next_root(newest_root(home), wishes, raise_epoch, now)
    for role, key in made.items():
        home.add_key(f"{role}-{key.public.fingerprint[:16]}", key.seed())
    unsigned = envelope.sign(PayloadType.ROOT, encode_root(new), [])
    return sign_here(home, Proposal(current=home.roots()[-1], signed=unsigned))


def propose_policy(home: Home, now: int) -> Proposal:
    """Give policy.yaml as the next policy, signed with the policy keys that are here.

    ClusterFileError tells all that is wrong in the file.
    """
    try:
        classes = read_policy(home.policy_file.read_bytes())
    except OSError as error:
        raise HomeError(f"cannot read {home.policy_file}: {error.strerror}") from error
    root, before = newest_root(home), newest_policy(home)
    policy = Policy(
        cluster=root.cluster,
        version=before.version + 1 if before is not None else 1,
        epoch=root.epoch,
        expires=now + POLICY_LIFE,
        classes=classes,
    )
    return _policy_proposal(home, policy)


def sign_here(home: Home, proposal: Proposal) -> Proposal:
    """Add the signatures of all keys in HOME that count and have not signed."""
    name = "root" if isinstance(proposed(proposal), Root) else "policy"
    wanted = {key for need in needs(proposal) for key in need.left}
    for key, path in sorted(home.keys_among(name, wanted).items()):
        if any(key in need.left for need in needs(proposal)):
            proposal = sign_proposal(proposal, read_key(path))
    return proposal


def take(home: Home, proposal: Proposal, now: int) -> Taken:
    """Take in a root or a policy that enough have signed. CeremonyError tells all against it."""
    thing = proposed(proposal)
    if isinstance(thing, Root):
        return _take_root(home, proposal, thing, now)
    return _take_policy(home, proposal, thing, now)


def _take_root(home: Home, proposal: Proposal, new: Root, now: int) -> Taken:
    if _has_root(home, proposal, new):
        return Taken(new, before=True)
    have = newest_root(home)
    faults = _faults_of(home, proposal, new, now)
    if new.version != have.version + 1:
        faults.append(
            f"it is root {new.version}, and after root {have.version} comes {have.version + 1}; "
            "propose it again"
        )
    faults += [
        f"{name}: the private half of none of its keys is in {home.path}/keys; bring one here"
        for name in sorted(ONLINE)
        if not home.keys_among(name, roles_of(new)[name].keys)
    ]
    _refuse(f"root {new.version}", faults)
    _believe(home, proposal)
    home.add_root(new.version, proposal.signed)
    return Taken(new, (*_policy_again(home, new), *_left_over(home, have, new)))


def _has_root(home: Home, proposal: Proposal, root: Root) -> bool:
    """Tell whether this very root is in HOME's chain, whoever signed this copy of it."""
    chain = home.roots()
    if not 1 <= root.version <= len(chain):
        return False
    kept, given = chain[root.version - 1], proposal.signed
    return envelope.decode(kept).payload == envelope.decode(given).payload


def _take_policy(home: Home, proposal: Proposal, new: Policy, now: int) -> Taken:
    have, root = newest_policy(home), newest_root(home)
    faults = _faults_of(home, proposal, new, now)
    if new.epoch != root.epoch:
        faults.append(f"it is of epoch {new.epoch}, and root {root.version} of {root.epoch}")
    if have is not None and (new.epoch, new.version) <= (have.epoch, have.version):
        faults.append(f"policy {have.version} was taken in already; propose it again")
    _refuse(f"policy {new.version}", faults)
    _believe(home, proposal)
    home.write_policy(proposal.signed)
    return Taken(new)


def _faults_of(home: Home, proposal: Proposal, new: Root | Policy, now: int) -> list[str]:
    """Give what can be wrong with both; who has signed is held against HOME's own root."""
    faults = []
    have = newest_root(home)
    if new.cluster != have.cluster:
        faults.append(f'it is of cluster "{new.cluster}", and this is the home of "{have.cluster}"')
    if new.expires <= now:
        faults.append("it has expired; propose it again")
    return faults + list(lacking(replace(proposal, current=home.roots()[-1])))


def _refuse(what: str, faults: list[str]) -> None:
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise CeremonyError(f"cannot take in {what}\n{listed}")


def _believe(home: Home, proposal: Proposal) -> None:
    """Take it by the steps of a node that believes HOME's newest root."""
    trust = pinned(home.roots()[-1])
    try:
        if isinstance(proposed(proposal), Root):
            trust.walk(proposal.signed)
        else:
            trust.with_policy(proposal.signed)
    except ProtocolError as error:
        raise CeremonyError(f"cannot take in what no node would: {error}") from error


def _policy_again(home: Home, root: Root) -> tuple[str, ...]:
    """Sign the policy under a new root, where that is needed and the keys are here."""
    before = newest_policy(home)
    if before is None or _is_good(home):
        return ()
    again = replace(before, version=before.version + 1, epoch=root.epoch)
    proposal = _policy_proposal(home, again)
    if lacking(proposal):
        return (
            f"the policy has to be signed under root {root.version}; until then the master goes on "
            "under the root before: saltern policy --out FILE",
        )
    home.write_policy(proposal.signed)
    return (f"signed the same policy again, as {again.version}",)


def _is_good(home: Home) -> bool:
    try:
        pinned(home.roots()[-1]).with_policy(home.policy_envelope())
    except ProtocolError:
        return False
    return True


def _left_over(home: Home, before: Root, after: Root) -> tuple[str, ...]:
    """Name the keys here that the new root names no more."""
    return tuple(
        f"{path} counts for nothing any more; remove it when every node has the new root"
        for name, role in roles_of(before).items()
        for key, path in home.keys_among(name, role.keys).items()
        if key not in roles_of(after)[name].keys
    )


def _policy_proposal(home: Home, policy: Policy) -> Proposal:
    unsigned = envelope.sign(PayloadType.POLICY, encode_policy(policy), [])
    return sign_here(home, Proposal(current=home.roots()[-1], signed=unsigned))
