"""What is shown of keys, roots, policies and proposals: values, and the lines of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from saltern_protocol.keys import PublicKey
from saltern_protocol.policy import Policy
from saltern_protocol.root import Root

from saltern_master.signing.next_root import DAY, roles_of, shown
from saltern_master.signing.proposal import Need

Places = Mapping[PublicKey, Path]


class KeyRow(msgspec.Struct, frozen=True):
    """One key, and what it may do."""

    role: str
    needed: str  # "2 of 3"
    fingerprint: str
    here: str  # the file of its private half on this machine; "": it is elsewhere
    public: str


class Signed(msgspec.Struct, frozen=True):
    """A root or a policy, as far as it matters when it ends."""

    version: int
    epoch: int
    expires: str
    days: int


class Keys(msgspec.Struct, frozen=True):
    """All that `saltern key list` shows."""

    cluster: str
    root: Signed
    policy: Signed | None
    keys: tuple[KeyRow, ...]
    held_back: str  # why the newest root is not signed under yet; "": it is


def key_rows(root: Root, here: Places) -> tuple[KeyRow, ...]:
    """Give a row for each key of each role."""
    return tuple(
        KeyRow(
            role=name,
            needed=f"{role.threshold} of {len(role.keys)}",
            fingerprint=shown(key),
            here=str(here.get(key, "")),
            public=str(key),
        )
        for name, role in roles_of(root).items()
        for key in role.keys
    )


def signed_of(thing: Root | Policy, now: int) -> Signed:
    """Give when it ends."""
    return Signed(thing.version, thing.epoch, date(thing.expires), (thing.expires - now) // DAY)


def keys_lines(page: Keys) -> list[str]:
    """Give the lines under the table of keys."""
    lines = [_ends(f"root {page.root.version}, epoch {page.root.epoch},", page.root)]
    if page.policy is not None:
        lines.append(_ends(f"policy {page.policy.version}", page.policy))
    else:
        lines.append("no policy was signed yet: saltern policy")
    if page.held_back:
        lines.append(f"the master does not sign under root {page.root.version}: {page.held_back}")
    return lines


def change_lines(before: Root, after: Root | Policy) -> list[str]:
    """Say what who signs would change."""
    if isinstance(after, Policy):
        names = ", ".join(sorted(after.classes))
        return [
            f"policy {after.version} of cluster {after.cluster}, epoch {after.epoch}, for {names}",
            f"expires {date(after.expires)}",
        ]
    lines = [
        f"root {after.version} of cluster {after.cluster}, after root {before.version}",
        f"expires {date(after.expires)}",
    ]
    if after.epoch != before.epoch:
        lines.append(f"epoch {after.epoch}, was {before.epoch}: versions start afresh")
    old, new = roles_of(before), roles_of(after)
    for name, role in new.items():
        lines.append(f"{name}: {role.threshold} of {len(role.keys)} must sign")
        lines += [_mark(key, old[name].keys) for key in role.keys]
        lines += [f"  - {shown(key)}" for key in old[name].keys if key not in role.keys]
    return lines


def unforced_line(before: Root, after: Root | Policy) -> str:
    """Say what still holds while a proposal is a file and nothing more."""
    if isinstance(after, Policy):
        return f"NOT in force yet: nothing changes until policy {after.version} is taken in"
    old, new = roles_of(before), roles_of(after)
    gone = [shown(key) for name in old for key in old[name].keys if key not in new[name].keys]
    until = f"until root {after.version} is taken in"
    if not gone:
        return f"NOT in force yet: nothing changes {until}"
    if len(gone) == 1:
        return f"NOT in force yet: the key {gone[0]} still counts {until}"
    return f"NOT in force yet: the keys {', '.join(gone)} still count {until}"


def need_lines(needs: Sequence[Need]) -> list[str]:
    """Say who has signed and who could."""
    return [str(need) for need in needs]


def plain(thing: Root | Policy) -> dict[str, object]:
    """Give it for programs, with keys as people compare and copy them."""
    found: dict[str, object] = msgspec.to_builtins(thing)
    if isinstance(thing, Root):
        found["roles"] = {
            name: {
                "threshold": role.threshold,
                "keys": [{"public": str(key), "fingerprint": shown(key)} for key in role.keys],
            }
            for name, role in roles_of(thing).items()
        }
    return found


def link_text(public: bytes) -> str:
    """Give the public half of a CURVE key as nodes' operators copy it."""
    return f"curve25519:{public.hex()}"


def date(seconds: int) -> str:
    """Give a time in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _mark(key: PublicKey, before: Sequence[PublicKey]) -> str:
    return f"  {' ' if key in before else '+'} {shown(key)}"


def _ends(what: str, signed: Signed) -> str:
    if signed.days < 0:
        return f"{what} has expired: {signed.expires}"
    return f"{what} expires {signed.expires}, in {signed.days} days"
