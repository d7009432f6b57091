"""Machines in memory, a master's API over a service in memory, and the way between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from msgspec.structs import replace
from saltern_master.api.client import Client
from saltern_master.api.requests import NewToken
from saltern_master.api.service import NodeView, ServiceError, TokenView
from saltern_master.joining.adding import Added, Around
from saltern_master.joining.choosing import Package
from saltern_master.joining.crowd import add_all
from saltern_master.joining.hosts import Machine, read_machines
from saltern_master.joining.packages import packages_at
from saltern_master.testing.ssh import FakeMachine, FakeSsh
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity
from saltern_protocol.token import JoinToken

from tests.agent.test_join import TOKEN
from tests.master.api_stand import Master

OPEN = frozenset({"10.9.0.1/6555", "10.9.0.1/6556"})
DEB = "saltern-agent_0.1.0-1~deb12_amd64.deb"


class Asked(Client):
    """The API; its tokens are such as machines carry, for the service's own secrets."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.secrets: dict[str, str] = {}  # the service's, by the token that was given for it
        self.gone = False  # it answers no more

    def node(self, name: str) -> NodeView:
        if self.gone:
            raise ServiceError("unavailable", "cannot reach the master")
        return super().node(name)

    def make_token(self, wanted: NewToken) -> TokenView:
        made = super().make_token(wanted)
        secret = sha256(made.token.encode()).digest()
        carried = replace(TOKEN, addresses=("10.9.0.1",), node=wanted.node, secret=secret).text()
        self.secrets[carried] = made.token
        return replace(made, token=carried)


@dataclass
class Stand:
    """What `saltern node add` has to do with."""

    master: Master
    client: Asked
    packages: dict[Package, str]
    machines: dict[str, FakeMachine] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    ended: list[Added] = field(default_factory=list)
    at_end: Callable[[Added], None] = lambda _: None
    now: float = 0.0

    def machine(self, name: str, host: str = "", **fields: object) -> FakeMachine:
        """Let there be a machine that can become this node."""
        made = FakeMachine(
            open=OPEN,
            joins=self._joins,
            packages={sha: package.name for package, sha in self.packages.items()},
            started=lambda: self.connect(name, True),
        )
        for key, value in fields.items():
            setattr(made, key, value)
        self.machines[host or name] = made
        return made

    def add(self, *words: str) -> tuple[Added, ...]:
        """Do what the command does."""
        return self.add_machines(read_machines(words or tuple(self.machines)))

    def add_machines(self, machines: Sequence[Machine]) -> tuple[Added, ...]:
        whole = self.client.status()
        around = Around(
            ssh=FakeSsh(self.machines),
            master=self.client,
            cluster=whole.cluster,
            known={one.name: one for one in whole.nodes},
            packages=self.packages,
            node_class="worker",
            monotonic=lambda: self.now,
            pause=self._pause,
            tell=lambda machine, what: self.told.append(f"{machine.name}: {what}"),
        )
        return add_all(machines, around, self._end)

    def connect(self, name: str, connected: bool) -> None:
        """Let a node's agent be heard, or not any more."""
        self.master.do(self.master.fake.set_node(name, connected=connected))

    def _pause(self, seconds: float) -> None:
        self.now += seconds

    def _end(self, added: Added) -> None:
        self.ended.append(added)
        self.at_end(added)

    def _joins(self, token: str) -> bytes | str:
        if token not in self.client.secrets:
            return "saltern-agent: cannot read this token"
        secret, node = self.client.secrets[token], JoinToken.parse(token).node
        self.master.do(self.master.fake.join(secret, f"key-{node}"))
        self.connect(node, False)
        view = self.client.node(node)
        identity = replace(testing.IDENTITY, node=node, incarnation=view.incarnation)
        return encode_identity(identity)


def stand_of(master: Master, folder: Path) -> Stand:
    """Give a stand with a package for Debian 12."""
    (folder / DEB).write_bytes(b"a package\n" * 1000)
    client = Asked(master.home / "run" / "api.sock")
    return Stand(master, client, packages_at([folder]))
