"""Fits the prices of the cost model to timings: python scripts/costs/fit_prices.py TIMES.jsonl... [--write]

The files are what time_ways writes (docs/costs.md). Prints each price before and after, the error of the costs by
algorithm, and the layers whose choice would change, with what was measured for that change. Nothing is changed: what
--write prints is to be looked at, and pasted into csrc/kernels/prices/prices.cpp by hand.

It needs numpy and scipy, which the extras `test` and `demo` of pyproject.toml ask for.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from cost_model import CostModel, Fit, fits_left_out
from timings import Way, by_work, choice, read_timings


def rounded(value: float) -> float:
    """To three digits: more than timings show."""
    return float(f"{value:.3g}")


def print_prices(ways: Sequence[Way], fit: Fit) -> None:
    old = ways[0].machine.prices
    print(f"{'price':40} {'old':>10} {'new':>10} {'change':>8} {'ways':>6}")
    for name, kind in ways[0].machine.kinds.items():
        if kind != "price":
            continue
        payers = sum(name in way.parts for way in ways)
        change = f"{100 * (fit.prices[name] / old[name] - 1):+.0f} %" if old[name] else ""
        print(f"{name:40} {old[name]:10.4g} {fit.prices[name]:10.4g} {change:>8} {payers:6}")


def print_errors(errors: Mapping[str, Iterable[tuple[Way, float]]]) -> None:
    """The median and the 90th percentile of |log(predicted / measured)| by machine and algorithm, in columns."""
    tables: list[dict[tuple[str, str], list[float]]] = []
    for pairs in errors.values():
        table: dict[tuple[str, str], list[float]] = {}
        for way, error in pairs:
            for row in ((way.machine.name, way.algorithm), (way.machine.name, "all")):
                table.setdefault(row, []).append(abs(error))
        tables.append(table)
    print(f"\n{'error: median, 90th percentile':64} {'ways':>6}" + "".join(f" {name:>16}" for name in errors))
    for row in sorted(set().union(*tables)):
        cells = [np.quantile(table[row], (0.5, 0.9)) if row in table else None for table in tables]
        shown = "".join(f"{'':17}" if cell is None else f" {cell[0]:8.3f}{cell[1]:8.3f}" for cell in cells)
        print(f"{', '.join(row):64} {max(len(table.get(row, [])) for table in tables):6}{shown}")


def print_choices(ways: Sequence[Way], prices: Mapping[str, Callable[[Way], Mapping[str, float]]]) -> None:
    """What is chosen by the present prices, by the new ones, and by others, any of which may depend on the layer."""
    behind: dict[str, list[float]] = {name: [] for name in prices}
    changes: list[tuple[float, str]] = []
    others: list[str] = []
    for (machine, layer, direction, part), group in by_work(ways).items():
        if not any(way.rule == "direct" and way.cost is not None for way in group):
            continue
        what = f"{machine}: {layer} {direction}" + (f" part {part}" if part >= 0 else "")
        before, after, *more = (choice(group, prices_of(group[0])) for prices_of in prices.values())
        if not before.chosen:
            planned = next((way.name for way in group if way.chosen), "another way")
            others.append(f"{what}: {planned} is planned, where by the costs here it would be {before.name}")
            continue
        untimed = [way.name for way in (before, after, *more) if way.seconds is None]
        if before.seconds is None or after.seconds is None or untimed:
            others.append(f"{what}: {before.name} -> {', '.join(untimed)}, which was not timed")
            continue
        fastest, name = min((way.seconds, way.name) for way in group if way.automatic and way.seconds is not None)
        if after.rule == "takes_precedence" and after.seconds > 1.1 * fastest:
            lost = 100 * (after.seconds / fastest - 1)
            others.append(f"{what}: {after.name} is taken by a rule, {lost:.0f} % behind {name}")
        for logs, chosen in zip(behind.values(), (before, after, *more), strict=True):
            logs.append(math.log((chosen.seconds or fastest) / fastest))
        if after is not before:
            times = f"{before.seconds * 1e3:.4g} ms -> {after.seconds * 1e3:.4g} ms"
            change = f"{what}: {before.name} -> {after.name}, {times}"
            changes.append((before.seconds / after.seconds - 1, change))
    print(f"\n{len(changes)} choices change; a gain is speed")
    for gain, change in sorted(changes, reverse=True):
        print(f"{100 * gain:+7.1f} %  {change}")
    for other in others:
        print(f"{'':9}  {other}")
    for name, logs in behind.items():
        far = sum(log > math.log(1.1) for log in logs)
        mean = 100 * (math.exp(float(np.mean(logs))) - 1) if logs else 0.0
        print(f"{name}: {mean:.2f} % behind the fastest in the mean of {len(logs)}, {far} of them more than 10 %")


def cpp_column(prices: Mapping[str, float]) -> str:
    """A table of prices as csrc/kernels/prices/prices.cpp has them."""
    groups: dict[str, dict[str, float]] = {}
    for name, value in prices.items():
        group, _, member = name.partition(".")
        groups.setdefault(group, {})[member] = value
    lines = ["constexpr Prices fitted_prices = {"]
    for group, members in groups.items():
        lines += [f"    .{group} =", "        {"]
        lines += [f"            .{member} = {value:g}," for member, value in members.items()]
        lines += ["        },"]
    return "\n".join([*lines, "};"])


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fits the prices of the cost model to timings.")
    parser.add_argument("timings", nargs="+", type=Path, help="files that time_ways has written")
    parser.add_argument("--write", action="store_true", help="print the new prices as C++, ready to paste")
    parser.add_argument("--prices", type=Path, help="write the new prices to this file, for time_ways --prices")
    parser.add_argument("--hold", type=float, default=1.0, help="how firmly prices stay what they are; 1 by default")
    parser.add_argument("--shares", type=int, default=5, help="one layer in so many is left out at a time; 5")
    parser.add_argument(
        "--leave-out", default="", help="fit without machines with this in their names, and validate by them"
    )
    return parser.parse_args(arguments)


def report(options: argparse.Namespace) -> None:
    every = read_timings(options.timings)
    shown = [way for way in every if way.shows_prices]
    fitted = [way for way in shown if not (options.leave_out and options.leave_out in way.machine.name)]
    if not fitted:
        raise ValueError("no way that was timed has a price, on a machine that is not left out")
    model = CostModel(fitted)
    before, after = model.at(model.old), model.fit(options.hold)
    left_out = fits_left_out(fitted, options.shares, options.hold)
    new = {name: rounded(value) if name in model.names else value for name, value in after.prices.items()}
    print_prices(fitted, after)
    errors = {
        "before": [(way, before.error(way)) for way in fitted],
        "after": [(way, after.error(way)) for way in fitted],
        "left out": [(way, left_out[way.layer].error(way)) for way in fitted],
    }
    others = [way for way in shown if way not in set(fitted)]
    if others:
        # What a cost is in seconds is a machine's own, and no matter of the prices.
        for when, fit in (("before", before), ("after", after)):
            of_others = CostModel(others).at(fit.prices)
            errors[when] += [(way, of_others.error(way)) for way in others]
    print_errors(errors)
    prices: dict[str, Callable[[Way], Mapping[str, float]]] = {
        "before": lambda way: before.prices,
        "after": lambda way: new,
        "left out": lambda way: left_out.get(way.layer, after).prices,
    }
    print_choices(every, prices)
    if options.prices:
        options.prices.write_text("".join(f"{name} {value:g}\n" for name, value in new.items()), encoding="utf-8")
    if options.write:
        print("\n" + cpp_column(new))


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        report(options_of(arguments))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
