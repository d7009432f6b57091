"""Join tokens: text and back, mistakes of hands told as such, and a secret that never shows."""

from traceback import format_exception

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_protocol.errors import MalformedError
from saltern_protocol.token import PREFIX, JoinToken

SECRET = bytes(range(33, 65))
TOKEN = JoinToken(
    addresses=("10.0.0.1", "master.example"),
    link_port=6555,
    door_port=6556,
    server=bytes(range(32)),
    root=bytes(range(32, 64)),
    cluster="demo",
    node="w1",
    secret=SECRET,
)
TEXT = TOKEN.text()
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

RELEASED = (
    "saltern1-mJKoMTAuMC4wLjGubWFzdGVyLmV4YW1wbGXNGZvNGZzEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZG"
    "hscHR4fxCAgISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-P6RkZW1voncxxCAhIiMkJSYnKCkqKywtLi8wMTI"
    "zNDU2Nzg5Ojs8PT4_QEFHezg"
)


def test_a_released_token_never_changes() -> None:
    assert TEXT == RELEASED
    assert JoinToken.parse(RELEASED) == TOKEN


def test_it_is_one_word_that_a_shell_leaves_alone() -> None:
    assert TEXT.startswith("saltern1-")
    assert set(TEXT) <= set(LETTERS)
    assert len(TEXT) < 256


@pytest.mark.parametrize("text", [f"{TEXT}\n", f"  {TEXT}\t", f"\n{TEXT}\r\n"])
def test_white_space_around_it_does_no_harm(text: str) -> None:
    assert JoinToken.parse(text) == TOKEN


def test_a_token_without_a_secret_is_for_an_operator_to_approve() -> None:
    assert JoinToken.parse(replace(TOKEN, secret=b"").text()).secret == b""


@given(st.integers(len(PREFIX), len(TEXT) - 1), st.sampled_from(LETTERS))
def test_a_mistyped_letter_is_told(at: int, letter: str) -> None:
    assume(TEXT[at] != letter)
    with pytest.raises(MalformedError, match="mistyped or cut"):
        JoinToken.parse(TEXT[:at] + letter + TEXT[at + 1 :])


def test_every_cut_is_told() -> None:
    for at in range(len(TEXT)):
        with pytest.raises(MalformedError, match=r"mistyped or cut|does not begin with saltern1-"):
            JoinToken.parse(TEXT[:at])


@given(st.integers(len(PREFIX), len(TEXT) - 2))
def test_letters_that_changed_places_are_told(at: int) -> None:
    assume(TEXT[at] != TEXT[at + 1])
    with pytest.raises(MalformedError, match="mistyped or cut"):
        JoinToken.parse(TEXT[:at] + TEXT[at + 1] + TEXT[at] + TEXT[at + 2 :])


@pytest.mark.parametrize("text", ["", "w1", "saltern2-abc", f"token: {TEXT}", TEXT.upper()])
def test_what_is_no_token_is_told(text: str) -> None:
    with pytest.raises(MalformedError, match="saltern node token"):
        JoinToken.parse(text)


@given(st.text(max_size=300))
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    for given_text in (text, PREFIX + text):
        with pytest.raises(MalformedError):
            JoinToken.parse(given_text)


@pytest.mark.parametrize(
    "fields",
    [
        {"addresses": ()},
        {"addresses": ("tcp://10.0.0.1",)},
        {"addresses": ("10.0.0.1\n",)},
        {"addresses": ("-oProxyCommand",)},
        {"link_port": 0},
        {"door_port": 65_536},
        {"server": bytes(31)},
        {"root": bytes(33)},
        {"cluster": "../demo"},
        {"node": "W1"},
    ],
    ids=str,
)
def test_a_token_that_no_machine_could_read_is_not_made(fields: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        replace(TOKEN, **fields).text()


@pytest.mark.parametrize("size", [1, 31, 33])
def test_a_secret_has_its_length(size: int) -> None:
    with pytest.raises(MalformedError, match="secret"):
        replace(TOKEN, secret=bytes(size))


def shows_secret(text: str) -> bool:
    return any(
        part in text for part in (SECRET.hex(), repr(SECRET)[2:-1], SECRET.decode(), TEXT[-60:-9])
    )


def test_the_secret_never_shows() -> None:
    assert not shows_secret(f"{TOKEN} {TOKEN!r} {[TOKEN]} {TOKEN.__rich_repr__()}")


def test_no_error_quotes_the_secret() -> None:
    for text in (TEXT[:-1], TEXT + "A", TEXT[1:]):
        with pytest.raises(MalformedError) as caught:
            JoinToken.parse(text)
        assert not shows_secret("".join(format_exception(caught.value)))


@given(
    st.builds(
        JoinToken,
        addresses=st.lists(
            st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), min_size=1, max_size=8
        ).map(tuple),
        link_port=st.integers(1, 65_535),
        door_port=st.integers(1, 65_535),
        server=st.binary(min_size=32, max_size=32),
        root=st.binary(min_size=32, max_size=32),
        cluster=st.from_regex(r"[a-z0-9]{1,63}", fullmatch=True),
        node=st.from_regex(r"[a-z0-9]{1,63}", fullmatch=True),
        secret=st.just(b"") | st.binary(min_size=32, max_size=32),
    )
)
def test_text_and_back(token: JoinToken) -> None:
    assert JoinToken.parse(token.text()) == token
