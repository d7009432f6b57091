"""A notice to its receiver, in a thread: what blocks here blocks nobody else.

Secrets are read for each sending, from files that are this user's alone.
"""

from __future__ import annotations

from typing import Protocol

from saltern_master.notify.mail import message_of, send
from saltern_master.notify.model import Item, Notice
from saltern_master.notify.settings import Receiver, read_secret
from saltern_master.notify.webhook import SendError, post
from saltern_master.notify.words import json_of, summary, text_of

__all__ = ["SendError", "Sender", "deliver", "trial"]


class Sender(Protocol):
    """What tells a receiver; the text that came back, or SendError or SecretError."""

    def __call__(self, receiver: Receiver, notice: Notice, cluster: str, now: float, /) -> str:
        """Send one notice; it may take half a minute."""
        ...


def deliver(receiver: Receiver, notice: Notice, cluster: str, now: float, /) -> str:
    """Tell a receiver; give what came back. SendError, SecretError."""
    if receiver.webhook is not None:
        secret = read_secret(receiver.webhook.secret_file)
        return post(receiver.webhook, secret, json_of(notice, cluster), now)
    email = receiver.email
    if email is None:
        raise AssertionError("a receiver has a webhook or an e-mail")
    password = read_secret(email.password_file) if email.password_file is not None else b""
    subject = f"[{cluster}] {summary(notice)}"
    identity = f"saltern-{cluster}-{notice.number}-{int(notice.at)}"
    return send(email, password, message_of(email, subject, text_of(notice, cluster), identity))


def trial(now: float) -> Notice:
    """Give what `saltern notify test` sends. Its number is nobody else's: 0."""
    item = Item(since=now, why="this is a test; nothing is wrong")
    return Notice(number=0, status="test", event="test", word="", at=now, items=(item,))
