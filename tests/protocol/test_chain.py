"""Roots and policies: walked one by one, never back, and never forgotten."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from saltern_protocol.documents import Identity
from saltern_protocol.errors import MalformedError, ProtocolError, Reason, RefusedError
from saltern_protocol.root import Role, Roles, Root
from saltern_protocol.testing import (
    BODY,
    DAY,
    DOCUMENT,
    IDENTITY,
    NOW,
    POLICY,
    ROOT,
    ROOT_KEYS,
    STATE_KEYS,
    key,
    role,
    signed_document,
    signed_policy,
    signed_root,
    statement,
    trust,
)
from saltern_protocol.trust import Trust, keep_roots

NEXT = replace(DOCUMENT, version=6)
NEW_KEYS = (key(4), key(5), key(6))


def refusal(step: Callable[[], object]) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        step()
    return caught.value


# The root


def following(root: Root, **fields: object) -> Root:
    return replace(root, version=root.version + 1, **fields)


def rekeyed(root: Root) -> Root:
    roles = replace(root.roles, root=role(NEW_KEYS, 2))
    return following(root, roles=roles)


TWO = rekeyed(ROOT)
THREE = following(TWO)
SIGNED_TWO = signed_root(TWO, ROOT_KEYS[:2] + NEW_KEYS[:2])
SIGNED_THREE = signed_root(THREE, NEW_KEYS[:2])


def test_a_root_signed_by_old_and_new_is_walked() -> None:
    walked = Trust.pin(IDENTITY).walk(SIGNED_TWO).walk(SIGNED_THREE)
    assert walked.root == THREE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(signed_root(TWO, ROOT_KEYS), Reason.UNSIGNED, id="old keys only"),
        pytest.param(signed_root(TWO, NEW_KEYS), Reason.UNSIGNED, id="new keys only"),
        pytest.param(signed_root(TWO, ROOT_KEYS[:1] + NEW_KEYS), Reason.UNSIGNED, id="too few old"),
        pytest.param(signed_root(TWO, ROOT_KEYS + NEW_KEYS[:1]), Reason.UNSIGNED, id="too few new"),
        pytest.param(IDENTITY.root, Reason.ROLLBACK, id="replay of the same"),
        pytest.param(signed_root(replace(ROOT, version=3)), Reason.ROOT_GAP, id="one left out"),
        pytest.param(
            signed_root(replace(ROOT, version=2**63 - 1)), Reason.ROOT_GAP, id="fast forward"
        ),
        pytest.param(
            signed_root(following(ROOT, cluster="other")), Reason.WRONG_CLUSTER, id="cluster"
        ),
        pytest.param(signed_policy(POLICY, ROOT_KEYS), Reason.WRONG_TYPE, id="a policy"),
    ],
)
def test_another_root_is_refused(data: bytes, reason: Reason) -> None:
    assert refusal(lambda: Trust.pin(IDENTITY).walk(data)).reason is reason


def test_an_older_root_is_refused_though_its_keys_still_sign() -> None:
    at_three = Trust(replace(ROOT, version=3))
    data = signed_root(replace(ROOT, version=2))
    assert refusal(lambda: at_three.walk(data)).reason is Reason.ROLLBACK


def test_the_epoch_of_a_root_never_falls() -> None:
    at_epoch_two = Trust(replace(ROOT, epoch=2))
    error = refusal(lambda: at_epoch_two.walk(signed_root(following(ROOT))))
    assert error.reason is Reason.ROLLBACK


def test_an_expired_root_is_walked_over_on_the_way_to_a_good_one() -> None:
    past = following(ROOT, expires=1)
    chain = (signed_root(past), signed_root(following(past, expires=NOW + DAY)))
    believer = Trust.pin(IDENTITY).walk_all(chain).with_policy(signed_policy(POLICY))
    assert believer.accept(signed_document(NEXT), BODY, IDENTITY, None, NOW)[0] == NEXT


def test_a_chain_is_walked_from_wherever_the_node_stands() -> None:
    chain = (IDENTITY.root, SIGNED_TWO, SIGNED_THREE)
    assert Trust.pin(IDENTITY).walk_all(chain).root == THREE
    assert Trust.pin(IDENTITY).walk_all(chain).walk_all(chain).root == THREE
    beyond = (signed_root(following(THREE), NEW_KEYS),)
    assert refusal(lambda: Trust(TWO).walk_all(beyond)).reason is Reason.ROOT_GAP


def test_sixty_four_roots_are_walked_and_no_more() -> None:
    chain = [signed_root(replace(ROOT, version=version)) for version in range(2, 67)]
    assert Trust.pin(IDENTITY).walk_all(chain[:64]).root.version == 65
    with pytest.raises(MalformedError, match="64 at a time"):
        Trust.pin(IDENTITY).walk_all(chain)


def test_a_key_that_a_new_root_dropped_signs_nothing_more() -> None:
    dropped = following(ROOT, roles=replace(ROOT.roles, state=role([key(23)], 1)))
    believer = Trust.pin(IDENTITY).walk(signed_root(dropped)).with_policy(signed_policy(POLICY))
    old = refusal(lambda: believer.accept(signed_document(NEXT), BODY, IDENTITY, None, NOW))
    assert old.reason is Reason.UNSIGNED
    new = signed_document(NEXT, [key(23)])
    assert believer.accept(new, BODY, IDENTITY, None, NOW)[0] == NEXT


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (replace(IDENTITY, cluster="other"), Reason.WRONG_CLUSTER),
        (replace(IDENTITY, root=signed_root(ROOT, ROOT_KEYS[:1])), Reason.UNSIGNED),
        (replace(IDENTITY, root=signed_policy(POLICY)), None),
    ],
)
def test_a_pinned_root_must_stand_by_itself(identity: Identity, reason: Reason | None) -> None:
    with pytest.raises(ProtocolError) as caught:
        Trust.pin(identity)
    assert getattr(caught.value, "reason", None) is reason


@pytest.mark.parametrize("threshold", [0, 3])
def test_a_threshold_that_cannot_be_is_no_role(threshold: int) -> None:
    with pytest.raises(MalformedError, match="threshold"):
        role(NEW_KEYS[:2], threshold)


def test_a_key_twice_is_no_role() -> None:
    with pytest.raises(MalformedError, match="twice"):
        Role(keys=(key(1).public, key(1).public), threshold=2)


# The policy


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (signed_policy(POLICY, STATE_KEYS), Reason.UNSIGNED),
        (signed_policy(replace(POLICY, cluster="other")), Reason.WRONG_CLUSTER),
        (signed_policy(replace(POLICY, epoch=2)), Reason.WRONG_EPOCH),
        (signed_policy(replace(POLICY, version=4)), Reason.ROLLBACK),
        (signed_policy(replace(POLICY, version=5, classes={})), Reason.ROLLBACK),
    ],
)
def test_another_policy_is_refused(data: bytes, reason: Reason) -> None:
    at_five = Trust.pin(IDENTITY).with_policy(signed_policy(replace(POLICY, version=5)))
    assert refusal(lambda: at_five.with_policy(data)).reason is reason


def test_the_same_policy_again_changes_nothing_and_a_newer_one_is_taken() -> None:
    assert trust().with_policy(signed_policy(POLICY)) == trust()
    newer = replace(POLICY, version=2)
    assert trust().with_policy(signed_policy(newer)).policy == newer


def test_a_new_root_forgets_the_policy_but_not_its_version() -> None:
    five = signed_policy(replace(POLICY, version=5))
    walked = Trust.pin(IDENTITY).with_policy(five).walk(signed_root(following(ROOT)))
    assert walked.policy is None
    assert refusal(lambda: walked.with_policy(signed_policy(POLICY))).reason is Reason.ROLLBACK
    assert walked.with_policy(five).policy is not None


# Fast forward: somebody with the keys used up the version numbers


def test_a_new_epoch_heals_versions_that_were_run_up() -> None:
    last = 2**63 - 1
    far = replace(POLICY, version=last)
    believer = Trust.pin(IDENTITY).with_policy(signed_policy(far))
    run_up = signed_document(replace(NEXT, version=last))
    _, entry = believer.accept(run_up, BODY, IDENTITY, None, NOW)

    clean = Roles(
        root=ROOT.roles.root,
        policy=role([key(13)], 1),
        state=role([key(23)], 1),
        lease=ROOT.roles.lease,
    )
    healed = believer.walk(signed_root(following(ROOT, epoch=2, roles=clean)))
    healed = healed.with_policy(signed_policy(replace(POLICY, epoch=2), [key(13)]))
    fresh = replace(NEXT, epoch=2, version=1)
    document, after = healed.accept(signed_document(fresh, [key(23)]), BODY, IDENTITY, entry, NOW)
    assert document == fresh

    again = refusal(lambda: healed.accept(run_up, BODY, IDENTITY, after, NOW))
    assert again.reason is Reason.UNSIGNED
    kept = refusal(lambda: trust().accept(signed_document(NEXT), BODY, IDENTITY, after, NOW))
    assert kept.reason is Reason.ROLLBACK, "under the old root too, the journal's epoch counts"


# The journal


def test_a_root_left_out_on_the_way_is_not_forgotten_by_a_restart() -> None:
    """A state key is dropped by root 2; then somebody carries a statement without root 2."""
    stolen, kept = key(24), key(25)
    first = replace(ROOT, roles=replace(ROOT.roles, state=role([stolen, kept], 1)))
    second = following(first, roles=replace(ROOT.roles, state=role([kept], 1)))
    identity = replace(IDENTITY, root=signed_root(first))
    whole = replace(statement(), roots=(signed_root(second),))
    bare = replace(statement(), roots=(), document=signed_document(NEXT, [kept]))

    running = Trust.pin(identity).follow(whole).follow(bare)
    running.accept(bare.document, BODY, identity, None, NOW)
    restarted = Trust.pin(identity).follow(keep_roots(whole, bare))

    assert restarted.root == second
    forged = signed_document(replace(NEXT, version=7), [stolen])
    error = refusal(lambda: restarted.accept(forged, BODY, identity, None, NOW))
    assert error.reason is Reason.UNSIGNED


def test_what_is_journalled_has_each_root_once_and_in_order() -> None:
    before = replace(statement(), roots=(IDENTITY.root, SIGNED_TWO))
    after = replace(statement(), roots=(SIGNED_TWO, SIGNED_THREE))
    assert keep_roots(before, after).roots == (IDENTITY.root, SIGNED_TWO, SIGNED_THREE)
    assert keep_roots(replace(before, roots=()), after) == after
