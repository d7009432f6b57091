"""Which steps a body takes on a node that was given another before."""

from __future__ import annotations

from saltern_agent.steps import steps
from saltern_states.artifact import Artifact
from saltern_states.body import Body, Resource, make_body
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.image import Image
from saltern_states.package import Package
from saltern_states.unit import Unit


def file(name: str, path: str = "", after: tuple[str, ...] = (), keep: bool = False) -> Resource:
    spec = File(path=path or f"/etc/{name}", text=name)
    return Resource(id=name, spec=spec, after=after, on_removal="keep" if keep else "remove")


def told(body: Body, *owned: Resource) -> list[str]:
    return [step.key for step in steps(body, {one.id: one for one in owned})]


def test_a_new_body_is_held_in_order() -> None:
    body = make_body((file("b", after=("a",)), file("a")))

    assert told(body) == ["a", "b"]


def test_what_is_no_longer_declared_is_taken_back_first_and_in_reverse() -> None:
    unit = Resource(id="unit", spec=Unit(unit="a.service"), after=("a",))

    assert told(make_body((file("b"),)), file("a"), unit) == ["remove unit", "remove a", "b"]


def test_what_is_still_declared_is_not_taken_back() -> None:
    assert told(make_body((file("a"),)), file("a")) == ["a"]


def test_a_resource_that_moved_is_taken_back_where_it_was() -> None:
    assert told(make_body((file("a", "/etc/new"),)), file("a", "/etc/old")) == ["remove a", "a"]


def test_what_another_resource_claims_now_is_forgotten_and_not_removed() -> None:
    assert told(make_body((file("new", "/etc/x"),)), file("old", "/etc/x")) == ["forget old", "new"]


def test_what_was_to_be_kept_is_forgotten() -> None:
    assert told(make_body(()), file("a", keep=True)) == ["forget a"]


def test_what_only_shares_its_content_with_another_is_taken_back() -> None:
    one = Resource(id="one", spec=Artifact(path="/opt/one", sha256="a" * 64))
    other = Resource(id="other", spec=Artifact(path="/opt/other", sha256="a" * 64))

    assert told(make_body((other,)), one) == ["remove one", "other"]


def test_an_id_that_becomes_another_kind_takes_the_old_back_only_where_nobody_has_it() -> None:
    unit = Unit(unit="docker.service")
    package = hold("docker", Package(name="docker.io"))

    moved = make_body((package, hold("docker-unit", unit)))
    assert told(moved, hold("docker", unit)) == ["forget docker", "docker", "docker-unit"]
    assert told(make_body((package,)), hold("docker", unit)) == ["remove docker", "docker"]


def test_a_place_that_changes_its_kind_under_one_id_is_cleared_first() -> None:
    directory, text = hold("x", Directory(path="/etc/x")), hold("x", File(path="/etc/x", text=""))

    assert told(make_body((text,)), directory) == ["remove x", "x"]


def test_what_was_to_be_kept_is_kept_also_where_its_id_becomes_another_kind() -> None:
    assert told(make_body((hold("a", Unit(unit="a.service")),)), file("a", keep=True)) == [
        "forget a",
        "a",
    ]


def test_an_image_that_is_replaced_under_its_name_is_not_taken_back() -> None:
    old, new = (Image(name="a:1", config=digit * 64, archive="0" * 64) for digit in "ab")

    assert told(make_body((hold("image", new),)), hold("image", old)) == ["image"]


def hold(name: str, spec: Spec) -> Resource:
    return Resource(id=name, spec=spec)
