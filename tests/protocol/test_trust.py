"""Trust: each refusal has its reason, each attack its legitimate neighbour."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_protocol.documents import (
    MAX_BODY_BYTES,
    Document,
    PayloadType,
    body_hash,
    encode_document,
)
from saltern_protocol.envelope import sign
from saltern_protocol.errors import MalformedError, Reason, RefusedError
from saltern_protocol.policy import Claim
from saltern_protocol.testing import (
    BODY,
    DAY,
    DOCUMENT,
    IDENTITY,
    NOW,
    POLICY,
    POLICY_KEYS,
    ROOT,
    ROOT_KEYS,
    STATE_KEYS,
    STRANGER,
    key,
    role,
    signed_document,
    signed_policy,
    statement,
    trust,
)
from saltern_protocol.trust import Accepted, Trust

ACCEPTED = Accepted(epoch=1, version=5, body=body_hash(BODY), document=bytes(32))
NEXT = replace(DOCUMENT, version=6)
NEW_KEYS = (key(4), key(5), key(6))


def refusal(step: Callable[[], object]) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        step()
    return caught.value


def try_document(document: Document, body: bytes = BODY, now: int = NOW) -> RefusedError:
    return refusal(lambda: trust().accept(signed_document(document), body, IDENTITY, ACCEPTED, now))


def test_a_good_document_is_accepted_and_says_what_to_journal() -> None:
    document, entry = trust().accept(signed_document(NEXT), BODY, IDENTITY, ACCEPTED, NOW)
    assert document == NEXT
    assert (entry.epoch, entry.version, entry.body) == (1, 6, body_hash(BODY))


@pytest.mark.parametrize(
    ("document", "reason", "said"),
    [
        (replace(NEXT, expires=NOW), Reason.EXPIRED, "2027-01-15T08:00:00Z"),
        (replace(NEXT, version=4), Reason.ROLLBACK, "the older document epoch 1 version 4"),
        (replace(NEXT, version=5), Reason.ROLLBACK, "another document epoch 1 version 5"),
        (replace(NEXT, node="w2"), Reason.WRONG_NODE, '"w2"'),
        (replace(NEXT, incarnation="f" * 32), Reason.WRONG_INCARNATION, "f" * 32),
        (replace(NEXT, cluster="other"), Reason.WRONG_CLUSTER, '"other"'),
        (replace(NEXT, epoch=2), Reason.WRONG_EPOCH, "epoch 2"),
        (replace(NEXT, body=bytes(32)), Reason.WRONG_BODY, "00" * 32),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "",
)
def test_each_wrong_document_has_its_own_reason(
    document: Document, reason: Reason, said: str
) -> None:
    error = try_document(document)
    assert error.reason is reason
    assert str(error).startswith("cannot take ")
    assert said in str(error)
    assert "; " in str(error), "a refusal says what to do"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (signed_document(NEXT, []), Reason.UNSIGNED),
        (signed_document(NEXT, [STRANGER]), Reason.UNSIGNED),
        (signed_document(NEXT, ROOT_KEYS), Reason.UNSIGNED),
        (signed_document(NEXT, POLICY_KEYS), Reason.UNSIGNED),
        (
            sign(PayloadType.PROPOSAL, encode_document(NEXT), STATE_KEYS),
            Reason.WRONG_TYPE,
        ),
        (signed_policy(POLICY), Reason.WRONG_TYPE),
    ],
)
def test_only_the_state_keys_speak_as_documents(data: bytes, reason: Reason) -> None:
    error = refusal(lambda: trust().accept(data, BODY, IDENTITY, ACCEPTED, NOW))
    assert error.reason is reason


def test_the_signature_is_checked_before_the_bytes_are_parsed() -> None:
    garbage = sign(PayloadType.DOCUMENT, b"\xc1", [STRANGER])
    error = refusal(lambda: trust().accept(garbage, BODY, IDENTITY, None, NOW))
    assert error.reason is Reason.UNSIGNED
    signed = sign(PayloadType.DOCUMENT, b"\xc1", STATE_KEYS)
    with pytest.raises(MalformedError):
        trust().accept(signed, BODY, IDENTITY, None, NOW)


WRONGS: list[tuple[Reason, dict[str, object]]] = [
    (Reason.WRONG_CLUSTER, {"cluster": "other"}),
    (Reason.WRONG_NODE, {"node": "w2"}),
    (Reason.WRONG_INCARNATION, {"incarnation": "f" * 32}),
    (Reason.WRONG_EPOCH, {"epoch": 2}),
    (Reason.ROLLBACK, {"epoch": 1, "version": 4}),
    (Reason.EXPIRED, {"expires": NOW}),
    (Reason.WRONG_BODY, {"body": bytes(32)}),
]


def test_the_order_of_checks_is_the_documented_one() -> None:
    """Mend the first fault of a document that has them all, and the next one is told."""
    told = []
    for first in range(len(WRONGS)):
        fields: dict[str, object] = {}
        for _, wrong in reversed(WRONGS[first:]):
            fields |= wrong
        told.append(try_document(replace(NEXT, **fields)).reason)
    assert told == [reason for reason, _ in WRONGS]


def test_what_we_stand_on_is_checked_before_what_we_are_given() -> None:
    unsigned = signed_document(NEXT, [])
    late = max(ROOT.expires, POLICY.expires)

    def reason(believer: Trust, now: int) -> Reason:
        return refusal(lambda: believer.accept(unsigned, BODY, IDENTITY, None, now)).reason

    assert reason(trust(), late) is Reason.ROOT_EXPIRED
    assert reason(Trust.pin(IDENTITY), NOW) is Reason.POLICY_MISSING
    assert reason(trust(), POLICY.expires) is Reason.POLICY_EXPIRED
    assert reason(trust(), NOW) is Reason.UNSIGNED


def test_the_same_document_is_accepted_again() -> None:
    data = signed_document(NEXT)
    first = trust().accept(data, BODY, IDENTITY, ACCEPTED, NOW)
    assert trust().accept(data, BODY, IDENTITY, first[1], NOW) == first


def test_the_same_document_signed_by_another_master_is_the_same() -> None:
    other = key(22)
    both = replace(ROOT.roles, state=role((*STATE_KEYS, other), 1))
    believer = Trust(replace(ROOT, roles=both), POLICY, (1, 1))
    first = believer.accept(signed_document(NEXT), BODY, IDENTITY, None, NOW)
    again = believer.accept(signed_document(NEXT, [other]), BODY, IDENTITY, first[1], NOW)
    assert again == first


def test_one_second_before_its_end_a_document_is_good() -> None:
    accepted = trust().accept(signed_document(NEXT), BODY, IDENTITY, None, NEXT.expires - 1)
    assert accepted[0] == NEXT
    assert try_document(NEXT, now=NEXT.expires).reason is Reason.EXPIRED


def test_a_clock_that_is_behind_lets_no_old_document_in() -> None:
    assert try_document(replace(NEXT, version=4), now=0).reason is Reason.ROLLBACK
    assert trust().accept(signed_document(NEXT), BODY, IDENTITY, ACCEPTED, 0)[0] == NEXT


def test_a_body_above_the_limit_is_malformed() -> None:
    largest = bytes(MAX_BODY_BYTES)
    data = signed_document(replace(NEXT, body=body_hash(largest)))
    assert trust().accept(data, largest, IDENTITY, None, NOW)[0].version == 6
    with pytest.raises(MalformedError, match="limit"):
        trust().accept(data, largest + b"\0", IDENTITY, None, NOW)


@pytest.mark.parametrize(
    ("believer", "now", "reason"),
    [
        (trust(), ROOT.expires, Reason.ROOT_EXPIRED),
        (trust(), POLICY.expires, Reason.POLICY_EXPIRED),
        (Trust.pin(IDENTITY), NOW, Reason.POLICY_MISSING),
    ],
)
def test_a_stale_root_or_policy_refuses_new_documents(
    believer: Trust, now: int, reason: Reason
) -> None:
    lasting = signed_document(replace(NEXT, expires=NOW + 9999 * DAY))
    assert refusal(lambda: believer.accept(lasting, BODY, IDENTITY, None, now)).reason is reason


def test_what_policy_covers_is_permitted() -> None:
    trust().permit(IDENTITY, [Claim("path", "/etc/docker/daemon.json"), Claim("link", "cbr0")])


def test_all_that_is_outside_policy_is_named() -> None:
    claims = [Claim("path", "/etc/shadow"), Claim("link", "cbr0"), Claim("unit", "ssh.service")]
    error = refusal(lambda: trust().permit(IDENTITY, claims))
    assert error.reason is Reason.OUTSIDE_POLICY
    assert "path /etc/shadow, unit ssh.service;" in str(error)
    assert "cbr0" not in str(error)


def test_a_class_that_the_policy_does_not_know_may_nothing() -> None:
    stranger = replace(IDENTITY, node_class="edge")
    error = refusal(lambda: trust().permit(stranger, [Claim("link", "cbr0")]))
    assert error.reason is Reason.OUTSIDE_POLICY
    assert '"edge"' in str(error)


def test_without_a_policy_nothing_is_permitted() -> None:
    error = refusal(lambda: Trust.pin(IDENTITY).permit(IDENTITY, []))
    assert error.reason is Reason.POLICY_MISSING


def test_a_statement_is_followed_and_its_document_accepted() -> None:
    whole = statement()
    believer = Trust.pin(IDENTITY).follow(whole)
    document, _ = believer.accept(whole.document, whole.body, IDENTITY, None, NOW)
    assert document == DOCUMENT


def test_a_step_that_fails_leaves_the_value_as_it_was() -> None:
    before = trust()
    refusal(lambda: before.walk(IDENTITY.root))
    refusal(lambda: before.with_policy(signed_policy(POLICY, [STRANGER])))
    assert before == trust()


def test_the_page_on_trust_explains_every_reason() -> None:
    page = Path(__file__).parents[2] / "docs" / "explanation" / "trust.md"
    rows = re.findall(r"^\| `([a-z-]+)` \|", page.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(Reason)
