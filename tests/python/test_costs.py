"""The fit of the cost model's prices, on timings made of known prices, and the program that times, if it was built."""

import csv
import importlib
import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from tapconv.shapes import load_layers

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.once

PRESENT = {
    "direct.call": 50.0,
    "direct.input_line": 10.0,
    "direct.never_paid": 7.0,
    "tiles.vector": 4.0,
    "tiles.near_bytes": 1e6,
    "choices.worth_planning_tiles": 1000.0,
}
KINDS = {"tiles.near_bytes": "size", "choices.worth_planning_tiles": "margin"}
TRUE = {**PRESENT, "direct.call": 80.0, "direct.input_line": 4.0, "tiles.vector": 6.0}
SECONDS_PER_UNIT = 2e-10

KINDS_OF_LAYERS = {
    "dense",
    "dilated",
    "strided",
    "pointwise",
    "short",
    "long",
    "grouped",
    "depthwise short",
    "depthwise long",
    "few outputs",
}


def lines_of_a_machine(processor: str, seconds_per_unit: float, prices: dict) -> list[dict]:
    """Two ways for each of many layers, which take as long as they cost by `prices`, to a percent."""
    chance = random.Random(processor)
    named = [{"name": name, "kind": KINDS.get(name, "price"), "value": value} for name, value in PRESENT.items()]
    lines: list[dict] = [{"processor": processor, "class": "other", "instruction_set": "any", "prices": named}]
    for number in range(60):
        ways = {
            "direct": ({"direct.call": chance.uniform(0, 900), "direct.input_line": chance.uniform(0, 3000)}, 4e4),
            "tiles": ({"tiles.vector": chance.uniform(0, 30000)}, chance.uniform(0, 4e4)),
        }
        costs = {name: free + sum(PRESENT[p] * n for p, n in parts.items()) for name, (parts, free) in ways.items()}
        for name, (parts, free) in ways.items():
            units = free + sum(prices[price] * times for price, times in parts.items())
            lines.append(
                {
                    "layer": f"layer {number}",
                    "kind": "made",
                    "dtype": "float32",
                    "direction": "forward",
                    "part": -1,
                    "algorithm": name,
                    "way": name,
                    "rule": "direct" if name == "direct" else "by_cost",
                    "automatic": True,
                    "chosen": costs[name] == min(costs.values()),
                    "seconds": seconds_per_unit * units * chance.uniform(0.99, 1.01),
                    "spread": 0.01,
                    "rounds": 5,
                    "cost": costs[name],
                    "parts": parts,
                }
            )
    return lines


