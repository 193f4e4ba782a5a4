#!/usr/bin/env python3
"""Differential fuzzing of HTTPFormat against h11 and Node's HTTP server. See README.md.

What our parser accepts, both others must accept with the same method, target, version, fields, body and end, one after
the other on the same connection. What only we refuse is counted by reason. Exits with 1 at the first difference that is
not in KNOWN, with the case in findings/.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import threading
import time

from cases import Generator

HERE = pathlib.Path(__file__).resolve().parent
H11_VERSION = "0.16.0"
BATCH = 400

try:
    import h11
except ImportError:
    sys.exit(
        "differential.py: cannot import h11. Install it with `python3 -m pip install h11==%s` (in a virtual environment "
        "where the system's Python refuses), or with `apt-get install python3-h11`, and start again." % H11_VERSION
    )


class Worker:
    """A program that reads length-prefixed cases and prints one JSON line for each."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def verdicts(self, cases):
        data = b"".join(struct.pack(">I", len(case)) + case for case in cases)
        writer = threading.Thread(target=self._write, args=(data,))
        writer.start()
        lines = [self.process.stdout.readline() for _ in cases]
        writer.join()
        if not all(lines):
            save(cases[lines.index(b"")])
            sys.exit("differential.py: %s ended early (exit %s)" % (self.name, self.process.wait()))
        return [json.loads(line) for line in lines]

    def _write(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # told by the missing lines

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def h11_verdict(data):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 17)
    connection.receive_data(data)
    messages, current = [], None
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return {"messages": messages, "end": "incomplete"}
            if isinstance(event, h11.Request):
                current = {
                    "method": event.method.hex(),
                    "target": event.target.hex(),
                    "minor": int(event.http_version[-1:]),
                    "fields": [[name.hex(), value.hex()] for name, value in event.headers.raw_items()],
                    "body": None,
                }
                messages.append(current)
                body = b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                current["body"] = body.hex()
                current["end"] = len(data) - len(connection.trailing_data[0])
                # Not 2xx: that would switch the connection over after CONNECT.
                connection.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return {"messages": messages, "end": "closed"}
                connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return {"messages": messages, "end": "fault:" + str(error)}


# Differences that are no fault of ours: (name, reason, whether (other's name, our message, the one before) is of this kind).
KNOWN = [
    (
        "node-method",
        "llhttp knows a fixed list of methods and refuses all other tokens; we answer them with 405",
        lambda other, message, before: other == "node" and bytes.fromhex(message["method"]).decode() not in NODE_METHODS,
    ),
    (
        "node-upgrade",
        "after a request with Upgrade llhttp reads nothing more; we, like h11, go on when the offer is not taken up",
        lambda other, message, before: other == "node" and before is not None and is_upgrade(before),
    ),
    (
        "node-proxy-connection",
        "llhttp obeys Proxy-Connection, which no RFC defines (RFC 9110 appendix B.1 tells to ignore it), as Connection",
        lambda other, message, before: other == "node" and before is not None
        and has(before, b"proxy-connection", b"close"),
    ),
    (
        "node-length-tab",
        "llhttp refuses a tab behind the digits of Content-Length; RFC 9110 section 5.6.3 allows it, and there is one reading",
        lambda other, message, before: other == "node" and LENGTH_TAB.search(message["raw"]) is not None,
    ),
]

NODE_METHODS = set()
LENGTH_TAB = re.compile(rb"\ncontent-length:[ \t]*[0-9]+ *\t", re.IGNORECASE)


def has(message, name, part=b""):
    """Whether a field of this name has `part` in its value."""
    fields = [(bytes.fromhex(field).lower(), bytes.fromhex(value).lower()) for field, value in message["fields"]]
    return any(field == name and part in value for field, value in fields)


def is_upgrade(message):
    return has(message, b"upgrade") and (has(message, b"connection", b"upgrade")
                                         or has(message, b"proxy-connection", b"upgrade"))


