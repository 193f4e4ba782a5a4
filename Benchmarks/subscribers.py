"""Idle subscribers of the event feed: what each takes in the server, and how long the last of them waits."""

import json
import subprocess
import time

import peers
from dataset import running
from measuring import MEASURE
from peers import APP, Registrar, Trouble
from report import Row
from service import paths_file

# The server has as many open files, and some.
FILES_BESIDE = 2_000
# Until a server that has just got subscribers has given back what their handshakes took.
SETTLE_SECONDS = 0.5
# The targets, in KiB and milliseconds.
KIB_EACH, LAST, P99 = 8, 250, 10


def websocket(bench):
    """A new server each time: one that has had subscribers keeps their memory for the next."""
    plan, (database, users) = bench.plan, bench.users(bench.plan.users)
    paths = paths_file(bench, "paths", users[:1_000])
    bytes_each, events = [], []
    for _ in range(plan.rounds):
        with running(Registrar(database, bench.folder, connections=plan.subscribers + FILES_BESIDE)) as registrar:
            # What is loaded once, with the first subscribers, is not theirs.
            subscribe(registrar, 50, paths)
            registrar.fill(users[:1_000])
            time.sleep(SETTLE_SECONDS)
            added, event = subscribe(registrar, plan.subscribers, paths)
            bytes_each.append(added / plan.subscribers)
            events.append(event)
    count = f"{plan.subscribers:,} idle subscribers"
    yield Row("websocket-memory", f"{count}: memory of each in the server", "the constant 8", "KiB",
              [(each / 1_024, KIB_EACH) for each in bytes_each], 1, at_most=True)
    yield Row("websocket-last", f"{count}, one event: the last has it, from the sending of the claim on",
              "the constant 250", "ms", [(1e3 * event["last"], LAST) for event in events], 1, at_most=True)
    yield Row("websocket-get", "GET a key meanwhile, 2,000 a second, p99", "the constant 10", "ms",
              [(1e3 * event["p99"], P99) for event in events], 1, at_most=True,
              note=f"{sum(event['gets'] for event in events)} GETs; "
              f"the longest {1e3 * max(event['worst'] for event in events):.1f} ms")


def subscribe(registrar, count, paths):
    """The memory that so many subscribers add, and what one event to all of them took."""
    before = peers.memory(registrar.pid)
    last = json.loads(peers.get(f"{registrar.url}/apps/{APP}")[1])["index"]
    command = [MEASURE, "subscribers", str(registrar.port), APP, str(count), str(last), paths]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as client:
        if client.stdout.readline():
            time.sleep(SETTLE_SECONDS)
            added = peers.memory(registrar.pid) - before
        text, trouble = client.communicate("go\n")
    if client.returncode != 0:
        raise Trouble(f"{count} subscribers: {trouble.strip()}")
    return added, json.loads(text)