def write_lines(path: Path, lines: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def prices_in(path: Path) -> dict[str, float]:
    return {name: float(value) for name, value in map(str.split, path.read_text(encoding="utf-8").splitlines())}


def test_the_list_of_layers_has_every_kind():
    layers = load_layers(ROOT / "scripts" / "costs" / "layers.csv")
    assert len({layer.name for layer in layers}) == len(layers)
    assert all(layer.output_shape[2] >= 1 for layer in layers)
    with (ROOT / "scripts" / "costs" / "layers.csv").open(encoding="utf-8") as file:
        kinds = [row["kind"] for row in csv.DictReader(file)]
    assert min(kinds.count(kind) for kind in KINDS_OF_LAYERS) >= 6 and set(kinds) == KINDS_OF_LAYERS


@pytest.fixture
def fit_prices(monkeypatch, capsys):
    """Runs the script with these arguments: its exit status, and what it writes to both streams."""
    monkeypatch.syspath_prepend(ROOT / "scripts" / "costs")
    script = importlib.import_module("fit_prices")

    def run(*arguments: object) -> tuple[int, str, str]:
        return script.main([str(argument) for argument in arguments]), *capsys.readouterr()

    return run


@pytest.fixture
def timings(tmp_path):
    return write_lines(tmp_path / "times.jsonl", lines_of_a_machine("one", SECONDS_PER_UNIT, TRUE))


def test_the_fit_finds_the_prices_that_timings_were_made_of(fit_prices, timings, tmp_path):
    status, report, _ = fit_prices(timings, "--hold", "0.001", "--prices", tmp_path / "new")
    assert status == 0
    new = prices_in(tmp_path / "new")
    for name in ("direct.call", "direct.input_line", "tiles.vector"):
        assert new[name] == pytest.approx(TRUE[name], rel=0.05), report
    # What no way pays, and what is no price, stays.
    assert {name: new[name] for name in new.keys() - {"direct.call", "direct.input_line", "tiles.vector"}} == {
        name: PRESENT[name] for name in ("direct.never_paid", *KINDS)
    }


def test_a_firm_hold_keeps_the_prices(fit_prices, timings, tmp_path):
    assert fit_prices(timings, "--hold", "1e6", "--prices", tmp_path / "new")[0] == 0
    assert prices_in(tmp_path / "new") == pytest.approx(PRESENT, rel=0.01)


def test_errors_and_changes_of_choice_are_reported(fit_prices, timings):
    report = fit_prices(timings, "--hold", "0.001")[1]
    medians = re.search(r"^one, any, all +120 +([\d.]+) +[\d.]+ +([\d.]+) +[\d.]+ +([\d.]+)", report, re.MULTILINE)
    before, after, left_out = map(float, medians.groups())
    assert before > 0.1 and after < 0.02 and left_out < 0.02, report
    gains = [
        float(gain) for gain in re.findall(r"^ *([+-][\d.]+) %  one, any: layer \d+ forward: ", report, re.MULTILINE)
    ]
    assert gains and min(gains) > -2, report
    # By the prices that timings were made of, the choice is the fastest way, but for what their noise makes of it.
    assert float(re.search(r"^after: ([\d.]+) % behind", report, re.MULTILINE).group(1)) < 0.1


def test_a_machine_left_out_has_a_unit_of_its_own(fit_prices, timings, tmp_path):
    other = write_lines(tmp_path / "other.jsonl", lines_of_a_machine("two", 3 * SECONDS_PER_UNIT, TRUE))
    report = fit_prices(timings, other, "--hold", "0.001", "--leave-out", "two")[1]
    after = re.search(r"^two, any, all +120 +[\d.]+ +[\d.]+ +([\d.]+)", report, re.MULTILINE)
    assert float(after.group(1)) < 0.02, report


def test_what_is_written_is_a_table_of_prices(fit_prices, timings):
    table = fit_prices(timings, "--write")[1].partition("constexpr Prices")[2]
    assert re.findall(r"^    \.(\w+) =$", table, re.MULTILINE) == ["direct", "tiles", "choices"]
    assert re.findall(r"\.(\w+) = [\d.e+]+,$", table, re.MULTILINE) == [name.partition(".")[2] for name in PRESENT]


def test_files_that_hold_no_timings_are_refused(fit_prices, tmp_path):
    status, _, error = fit_prices(write_lines(tmp_path / "empty.jsonl", []))
    assert status == 1 and "empty.jsonl does not begin with a machine" in error
    machine_only = write_lines(tmp_path / "machine.jsonl", lines_of_a_machine("one", SECONDS_PER_UNIT, TRUE)[:1])
    status, _, error = fit_prices(machine_only)
    assert status == 1 and "no ways" in error
    status, _, error = fit_prices(tmp_path / "missing.jsonl")
    assert status == 1 and "missing.jsonl" in error


@pytest.fixture
def time_ways():
    program = os.environ.get("TAPCONV_TIME_WAYS")
    if not program:
        pytest.skip("TAPCONV_TIME_WAYS does not name the C++ program that times ways")

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    return run


def test_every_way_of_some_layers_is_timed(time_ways, fit_prices, tmp_path):
    layers = [
        {"dtype": "float32", "N": 1, "C_in": 16, "L": 400, "C_out": 16, "kernel": 5, "padding": 2, "groups": 1},
        {"dtype": "bfloat16", "N": 2, "C_in": 64, "L": 300, "C_out": 64, "kernel": 33, "padding": "32:0", "groups": 64},
    ]
    names = ["name", "kind", *layers[0], "stride", "dilation", "padding_mode"]
    rows = [[f"layer{i}", "made", *map(str, layer.values()), "1", "1", "zeros"] for i, layer in enumerate(layers)]
    (tmp_path / "layers.csv").write_text("".join(",".join(row) + "\n" for row in [names, *rows]), encoding="utf-8")
    result = time_ways("--rounds", 2, "--seconds", 0, tmp_path / "layers.csv")
    assert result.returncode == 0, result.stderr
    head, *ways = map(json.loads, result.stdout.splitlines())
    values = {price["name"]: price["value"] for price in head["prices"]}
    assert {(way["layer"], way["direction"]) for way in ways} == {
        (layer, direction) for layer in ("layer0", "layer1") for direction in ("forward", "grad_input", "grad_weight")
    }
    assert {"direct", "tiles", "depthwise_tiles", "grad_weight", "grad_weight_depthwise_tiles"} <= {
        way["algorithm"] for way in ways
    }
    for way in ways:
        assert (way["seconds"] is None) == (way["rounds"] == 0), way
        assert way["parts"].keys() <= values.keys()
        if way["cost"] is not None:
            assert 0 < sum(values[name] * times for name, times in way["parts"].items()) <= way["cost"] * 1.0001, way
    for group in {(way["layer"], way["direction"], way["part"]) for way in ways}:
        members = [way for way in ways if (way["layer"], way["direction"], way["part"]) == group]
        assert sum(way["chosen"] for way in members) == 1 and any(way["seconds"] for way in members), group
    (tmp_path / "times.jsonl").write_text(result.stdout, encoding="utf-8")
    assert fit_prices(tmp_path / "times.jsonl")[0] == 0


def test_costs_by_other_prices_are_linear_in_them(time_ways, tmp_path):
    (tmp_path / "prices").write_text("direct.call 155\ntiles.vector 31\n", encoding="utf-8")
    chosen = ("--rounds", 0, "--layer", "hifigan_rb32_k3_d5", ROOT / "tapconv" / "shapes.csv")
    present, other = (
        [json.loads(line) for line in time_ways(*more, *chosen).stdout.splitlines()[1:]]
        for more in ((), ("--prices", tmp_path / "prices"))
    )
    added = {"direct.call": 100, "tiles.vector": 20}
    costs = {
        (way["direction"], way["part"], way["way"]): way["cost"]
        + sum(added[name] * times for name, times in way["parts"].items() if name in added)
        for way in present
        if way["cost"] is not None
    }
    assert len(costs) > 10
    assert {(way["direction"], way["part"], way["way"]): way["cost"] for way in other if way["cost"]} == pytest.approx(
        costs
    )


def test_what_the_program_is_told_wrong_is_named(time_ways, tmp_path):
    (tmp_path / "prices").write_text("direct.nothing 1\n", encoding="utf-8")
    shapes = ROOT / "tapconv" / "shapes.csv"
    for arguments, words in [
        ((), "usage"),
        (("--what", 1, shapes), "--what"),
        (("--direction", "sideways", shapes), "grad_weight"),
        (("--rounds", "many", shapes), "'many'"),
        (("--prices", tmp_path / "prices", shapes), "direct.nothing"),
        ((tmp_path / "missing.csv",), "missing.csv"),
    ]:
        result = time_ways(*arguments)
        assert result.returncode == 1 and words in result.stderr, result.stderr
