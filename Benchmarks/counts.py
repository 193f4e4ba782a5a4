#!/usr/bin/env python3
"""counts.py [--check] [--no-build] [--results FOLDER]: what the hot paths cost, in figures that no other load disturbs.

Instructions (callgrind) and allocations (dhat) of the two programs themselves, in release builds: `peerkey verify` for an
object of the batch of the vectors, and `registrar serve` for a GET of a key from memory, asked for over one connection, one
after the other. Each is the difference of two runs of different lengths, so that starting and ending cancel out.

Prints them beside those in counts.json, and writes the new ones there. --check writes nothing, and exits with 1 if one has
grown by more than 5 %.
"""

import argparse
import collections
import contextlib
import itertools
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, ".build/release")
VECTORS = os.path.join(ROOT, "Tests/Vectors/peerstack-vectors/sync")
APP = "counts.example"
SECONDS = 600
GROWTH = 1.05
OBJECTS = 2_000
REQUESTS = 2_000
# By the file that holds the code. What is in none of these is "other": the loader, the kernel's page, more of libc.
PARTS = {
    "program": r"/(peerkey|registrar)$", "swift": r"/libswift|Foundation", "libsodium": r"/libsodium",
    "openssl": r"/lib(crypto|ssl)", "libc": r"/libc\.so", "loops": r"/lib(websockets|uv)",
}


# Valgrind before 3.20 writes into the mask that it is given here, which libdispatch keeps where nobody may write.
SIGSUSPEND = """
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
int sigsuspend(const sigset_t *mask) { sigset_t copy = *mask; return syscall(SYS_rt_sigsuspend, &copy, 8); }
"""


def valgrind(folder, *arguments):
    """How to start a program under valgrind."""
    library = os.path.join(folder, "sigsuspend.so")
    compiler = ["clang", "-shared", "-fPIC", "-D_GNU_SOURCE", "-x", "c", "-", "-o", library]
    subprocess.run(compiler, input=SIGSUSPEND, text=True, check=True)
    return ["env", f"LD_PRELOAD={library}", "valgrind", *arguments]


def output(command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=SECONDS, **options).stdout


def callgrind(folder, command):
    """A command under callgrind, and the file that it writes."""
    path = os.path.join(folder, "callgrind.out")
    return valgrind(folder, "--quiet", "--tool=callgrind", f"--callgrind-out-file={path}") + command, path


def dhat(folder, command):
    """A command under dhat, and the file with its last words."""
    path = os.path.join(folder, "dhat.log")
    arguments = ["--tool=dhat", f"--log-file={path}", f"--dhat-out-file={folder}/dhat.out"]
    return valgrind(folder, *arguments) + command, path


def instructions(path):
    """Instructions by part, from a file of callgrind's: its cost lines, but those of calls, by the object they are in."""
    objects, totals, current, is_call = {}, collections.Counter(), "", False
    with open(path) as file:
        for line in file:
            if found := re.match(r"c?ob=\((\d+)\)(?: (.*))?$", line):
                if found[2]:
                    objects[found[1]] = found[2]
                if not line.startswith("c"):
                    current = objects[found[1]]
            elif line.startswith("calls="):
                is_call = True
            elif line[0] in "+-*0123456789":
                if not is_call:
                    totals[current] += int(line.split()[1])
                is_call = False
    parts = collections.Counter()
    for name, count in totals.items():
        parts[next((part for part, pattern in PARTS.items() if re.search(pattern, name)), "other")] += count
    return parts


def allocations(path):
    with open(path) as file:
        found = re.search(r"Total: +[\d,]+ bytes in ([\d,]+) blocks", file.read())
    return collections.Counter(blocks=int(found[1].replace(",", "")))


def each(run, tool, read, count):
    """What one of `count` things costs: `run` is done with that many, and with three times as many."""
    figures = []
    for times in (1, 3):
        with tempfile.TemporaryDirectory(prefix="counts-", dir="/tmp") as folder:
            path = run(lambda command: tool(folder, command), count * times)
            figures.append(read(path))
    short, long = figures
    return {name: (long[name] - short[name]) / (2 * count) for name in long}


def counted(run, count):
    parts = each(run, callgrind, instructions, count)
    return {
        "instructions": round(sum(parts.values())),
        "by": {name: round(figure) for name, figure in sorted(parts.items(), key=lambda part: -part[1]) if figure >= 1},
        # The difference of two runs may be a little below nothing.
        "allocations": max(0, round(each(run, dhat, allocations, count)["blocks"], 2)),
    }


# The paths.


