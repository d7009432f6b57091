"""Root N+1: what a person wants of it -> the root to be signed. Pure.

* All that is wrong is told at once.
* A key has one role: whoever steals it gains one.
* A master signs documents and leases by itself, so of state and lease one key must be enough.
* The next root lives for ROOT_LIFE from when it was proposed, whatever else it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import asdict, replace
from saltern_protocol.keys import PREFIX, PublicKey, fingerprint
from saltern_protocol.root import MAX_KEYS, Role, Roles, Root

from saltern_master.errors import MasterError

DAY: Final = 24 * 3600
ROOT_LIFE: Final = 365 * DAY
ROLES: Final = ("root", "policy", "state", "lease")
ONLINE: Final = frozenset({"state", "lease"})


class CeremonyError(MasterError):
    """A root or policy that cannot be proposed, signed or taken in; the text says all of why."""


class WishError(CeremonyError):
    """Keys, roles or numbers that a person named and that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What becomes of one role: exactly these keys, and so many of them must sign."""

    keys: tuple[PublicKey, ...]
    threshold: int


def roles_of(root: Root) -> dict[str, Role]:
    """Give the roles by name."""
    return {name: role for name, role in asdict(root.roles).items() if name in ROLES}


def next_root(root: Root, wishes: Mapping[str, Wish], raise_epoch: bool, now: int) -> Root:
    """Give root N+1; CeremonyError tells all that stands against it."""
    before = roles_of(root)
    kept = {name: Wish(role.keys, role.threshold) for name, role in before.items()}
    wanted = kept | dict(wishes)
    faults = [fault for name, wish in wishes.items() for fault in _faults_of(name, wish)] + _shared(
        wanted
    )
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise WishError(f"cannot propose root {root.version + 1}\n{listed}")
    roles = {name: Role(keys=one.keys, threshold=one.threshold) for name, one in wanted.items()}
    return replace(
        root,
        version=root.version + 1,
        epoch=root.epoch + raise_epoch,
        expires=now + ROOT_LIFE,
        roles=Roles(**roles),
    )


def without(root: Root, key: PublicKey, instead: Sequence[PublicKey]) -> dict[str, Wish]:
    """Give the wish that drops a key from its role, and puts others in its place.

    Where fewer keys are left than must sign, CeremonyError says so: no threshold falls unasked.
    """
    names = [name for name, role in roles_of(root).items() if key in role.keys]
    if not names:
        raise WishError(
            f"cannot revoke the key {shown(key)}: root {root.version} names it for nothing; "
            "see: saltern key list"
        )
    wishes = {}
    for name in names:
        role = roles_of(root)[name]
        left = tuple(one for one in role.keys if one != key)
        keys = (*left, *(one for one in instead if one not in left))
        if len(keys) < role.threshold:
            raise WishError(
                f"cannot revoke the key {shown(key)}: the role {name} would have {len(keys)} "
                f"keys, and {role.threshold} must sign; put another in its place: "
                "--key ed25519:..., as saltern key make FILE prints it"
            )
        wishes[name] = Wish(keys, role.threshold)
    return wishes


def shown(key: PublicKey) -> str:
    """Give what people compare of a key."""
    return fingerprint(key.raw)


def key_named(root: Root, text: str) -> PublicKey:
    """Find a key of the root by its fingerprint, or as it is written whole. CeremonyError."""
    digits = text.removeprefix(PREFIX).replace("-", "").lower()
    for role in roles_of(root).values():
        for key in role.keys:
            if digits in {key.fingerprint, key.raw.hex()}:
                return key
    raise WishError(
        f'cannot find the key "{text}" in root {root.version}: give a fingerprint as '
        "saltern key list shows it"
    )


def _faults_of(name: str, wish: Wish) -> list[str]:
    faults = []
    if name not in ROLES:
        faults.append(f"{name}: there is no such role; there are {', '.join(ROLES)}")
    distinct = len(frozenset(wish.keys))
    if distinct != len(wish.keys):
        faults.append(f"{name}: a key is given twice; each counts once")
    if distinct > MAX_KEYS:
        faults.append(f"{name}: it would have {distinct} keys; {MAX_KEYS} at most")
    if not 1 <= wish.threshold <= distinct:
        more = "; give so many keys: --key ed25519:... for each" if wish.threshold > 0 else ""
        faults.append(f"{name}: {wish.threshold} of {distinct} keys can never sign{more}")
    elif name in ONLINE and wish.threshold > 1:
        faults.append(f"{name}: one key must be enough, since the master signs by itself")
    return faults


def _shared(wanted: Mapping[str, Wish]) -> list[str]:
    seen: dict[PublicKey, str] = {}
    faults = []
    for name, wish in wanted.items():
        for key in frozenset(wish.keys):
            if key in seen:
                faults.append(
                    f"{name}: the key {shown(key)} is one of {seen[key]} already; "
                    "make another: saltern key make FILE"
                )
            seen[key] = name
    return faults
