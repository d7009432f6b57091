"""Keys: RFC 8032's own vector, text and back, and nothing secret in what people see."""

import pytest
from saltern_protocol.errors import MalformedError
from saltern_protocol.keys import PrivateKey, PublicKey, fingerprint, generate
from saltern_protocol.wire import pack, unpack

# RFC 8032, section 7.1, TEST 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_published_vector() -> None:
    key = PrivateKey.from_seed(SEED)
    assert key.public == PublicKey(PUBLIC)
    assert key.sign(b"\x72") == SIGNATURE
    assert key.public.verifies(SIGNATURE, b"\x72")
    assert not key.public.verifies(SIGNATURE, b"\x73")


def test_generating_takes_its_chance_from_the_caller() -> None:
    asked: list[int] = []

    def chance(size: int) -> bytes:
        asked.append(size)
        return SEED

    assert generate(chance).seed() == SEED
    assert asked == [32]


def test_text_and_back() -> None:
    text = f"ed25519:{PUBLIC.hex()}"
    assert str(PublicKey(PUBLIC)) == text
    assert PublicKey.parse(text) == PublicKey(PUBLIC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PUBLIC.hex(),
        f"rsa:{PUBLIC.hex()}",
        f"ed25519:{PUBLIC.hex()[:-2]}",
        f"ed25519:{PUBLIC.hex().upper()}",
        f"ed25519:{PUBLIC.hex()}\n",
        f"ed25519:{PUBLIC.hex(' ')}",
        f"ed25519:{'é' * 64}",
    ],
)
def test_other_text_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError, match=r"^cannot read a public key"):
        PublicKey.parse(text)


def test_bytes_and_back() -> None:
    key = PublicKey(PUBLIC)
    assert unpack(pack(key), PublicKey, 100) == key


@pytest.mark.parametrize(
    "plain", [["ed25519", PUBLIC[:-1]], ["rsa", PUBLIC], ["ed25519", PUBLIC, 1], ["ed25519"]]
)
def test_other_bytes_are_malformed(plain: list[object]) -> None:
    with pytest.raises(MalformedError):
        unpack(pack(plain), PublicKey, 100)


def test_a_private_key_shows_nothing_and_is_not_packed() -> None:
    key = PrivateKey.from_seed(SEED)
    assert repr(key) == f"PrivateKey(of ed25519:{PUBLIC.hex()})"
    assert SEED.hex() not in f"{key} {key!r}"
    with pytest.raises(MalformedError) as caught:
        pack(key)
    assert SEED.hex() not in str(caught.value)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_length_is_no_seed(size: int) -> None:
    with pytest.raises(MalformedError, match=f"seed of {size} bytes"):
        PrivateKey.from_seed(bytes(size))


def test_bytes_that_are_no_point_verify_nothing() -> None:
    assert not PublicKey(b"\xff" * 32).verifies(SIGNATURE, b"\x72")
    assert not PublicKey(b"short").verifies(SIGNATURE, b"\x72")


def test_the_fingerprint_that_people_compare() -> None:
    shown = fingerprint(PUBLIC)
    assert shown.replace("-", "") == PublicKey(PUBLIC).fingerprint
    assert [len(group) for group in shown.split("-")] == [4] * 8
