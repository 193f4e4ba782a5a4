#!/usr/bin/env python3
"""What comes out of a run: a table, JSON, a chart, and the table in the README beside them.

report.py --table [FOLDER] prints the table of results.json as Markdown; --write puts it into the README; --check fails
where the README has another. The folder is docs/benchmarks unless given.
"""

import json
import os
import sys
from statistics import median
from xml.sax.saxutils import escape


class Row:
    """Pairs of figures that were measured one right after the other, and the ratio of each pair.

    `target` is what the median of the ratios is to reach: at least, or at most where less is better. None: told only.
    """

    def __init__(self, name, what, against, unit, pairs, target, at_most=False, note=None):
        self.name, self.what, self.against, self.unit = name, what, against, unit
        self.ours, self.peer = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        self.ratios = [ours / peer for ours, peer in pairs]
        self.target, self.at_most, self.note = target, at_most, note

    @property
    def met(self):
        if self.target is None:
            return None
        ratio = median(self.ratios)
        return ratio <= self.target if self.at_most else ratio >= self.target

    @property
    def goal(self):
        return "–" if self.target is None else f"{'≤' if self.at_most else '≥'} {self.target:g}"

    def json(self):
        return {
            "row": self.name, "what": self.what, "against": self.against, "unit": self.unit,
            "ours": spread(self.ours), "peer": spread(self.peer), "ratio": spread(self.ratios),
            "target": self.target, "targetIs": "at most" if self.at_most else "at least", "met": self.met,
            "note": self.note,
        }


def spread(values):
    return {"min": min(values), "median": median(values), "max": max(values), "runs": values}


def short(number):
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def print_row(row):
    verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
    print(f"{row.name}: {row.what} | {row.against} [{row.unit}]")
    for label, values in (("ours", row.ours), ("peer", row.peer), ("ratio", row.ratios)):
        low, middle, high = (short(f(values)) for f in (min, median, max))
        goal = f"   target {row.goal} {verdict}" if label == "ratio" else ""
        print(f"  {label:<6}min {low:>10}  median {middle:>10}  max {high:>10}{goal}")
    if row.note:
        print(f"  {row.note}")
    print(flush=True)


def print_table(rows, missing):
    print(f"{'row':<24}{'unit':<16}{'ours':>12}{'peer':>12}{'ratio: min':>12}{'median':>8}{'max':>8}  target")
    for row in rows:
        ratio = [f"{f(row.ratios):.2f}" for f in (min, median, max)]
        verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
        print(f"{row.name:<24}{row.unit:<16}{short(median(row.ours)):>12}{short(median(row.peer)):>12}"
              f"{ratio[0]:>12}{ratio[1]:>8}{ratio[2]:>8}  {row.goal} {verdict}")
    for name, reason in missing.items():
        print(f"{name}: NOT MEASURED: {reason}")


BEGIN, END = "<!-- made by Benchmarks/report.py from results.json -->", "<!-- end of what report.py made -->"


