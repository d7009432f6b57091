"""Rollouts told as stories, word for word.

SALTERN_GOLDEN=write tells the files of tests/golden/rollouts anew: read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.master.rollout_story import told

GOLDEN = Path(__file__).parent.parent / "golden" / "rollouts"
STORIES = sorted(GOLDEN.glob("*.txt"))
ANSWERS = re.compile(r"^# answers: \S.+$", re.MULTILINE)


@pytest.mark.parametrize("path", STORIES, ids=[path.stem for path in STORIES])
def test_a_story(path: Path) -> None:
    text = path.read_text()
    now = told(text)
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path.write_text(now)
    assert text == now


@pytest.mark.parametrize("path", STORIES, ids=[path.stem for path in STORIES])
def test_a_story_names_what_it_answers(path: Path) -> None:
    assert ANSWERS.search(path.read_text())


def test_there_are_stories() -> None:
    assert len(STORIES) >= 40
