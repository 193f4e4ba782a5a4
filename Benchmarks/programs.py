"""Rows that need no server: the batch verifier, the canonical form, the keystore, the resolver's memory."""

import contextlib
import json
import os
import re
import subprocess
import threading

import peers
from measuring import VECTORS, in_turns, measured, processor, rates
from peers import ROOT, Trouble, output, pinned
from report import Row

PEERKEY = os.path.join(ROOT, ".build/release/peerkey")


def verify(bench):
    plan = bench.plan
    core, _ = peers.cores()
    arguments = [f"{VECTORS}/batch.jsonl", f"{VECTORS}/users.json", plan.batch_repeats, plan.rounds,
                 f"{bench.folder}/batch"]
    lines = measured("verify", *arguments, core=core)
    yield Row("verify", "verify a batch of signed objects, one thread", "bare crypto_sign_verify_detached, 64 bytes",
              "objects/s", rates(lines), 0.90)
    yield Row("verify-cpu", "the same", "the same", "µs CPU/object", processor(lines, 1e6), None)
    if len(os.sched_getaffinity(0)) < 2:
        raise Trouble("one core only: nothing to compare two with")
    lines = measured("cores", *arguments)
    yield Row("verify-2-cores", "verify a batch of signed objects, two threads", "one thread", "objects/s",
              rates(lines), 1.8)
    yield Row("verify-2-cores-cpu", "the same", "the same", "µs CPU/object", processor(lines, 1e6), None)


def verify_memory(bench):
    """`peerkey verify` of few objects and of many, the mix of the vectors, and a terminal to show progress on."""
    with open(f"{VECTORS}/batch.jsonl", "rb") as file:
        batch = file.read()
    few, many = (count // batch.count(b"\n") for count in bench.plan.objects)
    shown = []

    def peak(times):
        run = VerifyRun(batch, times)
        shown.append(run.shown)
        return run.peak_bytes / 2**20

    pairs = in_turns(bench.plan, lambda: peak(many), lambda: peak(few))
    progress = [re.findall(r"\d+ objects, \d+ a second", text) for text in shown]
    if not all(progress):
        raise Trouble("peerkey verify shows no progress on a terminal")
    yield Row("verify-memory", f"peerkey verify of {bench.plan.objects[1]:,} objects: most memory resident",
              f"the same of {bench.plan.objects[0]:,}", "MiB", pairs, 1.1, at_most=True,
              note=f"on the terminal: {progress[-1][-1]}")


class VerifyRun:
    """One `peerkey verify`, its standard error a terminal. Its input stays open until its memory has been looked at."""

    def __init__(self, batch, times):
        terminal, its = os.openpty()
        self.said = []
        process = subprocess.Popen([PEERKEY, "verify", "--users", f"{VECTORS}/users.json"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=its)
        os.close(its)
        threads = [threading.Thread(target=self.feed, args=(process.stdin, batch, times)),
                   threading.Thread(target=self.watch, args=(terminal,))]
        for thread in threads:
            thread.start()
        wanted, answered = batch.count(b"\n") * times, 0
        while answered < wanted and (answers := process.stdout.read1(1 << 20)):
            answered += answers.count(b"\n")
        self.peak_bytes = peers.memory(process.pid, "VmHWM") if answered == wanted else None
        threads[0].join()
        process.stdin.close()
        status = process.wait()
        threads[1].join()
        process.stdout.close()
        os.close(terminal)
        self.shown = b"".join(self.said).decode()
        if status != 0 or self.peak_bytes is None:
            raise Trouble(f"peerkey verify answers {answered} of {wanted} objects and ends with {status}: {self.shown}")

    @staticmethod
    def feed(pipe, batch, times):
        with contextlib.suppress(BrokenPipeError):
            for _ in range(times):
                pipe.write(batch)
            pipe.flush()

    def watch(self, terminal):
        # The other side is closed: that is an error here.
        with contextlib.suppress(OSError):
            while text := os.read(terminal, 4_096):
                self.said.append(text)


def canonical(bench):
    plan = bench.plan
    core, _ = peers.cores()
    batch = f"{VECTORS}/batch.jsonl"
    node = peers.program("nodejs" if os.path.exists("/usr/bin/nodejs") else "node")
    version = output([node, "--version"]).strip()

    def ours():
        return measured("canonical", batch, plan.canonical_repeats, core=core)[0]["rate"]

    def peer():
        script = os.path.join(ROOT, "Benchmarks/canonical.js")
        return json.loads(output(pinned(core, [node, script, batch, str(plan.canonical_repeats)])))["rate"]

    yield Row("canonical-hash", "canonical form and hash", f"JSON.stringify(JSON.parse(x)) and SHA-256, Node {version}",
              "MB/s", in_turns(plan, ours, peer), 3)


def unlock(bench):
    lines = measured("unlock", f"{bench.folder}/keystore", bench.plan.rounds)
    yield Row("keystore-unlock", "read and open a keystore (256 MiB, 3 passes, 4 lanes)", "bare argon2id_hash_raw", "s",
              [(line["ours"], line["peer"]) for line in lines], 1.02, at_most=True)
    yield Row("keystore-unlock-cpu", "the same", "the same", "s CPU", processor(lines, 1), None)


def resolver(bench):
    plan = bench.plan
    core, _ = peers.cores()
    lines = measured("resolver", plan.resolver_users, plan.look_ups, plan.rounds, core=core)
    pairs = [(line["ours"] * 1e9, line["peer"] * 1e9) for line in lines]
    yield Row("resolver-hit", f"Resolver.resolve of one of {plan.resolver_users:,} users in memory, one core",
              "look-up of the same user in a dictionary", "ns", pairs[:plan.rounds], 5, at_most=True)
    yield Row("resolver-hit-batch", "the same of all of them in one call, for each", "the same", "ns",
              pairs[plan.rounds:], None)
