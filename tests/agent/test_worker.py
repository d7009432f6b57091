"""The worker: jobs in order, ends in the caller's thread, and a job that raises ends nothing."""

from __future__ import annotations

import threading

import pytest
from saltern_agent.worker import Worker


def collected(worker: Worker[list[str]], until: int, ended: list[object]) -> list[object]:
    while len(ended) < until:
        worker.wait()
        worker.collect()
    return ended


def test_jobs_are_done_in_order_in_one_other_thread() -> None:
    worker = Worker[list[str]](list)
    ended: list[object] = []
    threads: set[int] = set()
    worker.start(ended.append)

    def job(mine: list[str]) -> list[str]:
        mine.append("job")
        threads.add(threading.get_ident())
        return list(mine)

    for _ in range(2):
        worker.submit(job, ended.append)

    assert collected(worker, 2, ended) == [["job"], ["job", "job"]]
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert worker.waiting == 0
    assert worker.stop(timeout=5)


def test_a_job_that_raises_is_told_and_the_next_is_done() -> None:
    worker = Worker[list[str]](list)
    ended: list[object] = []
    worker.start(ended.append)

    worker.submit(lambda mine: mine[7], ended.append)
    worker.submit(lambda _mine: "well", ended.append)
    failed, well = collected(worker, 2, ended)

    assert isinstance(failed, IndexError)
    assert well == "well"
    assert worker.stop(timeout=5)


def test_what_cannot_be_made_is_told() -> None:
    def make() -> list[str]:
        raise ValueError("no journal")

    worker = Worker[list[str]](make)
    ended: list[object] = []
    worker.start(ended.append)
    (failed,) = collected(worker, 1, ended)

    assert isinstance(failed, ValueError)
    with pytest.raises(ValueError, match="no journal"):
        raise failed
