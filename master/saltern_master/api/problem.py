"""A refusal as RFC 9457 has it: application/problem+json.

* Every answer that is no success is a Problem, also where no route was found.
* `type` ends in a code for programs; `detail` says what was found and what to do; `faults` are
  all that was wrong in what a person wrote.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from msgspec import Struct

from saltern_master.api.service import ServiceError

MEDIA: Final = "application/problem+json"
TYPE: Final = "urn:saltern:problem:"
STATUS: Final = {
    "not-found": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "no-such-method": HTTPStatus.METHOD_NOT_ALLOWED,
}
"""How each code is said in HTTP. What is not here is the master's own failure."""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused."""

    type: str
    title: str
    status: int
    detail: str
    faults: tuple[str, ...] = ()


def problem_of(error: ServiceError) -> Problem:
    """Give a refusal as what the API answers."""
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    return Problem(
        type=f"{TYPE}{error.code}",
        title=status.phrase,
        status=status.value,
        detail=str(error),
        faults=error.faults,
    )


def error_of(problem: Problem) -> ServiceError:
    """Give what was answered as the refusal that it was."""
    return ServiceError(problem.type.removeprefix(TYPE), problem.detail, problem.faults)
