"""What is rendered as YAML reads back as what it was."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from saltern_master.compile.yaml_text import to_yaml

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=30)
    | st.text("ab:#-\n \"'|", max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abny01.-", min_size=1, max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(values)
@example({"on": "off", "y": [{"no": "0644"}, [], {}], "1e3": "1_000"})
@example({"text": "a\n\n  b\nc\n", "ends": "a\nb", "blank": "\n\n", "space": "a \nb\n"})
@example([[["a"]], [{"b": ["c"]}]])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_it_reads_back_alike_by_old_and_new_readers(version: str, value: object) -> None:
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    assert reader.load(to_yaml(value)) == value


def test_text_of_several_lines_stands_as_lines() -> None:
    assert to_yaml({"file": "a: 1\n\nb: 2\n"}) == "file: |\n  a: 1\n\n  b: 2\n"