def verify(under, count):
    """`peerkey verify --users` with one thread."""
    command, path = under([f"{BUILD}/peerkey", "verify", "--users", f"{VECTORS}/users.json", "--threads", "1"])
    with tempfile.TemporaryFile() as batch, open(f"{VECTORS}/batch.jsonl", "rb") as vectors:
        lines = vectors.read().splitlines(keepends=True)
        batch.writelines(lines[number % len(lines)] for number in range(count))
        batch.seek(0)
        answers = output(command, stdin=batch)
    if answers.count("\n") != count:
        sys.exit(f"counts: {answers.count(chr(10))} of {count} objects were judged")
    return path


class Server:
    """`registrar serve` with a Postgres of its own, and one user."""

    def __init__(self, folder):
        os.chmod(folder, 0o755)
        self.folder = folder
        with self.running(lambda command: (command, None)) as (port, _):
            options = {"env": {**os.environ, "PEERKEY_REGISTRAR": f"http://127.0.0.1:{port}", "PEERKEY_APP": APP,
                               "PEERKEY_KEYSTORE": f"{folder}/keystore.json", "PEERKEY_PASSWORD_FILE": f"{folder}/password"}}
            with open(f"{folder}/password", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write("correct horse battery staple\n")
            output([f"{BUILD}/peerkey", "new", "--paper-key-out", f"{folder}/paper"], **options)
            output([f"{BUILD}/peerkey", "claim"], **options)
            self.user = json.loads(output([f"{BUILD}/peerkey", "show", "--json"], **options))["id"]

    @contextlib.contextmanager
    def running(self, under):
        command, path = under([f"{BUILD}/registrar", "serve", "--data", f"{self.folder}/data", "--app", APP,
                               "--listen", "127.0.0.1:0", "--loops", "1"])
        with open(f"{self.folder}/log", "ab") as log:
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            lines = (re.match(r"listening on http://127\.0\.0\.1:(\d+)", line) for line in server.stdout)
            if not (found := next(filter(None, lines), None)):
                sys.exit("counts: the registrar does not start")
            yield int(found[1]), path
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(SECONDS)
            server.stdout.close()

    def get(self, under, count):
        """GETs of the user's key over one connection, one after the other."""
        request = f"GET /apps/{APP}/keys/{self.user} HTTP/1.1\r\nHost: counts\r\n\r\n".encode()
        with self.running(under) as (port, path), socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            answers = connection.makefile("rb")
            for _ in range(count):
                connection.sendall(request)
                head = list(itertools.takewhile(lambda line: line not in (b"", b"\r\n"), answers))
                if not head or not head[0].startswith(b"HTTP/1.1 200 "):
                    sys.exit(f"counts: the registrar answers {head[:1]}")
                lengths = [line for line in head if line.lower().startswith(b"content-length:")]
                answers.read(int(lengths[0].split()[1]))
        return path


# What comes of it.


def report(counts, before):
    """Prints the figures; those that have grown by more than is let pass."""
    grown = []
    for name, figures in counts.items():
        for kind in ("instructions", "allocations"):
            now, then = figures[kind], before.get(name, {}).get(kind)
            change = "" if then is None else f"   {then:>10,} before" + (f" ({now / then - 1:+.1%})" if then else "")
            print(f"{name:<10}{kind:<14}{now:>10,}{change}")
            if then is not None and now > then * GROWTH + 0.05:
                grown.append(f"{kind} of {name}: {then:,} before, now {now:,}")
        print(f"{'':<10}{', '.join(f'{part} {figure:,}' for part, figure in figures['by'].items())}")
    return grown


def about():
    return {
        "machine": platform.machine(), "valgrind": output(["valgrind", "--version"]).strip(),
        "swift": output(["swift", "--version"], stderr=subprocess.DEVNULL).splitlines()[0],
        "commit": output(["git", "describe", "--always", "--dirty"], cwd=ROOT).strip(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["counts"], help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help="fail if a figure has grown; write nothing")
    parser.add_argument("--no-build", action="store_true", help="take the builds that are there")
    parser.add_argument("--results", default=os.path.join(ROOT, "docs/benchmarks"), help="where counts.json is")
    arguments = parser.parse_args()
    if not arguments.no_build:
        for product in ("registrar", "peerkey"):
            build = ["swift", "build", "-c", "release", "--product", product]
            subprocess.run(build, cwd=ROOT, check=True, stdout=sys.stderr)
    path = os.path.join(arguments.results, "counts.json")
    before = {}
    if os.path.exists(path):
        with open(path) as file:
            before = json.load(file)["counts"]
    counts = {"verify": counted(verify, OBJECTS)}
    with tempfile.TemporaryDirectory(prefix="counts-", dir="/tmp") as folder:
        counts["get-key"] = counted(Server(folder).get, REQUESTS)
    grown = report(counts, before)
    if arguments.check:
        sys.exit("counts: " + "; ".join(grown) if grown else 0)
    results = {"about": about(), "counts": counts}
    with open(path, "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
