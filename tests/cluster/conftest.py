"""A real cluster of three nodes, set up once for all tests of a run by the commands of a person.

The tests only look and break; what they break, Saltern heals. Their order does not matter,
but each begins by waiting until all is well.
"""

from collections.abc import Generator, Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.grounds import own_fleet, sweep, take_down
from tests.cluster.pods import Pods

ROLES = {"cp1": "control-plane", "w1": "worker", "w2": "worker"}
MADE = pytest.StashKey[Cluster]()


@pytest.fixture(scope="session")
def made(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three bare machines that joined a master, and became a cluster."""
    sweep()
    fleet = own_fleet(print)
    try:
        fleet.up()
        fleet.stock()
        fleet.start_master()
        fleet.install()
        bare = Cluster(fleet, {}).snapshot("w2")
        cluster = Cluster(fleet, bare)
        request.config.stash[MADE] = cluster
        for name, node_class in ROLES.items():
            fleet.join(name, node_class)
        fleet.apply()
        yield cluster
    finally:
        take_down(fleet)


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    """The run's cluster, with everything as declared."""
    made.settle()
    return made


@pytest.fixture
def pods(cluster: Cluster) -> Iterator[Pods]:
    """Pods of the test's own, gone at its end."""
    made = Pods(cluster)
    try:
        yield made
    finally:
        made.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show how the master saw it where a test failed."""
    report = yield
    cluster = item.config.stash.get(MADE, None)
    if report.failed and cluster is not None:
        log = cluster.fleet.home / "master.log"
        status = cluster.fleet.try_saltern("status", "--output", "wide")
        said = log.read_text(errors="replace").splitlines()[-40:] if log.exists() else []
        report.sections.append(("master", "\n".join([status.stdout, status.stderr, *said])))
    return report
