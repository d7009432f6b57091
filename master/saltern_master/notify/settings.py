"""HOME/notify.yaml: who is told, and when; every fault at once, as of a cluster file.

    apiVersion: saltern-notify/v1
    after: {drift: 10m, away: 5m}
    again: 24h
    receivers:
    - name: ops
      webhook: {url: "https://hooks.example.org/saltern", secretFile: /etc/saltern/hook.secret}
    - name: night
      only: [incident, away]
      email:
        server: mail.example.org
        from: saltern@example.org
        to: [night@example.org]
        user: saltern
        passwordFile: /etc/saltern/mail.password

* The file is this user's alone to write; a file with a secret is his alone to read (0600). Secrets
  stand in no settings, so that these can be shown.
* Secrets are read when something is sent: who puts another one there restarts nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field
from saltern_protocol.ownership import SECRET, UNTOUCHED, Found, Wanted, faults
from saltern_states.contract import AbsolutePath

from saltern_master.cluster.faults import ClusterFileError, Fault
from saltern_master.cluster.faults import Path as Place
from saltern_master.cluster.load import located
from saltern_master.cluster.shape import BAD, Reading, read
from saltern_master.cluster.source import lines, parse
from saltern_master.errors import MasterError
from saltern_master.notify.model import Event

FILE: Final = "notify.yaml"
MOST_SECRET: Final = 4096
MOST_TO: Final = 50
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])\Z")

Span = Annotated[
    str, Meta(pattern=SPAN.pattern, description="a span of time such as 90s, 10m, 12h or 2d")
]
Again = Annotated[
    str,
    Meta(pattern=rf"^never\Z|^{SPAN.pattern}", description="never, or a span such as 12h or 2d"),
]
ReceiverName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z",
        description="a name of small letters, digits and -",
    ),
]
HostName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z", description="a host's name or address"),
]
MailAddress = Annotated[
    str,
    Meta(pattern=r"^[^@\s<>,;\"]{1,64}@[A-Za-z0-9.-]{1,253}\Z", description="an e-mail address"),
]
Url = Annotated[str, Meta(max_length=2048)]


class Form(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What every part of the file is."""


class Webhook(Form, frozen=True):
    """A server that takes a POST. `secretFile`: the key that it is signed with."""

    url: Url
    secret_file: AbsolutePath
    ca_file: AbsolutePath | None = None  # who vouches for it, where this machine does not know


class Email(Form, frozen=True, kw_only=True):
    """A mail server, and whom it is for."""

    server: HostName
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: MailAddress = field(name="from")
    to: tuple[MailAddress, ...]
    user: Annotated[str, Meta(max_length=254)] = ""
    password_file: AbsolutePath | None = None
    ca_file: AbsolutePath | None = None


class Receiver(Form, frozen=True):
    """Who is told. `only`: of these events; of all, where it is empty."""

    name: ReceiverName
    webhook: Webhook | None = None
    email: Email | None = None
    only: tuple[Event, ...] = ()


class AfterSpans(Form, frozen=True):
    """How long something is the case before it is told."""

    drift: Span = "10m"
    away: Span = "5m"


class Notify(Form, frozen=True):
    """The whole file."""

    api_version: Literal["saltern-notify/v1"]
    receivers: tuple[Receiver, ...]
    after: AfterSpans = AfterSpans()
    again: Again = "24h"


class SecretError(MasterError):
    """A file with a secret cannot be used."""


def seconds(span: str) -> float:
    """Give a span of the file in seconds; 0: never."""
    found = SPAN.match(span)
    return float(int(found[1]) * UNITS[found[2]]) if found is not None else 0.0


def load(data: bytes) -> Notify:
    """Read the file's bytes; ClusterFileError tells all that is wrong, each with path and line."""
    try:
        tree = parse(data)
    except ClusterFileError as error:
        raise ClusterFileError(error.faults, FILE) from error
    where, reading = dict(lines(tree)), Reading()
    found = read(tree, Notify, (), reading)
    told = [*reading.faults, *(located(where, path, text) for path, text in _check(reading))]
    if told:
        raise ClusterFileError(told, FILE)
    if found is BAD or not isinstance(found, Notify):
        raise AssertionError("a value is bad only by a fault")
    return found


