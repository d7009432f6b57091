"""The law of every decoder: whatever the bytes, they are read or refused as that decoder refuses.

SALTERN_EXAMPLES=2000 tries so many examples for each decoder in place of 200; those that check a
signature or read what a person wrote get a tenth. The table of them is tests/faults/decoders.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.decoders import Decoder, every_decoder

EXAMPLES = int(os.environ.get("SALTERN_EXAMPLES", "200"))
SLOW_PART = 10  # of those that check a signature or read what a person wrote


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Decoder]:
    return every_decoder(tmp_path_factory.mktemp("home"))


@st.composite
def changed(draw: st.DrawFn, goldens: tuple[bytes, ...]) -> bytes:
    """A golden input with some parts overwritten, cut out, put in or taken from another."""
    data = draw(st.sampled_from(goldens))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 12))
        other = draw(st.sampled_from(goldens))
        at = draw(st.integers(0, len(other)))
        data = (
            data[:start] + draw(st.binary(max_size=8) | st.just(other[at : at + 64])) + data[end:]
        )
    return data


@pytest.mark.hypothesis  # no law that pytest sees: each decoder has its own, made inside
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("slow", [False, True], ids=["wire", "files and signatures"])
def test_law_any_bytes_are_read_or_refused(table: Mapping[str, Decoder], slow: bool) -> None:
    for name, decoder in table.items():
        if (decoder.share < 100) == slow:
            hold(name, decoder, EXAMPLES // SLOW_PART if slow else EXAMPLES)


def hold(name: str, decoder: Decoder, examples: int) -> None:
    """Hold one decoder to the law."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=300) | changed(decoder.goldens))
    def law(data: bytes) -> None:
        with suppress(*decoder.told):
            decoder.decode(data)

    try:
        law()
    except BaseException as error:
        error.add_note(f"the decoder of {name}")
        raise
