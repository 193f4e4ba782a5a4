"""What a million users cost: the same requests against a database of a thousand, memory, and the start."""

import random
import time

import peers
from dataset import running
from measuring import in_turns, measured
from peers import APP, Registrar, Trouble, wrk
from report import Row
from service import paths_file

# Users that are asked for: more than any cache of the processor has room for.
ASKED = 100_000
# MiB: more than all users take.
ALL_IN_MEMORY = 4_096
BUDGET = 256


def growth(bench):
    """One client, so that a time is that of a request and not of a queue. Both servers run; one of them is asked."""
    plan, (core, client) = bench.plan, peers.cores()
    few, few_users = bench.users(plan.few)
    many, many_users = bench.users(plan.many)
    few_paths = paths_file(bench, "few-paths", few_users)
    some_paths = paths_file(bench, "some-paths", random.sample(many_users, min(ASKED, plan.many)))
    sizes = f"{plan.many:,} users", f"{plan.few:,} users"

    def get_row(name, what, cache, many_paths=some_paths, target=1.3, note=None):
        with running(Registrar(many, bench.folder, core=core, cache=cache)) as large, \
                running(Registrar(few, bench.folder, core=core, cache=cache)) as small:
            if cache:
                small.fill(few_users)
            if cache == ALL_IN_MEMORY:
                large.fill(many_users)
                if (kept := large.metric("registrar_cache_users")) < plan.many:
                    raise Trouble(f"only {kept:,.0f} of {plan.many:,} users are in memory")
            pairs = in_turns(plan, lambda: 1e3 * wrk(large, client, 1, plan.seconds, BENCH_PATHS=many_paths)["p50"],
                             lambda: 1e3 * wrk(small, client, 1, plan.seconds, BENCH_PATHS=few_paths)["p50"])
        return Row(name, f"{what}, {sizes[0]}, p50", f"the same, {sizes[1]}", "µs", pairs, target, at_most=True,
                   note=note)

    yield get_row("growth-get", "GET a key from memory that holds all, one client", ALL_IN_MEMORY)
    yield get_row("growth-get-cold", "GET a key with the memory off, one client", 0)
    if plan.many > ASKED:
        yield get_row("growth-get-budget", f"GET a key with a budget of {BUDGET} MiB, users at random, one client",
                      BUDGET, all_paths(bench, many_users), target=None,
                      note="the thousand are in memory, most of the million are not: this is memory against database")
    with running(Registrar(many, bench.folder)) as large, running(Registrar(few, bench.folder)) as small:
        # One claim to each in turns: a disk that others use too is the same for both.
        lines = measured("claim-latency", large.port, small.port, APP, plan.growth_claims, plan.rounds)
    yield Row("growth-claim", f"a durable claim, one client, {sizes[0]}, p50", f"the same, {sizes[1]}", "ms",
              [(1e3 * line["ours"], 1e3 * line["peer"]) for line in lines], 1.3, at_most=True)


def all_paths(bench, users):
    return paths_file(bench, "all-paths", users)


def memory(bench):
    """Everybody is asked for, so that memory is full and gives up users, and then users at random."""
    plan, (database, users) = bench.plan, bench.users(bench.plan.many)
    paths = all_paths(bench, users)
    with running(Registrar(database, bench.folder, cache=BUDGET)) as registrar:
        registrar.fill(users)
        pairs = []
        for _ in range(plan.rounds):
            wrk(registrar, None, 64, plan.seconds, BENCH_PATHS=paths)
            pairs.append((peers.memory(registrar.pid) / 2**20, 400))
        kept, most = registrar.metric("registrar_cache_users"), peers.memory(registrar.pid, "VmHWM") / 2**20
    yield Row("memory", f"registrar with {plan.many:,} users in the database and a budget of {BUDGET} MiB, resident "
              "after GETs at random", "the constant 400", "MiB", pairs, 1, at_most=True,
              note=f"{kept:,.0f} users in memory at the end; {most:.0f} MiB at most")


def start(bench):
    plan, (database, users) = bench.plan, bench.users(bench.plan.many)
    pairs = []
    for _ in range(plan.rounds):
        with running(Registrar(database, bench.folder, cache=BUDGET)) as registrar:
            peers.get(registrar.url + registrar.key(random.choice(users)))
            pairs.append((time.monotonic() - registrar.started, 1))
    yield Row("start", f"registrar serve on {plan.many:,} users, to the first answer (a key)", "the constant 1", "s",
              pairs, 1, at_most=True)
