"""A small simulation of a fleet, held against what `tests/scaling.py` measured, and then asked about 100,000 repositories.

`python tests/scaling_model.py .cache/scaling.json`. Jobs take turns between waiting for GitHub and working; those that work
share the cores evenly. Three numbers come from measurements: of a single worker with a GitHub that answers at once, what CPU
a job takes and which share of a core it got beside the machine's other work; and how many cores there were to be had. The
other five settings are predicted. The seed is fixed, so the same file gives the same answers.
"""

import heapq
import json
import statistics
import sys
from bisect import bisect
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

# As bot/worker.py and bot/inbox.py have them.
SLOTS, IN_FLIGHT = 4, 8
LATENCY = 0.3
JOBS = 2_000
SEED = 5
# What is assumed of the world, and said so in docs/scale.md.
REPOSITORIES = 100_000
EVENTS_A_DAY = 10.0  # of a repository
PEAK = 3.0  # the busiest hour against the mean
SPREAD = 1.2  # of installations' sizes, as in Pareto's law
SIMULATED = 1_800.0  # seconds
SPACING = 1.0


@dataclass(frozen=True)
class Cost:
    """What one job takes.

    Attributes:
        cpu: seconds of a core.
        requests: to GitHub, one after the other.
        writes: how many of them write.
    """

    cpu: float
    requests: float
    writes: float


def drained(workers: int, cores: float, cost: Cost, latency: float, share: float = 1.0) -> float:
    """Jobs a second while there are always some that wait. A job that works has a share of a core at most."""
    draw = Random(SEED)  # noqa: S311 - a simulation
    turns = max(1, round(cost.requests))
    left = dict.fromkeys(range(workers * SLOTS), turns)
    working = {slot: draw.expovariate(turns / cost.cpu) for slot in left}
    waiting = list[tuple[float, int]]()
    now, done = 0.0, 0
    while done < JOBS:
        speed = min(share, cores / len(working)) if working else 0.0
        first = min(working, key=working.__getitem__) if working else -1
        ends = now + working[first] / speed if working else float("inf")
        step = min(ends, waiting[0][0] if waiting else float("inf"))
        for slot in working:
            working[slot] -= (step - now) * speed
        now = step
        if step == ends:
            del working[first]
            heapq.heappush(waiting, (now + latency * cost.requests / turns, first))
            continue
        _, slot = heapq.heappop(waiting)
        left[slot] -= 1
        if not left[slot]:
            done, left[slot] = done + 1, turns
        working[slot] = draw.expovariate(turns / cost.cpu)
    return done / now


@dataclass(frozen=True)
class Answer:
    """How a fleet does in the busiest hour.

    Attributes:
        load: the share of slots that are taken.
        cores: that work.
        wait: seconds from a delivery to its job, the median and of 99 %.
        small: of 99 % at installations with one repository.
        busiest: jobs of the busiest installation in an hour.
    """

    load: float
    cores: float
    wait: tuple[float, float]
    small: float
    busiest: float


def busy_hour(workers: int, cost: Cost, repositories: int = REPOSITORIES) -> Answer:
    """Deliveries that come by chance, lanes of installations, and writes that are a second apart in each."""
    draw = Random(SEED)  # noqa: S311 - a simulation
    sizes, total = list[int](), 0
    while total < repositories:
        sizes.append(min(repositories - total, int(draw.paretovariate(SPREAD))))
        total += sizes[-1]
    return _simulated(workers, cost, sizes, draw)


def _simulated(workers: int, cost: Cost, sizes: list[int], draw: Random) -> Answer:
    total = sum(sizes)
    bounds, rate = list(accumulate(sizes)), total * EVENTS_A_DAY * PEAK / 86_400
    lanes: defaultdict[int, deque[float]] = defaultdict(deque)
    flying: defaultdict[int, int] = defaultdict(int)
    queue, free = deque[tuple[int, float]](), workers * SLOTS
    last: defaultdict[int, float] = defaultdict(float)
    jobs: defaultdict[int, int] = defaultdict(int)
    waits, small, taken = list[float](), list[float](), 0.0
    events: list[tuple[float, int]] = [(draw.expovariate(rate), -1)]
    while events:
        now, who = heapq.heappop(events)
        if who < 0:
            who = bisect(bounds, draw.randrange(total))
            lanes[who].append(now)
            if now < SIMULATED:
                heapq.heappush(events, (now + draw.expovariate(rate), -1))
        else:
            free += 1
            flying[who] -= 1
        while lanes[who] and flying[who] < IN_FLIGHT:
            flying[who] += 1
            queue.append((who, lanes[who].popleft()))
        while free and queue:
            free -= 1
            one, came = queue.popleft()
            waits.append(now - came)
            small += [now - came] if sizes[one] == 1 else []
            jobs[one] += 1
            # Writes stand at the end, a second after the installation's last one.
            written = max(now + cost.cpu + LATENCY * cost.requests, last[one] + SPACING * cost.writes)
            last[one] = written
            taken += written - now
            heapq.heappush(events, (written, one))
    waits.sort()
    small.sort()
    return Answer(
        taken / (workers * SLOTS * SIMULATED),
        len(waits) * cost.cpu / SIMULATED,
        (waits[len(waits) // 2], waits[len(waits) * 99 // 100]),
        small[len(small) * 99 // 100],
        max(jobs.values()) * 3600 / SIMULATED,
    )


def agreement(scaling: dict[str, dict[str, float]]) -> list[tuple[str, float, float]]:
    """For each setting what was measured and what is predicted, in jobs a second."""
    one = scaling["1 workers, 0.0 s"]
    cores = max(found["cores"] for found in scaling.values())
    rows = []
    for name, found in scaling.items():
        words = name.split()
        cost = Cost(one["worker CPU, s"] + one["GitHub's CPU, s"], found["api requests"] + found["git requests"], 0)
        share = cost.cpu * one["jobs a second"] / SLOTS
        rows.append((name, found["jobs a second"], drained(int(words[0]), cores, cost, float(words[2]), share)))
    return rows


def main() -> None:
    """Print how well the simulation agrees, and what it says of many repositories."""
    found = json.loads(Path(sys.argv[1]).read_text())
    rows = agreement(found["scaling"])
    lines = [f"{'':20} {'measured':>9} {'simulated':>9} {'ratio':>6}"]
    lines += [f"{name:20} {real:9.2f} {told:9.2f} {told / real:6.2f}" for name, real, told in rows]
    ratios = [told / real for _, real, told in rows]
    lines.append(f"median ratio {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}\n")
    slow = found["scaling"][f"1 workers, {LATENCY} s"]
    for name, cpu in (("small", slow["worker CPU, s"]), *((n, size["CPU, s"]) for n, size in found["sizes"].items())):
        cost = Cost(cpu, slow["api requests"] + slow["git requests"], slow["writes"])
        for workers in (20, 30, 40, 60, 80):
            answer = busy_hour(workers, cost)
            if answer.load < 1:
                lines.append(f"{name:16} {workers:3} workers: {answer}")
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
