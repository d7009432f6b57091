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
from saltern_protocol.policy import Policy, encode_policy
from saltern_protocol.root import Role, Roles, Root, encode_root

from saltern_master.signing.authority import newest_policy, newest_root
from saltern_master.signing.home import Home, link_public, write_whole
from saltern_master.signing.key_file import HomeError
from saltern_master.signing.policy_file import default_policy, read_policy
from saltern_master.signing.recorded import open_store

DAY = 24 * 3600
ROOT_LIFE = 365 * DAY
POLICY_LIFE = 90 * DAY
ROLES = ("root", "policy", "state", "lease")


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
    """Sign policy.yaml as the next version. ClusterFileError tells what is wrong in it."""
    with home.locked():
        root = newest_root(home)
        before = newest_policy(home)
        try:
            classes = read_policy(home.policy_file.read_bytes())
        except OSError as error:
            raise HomeError(f"cannot read {home.policy_file}: {error.strerror}") from error
        policy = Policy(
            cluster=root.cluster,
            version=before.version + 1 if before is not None else 1,
            epoch=root.epoch,
            expires=now + POLICY_LIFE,
            classes=classes,
        )
        signed = envelope.sign(PayloadType.POLICY, encode_policy(policy), [home.key("policy")])
        home.write_policy(signed)
        return policy
