"""What the master must not forget: a small transactional store of keys and values."""

from saltern_master.store.contract import (
    ConflictError,
    Delete,
    Entry,
    Expect,
    LostError,
    Put,
    Store,
    StoreError,
    Write,
)
from saltern_master.store.memory import Memory, MemoryStore
from saltern_master.store.sqlite import SqliteStore

__all__ = [
    "ConflictError",
    "Delete",
    "Entry",
    "Expect",
    "LostError",
    "Memory",
    "MemoryStore",
    "Put",
    "SqliteStore",
    "Store",
    "StoreError",
    "Write",
]
