"""A removal that comes late does nothing to who has the name by then."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_master.api.service import ServiceError
from saltern_master.records.codec import hold
from saltern_master.records.documents import Issued, document_key
from saltern_master.signing.home import Home

from tests.master.core_laws import run, taken
from tests.master.core_stand import Stand
from tests.master.homes import made_home
from tests.master.test_core import TWO


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def test_a_drain_that_ends_after_the_name_is_anothers_empties_nobody(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(await stand.service.apply(TWO.encode()), w1, w2)
        slow = stand.office.leaving.begin("w2")  # and its pods do not go
        await stand.service.remove("w2", True)
        await stand.joined("w2")
        await stand.service.apply(TWO.encode())
        before = hold(stand.store, document_key("w2"), Issued).value
        assert before is not None

        await stand.office.leaving.empty("w2", slow.number, stand.office.end)

        assert hold(stand.store, document_key("w2"), Issued).value == before
        assert (await stand.service.node("w2")).state == "joined"
        with pytest.raises(ServiceError, match="remove it again"):
            await stand.office.rolling.empty("w2", slow.number)

    run(home, law)
