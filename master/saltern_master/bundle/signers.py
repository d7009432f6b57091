"""HOME/bundle-signers.json: whose bundles this master takes; and the key that signs its own.

A signer is the keys that must all have signed: one, a connected master's, or those of several
people. ADR 0029 says why it is no role of the root.

* A bundle is taken where all keys of one signer have signed it.
* A signer comes in by a person who names it by fingerprint, and never by a bundle alone.
* The file is replaced whole. One that cannot be read, or that others can write, takes no bundle.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saltern_protocol.keys import KEY_BYTES, PREFIX, PrivateKey, PublicKey
from saltern_protocol.ownership import UNTOUCHED, Found, Wanted, faults

from saltern_master.bundle.head import Signed, is_named, shown
from saltern_master.bundle.manifest import BundleError
from saltern_master.signing.home import Home, write_whole

FILE: Final = "bundle-signers.json"
ROLE: Final = "bundle"

KeyText = Annotated[str, Meta(pattern=rf"^{PREFIX}[0-9a-f]{{64}}\Z")]
Signer = frozenset[PublicKey]


class Signers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: each signer as its keys, sorted."""

    form: Literal["saltern-bundle-signers/1"] = "saltern-bundle-signers/1"
    signers: tuple[Annotated[tuple[KeyText, ...], Meta(min_length=1)], ...] = ()


def read_signers(home: Home) -> tuple[Signer, ...]:
    """Give whose bundles are taken, in the order in which they came. BundleError."""
    path = home.path / FILE
    try:
        seen = path.lstat()
        told = faults(Wanted(str(path), UNTOUCHED), Found(seen.st_mode, seen.st_uid), os.geteuid())
        if told:
            raise BundleError("cannot tell whose bundles to take:", told)
        found = msgspec.json.decode(path.read_bytes(), type=Signers)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BundleError(
            f"cannot read {path}: {error}; move it away, and name the signers again as you import"
        ) from error
    return tuple(frozenset(map(PublicKey.parse, keys)) for keys in found.signers)


def keep_signer(home: Home, signer: Signer) -> bool:
    """Take this signer's bundles from now on; False where they were taken already."""
    with home.locked():
        before = read_signers(home)
        if signer in before:
            return False
        _write(home, (*before, signer))
    return True


def forget_signers(home: Home, names: Sequence[str]) -> tuple[Signer, ...]:
    """Take no more bundles of signers that have one of these keys; give them. BundleError."""
    with home.locked():
        before = read_signers(home)
        strangers = [name for name in names if not any(_has(one, name) for one in before)]
        if strangers:
            raise BundleError(
                f"cannot forget {', '.join(strangers)}: {home.path} takes no bundles of it; see: "
                "saltern bundle signers"
            )
        gone = tuple(one for one in before if any(_has(one, name) for name in names))
        _write(home, tuple(one for one in before if one not in gone))
    return gone


def named_signer(signed: Signed, names: Sequence[str]) -> Signer:
    """Give the keys that a person named, all of which have signed; BundleError: who has not."""
    lacking = tuple(
        f"{name} has not"
        for name in names
        if not any(is_named(key, name) for key in signed.signers)
    )
    if lacking:
        raise BundleError(f"cannot take this bundle: {names_of(signed.signers)} signed it", lacking)
    return frozenset(key for key in signed.signers if any(is_named(key, name) for name in names))


def known_signer(signed: Signed, known: Collection[Signer]) -> Signer | None:
    """Give the signer by which a bundle is taken; None where no signer is known at all.

    BundleError where some are, and it is none of theirs.
    """
    good = frozenset(signed.signers)
    for signer in known:
        if signer <= good:
            return signer
    if known:
        whose = " or ".join(names_of(sorted(one)) for one in known)
        raise BundleError(
            f"cannot take this bundle: {names_of(signed.signers)} signed it, and this master takes "
            f"those of {whose}; where its maker has another key now, and told you so, name it: "
            "--signer FINGERPRINT"
        )
    return None


def names_of(keys: Collection[PublicKey]) -> str:
    """Name keys as people compare them."""
    return " and ".join(map(shown, keys)) or "nobody whose signature is good"


def own_key(home: Home, random: Callable[[int], bytes]) -> PrivateKey:
    """Give the key that signs this master's bundles; it is made where it is not there. HomeError.

    `random` is secrets.token_bytes outside tests.
    """
    with home.locked():
        if not (home.path / "keys" / f"{ROLE}.key").exists():
            home.add_key(ROLE, random(KEY_BYTES))
        return home.key(ROLE)


def _has(signer: Signer, name: str) -> bool:
    return any(is_named(key, name) for key in signer)


def _write(home: Home, signers: Sequence[Signer]) -> None:
    listed = tuple(tuple(str(key) for key in sorted(one)) for one in signers)
    data = msgspec.json.format(msgspec.json.encode(Signers(signers=listed)), indent=1) + b"\n"
    write_whole(home.path / FILE, data, 0o644)
