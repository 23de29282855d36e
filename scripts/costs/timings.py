"""What time_ways has written: machines, and ways with their times, and their costs as sums of prices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Columns and input gradients as a whole are timed for comparison. The former have no price of their own, and the latter
# are the sum of forward problems that are timed one by one.
NOT_FITTED = {"grad_input", "grad_weight_columns"}


@dataclass(frozen=True)
class Machine:
    processor: str
    instruction_set: str
    prices: Mapping[str, float]  # all of them, in their order
    kinds: Mapping[str, str]  # "price", "factor", "size" or "margin"

    @property
    def name(self) -> str:
        return f"{self.processor}, {self.instruction_set}"


@dataclass(frozen=True, eq=False)
class Way:
    """One way to compute one piece of work: a layer in a direction, or a part of an input gradient."""

    machine: Machine
    layer: str
    kind: str
    direction: str
    part: int
    algorithm: str
    name: str
    rule: str
    automatic: bool
    chosen: bool
    seconds: float | None  # none for a way that looked hopeless, or where nothing was timed
    cost: float | None  # by the machine's prices; none for a way without a price
    parts: Mapping[str, float]  # how often it pays each price

    @property
    def work(self) -> tuple[str, str, str, int]:
        return (self.machine.name, self.layer, self.direction, self.part)

    @property
    def shows_prices(self) -> bool:
        return self.seconds is not None and bool(self.cost) and self.algorithm not in NOT_FITTED

    def cost_by(self, prices: Mapping[str, float]) -> float:
        """By other prices. Factors, sizes and margins have to be those of the machine."""
        if self.cost is None:
            raise ValueError(f"{self.name} of {self.layer} has no price")
        old = self.machine.prices
        return self.cost + sum(times * (prices[name] - old[name]) for name, times in self.parts.items())


def read_timings(paths: Iterable[Path]) -> list[Way]:
    """The ways of all files, whose machines must have been timed with the same prices."""
    ways: list[Way] = []
    for path in paths:
        ways += ways_of(path)
    if not ways:
        raise ValueError("the files have no ways; time_ways writes one line for each")
    prices = ways[0].machine.prices
    for way in ways:
        if way.machine.prices != prices:
            raise ValueError(
                f"{way.machine.name} was timed with other prices than {ways[0].machine.name}; time it anew"
            )
    return ways


def ways_of(path: Path) -> list[Way]:
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    if not lines or "prices" not in lines[0]:
        raise ValueError(f"{path} does not begin with a machine and its prices, as what time_ways writes does")
    head = lines[0]
    machine = Machine(
        head["processor"],
        head["instruction_set"],
        {price["name"]: price["value"] for price in head["prices"]},
        {price["name"]: price["kind"] for price in head["prices"]},
    )
    return [
        Way(
            machine,
            line["layer"],
            line["kind"],
            line["direction"],
            line["part"],
            line["algorithm"],
            line["way"],
            line["rule"],
            line["automatic"],
            line["chosen"],
            line["seconds"],
            line["cost"],
            line["parts"],
        )
        for line in lines[1:]
    ]


def by_work(ways: Iterable[Way]) -> dict[tuple[str, str, str, int], list[Way]]:
    groups: dict[tuple[str, str, str, int], list[Way]] = {}
    for way in ways:
        groups.setdefault(way.work, []).append(way)
    return groups


def choice(ways: list[Way], prices: Mapping[str, float]) -> Way:
    """What csrc/kernels/choose.cpp takes of all ways to do a work by these prices, with plain weights, unasked."""
    automatic = [way for way in ways if way.automatic]
    for way in automatic:
        if way.rule == "takes_precedence":
            return way
    direct = min((way for way in automatic if way.rule == "direct"), key=lambda way: way.cost_by(prices))
    if direct.direction != "grad_weight" and direct.cost_by(prices) < prices["choices.worth_planning_tiles"]:
        return direct
    return min((direct, *(way for way in automatic if way.rule == "by_cost")), key=lambda way: way.cost_by(prices))
