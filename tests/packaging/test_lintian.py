"""What lintian, rpmlint and rpm say of every package that is released."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from saltern_build import look, make, tools
from saltern_build.products import PRODUCTS, Product
from saltern_build.release import release_of
from saltern_build.targets import TARGETS, Target
from saltern_master.commands import CommandError

pytestmark = [pytest.mark.packages, pytest.mark.timeout(1200)]

PAIRS = [(product, target) for product in PRODUCTS for target in TARGETS]
MOST_MEGABYTES = {"agent": 40, "master": 60}


def shown(value: Product | Target) -> str:
    """Name a product or a target in a test's id."""
    return value.name


@pytest.fixture(scope="module")
def bench() -> make.Bench:
    """Give what packages of this checkout are built with."""
    environment = dict(os.environ)
    release = release_of(tools.ROOT, environment)
    return make.Bench(tools.ROOT, release, platform.machine(), tools.find(environment))


def built(bench: make.Bench, form: str) -> dict[tuple[str, str], Path]:
    """Give every package of one form, by product and target."""
    return {
        (product.short, target.name): make.kept(bench, product, target)
        for product, target in PAIRS
        if target.format == form
    }


def test_lintian_finds_nothing_that_has_no_reason(bench: make.Bench) -> None:
    packages = tuple(built(bench, "deb").values())

    assert len(packages) == 4
    assert look.lint(packages, bench.tools.environment) == ""


def test_lintian_would_find_something(bench: make.Bench, tmp_path: Path) -> None:
    made = next(iter(built(bench, "deb").values()))
    broken = tmp_path / made.name
    broken.write_bytes(made.read_bytes()[:-4096])

    with pytest.raises(CommandError):
        look.lint((broken,), bench.tools.environment)


def test_rpmlint_finds_nothing_that_has_no_reason(bench: make.Bench) -> None:
    packages = tuple(built(bench, "rpm").values())
    allowed = tools.ROOT / "packaging/rpm/rpmlintrc"

    assert len(packages) == 4
    assert "0 errors, 0 warnings" in look.lint_rpm(packages, allowed, bench.tools.environment)


@pytest.mark.parametrize(
    ("product", "target"), [one for one in PAIRS if one[1].format == "rpm"], ids=shown
)
def test_rpm_says_what_was_meant(bench: make.Bench, product: Product, target: Target) -> None:
    made = make.kept(bench, product, target)

    assert look.faults_of_rpm(made, product, target, bench.tools.environment) == ()


@pytest.mark.parametrize(("product", "target"), PAIRS, ids=shown)
def test_no_package_is_heavier_than_it_may_be(
    bench: make.Bench, product: Product, target: Target
) -> None:
    weighs = look.figures(make.kept(bench, product, target), bench.tools.environment)

    print(f"{product.name} {target.name}: {weighs.installed / 1e6:.1f} MB installed")
    assert weighs.packed < weighs.installed < MOST_MEGABYTES[product.short] * 1e6
