"""(a) The network alone, and with its score, by batch size and precision; one thread."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.windows import MODEL, fleet_windows
from models.artifact.onnx_scorer import (
    INPUT_NAME,
    OUTPUT_NAME,
    open_reconstructor,
    reconstruct_in_chunks,
)
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact

SIZES: Final = (1, 16, 64, 256, 1024)
WINDOWS: Final = 4096
AT_ONE: Final = 512
QUICK: Final = 256


def run(context: Context) -> Findings:
    """Measure windows a second."""
    found = Findings()
    artifact = load_artifact(MODEL)
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    windows = fleet_windows(QUICK if context.quick else WINDOWS)
    scorer = open_scorer(artifact)
    # in the chunks a score cuts its windows into, else the difference is not the score alone
    network = partial(reconstruct_in_chunks, open_reconstructor(artifact))
    for size in SIZES:
        context.tell(f"batches of {size}")
        part = windows[: AT_ONE if size == 1 else None]
        for _ in range(context.rounds):
            found.add(f"network, batch {size}", "windows/s", rate(network, part, size))
            found.add(
                f"network and score, batch {size}", "windows/s", rate(scorer.score, part, size)
            )
    for size in SIZES:
        both, alone = (
            found.figures[f"{name}, batch {size}"].median
            for name in ("network and score", "network")
        )
        around_us = max(1e6 / both - 1e6 / alone, 0.01)
        found.add(f"score around the network, batch {size}", "µs/window", around_us)
    context.tell("8-bit weights")
    assert artifact.network is not None
    int8 = quantised(artifact.network)
    if int8 is None:
        found.not_measured["network, 8-bit weights"] = "needs the packages of `surgeline train`"
    else:
        for _ in range(context.rounds):
            found.add("network, 8-bit weights, batch 64", "windows/s", rate(int8, windows, 64))
    return found


def rate(
    work: Callable[[NDArray[np.float32]], object], windows: NDArray[np.float32], size: int
) -> float:
    """Return windows a second in batches of a size, by the clock."""
    parts = [windows[at : at + size] for at in range(0, len(windows), size)]
    work(parts[0])
    begin = time.perf_counter()
    for part in parts:
        work(part)
    return len(windows) / (time.perf_counter() - begin)


def quantised(network: bytes) -> Callable[[NDArray[np.float32]], object] | None:
    """Return the network with weights of 8 bits; none where what makes them is not installed."""
    import onnxruntime as ort

    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:  # it wants the package onnx
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(network)
        logging.disable(logging.WARNING)  # it advises shape inference, on the root log
        try:
            quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        finally:
            logging.disable(logging.NOTSET)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(
            target.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    return lambda part: session.run([OUTPUT_NAME], {INPUT_NAME: np.ascontiguousarray(part)})


SECTION: Final = Section(
    "network",
    "The network, and its score",
    "windows a second of the network alone and with its score, by batch size and precision",
    lambda _: len(SIZES) + 1,
    run,
)
