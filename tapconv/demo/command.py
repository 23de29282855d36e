"""Runs the demo part by part, prints what it finds, and writes the report."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

import tapconv
from tapconv.demo import denoiser, ecg, layers, pictures, worked_examples
from tapconv.demo.report import Block, Code, Heading, Paragraph, Picture, Table, write_report
from tapconv.reporting.tables import geometric_mean, markdown_table
from tapconv.shapes import load_layers


def run(folder: Path, quick: bool) -> bool:
    """Runs everything and writes the report into `folder`. Returns whether all results agree with torch's."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks: list[Block] = [Paragraph(machine_description())]
    print(machine_description())
    agree = [
        _worked_examples(blocks, folder),
        _heartbeats(blocks, folder),
        _denoiser(blocks, folder, steps=100 if quick else 400),
        _layers(blocks, folder, repetitions=3 if quick else 9, budget=0.1 if quick else 1.5),
        _dtypes(blocks, flops=1e7 if quick else 1e8),
    ]
    markdown, html = write_report("tapconv demo", blocks, folder)
    print(f"\nReport with pictures: {html}\n                      {markdown}")
    print("All results agree with torch." if all(agree) else "SOME RESULTS DO NOT AGREE with torch: see the report.")
    return all(agree)


def machine_description() -> str:
    threads = torch.get_num_threads()
    return (
        f"tapconv {tapconv.__version__} ({tapconv.isa()}), torch {torch.__version__} "
        f"({torch.backends.cpu.get_cpu_capability()}), Python {platform.python_version()}, {platform.machine()}, "
        f"{threads} thread{'s' if threads > 1 else ''}."
    )


def _show(heading: str, blocks: list[Block]) -> None:
    print(f"\n== {heading}")
    blocks.append(Heading(heading))


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], blocks: list[Block]) -> None:
    print(markdown_table(headers, rows))
    blocks.append(Table(headers, rows))


def _say(text: str, blocks: list[Block], block: type[Paragraph] | type[Code] = Paragraph) -> None:
    print(text)
    blocks.append(block(text))


def _worked_examples(blocks: list[Block], folder: Path) -> bool:
    _show("Worked examples", blocks)
    _say(
        "Each example is computed by tapconv, by torch, and in plain Python from the definition; the output length is "
        "that of the formula L_out = floor((L + left + right - dilation * (kernel_size - 1) - 1) / stride) + 1.",
        blocks,
    )
    results = [worked_examples.compute(example) for example in worked_examples.worked_examples()]
    rows = []
    for result in results:
        example, last = result.example, (0, -1, -1)
        rows.append(
            [
                example.title,
                example.code,
                shape_text(example.input),
                shape_text(example.weight),
                shape_text(result.output),
                str(result.formula_length),
                f"{result.output_by_hand[last[1:]].item():.5f}",
                f"{result.torch_output[last].item():.5f}",
                f"{result.output[last].item():.5f}",
                f"{result.error_against_torch:.1e}",
                f"{result.error_by_hand:.1e}",
            ]
        )
    headers = ["example", "module", "input", "weight", "output", "L_out", "last output by hand", "torch", "tapconv"]
    _table([*headers, "error against torch", "error by hand"], rows, blocks)

    published = next(r for r in results if r.example.title == worked_examples.published_example().title)
    _say("One output of the two-channel signal is one dot product:", blocks)
    _say(worked_examples.dot_product_in_words(published, channel=0, position=0), blocks, Code)
    _say("Its first five outputs beside a published table of four decimals:", blocks)
    units = worked_examples.units_from_published_table(published.output)
    first_five = published.output[0, :, :5].T.tolist()
    rows = [
        [str(position), *(f"{value:.4f}" for value in ours), *(f"{value:.4f}" for value in table)]
        for position, (ours, table) in enumerate(zip(first_five, worked_examples.PUBLISHED_OUTPUT, strict=True))
    ]
    channels = range(len(first_five[0]))
    _table(["position", *(f"tapconv {o}" for o in channels), *(f"published {o}" for o in channels)], rows, blocks)
    _say(f"To four decimals the largest difference is {units * 1e-4:.4f}: the table's weights are rounded too.", blocks)
    pictures.draw_signal_and_outputs(published, folder / "signal_and_outputs.png")
    blocks.append(
        Picture("signal_and_outputs.png", "A two-channel signal and the four channels that conv1d makes of it")
    )
    return all(result.agrees for result in results) and units <= 1


