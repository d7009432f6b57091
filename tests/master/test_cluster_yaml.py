"""YAML that its reader itself stumbles over is told as a fault, like any other."""

from __future__ import annotations

import pytest

from tests.master.test_cluster_file import faults


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('a: "\\U00110000"', "$: this is no YAML: "),
        ('a: "\\UFFFFFFFF"', "$: this is no YAML: "),
        ("%YAML 1.0\n---\na: 1\n", "$: this is no YAML: "),
        ("%YAML 1.3\n---\na: 1\n", "$: this is no YAML: "),
        ("%YAML 1.1\n---\na: yes\n", "a: line 3: yes is read differently"),
    ],
)
def test_what_the_reader_of_yaml_lets_slip_is_a_fault_of_the_text(text: str, told: str) -> None:
    (found,) = faults(text)
    assert found.startswith(told)
