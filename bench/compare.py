#!/usr/bin/env python3
"""Prints the figures of two commits side by side: compare.py DIRECTORY PAIRS, with base.N and head.N in the directory."""

import sys
from pathlib import Path
from statistics import median


def read(path):
    lines = path.read_text().splitlines()
    return {tuple(fields[:3]): float(fields[3]) for fields in (line.split("\t") for line in lines)}


directory, pairs = Path(sys.argv[1]), range(1, int(sys.argv[2]) + 1)
both = [(read(directory / f"base.{pair}"), read(directory / f"head.{pair}")) for pair in pairs]
print(f"| figure | base | head | ratio, median of {len(both)} pairs | lowest | highest |\n|---|--:|--:|--:|--:|--:|")
for figure in both[0][0]:
    values = [(base[figure], head[figure]) for base, head in both if base.get(figure) and figure in head]
    if not values:
        continue
    ratios = sorted(head / base for base, head in values)
    name = ", ".join(part for part in figure[1:] if part)
    print(
        f"| {name} | {median(b for b, _ in values):g} | {median(h for _, h in values):g} "
        f"| {median(ratios):.3f} × | {ratios[0]:.3f} | {ratios[-1]:.3f} |"
    )
