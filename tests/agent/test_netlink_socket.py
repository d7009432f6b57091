"""What a netlink answer is made of: whole, interrupted, refused, or another request's."""

from __future__ import annotations

import errno
import struct

import pytest
from saltern_agent.host.netlink_socket import TRIES, Answer, gather, retried

NEW_ROUTE, ERROR, DONE = 24, 2, 3
INTERRUPTED, MULTI, TLVS = 0x10, 0x2, 0x200


def message(kind: int, body: bytes, sequence: int = 7, flags: int = MULTI) -> bytes:
    padding = b"\0" * (-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body + padding


def refusal(code: int, words: bytes = b"") -> bytes:
    value = words + b"\0"
    told = struct.pack("=HH", 4 + len(value), 1) + value if words else b""
    body = struct.pack("=i", -code) + b"\0" * 16 + told
    return message(ERROR, body, flags=TLVS if words else 0)


END = message(DONE, struct.pack("=i", 0))


def test_a_dump_is_all_its_messages() -> None:
    data = [message(NEW_ROUTE, b"abc") + message(NEW_ROUTE, b"defg"), END]

    assert gather(data, 7, until_end=True) == (
        Answer(NEW_ROUTE, b"abc"),
        Answer(NEW_ROUTE, b"defg"),
    )


def test_a_single_answer_needs_no_end() -> None:
    assert gather([message(16, b"link")], 7, until_end=False) == (Answer(16, b"link"),)


def test_anothers_answer_is_passed_over() -> None:
    data = [message(NEW_ROUTE, b"old!", sequence=6), message(DONE, b"\0" * 4, sequence=6)]

    assert gather([*data, message(NEW_ROUTE, b"mine"), END], 7, until_end=True) == (
        Answer(NEW_ROUTE, b"mine"),
    )


@pytest.mark.parametrize("where", [0, 1])
def test_an_interrupted_dump_is_no_answer(where: int) -> None:
    flags = [MULTI, MULTI]
    flags[where] |= INTERRUPTED
    data = [
        message(NEW_ROUTE, b"some", flags=flags[0]),
        message(DONE, struct.pack("=i", 0), flags=flags[1]),
    ]

    assert gather(data, 7, until_end=True) is None


def test_a_refusal_bears_the_kernels_words() -> None:
    with pytest.raises(OSError, match="Nexthop has invalid gateway") as caught:
        gather([refusal(errno.ENETUNREACH, b"Nexthop has invalid gateway")], 7, until_end=True)

    assert caught.value.errno == errno.ENETUNREACH


def test_an_error_of_zero_is_an_acknowledgement() -> None:
    assert gather([refusal(0)], 7, until_end=True) == ()


def test_a_dump_that_ends_in_an_error_is_a_refusal() -> None:
    data = [message(NEW_ROUTE, b"some"), message(DONE, struct.pack("=i", -errno.ENOMEM))]

    with pytest.raises(OSError) as caught:  # noqa: PT011  # the errno is what matters
        gather(data, 7, until_end=True)

    assert caught.value.errno == errno.ENOMEM


@pytest.mark.parametrize("cut", [1, 15, 17, 19])
def test_half_a_message_is_none(cut: int) -> None:
    assert gather([message(NEW_ROUTE, b"some")[:cut]], 7, until_end=True) is None


def test_a_whole_answer_ends_the_tries() -> None:
    answers = iter([None, None, (Answer(16, b"link"),)])

    assert retried(lambda: next(answers)) == (Answer(16, b"link"),)


def test_what_is_never_whole_is_given_up() -> None:
    tries: list[int] = []

    with pytest.raises(InterruptedError, match="changed 10 times"):
        retried(lambda: tries.append(1))

    assert len(tries) == TRIES == 10
