"""Units of a reading -> unit resources that change nothing, or why not. Pure.

Of an adopted unit no files are declared: nothing recorded what it was started with, so to have it
restarted when a file changes is a change of its own, which restarts it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from saltern_protocol.reading import AnyFact, UnitFact
from saltern_states.unit import Unit
from saltern_states.unit_changes import AT_REST, ENABLED, NOT_YET_ENABLED, RUNNING

from saltern_master.adopt.part import Found, Held, Left, held

LIVES_BELOW: Final = {
    "containerd.service": ("/etc/containerd/",),
    "docker.service": ("/etc/docker/", "/etc/default/docker"),
    "kube-proxy.service": ("/var/lib/kube-proxy/", "/etc/kubernetes/kube-proxy"),
    "kubelet.service": ("/var/lib/kubelet/", "/etc/kubernetes/kubelet", "/etc/default/kubelet"),
}
"""Where the files lie that a unit reads as it starts: they come first."""
NOTE: Final = (
    "no restart follows a changed file yet: name what it lives by under `files` later, which "
    "restarts it once"
)


def unit_resources(facts: Iterable[AnyFact], before: Iterable[Held]) -> Found:
    """Give the units that run. `before`: the files that are held, by their ids."""
    files = [(one.resource.id, one.resource.id.removeprefix("adopted")) for one in before]
    for fact in facts:
        if isinstance(fact, UnitFact):
            yield _unit(fact, files)


def _unit(fact: UnitFact, files: list[tuple[str, str]]) -> Held | Left:
    if why := _unfit(fact):
        return Left(fact.unit, why)
    fields: dict[str, object] = {"unit": fact.unit, "enabled": fact.enabled in ENABLED}
    if fact.program and fact.unit.endswith(".service"):
        fields["binary"] = fact.program
    try:
        spec = msgspec.convert({"kind": "unit/1", **fields}, Unit)
    except (msgspec.ValidationError, ValueError) as error:
        return Left(fact.unit, f"no unit resource can say it: {error}")
    below = (f"/etc/systemd/system/{fact.unit}", *LIVES_BELOW.get(fact.unit, ()))
    after = tuple(name for name, path in files if path.startswith(below))
    return held(f"adopted/{fact.unit}", spec, NOTE if spec.unit.endswith(".service") else "", after)


def _unfit(fact: UnitFact) -> str:
    """Say why a unit cannot be held as it is."""
    again = "and read again"
    if fact.load != "loaded":
        return f"systemd says of its file: {fact.load}"
    if fact.needs_reload:
        return f"its files are newer than what systemd read: run systemctl daemon-reload {again}"
    if fact.active in AT_REST and fact.enabled not in ENABLED:
        return "it neither runs nor starts at boot"
    if fact.active not in RUNNING:
        return f"it is {fact.active} now: bring it up, or disable it, {again}"
    if fact.enabled == "enabled-runtime" or (
        fact.enabled in ENABLED and fact.enabled in NOT_YET_ENABLED
    ):
        return f"it is enabled until the next boot alone: enable it for good, {again}"
    return ""