def markdown(results):
    """The table of the README, from what results.json holds."""
    about = results["about"]
    kind = "Quick run" if about["quick"] else "Full run"
    lines = [
        BEGIN, f"{kind} of commit {about['commit']}: {about['machine']}, load {about['loadAtStart']:.1f} at the start; "
        f"{about['rounds']} pairs a row, {about['users']:,} users, {about.get('usersAtMost', 0):,} to grow to.", "",
        "| row | unit | ours | limit | ratio: min | median | max | target | |", "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        goal = "" if row["target"] is None else f"{'≤' if row['targetIs'] == 'at most' else '≥'} {row['target']:g}"
        verdict = {True: "met", False: "**not met**", None: ""}[row["met"]]
        ratio = " | ".join(f"{row['ratio'][part]:.2f}" for part in ("min", "median", "max"))
        figures = " | ".join(short(row[side]["median"]) for side in ("ours", "peer"))
        lines.append(f"| `{row['row']}` | {row['unit']} | {figures} | {ratio} | {goal} | {verdict} |")
    lines += [f"\nNot measured: `{name}`: {reason}." for name, reason in results["notMeasured"].items()]
    return "\n".join([*lines, END])


def with_table(readme, results):
    """A README with the table of these results in the place of the one it has; None if there is no place for it."""
    if BEGIN not in readme or END not in readme:
        return None
    return readme[:readme.index(BEGIN)] + markdown(results) + readme[readme.index(END) + len(END):]


def write(folder, name, rows, missing, about):
    """NAME.json and NAME.svg. The README has the table of results.json, which is that of a full run."""
    os.makedirs(folder, exist_ok=True)
    results = {"about": about, "rows": [row.json() for row in rows], "notMeasured": missing}
    with open(os.path.join(folder, f"{name}.json"), "w") as file:
        json.dump(results, file, indent=1, ensure_ascii=False)
        file.write("\n")
    with open(os.path.join(folder, f"{name}.svg"), "w") as file:
        file.write(chart(rows, about))
    if name == "results":
        write_table(folder)


def write_table(folder):
    results, readme = read(folder)
    if readme is not None and (text := with_table(readme, results)):
        with open(os.path.join(folder, "README.md"), "w") as file:
            file.write(text)


def read(folder):
    """What results.json holds, and the README's text if there is one."""
    with open(os.path.join(folder, "results.json")) as file:
        results = json.load(file)
    path = os.path.join(folder, "README.md")
    if not os.path.exists(path):
        return results, None
    with open(path) as file:
        return results, file.read()


def chart(rows, about):
    """A bar a row: how far the median ratio is beyond its target (1 is the target), with min and max as a line."""
    width, left, step, top = 860, 250, 34, 64
    span, most = 420, 3.0
    shown = [row for row in rows if row.target]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + step * len(shown) + 30}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<text x="16" y="24" font-size="16">Reached, as a multiple of the target (line: min to max)</text>',
        f'<text x="16" y="44" fill="#666">{escape(about["machine"])}, {"quick" if about["quick"] else "full"} run of '
        f'commit {escape(about["commit"])}; bars are cut at {most:g}</text>',
    ]

    def place(value):
        return left + min(max(value, 0), most) / most * span

    for number, row in enumerate(shown):
        y = top + step * number
        reached = sorted(row.target / r if row.at_most else r / row.target for r in row.ratios)
        colour = "#2a7f3f" if row.met else "#b5482a"
        middle = median(reached)
        parts += [
            f'<text x="16" y="{y + 18}">{escape(row.name)}</text>',
            f'<rect x="{left}" y="{y + 4}" width="{place(middle) - left:.1f}" height="20" fill="{colour}"/>',
            f'<line x1="{place(reached[0]):.1f}" x2="{place(reached[-1]):.1f}" y1="{y + 14}" y2="{y + 14}" '
            'stroke="#222" stroke-width="2"/>',
            f'<text x="{left + span + 10}" y="{y + 18}">ratio {median(row.ratios):.2f}, target {escape(row.goal)}'
            '</text>',
        ]
    bottom = top + step * len(shown)
    parts += [
        f'<line x1="{place(1):.1f}" x2="{place(1):.1f}" y1="{top - 6}" y2="{bottom}" stroke="#222" '
        'stroke-dasharray="4 3"/>',
        f'<text x="{place(1):.1f}" y="{bottom + 16}" text-anchor="middle">target</text>', "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main():
    home = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs/benchmarks")
    what, folder = (sys.argv[1:] + [""])[0], (sys.argv[2:] + [home])[0]
    if what == "--table":
        print(markdown(read(folder)[0]))
    elif what == "--write":
        write_table(folder)
    elif what == "--check":
        results, readme = read(folder)
        if readme is None or with_table(readme, results) != readme:
            sys.exit(f"the table in {folder}/README.md is not that of results.json: run Benchmarks/report.py --write")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
