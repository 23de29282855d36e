"""The costs of ways as a linear function of prices, and the prices that make them proportional to measured times."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from timings import Way, by_work

# Errors are logarithms. Beyond this they count by their size rather than by its square, so that a way that was timed
# wrong, or that the model does not see through, bends the others little.
LARGE_ERROR = 0.1
LARGEST_RISE = 20.0
TINY = 1e-300


@dataclass(frozen=True)
class Fit:
    prices: Mapping[str, float]  # all of them
    seconds_per_unit: Mapping[str, float]  # by the machine's name

    def error(self, way: Way) -> float:
        """The logarithm of predicted by measured time."""
        assert way.seconds is not None
        seconds = way.cost_by(self.prices) * self.seconds_per_unit[way.machine.name]
        return math.log(max(seconds, TINY) / way.seconds)


class CostModel:
    """cost = constant + times @ prices, for the ways given and the prices that any of them pays."""

    def __init__(self, ways: Sequence[Way]):
        kinds = ways[0].machine.kinds
        self.old = ways[0].machine.prices
        paid = {name for way in ways for name in way.parts}
        self.names = [name for name, kind in kinds.items() if kind == "price" and name in paid]
        self.old_values = np.array([self.old[name] for name in self.names])
        self.times = np.array([[way.parts.get(name, 0.0) for name in self.names] for way in ways])
        self.constant = np.array([way.cost for way in ways], dtype=float) - self.times @ self.old_values
        self.log_seconds = np.log(np.array([way.seconds for way in ways], dtype=float))
        self.machines = sorted({way.machine.name for way in ways})
        self.machine = np.array([self.machines.index(way.machine.name) for way in ways])
        self.weights = weights_of(ways)

    def log_costs(self, values: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(self.constant + self.times @ values, TINY))

    def log_units(self, values: np.ndarray) -> np.ndarray:
        """The logarithm of each machine's unit of cost in seconds, at which half of the predictions are too low."""
        differences = self.log_seconds - self.log_costs(values)
        return np.array([np.median(differences[self.machine == i]) for i in range(len(self.machines))])

    def at(self, prices: Mapping[str, float]) -> Fit:
        """Given prices, with the units that fit them best."""
        values = np.array([prices[name] for name in self.names])
        return self._fit_of(values, self.log_units(values))

    def fit(self, hold: float) -> Fit:
        """Prices of least squares, none negative. A price that doubles weighs as much as 100 * hold ways that are 10 %
        off, so one that few ways pay, or that others can stand for, stays near what it is."""
        scale = np.where(self.old_values > 0, self.old_values, 1.0)
        count = len(self.names)

        def residuals(unknown: np.ndarray) -> np.ndarray:
            relative, units = unknown[:count], unknown[count:]
            errors = self.log_costs(relative * scale) + units[self.machine] - self.log_seconds
            moves = relative - self.old_values / scale
            return np.concatenate([self.weights * tempered(errors), math.sqrt(hold) * moves])

        # A bound is no place to start from.
        start = np.concatenate([np.maximum(self.old_values / scale, 1e-6), self.log_units(self.old_values)])
        lower = np.where(np.arange(len(start)) < count, 0.0, -np.inf)
        upper = np.where(np.arange(len(start)) < count, LARGEST_RISE, np.inf)
        found = least_squares(residuals, start, bounds=(lower, upper)).x
        return self._fit_of(found[:count] * scale, found[count:])

    def _fit_of(self, values: np.ndarray, log_units: np.ndarray) -> Fit:
        prices = {**self.old, **dict(zip(self.names, values.tolist(), strict=True))}
        return Fit(prices, dict(zip(self.machines, np.exp(log_units).tolist(), strict=True)))


def weights_of(ways: Sequence[Way]) -> np.ndarray:
    """Many transforms of one algorithm weigh as much as another's single way to do the same work, and a way weighs less
    the slower it is beside the fastest one: it will hardly be chosen, whatever its error."""
    weights = {}
    for group in by_work(ways).values():
        fastest = min(way.seconds or math.inf for way in group)
        for way in group:
            alike = sum(other.algorithm == way.algorithm for other in group)
            weights[way] = fastest / (way.seconds or math.inf) / math.sqrt(alike)
    return np.array([weights[way] for way in ways])


def tempered(errors: np.ndarray) -> np.ndarray:
    """Numbers whose squares are those of small errors, and grow like the size of large ones."""
    roots = np.sqrt(1 + (errors / LARGE_ERROR) ** 2)
    return np.sign(errors) * LARGE_ERROR * np.sqrt(2 * (roots - 1))


def fits_left_out(ways: Sequence[Way], shares: int, hold: float) -> dict[str, Fit]:
    """For each layer, a fit to the others but for those in the same share, one of so many as are about equal and the
    same in every run."""
    layers = sorted({way.layer for way in ways}, key=lambda layer: zlib.crc32(layer.encode()))
    if len(layers) < 2:
        raise ValueError(f"one layer, {layers[0]}, is too few to leave any out; time more of them")
    fits = {}
    for share in range(min(shares, len(layers))):
        out = set(layers[share::shares])
        fit = CostModel([way for way in ways if way.layer not in out]).fit(hold)
        fits.update(dict.fromkeys(out, fit))
    return fits
