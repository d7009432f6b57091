"""agent: the release of the agent itself; one that is not well is followed by the one before.

* The release is named by the hash of its package, and policy lists the hashes (never "any").
* An upgrade is handed over: no agent replaces itself while it runs. What came of it is read by the
  agent that runs then; until that is decided there is nothing to do but wait.
* A release that was tried and went back is not tried again, neither by a document that says the
  same nor as drift, until a person asks for it anew: another file, or a higher `attempt`.
* An older release is another release: a person who declares it gets it.
* Removal leaves the agent as it is: somebody has to hold the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.contract import Blocked, Change, Kind, Sha256, Spec, Watch, WatchPath
from saltern_states.ports import Host, HostError, MovedError
from saltern_states.upgrade_ports import Release, UpgradeState

PACKAGE: Final = "saltern-agent"

# No epoch of 0: dpkg leaves it out, and would seem to have installed something else.
AgentVersion = Annotated[str, Meta(pattern=r"^(?!0[0-9]*:)[0-9][A-Za-z0-9.+:~-]{0,100}\Z")]


class Agent(Spec, frozen=True, kw_only=True, tag="agent/1"):
    """Which agent shall hold this node. `attempt`: raise it to try again what went back."""

    version: AgentVersion
    deb: Sha256
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class UpgradeAgent(Change, frozen=True, kw_only=True, tag="upgrade-agent"):
    """Become another release, or stay this one where that does not reach the master in time."""

    was: str
    version: str
    deb: str
    attempt: int = 1

    def __str__(self) -> str:
        return f"upgrade agent {self.was} -> {self.version} ({self.deb[:12]})"


class AwaitUpgrade(Change, frozen=True, kw_only=True, tag="await-upgrade"):
    """See how an upgrade ends that is under way."""

    version: str

    def __str__(self) -> str:
        return f"wait for the upgrade of the agent to {self.version}"


AgentChange = UpgradeAgent | AwaitUpgrade


@dataclass(frozen=True, slots=True)
class Observed:
    """Which release is installed, whether the other is here, and how upgrades stand."""

    version: str | None  # None: not as a package, or half
    here: bool
    upgrades: UpgradeState


def observe(host: Host, want: Agent) -> Observed:
    """Ask dpkg, and what upgrades."""
    return Observed(
        version=host.packages.version(PACKAGE),
        here=host.blobs.has(want.deb),
        upgrades=host.upgrades.state(),
    )


def diff(want: Agent, have: Observed) -> tuple[AgentChange | Blocked, ...]:
    """Upgrade where another release is installed, unless it was tried and went back."""
    state = have.upgrades
    if state.under_way:
        return (AwaitUpgrade(version=state.under_way),)
    if have.version == want.version:
        return ()
    why = hindrance(want, have)
    if have.version is None or why:
        return (Blocked(f"the agent stays as it is, and is not {_named(want)}: {why}"),)
    upgrade = UpgradeAgent(
        was=have.version, version=want.version, deb=want.deb, attempt=want.attempt
    )
    if not have.here:
        return (Blocked(f"not on this node yet: {PACKAGE} {want.version}", (upgrade,)),)
    return (upgrade,)


def hindrance(want: Agent, have: Observed) -> str:
    """Say why no upgrade can be begun, or must not be; "" where it can."""
    state = have.upgrades
    if have.version is None:
        return (
            f"{PACKAGE} is not installed whole by dpkg here, so there is no way back to it; "
            f"install it: apt install ./{PACKAGE}_VERSION.deb"
        )
    gone_back = state.gone_back
    if gone_back is not None and gone_back.release == released(want):
        again = "to try it once more, raise agent.attempt in the cluster file"
        return f"it was tried and went back: {gone_back.why}; {again}"
    return state.hindrance


def remove(_want: Agent, _have: Observed) -> tuple[AgentChange | Blocked, ...]:
    """Nothing: what is installed stays."""
    return ()


def apply(host: Host, change: AgentChange) -> None:
    """Hand over; the file must be the release that was declared, and the node as it was."""
    if isinstance(change, AwaitUpgrade):
        host.upgrades.wait()
        return
    found = host.packages.version(PACKAGE)
    if found != change.was:
        raise MovedError(
            f"cannot upgrade the agent: expected {change.was}, found {found or 'none'}; plan again"
        )
    file = host.blobs.path(change.deb)
    named = host.packages.named(file)
    if named != (PACKAGE, change.version):
        raise HostError(
            f"cannot upgrade the agent to {change.version}: the file of that hash is "
            f"{' '.join(named)}"
        )
    host.upgrades.begin(file, Release(change.version, change.deb, change.attempt), change.was)


def released(want: Agent) -> Release:
    """Give what is asked for, as upgrades name it."""
    return Release(want.version, want.deb, want.attempt)


def _named(want: Agent) -> str:
    return f"{want.version} ({want.deb[:12]})"


def claims(want: Agent) -> tuple[Claim, ...]:
    """The release, by its hash."""
    return (Claim("release", want.deb),)


def watch(_want: Agent) -> tuple[Watch, ...]:
    """dpkg's own record, which it replaces at every change."""
    return (WatchPath(Path("/var/lib/dpkg/status")),)


def blobs(want: Agent) -> tuple[str, ...]:
    """The package."""
    return (want.deb,)


KIND: Kind[Agent, Observed, AgentChange] = Kind(
    spec=Agent,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply,
    stands_at=lambda _: (f"package {PACKAGE}",),
    blobs=blobs,
    example=Agent(version="0.2.0-1~deb12", deb="0" * 64),
)
