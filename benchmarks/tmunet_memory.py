"""Memory and time of TMUnet's contextual attention: once a patch, as ours, and on maps as large as the picture.

Run from the repository's root: `python -m benchmarks.tmunet_memory [--device cuda] [--step]`. Both forms have the same
weights and are measured in turn, forward and backward, in the paper's size at 256 x 256 pixels: from the features and
tokens to the loss, so that the networks before them do not count. What both must compute at full size (the boundary's
two convolutions) is in both figures. Memory is the most that tensors hold at once, beyond the inputs and the weights;
time is processor time on a CPU. A whole step is run once, from no gradients and no optimizer's state: later
ones hold AdamW's, twice the weights, from their beginning.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from tests.full_maps import on_full_maps
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from lookonce import models
from lookonce.models.contextual import ContextualAttention
from lookonce.models.network import MaskOutput
from lookonce.training.run import keep_freed_memory

SIZE, WIDTH, TOKENS, TOKEN_WIDTH = 256, 64, 257, 512
#: The parts of the paper's loss: mask, regions, boundary.
SHARES = (0.7, 0.1, 0.2)

Form = Callable[[ContextualAttention, Tensor, Tensor], MaskOutput]
FORMS: tuple[tuple[Form, str], ...] = (
    (on_full_maps, "on full maps"),
    (ContextualAttention.forward, "once a patch"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4, help="pictures at once (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of which the median counts (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--step", action="store_true", help="a whole training step of the paper's network as well")
    options = parser.parse_args()
    torch.manual_seed(0)
    keep_freed_memory()  # as training does
    print(f"batch {options.batch}, {options.device}, {torch.get_num_threads()} threads, median of {options.repeats}\n")
    print("| contextual maps and head | memory, MB | forward and backward, ms |\n|---|---|---|")
    best = []
    for form, name in FORMS:
        found = []
        for layout in (torch.contiguous_format, torch.channels_last):
            step = head_step(form, options.batch, options.device, layout)
            label = f"{name}, {str(layout).removeprefix('torch.')}"
            found.append(measured(label, step, options.device, options.repeats))
        best.append([min(figures) for figures in zip(*found, strict=True)])
    full, ours = best
    print(f"| ratio, each in its better layout | {full[0] / ours[0]:.1f} | {full[1] / ours[1]:.1f} |")
    if options.step:
        print("\n| training step of tmunet | memory, MB | ms |\n|---|---|---|")
        for form, name in FORMS:
            measured(name, training_step(form, options.batch, options.device), options.device, repeats=0)


def head_step(form: Form, batch: int, device: str, layout: torch.memory_format) -> Callable[[], None]:
    """One forward and backward pass of contextual attention alone."""
    context = ContextualAttention(WIDTH, TOKEN_WIDTH).to(device, memory_format=layout)
    features = torch.rand(batch, WIDTH, SIZE, SIZE, device=device).to(memory_format=layout).requires_grad_()
    tokens = torch.randn(batch, TOKENS, TOKEN_WIDTH, device=device).requires_grad_()
    truth = torch.rand(batch, 1, SIZE, SIZE, device=device).round()

    def step() -> None:
        loss(form(context, features, tokens), truth).backward()
        for tensor in (features, tokens, *context.parameters()):
            tensor.grad = None

    return step


def training_step(form: Form, batch: int, device: str) -> Callable[[], None]:
    """One step of the paper's network with AdamW, channels last, as training runs it."""
    network = models.build("tmunet").to(device, memory_format=torch.channels_last)
    network.context.forward = partial(form, network.context)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    image = torch.rand(batch, 3, SIZE, SIZE, device=device).to(memory_format=torch.channels_last)
    truth = torch.rand(batch, 1, SIZE, SIZE, device=device).round()

    def step() -> None:
        loss(network(image), truth).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def loss(maps: MaskOutput, truth: Tensor) -> Tensor:
    """The paper's, on a truth that is the same for mask and boundary."""
    of_mask, of_regions, of_boundary = SHARES
    regions = F.avg_pool2d(truth, SIZE // maps.regions.shape[-1])
    return (
        of_mask * F.binary_cross_entropy_with_logits(maps.mask, truth)
        + of_regions * F.mse_loss(maps.regions, regions)
        + of_boundary * F.binary_cross_entropy_with_logits(maps.boundary, truth)
    )


def measured(name: str, step: Callable[[], None], device: str, repeats: int) -> tuple[float, float]:
    """Most memory in MB and median time in ms of a step, both printed; with no repeats, the time of its first run."""
    clock = _clock(device)
    started = clock()
    memory = peak_memory(step, device) / 1e6
    times = [clock() - started]
    for _ in range(repeats):
        started = clock()
        step()
        times.append(clock() - started)
    milliseconds = 1000 * statistics.median(times[1:] or times)
    print(f"| {name} | {memory:.0f} | {milliseconds:.0f} |", flush=True)
    return memory, milliseconds


def _clock(device: str) -> Callable[[], float]:
    """Seconds of this process's processor time, which other programs do not lengthen, or of a GPU's queue."""
    if device == "cpu":
        return time.process_time

    def when_done() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return when_done


def peak_memory(step: Callable[[], None], device: str) -> float:
    """The most bytes that a step's tensors hold at once, beyond those held before it."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        step()
    held = peak = 0
    for event in sorted(found.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


if __name__ == "__main__":
    main()
