"""A notice as bytes: JSON with its signature for programs, text for people. Pure.

The JSON is of a stable form (docs/howto/notify.md): fields are added, none changes its meaning.
Its signature is the HMAC-SHA256, in hex, of "TIME." and the body, under the receiver's secret:

    Saltern-Signature: t=1800000000,v1=…

What nodes tell is shown and never interpreted: nothing in it moves a terminal or begins a line.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec
from saltern_protocol.errors import printable

from saltern_master.notify.model import Item, Notice

HEADER: Final = "Saltern-Signature"
FORM: Final = 1
MOST_WHY: Final = 1000
NAMED: Final = 5
BEGINS: Final = {
    "begins": "",
    "goes-on": "still: ",
    "ended": "over: ",
    "happened": "",
    "test": "",
}
WHAT: Final = {
    "alarm": "alarm",
    "incident": "incident",
    "drift": "drift stays open",
    "away": "away",
    "part": "bad",
    "rollout": "rollout",
    "test": "a test: nothing is wrong",
}


def json_of(notice: Notice, cluster: str) -> bytes:
    """Give the body of a POST."""
    return msgspec.json.encode(
        {
            "form": FORM,
            "id": f"{cluster}-{notice.number}",
            "cluster": cluster,
            "status": notice.status,
            "event": notice.event,
            "word": notice.word,
            "at": notice.at,
            "summary": summary(notice),
            "items": [_plain(one) for one in notice.items],
            "more": notice.more,
        }
    )


def signature(secret: bytes, body: bytes, now: float) -> str:
    """Give the value of HEADER."""
    at = int(now)
    made = hmac.new(secret, f"{at}.".encode() + body, "sha256").hexdigest()
    return f"t={at},v1={made}"


def summary(notice: Notice) -> str:
    """Say in one line what it is: for a subject, or a chat."""
    what = WHAT[notice.event] + (f" {notice.word}" if notice.word else "")
    names = [one.node or one.subject for one in notice.items if one.node or one.subject]
    shown = ", ".join(dict.fromkeys(names[:NAMED]))
    others = notice.more + len(names[NAMED:])
    more = f" and {others} more" if others else ""
    return _line(f"{BEGINS[notice.status]}{what}{': ' if shown else ''}{shown}{more}")


def text_of(notice: Notice, cluster: str) -> str:
    """Give the text of an e-mail."""
    lines = [summary(notice), f"cluster {cluster}, {iso(notice.at)}", ""]
    for one in notice.items:
        lines += [*_item_lines(one), ""]
    if notice.more:
        lines += [f"and {notice.more} more of the same kind", ""]
    return "\n".join(lines)


def iso(at: float) -> str:
    """Give a time as 2026-11-23T05:00:00Z."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _item_lines(one: Item) -> Iterator[str]:
    name = " ".join(part for part in (one.node, one.subject) if part)
    yield _line(f"* {name or 'the whole'}, since {iso(one.since)}")
    if one.until:
        yield f"  well since {iso(one.until)}"
    if one.begins > 1:
        yield f"  it comes and goes: it began {one.begins} times lately"
    if one.why:
        yield f"  {_line(one.why)}"
    if one.remedy:
        yield f"  {_line(one.remedy)}"


def _plain(one: Item) -> dict[str, object]:
    return {
        "node": one.node,
        "subject": _line(one.subject),
        "since": one.since,
        "until": one.until,
        "why": _line(one.why),
        "remedy": _line(one.remedy),
        "begins": one.begins,
    }


def _line(text: str) -> str:
    """Give text as one line that moves no terminal."""
    return printable(text[:MOST_WHY])
