"""Measures this tree against what bounds it.

Every row is pairs: our figure and its limit's, one right after the other on the same cores, who begins in turns.
Figures of different pairs are never compared. docs/benchmarks/README.md says what the rows mean.
"""

import argparse
import contextlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
import traceback

import growth
import peers
import programs
import report
import service
import subscribers
from dataset import Bench
from measuring import Plan, say
from peers import ROOT, Trouble, output

# A group gives its rows one by one; those it gave before it failed are kept.
GROUPS = {
    "verify": programs.verify,
    "canonical": programs.canonical,
    "unlock": programs.unlock,
    "resolver": programs.resolver,
    "claims": service.claims,
    "get-key": service.get_key,
    "hummingbird": service.hummingbird,
    "resolve": service.resolve,
    "get-key-cold": service.get_key_cold,
    "resolve-cold": service.resolve_cold,
    "websocket": subscribers.websocket,
    "start": growth.start,
    "growth": growth.growth,
    "memory": growth.memory,
    "verify-memory": programs.verify_memory,
}


def build():
    """Both packages, in release builds, with the libraries they need; what does not change costs seconds."""
    if os.path.basename(ROOT).lower() == "benchmarks":
        sys.exit("run: SwiftPM would take a clone called benchmarks for the package in Benchmarks/: rename its folder")
    swift = ["swift", "build", "-c", "release"]
    for command in (["scripts/install-packages"], [*swift, "--product", "registrar"], [*swift, "--product", "peerkey"],
                    [*swift, "--package-path", "Benchmarks"]):
        if subprocess.run(command, cwd=ROOT, check=False, stdout=sys.stderr).returncode != 0:
            sys.exit(f"run: {' '.join(command)} failed: see above")


def about(plan):
    model = "unknown"
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0))
    return {
        "machine": f"{cores} cores of {model}, {platform.system()} {platform.machine()}", "quick": plan.quick,
        "rounds": plan.rounds, "loadAtStart": os.getloadavg()[0], "users": plan.users, "usersAtMost": plan.many,
        "commit": output(["git", "describe", "--always", "--dirty"], cwd=ROOT).strip(),
    }


def measure(bench, groups):
    """The rows, and the reasons for those that are not there."""
    rows, missing = [], {}
    for number, name in enumerate(groups, 1):
        say(f"{name} ({number} of {len(groups)})")
        try:
            for row in GROUPS[name](bench):
                report.print_row(row)
                rows.append(row)
        except Exception as trouble:  # Whatever it is, the other groups go on, and the report says so.
            if not isinstance(trouble, (Trouble, OSError)):
                traceback.print_exc()
            missing[name] = str(trouble) or type(trouble).__name__
            say(f"{name}: not measured: {missing[name]}")
    return rows, missing


def count(arguments):
    """Instructions and allocations, by a program of its own: they are no pairs, and take no quiet machine."""
    options = ["--results", arguments.results] + (["--no-build"] if arguments.no_build else [])
    return subprocess.run([sys.executable, os.path.join(ROOT, "Benchmarks/counts.py"), *options], check=False).returncode


def main():
    parser = argparse.ArgumentParser(
        prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer users, short runs, three pairs: under two minutes")
    parser.add_argument("--only", help="groups, separated by commas: " + ", ".join(GROUPS) + "; or counts alone")
    parser.add_argument("--no-build", action="store_true", help="take the builds that are there")
    parser.add_argument("--results", default=os.path.join(ROOT, "docs/benchmarks"),
                        help="where results.json and results.svg go, or quick.… or partial.…")
    arguments = parser.parse_args()
    # So that servers are stopped, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.only == "counts":
        sys.exit(count(arguments))
    groups = arguments.only.split(",") if arguments.only else list(GROUPS)
    if unknown := [name for name in groups if name not in GROUPS]:
        parser.error(f"there is no group {unknown[0]}: there are {', '.join(GROUPS)}")
    peers.install_peers()
    if not arguments.no_build:
        say("building")
        build()
    plan = Plan(arguments.quick)
    facts = about(plan)
    say(f"{facts['machine']}, load {facts['loadAtStart']:.1f}")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp"))
        rows, missing = measure(Bench(plan, folder, stack, builds=not arguments.no_build), groups)
    report.print_table(rows, missing)
    # Figures of a full run are not overwritten by less.
    name = "partial" if arguments.only else "quick" if plan.quick else "results"
    report.write(arguments.results, name, rows, missing, facts)
    say(f"the figures are in {arguments.results}/{name}.json")
    counting = count(arguments) if name == "results" else 0
    sys.exit(1 if missing or not rows or counting else 0)


if __name__ == "__main__":
    main()
