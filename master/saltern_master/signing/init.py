"""saltern init: keys, the first root and the default policy of a new cluster.

All keys lie in HOME then. Root and policy keys belong off line: move them away once the policy is
signed; keys/state.key signs documents, keys/lease.key says which one is current, and keys/link.key
is what nodes know the master by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from saltern_protocol import envelope
from saltern_protocol.documents import PayloadType
from saltern_protocol.keys import KEY_BYTES, PublicKey, generate
from saltern_protocol.policy import Policy
from saltern_protocol.root import Role, Roles, Root, encode_root

from saltern_master.signing.ceremony import propose_policy, take
from saltern_master.signing.home import Home, link_public, write_whole
from saltern_master.signing.next_root import ROLES, ROOT_LIFE, CeremonyError
from saltern_master.signing.policy_file import default_policy
from saltern_master.signing.proposal import lacking
from saltern_master.signing.recorded import open_store


@dataclass(frozen=True, slots=True)
class Made:
    """What init made."""

    cluster: str
    keys: dict[str, PublicKey]
    link: bytes
    """The public half of the master's CURVE key."""


def init(home: Home, cluster: str, now: int, random: Callable[[int], bytes]) -> Made:
    """Make keys, root and policy; HomeError where there are keys. `now` in seconds since 1970."""
    keys = {role: generate(random) for role in ROLES}
    roles = {role: Role(keys=(key.public,), threshold=1) for role, key in keys.items()}
    root = Root(cluster=cluster, version=1, epoch=1, expires=now + ROOT_LIFE, roles=Roles(**roles))
    link = random(KEY_BYTES)
    signed = envelope.sign(PayloadType.ROOT, encode_root(root), [keys["root"]])
    home.make()
    for role, key in keys.items():
        home.add_key(role, key.seed())
    home.add_key("link", link)
    home.add_root(root.version, signed)
    write_whole(home.policy_file, default_policy().encode())
    sign_policy(home, now)
    with open_store(home):  # made now, so that nobody finds a home without it
        pass
    public = {role: key.public for role, key in keys.items()}
    return Made(cluster, public, link_public(link))


def sign_policy(home: Home, now: int) -> Policy:
    """Sign policy.yaml as the next version with the keys that are here, and take it in.

    ClusterFileError tells what is wrong in it; CeremonyError who has yet to sign.
    """
    with home.locked():
        proposal = propose_policy(home, now)
        missing = lacking(proposal)
        if missing:
            listed = "\n".join(f"  {one}" for one in missing)
            raise CeremonyError(
                "cannot sign the policy with the keys that are here; write it to a file and have "
                f"it signed where the others are: saltern policy --out FILE\n{listed}"
            )
        taken = take(home, proposal, now).thing
        if not isinstance(taken, Policy):
            raise AssertionError("a policy was proposed")
        return taken
