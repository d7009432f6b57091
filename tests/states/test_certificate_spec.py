"""certificate: what a Spec may not say."""

from __future__ import annotations

import msgspec
import pytest
from saltern_states.certificate import EXAMPLE_AUTHORITY, Certificate

from tests.states.test_certificate import CRT, WANT


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"key": CRT}, "two files"),
        ({"path": "/" + "a" * 300}, "at most 256"),
        ({"days": 10, "renew_before_days": 10}, "less than days"),
        ({"addresses": ("10.9.0.021",)}, "does not appear to be"),
        ({"addresses": ("fd00::0:1",)}, "write fd00::0:1 as fd00::1"),
        ({"addresses": ("fe80::1%eth0",)}, "matching"),
        ({"dns": ("w1", "w1")}, "dns names one thing twice"),
        ({"dns": (), "addresses": ()}, "a server is known by"),
        ({"common_name": "a" * 65}, "matching"),
        ({"common_name": "a\n"}, "matching"),
        ({"dns": ("*.example",)}, "matching"),
        ({"dns": ("W1",)}, "matching"),
        ({"usages": ()}, "length >= 1"),
        ({"issuer": "own"}, "Invalid enum"),
        ({"ca": "none"}, "matching"),
        ({"ca": EXAMPLE_AUTHORITY + EXAMPLE_AUTHORITY}, "matching"),
    ],
)
def test_what_could_not_be_asked_for_is_refused(fields: dict[str, object], told: str) -> None:
    plain = msgspec.to_builtins(WANT) | fields

    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert(plain, Certificate)
