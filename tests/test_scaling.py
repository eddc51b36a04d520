"""The measuring of fleets itself: slopes with their errors, what processes hold, and the simulation where it can be told."""

import os
import subprocess
import sys
from random import Random

import pytest

from tests.fleet import usage
from tests.scaling_model import Cost, busy_hour, drained
from tests.soak import slope

HOUR = [number * 10.0 for number in range(360)]


def test_a_slope_is_found_with_its_error() -> None:
    draw = Random(1)  # noqa: S311 - noise, the same each time
    values = [100.0 + second / 3600 * 12 + draw.gauss(0, 1) for second in HOUR]
    found = slope(HOUR, values)
    assert found.an_hour == pytest.approx(12, abs=3 * found.error)
    assert 0 < found.error < 1
    assert not found.flat


def test_noise_and_what_shrinks_are_flat() -> None:
    draw = Random(1)  # noqa: S311 - noise, the same each time
    assert slope(HOUR, [100.0 + draw.gauss(0, 5) for _ in HOUR]).flat
    assert slope(HOUR, [100.0 - second for second in HOUR]).flat
    assert not slope(HOUR, [100.0 + second / 3600 * 3 for second in HOUR]).flat, "3 % in an hour"


def test_neighbouring_samples_do_not_make_an_error_small() -> None:
    """A walk by chance has no slope, and an error for independent samples would find one."""
    draw, value, values = Random(2), 100.0, []  # noqa: S311 - likewise
    for _ in HOUR:
        value += draw.gauss(0, 0.5)
        values.append(value)
    found, alone = slope(HOUR, values), slope(HOUR, values, blocks=len(HOUR))
    assert found.error > 2 * alone.error


def test_what_a_process_and_its_children_hold() -> None:
    code = "import os, subprocess, sys; os.dup(0); subprocess.Popen(['cat']); print('up', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    alone, both = usage(process.pid, children=False), usage(process.pid)
    process.communicate()
    assert (alone.processes, both.processes) == (1, 2)
    assert alone.descriptors >= 4
    assert both.descriptors > alone.descriptors
    assert both.memory > alone.memory > 2**20
    assert usage(os.getpid(), children=False).cpu > 0


def test_the_simulation_is_right_where_it_can_be_told() -> None:
    assert drained(1, 2.0, Cost(0.1, 0, 0), 0.0) == pytest.approx(20, rel=0.1), "two cores"
    assert drained(4, 64.0, Cost(0.1, 0, 0), 0.0) == pytest.approx(160, rel=0.1), "sixteen slots"
    assert drained(2, 64.0, Cost(0.0001, 10, 0), 0.3) == pytest.approx(8 / 3, rel=0.1), "waiting alone"


def test_a_busy_hour_fills_a_fleet_as_far_as_littles_law_says() -> None:
    cost, repositories = Cost(0.1, 9, 0), 2_000
    rate = repositories * 10.0 * 3.0 / 86_400
    answer = busy_hour(3, cost, repositories)
    assert answer.load == pytest.approx(rate * (0.1 + 9 * 0.3) / 12, rel=0.1)
    assert answer.cores == pytest.approx(rate * 0.1, rel=0.1)
    assert answer == busy_hour(3, cost, repositories)
