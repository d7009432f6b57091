"""What `saltern-agent doctor` prints for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from saltern_protocol.condition import Finding


def show_findings(findings: Sequence[Finding], has_body: bool) -> Iterator[str]:
    """Give each trap with its remedy, then how many there are."""
    for one in findings:
        yield f"{'!' if one.bad else '~'} {one.trap}: {one.what}"
        yield f"    {one.remedy}"
    if not has_body:
        yield "this machine has no document yet, so only what it shows by itself was looked at"
    bad = sum(one.bad for one in findings)
    counts = f"{_many(bad, 'trap')}, {_many(len(findings) - bad, 'note')}"
    yield counts if findings else "no trap found"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