def read_settings(home: Path) -> Notify | None:
    """Read HOME/notify.yaml with the modes of all that it names; None: there is none.

    ClusterFileError, with every fault.
    """
    path = home / FILE
    try:
        wrong = _modes(path, UNTOUCHED)
        if not path.is_file():  # a pipe would be waited for
            raise ClusterFileError(list(map(_whole, wrong)), FILE)
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClusterFileError([_whole(f"cannot read {path}: {error.strerror}")], FILE) from error
    settings = load(data)
    told = [_whole(text) for text in wrong]
    told += [_whole(text) for one in settings.receivers for text in _secrets(one)]
    if told:
        raise ClusterFileError(told, FILE)
    return settings


def read_secret(path: str) -> bytes:
    """Read a secret: the file's bytes without the ends of its last line; SecretError."""
    try:
        wrong = _modes(Path(path), SECRET)
        if wrong:  # nor is it opened: a pipe would be waited for
            raise SecretError(f"cannot use the secret in {'; '.join(wrong)}")
        with Path(path).open("rb") as file:
            data = file.read(MOST_SECRET + 1).rstrip(b"\r\n")
    except OSError as error:
        raise SecretError(f"cannot read the secret in {path}: {error.strerror}") from error
    if not 0 < len(data) <= MOST_SECRET:
        raise SecretError(f"cannot use the secret in {path}: it is empty, or over {MOST_SECRET} B")
    return data


def _check(reading: Reading) -> Iterator[tuple[Place, str]]:
    seen: dict[str, Place] = {}
    for path, name in reading.at("receivers", "*", "name"):
        if name in seen:
            yield path, f"another receiver is called {name}"
        seen[name] = path
    for path, one in reading.at("receivers", "*"):
        if isinstance(one, Receiver) and len(_ways(reading, path)) != 1:
            yield path, "give either webhook or email"
    for path, url in reading.at("receivers", "*", "webhook", "url"):
        if wrong := _wrong_url(url):
            yield path, wrong
    for path, email in reading.at("receivers", "*", "email"):
        if isinstance(email, Email):
            yield from ((path, text) for text in _wrong_mail(email))


def _ways(reading: Reading, path: Place) -> tuple[str, ...]:
    """Give by what a receiver is told, whether what stands there is good or not."""
    faulty = {fault.path[: len(path) + 1] for fault in reading.faults}
    places = ((one, (*path, one)) for one in ("webhook", "email"))
    return tuple(one for one, at in places if at in faulty or reading.found.get(at) is not None)


def _wrong_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"it is no address of a server: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "write http:// or https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "take user and password out of it: the signature says who sends"
    return ""


def _wrong_mail(email: Email) -> Iterator[str]:
    if not 0 < len(email.to) <= MOST_TO:
        yield f"to: name 1 to {MOST_TO} addresses"
    if bool(email.user) != (email.password_file is not None):
        yield "user and passwordFile stand together, or neither does"
    if email.user and email.security == "none":
        yield "a password is not sent in clear: use starttls or tls"


def _secrets(receiver: Receiver) -> Iterator[str]:
    """Say what is wrong with the files of secrets that a receiver names."""
    paths = (
        receiver.webhook.secret_file if receiver.webhook else None,
        receiver.email.password_file if receiver.email else None,
    )
    for path in paths:
        if path is not None:
            try:
                read_secret(path)
            except SecretError as error:
                yield f"{receiver.name}: {error}"


def _modes(path: Path, denied: int) -> tuple[str, ...]:
    seen = path.lstat()
    found = Found(seen.st_mode, seen.st_uid)
    return faults(Wanted(str(path), denied), found, os.geteuid())


def _whole(text: str) -> Fault:
    return Fault((), 0, text)