def _heartbeats(blocks: list[Block], folder: Path) -> bool:
    _show("A real recording", blocks)
    heartbeats = ecg.find_heartbeats()
    peaks = ", ".join(str(peak) for peak in heartbeats.peaks)
    _say(
        f"The electrocardiogram that PyWavelets ships ({len(heartbeats.recording)} samples), filtered by tapconv: "
        f"a band-pass of {len(heartbeats.filter_taps)} taps for the QRS complex, then squared and averaged. R-peaks at "
        f"samples {peaks}: {heartbeats.beats_per_minute:.0f} beats per minute at 360 Hz (the usual rate of such "
        f"recordings; PyWavelets does not state it). The band-passed signal differs from scipy.signal.convolve's in "
        f"float64 by {heartbeats.difference_from_scipy:.1e} of its largest value.",
        blocks,
    )
    pictures.draw_heartbeats(heartbeats, folder / "heartbeats.png")
    blocks.append(
        Picture("heartbeats.png", "The recording with its R-peaks, and the two filtered signals they come from")
    )
    return heartbeats.difference_from_scipy < 1e-5 and len(heartbeats.peaks) == 3


def _denoiser(blocks: list[Block], folder: Path, steps: int) -> bool:
    _show("A denoiser, trained twice", blocks)
    with tqdm(total=steps, desc="training", unit="step") as progress:
        comparison = denoiser.compare_trainings(ecg.as_tensor(ecg.load_recording()), steps, progress.update)
    _say(
        f"Five convolutions of nine taps and growing dilation, {steps} steps of Adam on random windows of the "
        f"first two thirds of the recording with noise added, from one seed on both modules.",
        blocks,
    )
    rows = [
        [
            run.name,
            f"{run.losses[0]:.5f}",
            f"{run.losses[-1]:.5f}",
            f"{comparison.signal_to_noise(run.denoised):.2f} dB",
            f"{run.seconds:.2f} s",
        ]
        for run in comparison.runs
    ]
    _table(["trained on", "first loss", "last loss", "signal to noise, last beat", "wall time"], rows, blocks)
    _say(
        f"The noisy beat has {comparison.signal_to_noise(comparison.noisy):.2f} dB. The two loss curves differ by at "
        f"most {comparison.largest_loss_difference:.1e} of the loss: rounding, amplified from step to step.",
        blocks,
    )
    pictures.draw_training(comparison, folder / "denoiser.png")
    blocks.append(Picture("denoiser.png", "Both loss curves, and a beat that training never saw"))
    return comparison.first_losses_agree


def _layers(blocks: list[Block], folder: Path, repetitions: int, budget: float) -> bool:
    _show("Layers of published models", blocks)
    results = [
        layers.measure_layer(layer, repetitions, budget) for layer in tqdm(load_layers(), desc="layers", unit="layer")
    ]
    rows = [
        [
            result.layer.name,
            result.layer.model,
            result.layer.describe(),
            f"{result.error:.1e}",
            f"{result.torch.median * 1e3:.3f}",
            f"{result.tapconv.median * 1e3:.3f}",
            f"{result.ratio:.2f}",
        ]
        for result in results
    ]
    _table(["layer", "model", "shape", "largest error", "torch ms", "tapconv ms", "ratio"], rows, blocks)
    worst = max(results, key=lambda result: result.error)
    slowest = min(results, key=lambda result: result.ratio)
    _say(
        f"Float32, {len(results)} layers, medians, interleaved. Outputs have unit variance; the largest error against "
        f"torch is {worst.error:.1e} ({worst.layer.name}). Geometric mean of the speed ratios "
        f"{geometric_mean([result.ratio for result in results]):.2f}, smallest {slowest.ratio:.2f} "
        f"({slowest.layer.name}). The shapes come from the sources listed in tapconv/shapes.csv.",
        blocks,
    )
    pictures.draw_speed_ratios(results, torch.get_num_threads(), folder / "speed_ratios.png")
    blocks.append(Picture("speed_ratios.png", "How many times faster than torch, layer by layer"))
    return worst.error < layers.ERROR_BOUNDS[torch.float32]


def _dtypes(blocks: list[Block], flops: float) -> bool:
    _show("Parity by data type", blocks)
    rows, agree = [], True
    dtypes = list(layers.ERROR_BOUNDS)
    all_layers = load_layers()
    with tqdm(total=len(dtypes) * len(all_layers), desc="data types", unit="layer") as progress:
        for dtype in dtypes:
            parity = layers.parity_by_dtype(all_layers, dtype, flops, progress.update)
            agree &= parity.largest_error < layers.ERROR_BOUNDS[dtype]
            name = str(dtype).removeprefix("torch.")
            bound = f"{layers.ERROR_BOUNDS[dtype]:.0e}"
            rows.append([name, str(parity.layers), f"{parity.largest_error:.1e}", parity.worst_layer, bound])
    _table(["data type", "layers", "largest error against torch", "on", "bound"], rows, blocks)
    _say(
        "Outputs have unit variance. Layers are shortened where torch would take long. bfloat16 and float16 outputs "
        "are rounded to 8 and 11 bits, so that two right answers may differ by the last of them. float16 is held "
        "against torch's float32, rounded, since torch's own float16 never returns on some layers and processors.",
        blocks,
    )
    return agree


def shape_text(tensor: torch.Tensor) -> str:
    return "(" + ",".join(str(size) for size in tensor.shape) + ")"
