"""What comes out of a run: a table, JSON and a chart."""

import json
import os
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


def print_table(rows):
    print(f"{'row':<22}{'unit':<16}{'ours':>12}{'peer':>12}{'ratio: min':>12}{'median':>8}{'max':>8}  target")
    for row in rows:
        ratio = [f"{f(row.ratios):.2f}" for f in (min, median, max)]
        verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
        print(f"{row.name:<22}{row.unit:<16}{short(median(row.ours)):>12}{short(median(row.peer)):>12}"
              f"{ratio[0]:>12}{ratio[1]:>8}{ratio[2]:>8}  {row.goal} {verdict}")


def write(folder, rows, missing, about):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "results.json"), "w") as file:
        json.dump({"about": about, "rows": [row.json() for row in rows], "notMeasured": missing}, file, indent=1,
                  ensure_ascii=False)
        file.write("\n")
    with open(os.path.join(folder, "results.svg"), "w") as file:
        file.write(chart(rows, about))


def chart(rows, about):
    """A bar a row: how far the median ratio is beyond its target (1 is the target), with min and max as a line."""
    width, left, step, top = 860, 250, 34, 64
    span, most = 420, 3.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + step * len(rows) + 30}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<text x="16" y="24" font-size="16">Reached, as a multiple of the target (line: min to max)</text>',
        f'<text x="16" y="44" fill="#666">{escape(about["machine"])}</text>',
    ]

    def place(value):
        return left + min(max(value, 0), most) / most * span

    shown = [row for row in rows if row.target]
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
            f'<text x="{left + span + 10}" y="{y + 18}">ratio {median(row.ratios):.2f}, target {escape(row.goal)}</text>',
        ]
    bottom = top + step * len(shown)
    parts += [
        f'<line x1="{place(1):.1f}" x2="{place(1):.1f}" y1="{top - 6}" y2="{bottom}" stroke="#222" '
        'stroke-dasharray="4 3"/>',
        f'<text x="{place(1):.1f}" y="{bottom + 16}" text-anchor="middle">target</text>', "</svg>",
    ]
    return "\n".join(parts) + "\n"