def difference(other, ours, theirs, counts):
    """None, or a sentence: why `theirs` does not bear out what `ours` accepts."""
    before = None
    for index, message in enumerate(ours["messages"]):
        found = theirs["messages"][index] if index < len(theirs["messages"]) else None
        if found is None or found["body"] is None:
            for name, _, applies in KNOWN:
                if applies(other, message, before):
                    counts["known: " + name] += 1
                    return None
            return "%s does not accept message %d (%s)" % (other, index, theirs["end"])
        for key in ("method", "target", "minor", "fields", "body", "end"):
            if key in found and found[key] != message[key]:
                return "%s reads another %s of message %d" % (other, key, index)
        before = message
    further = len(theirs["messages"]) - len(ours["messages"])
    if ours["end"] == "incompleteHead" and further > 0:
        return "%s finds %d further messages where we wait for more" % (other, further)
    if ours["end"] == "incompleteBody" and (further > 1 or further == 1 and theirs["messages"][-1]["body"] is not None):
        return "%s ends a body that we are still waiting for" % other
    if ours["end"].startswith("fault:") and further > 0:
        counts["only we refuse (%s accepts): %s" % (other, ours["end"][6:])] += 1
    return None


def save(case):
    folder = HERE / "findings"
    folder.mkdir(exist_ok=True)
    path = folder / (hashlib.sha256(case).hexdigest()[:16] + ".bin")
    path.write_bytes(case)
    return path


def check(cases, workers, counts):
    verdicts = {name: worker.verdicts(cases) for name, worker in workers.items()}
    for index, case in enumerate(cases):
        ours = verdicts["http-parse"][index]
        start = 0
        for message in ours["messages"]:
            message["raw"], start = case[start:message["end"]], message["end"]
        counts["cases"] += 1
        counts["requests accepted"] += len(ours["messages"])
        counts["ended " + ours["end"].split(":")[0]] += 1
        for other, theirs in (("h11", h11_verdict(case)), ("node", verdicts["node"][index])):
            reason = difference(other, ours, theirs, counts)
            if reason:
                print("difference: %s\ncase: %r\nours: %s\n%s: %s" % (reason, case, ours, other, theirs))
                sys.exit("saved as %s" % save(case))


def start_workers(parser):
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        sys.exit("differential.py: there is no `node`. Install Node 18 or later (`apt-get install nodejs`) and start again.")
    if parser is None:
        build = ["swift", "build", "-c", "release", "--package-path", str(HERE), "--product", "http-parse"]
        if subprocess.run(build, stdout=subprocess.DEVNULL).returncode:
            sys.exit("differential.py: http-parse does not build: run `%s` to see why" % " ".join(build))
        parser = str(HERE / ".build/release/http-parse")
    methods = subprocess.run([node, "-p", "JSON.stringify(require('http').METHODS)"], capture_output=True, check=True)
    NODE_METHODS.update(json.loads(methods.stdout))
    return {
        "http-parse": Worker("http-parse", [parser]),
        "node": Worker("node", [node, str(HERE / "node-parse.js")]),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--seconds", type=float, default=10, help="how long to go on (default 10)")
    arguments.add_argument("--seed", type=int, help="for the same cases again (default: random, printed)")
    arguments.add_argument("--parser", help="a built http-parse (default: build it)")
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    workers = start_workers(options.parser)
    counts = collections.Counter()
    print("seed %d, h11 %s" % (seed, h11.__version__), flush=True)

    check([path.read_bytes() for path in sorted((HERE / "regressions").glob("*.bin"))], workers, counts)
    generator = Generator(random.Random(seed))
    check(generator.templates(), workers, counts)
    deadline = time.monotonic() + options.seconds
    while time.monotonic() < deadline:
        check([generator.case() for _ in range(BATCH)], workers, counts)

    for name, worker in workers.items():
        if worker.close():
            sys.exit("differential.py: %s failed at the end" % name)
    for name, count in sorted(counts.items()):
        print("%8d  %s" % (count, name))
    # Fuzzing that accepts nothing compares nothing.
    if counts["requests accepted"] < counts["cases"] // 10:
        sys.exit("differential.py: too few requests are accepted for the comparison to mean anything")
    print("no difference")


if __name__ == "__main__":
    main()
