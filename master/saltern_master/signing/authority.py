"""What HOME signs under: a root, the chain that leads to it, a policy, the state and lease keys.

They fit one another, or it is no authority: the policy is signed under that root, and of each key
the root names the private half is here. A root that was taken in before its policy was signed, or
before its keys were brought, does not stop the master: it goes on under the one before, and
`held_back` says what the newest one lacks. Nodes that have gone further refuse what that signs.
"""

from __future__ import annotations

from dataclasses import dataclass

from saltern_protocol import envelope
from saltern_protocol.documents import Identity
from saltern_protocol.errors import ProtocolError, RefusedError
from saltern_protocol.keys import PrivateKey
from saltern_protocol.policy import Policy, decode_policy
from saltern_protocol.root import Role, Root, decode_root
from saltern_protocol.trust import Trust

from saltern_master.errors import MasterError
from saltern_master.signing.home import Home
from saltern_master.signing.key_file import HomeError, read_key
from saltern_master.signing.next_root import shown


@dataclass(frozen=True, slots=True)
class Authority:
    """All that is needed to sign for nodes."""

    roots: tuple[bytes, ...]  # envelopes, from the first to `root`
    root: Root
    policy: Policy
    policy_envelope: bytes
    state_keys: tuple[PrivateKey, ...]  # as many as must sign
    lease_keys: tuple[PrivateKey, ...]
    trust: Trust
    held_back: str = ""  # why a newer root is not signed under yet

    @property
    def root_envelope(self) -> bytes:
        """The root's own."""
        return self.roots[-1]


def read_authority(home: Home) -> Authority:
    """Read HOME; HomeError or RefusedError: why nothing can be signed under its newest root."""
    chain = home.roots()
    newest: Exception | None = None
    for count in range(len(chain), 0, -1):
        try:
            return _under(home, chain[:count], str(newest or ""))
        except (MasterError, ProtocolError) as error:
            newest = newest or error
    raise newest or HomeError(f"cannot sign: {home.path} has no root")


def newest_root(home: Home) -> Root:
    """Give the newest root that was taken in."""
    return decode_root(envelope.decode(home.roots()[-1]).payload)


def newest_policy(home: Home) -> Policy | None:
    """Give the last policy that was signed, or None."""
    if not home.has_policy:
        return None
    return decode_policy(envelope.decode(home.policy_envelope()).payload)


def pinned(root: bytes) -> Trust:
    """Believe a root as a node does that begins with it. RefusedError, MalformedError."""
    cluster = decode_root(envelope.decode(root).payload).cluster
    return Trust.pin(
        Identity(cluster=cluster, node="any", incarnation="0" * 32, node_class="any", root=root)
    )


def _under(home: Home, roots: tuple[bytes, ...], held_back: str) -> Authority:
    trust = pinned(roots[-1])
    if not home.has_policy:
        raise HomeError(f"cannot sign: {home.path} has no signed policy; run: saltern policy")
    try:
        trust = trust.with_policy(home.policy_envelope())
    except RefusedError as error:
        raise HomeError(
            f"cannot sign under root {trust.root.version}: the policy is not signed under it "
            f"({error.reason.value}); sign it again: saltern policy, or saltern policy --out FILE"
        ) from error
    root, policy = trust.root, trust.policy
    if policy is None:
        raise AssertionError("with_policy() gives one")
    return Authority(
        roots=roots,
        root=root,
        policy=policy,
        policy_envelope=home.policy_envelope(),
        state_keys=_keys(home, "state", root.roles.state, root.version),
        lease_keys=_keys(home, "lease", root.roles.lease, root.version),
        trust=trust,
        held_back=held_back,
    )


def _keys(home: Home, name: str, role: Role, version: int) -> tuple[PrivateKey, ...]:
    here = home.keys_among(name, role.keys)
    if len(here) < role.threshold:
        names = ", ".join(map(shown, role.keys))
        raise HomeError(
            f"cannot sign as {name} under root {version}: of the keys that it names ({names}) "
            f"{len(here)} are in {home.path}/keys, and {role.threshold} are needed; bring them "
            f"here as {name}-NAME.key, or rotate: saltern key rotate {name}"
        )
    return tuple(read_key(path) for path in list(here.values())[: role.threshold])
