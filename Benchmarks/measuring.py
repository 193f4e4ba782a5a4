"""What all rows share: how much is measured, in pairs, and what is said meanwhile."""

import json
import os
import time

from peers import ROOT, output, pinned

MEASURE = os.path.join(ROOT, "Benchmarks/.build/release/measure")
VECTORS = os.path.join(ROOT, "Tests/Vectors/peerstack-vectors/sync")
STARTED = time.monotonic()


class Plan:
    """How much of everything."""

    def __init__(self, quick):
        self.quick = quick
        self.rounds = 3 if quick else 5
        self.seconds = 1 if quick else 3
        self.batch_repeats = 3 if quick else 15
        self.canonical_repeats = 15 if quick else 60
        self.claims = 2_000 if quick else 10_000
        # Users of the rows from memory; of what is to grow, at least and at most.
        self.users = 2_000 if quick else 100_000
        self.few = 1_000
        self.many = 20_000 if quick else 1_000_000
        self.growth_claims = 60 if quick else 300
        self.subscribers = 1_000 if quick else 10_000
        self.resolver_users = 1_000
        self.look_ups = 2_000 if quick else 20_000
        # Objects of `peerkey verify`, few and many.
        self.objects = (2_000, 50_000) if quick else (10_000, 1_000_000)


def say(text):
    """A line of progress, with the time since the start."""
    print(f"{time.monotonic() - STARTED:5.0f} s  {text}", flush=True)


def in_turns(plan, ours, peer):
    """Pairs; who begins changes from one to the next."""
    pairs = []
    for number in range(plan.rounds):
        if number % 2 == 0:
            first = peer()
            pairs.append((ours(), first))
        else:
            first = ours()
            pairs.append((first, peer()))
    return pairs


def measured(row, *arguments, core=None):
    text = output(pinned(core, [MEASURE, row, *map(str, arguments)]))
    return [json.loads(line) for line in text.splitlines()]


def rates(lines):
    """Pairs of things a second, from seconds for one."""
    return [(1 / line["ours"], 1 / line["peer"]) for line in lines]


def processor(lines, scale):
    """Pairs of processor time: beside the clock on the wall, since a shared machine's is not ours alone."""
    return [(line["oursCPU"] * scale, line["peerCPU"] * scale) for line in lines]
