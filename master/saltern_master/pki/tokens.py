"""known_tokens.csv: static bearer tokens, where the cluster file asks for them.

    HOME/pki/tokens.json    user -> token, 0600

* One random token for each user, made once and kept; a user who is asked for no more is left
  out of the file that nodes get, and of HOME.
* A line is token,user,uid,"group,group", as the API server reads it
  (apiserver/pkg/authentication/token/tokenfile): CSV, so what has a comma or a quote is quoted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from saltern_master.pki.authorities import PkiError
from saltern_master.signing.home import write_whole

TOKEN_BYTES: Final = 32

Random = Callable[[int], bytes]


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who has a token: what RBAC knows of them is the name and the groups."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,62}\Z")]
    groups: tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,62}\Z")], ...] = ()


def with_tokens(kept: Mapping[str, str], users: Iterable[User], random: Random) -> dict[str, str]:
    """Give each user the token that was kept, or a new one."""
    return {user.name: kept.get(user.name) or random(TOKEN_BYTES).hex() for user in users}


def known_tokens(users: Iterable[User], tokens: Mapping[str, str]) -> bytes:
    """Give the file's content, in the order of names. A user's uid is the name."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    for user in sorted(users, key=lambda user: user.name):
        groups = [",".join(user.groups)] if user.groups else []
        lines.writerow([tokens[user.name], user.name, user.name, *groups])
    return text.getvalue().encode()


def tokens_of(home: Path, users: Iterable[User], random: Random) -> bytes:
    """Give the content for these users, with tokens made and kept in HOME. Hold HOME's lock."""
    path, users = home / "pki" / "tokens.json", tuple(users)
    kept = _read(path)
    tokens = with_tokens(kept, users, random)
    if tokens != kept:
        write_whole(path, msgspec.json.format(msgspec.json.encode(tokens), indent=1) + b"\n")
    return known_tokens(users, tokens)


def _read(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        pass  # what the file holds is not repeated
    raise PkiError(f"cannot read {path}; restore it from a backup, or take it away")
