"""Work spread over cores keeps its order and ends with the first error."""

import os
import time

import pytest

from realfake_lib import parallel


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(number):
        time.sleep(0.02 / (number + 1))
        return -number

    assert list(parallel.each(slow_at_first, range(20))) == [-number for number in range(20)]


def test_nothing_begins_after_an_error(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.01)
        return 1 // number

    with pytest.raises(ZeroDivisionError):
        list(parallel.each(work, range(100)))
    assert len(begun) < 10


def test_only_the_cores_that_may_be_used_count():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system ties no process to cores")
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert parallel.cores() == 1
    finally:
        os.sched_setaffinity(0, before)
