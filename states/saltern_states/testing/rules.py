"""iptables in memory: tables as text, and iptables-restore --noflush on them.

What a restore makes of a table says iptables_work.
"""

from __future__ import annotations

from saltern_states import iptables_text
from saltern_states.iptables_work import restored
from saltern_states.ports import Backend, HostError


class FakeRules:
    """Two back ends, apart from each other."""

    def __init__(self) -> None:
        self.installed: set[Backend] = {"nft", "legacy"}
        self.tables: dict[tuple[Backend, str], iptables_text.Table] = {}

    def save(self, backend: Backend, table: str) -> str | None:
        """Give the table as iptables-save prints it; None: this back end is not installed."""
        if backend not in self.installed:
            return None
        return iptables_text.render(self._table(backend, table))

    def restore(self, backend: Backend, text: str) -> None:
        """Apply one table's text with --noflush, all or nothing."""
        if backend not in self.installed:
            raise HostError(f"cannot restore: there is no iptables-{backend}-restore")
        try:
            name = iptables_text.named(text)
            self.tables[backend, name] = restored(self._table(backend, name), text)
        except ValueError as error:
            raise HostError(f"cannot restore {error}") from error

    def _table(self, backend: Backend, name: str) -> iptables_text.Table:
        if name not in iptables_text.BUILT_IN:
            raise HostError(f"cannot look at the table {name}: there is none of that name")
        return self.tables.get((backend, name)) or iptables_text.empty(name)
