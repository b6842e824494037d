"""The trained network to ONNX bytes, checked against the network itself.

The autoencoder's graph is written node by node: these fourteen nodes keep each LSTM one operator.
Other networks are traced.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from common.errors import ArtifactError
from models.artifact.onnx_scorer import (
    INPUT_NAME,
    OUTPUT_NAME,
    STATES_NAME,
    OnnxReconstructor,
    reconstruct_in_chunks,
)
from models.training.networks.lstm import LstmAutoencoder, WindowNetwork

OPSET: Final = 17
IR_VERSION: Final = 8
"""Both old enough for every onnxruntime that pyproject.toml allows."""

PARITY_TOLERANCE: Final = 1e-4
"""Largest difference between torch and onnxruntime, in deviations; about 1e-6 is usual."""

Node = tuple[str, tuple[str, ...], str]

NODES: Final[tuple[Node, ...]] = (
    # (operator, inputs, output); the rest of an operator's outputs are not used
    ("Transpose", ("windows",), "steps"),  # (W, B, C)
    ("LSTM:last", ("steps", "encoder.W", "encoder.R", "encoder.B"), "last"),  # (1, B, H)
    ("Squeeze", ("last", "axis0"), "summary"),  # (B, H)
    ("Gemm", ("summary", "to_code.weight", "to_code.bias"), "code"),  # (B, Z)
    ("Gemm", ("code", "to_hidden.weight", "to_hidden.bias"), "first_linear"),  # (B, H)
    ("Tanh", ("first_linear",), "first"),
    ("Unsqueeze", ("first", "axis0"), "first_hidden"),  # (1, B, H)
    ("Unsqueeze", ("code", "axis0"), "code_step"),  # (1, B, Z)
    ("Tile", ("code_step", "repeats"), "codes"),  # (W, B, Z)
    (
        "LSTM:all",
        ("codes", "decoder.W", "decoder.R", "decoder.B", "", "first_hidden"),
        "states_1",
    ),  # (W, 1, B, H)
    ("Squeeze", ("states_1", "axis1"), "states"),  # (W, B, H)
    ("MatMul", ("states", "to_row.weight"), "rows_linear"),  # (W, B, C)
    ("Add", ("rows_linear", "to_row.bias"), "rows"),
    ("Transpose", ("rows",), "reconstructions"),  # (B, W, C)
)


STATES_NODE: Final = ("Transpose", ("states_of_steps",), STATES_NAME)
"""Hands on what the last layer sees, by window rather than by step."""


def export_onnx(
    network: WindowNetwork, windows: NDArray[np.float32], *, states: bool = False
) -> bytes:
    """Return the network as an ONNX file in float32; the batch axis is free.

    The same weights give the same bytes.

    Args:
        network: What to export.
        windows: Windows to compare on, shape ``(n, window_length, n_channels)``; take some that are
            not healthy, where outputs are largest.
        states: Whether an autoencoder also tells what its last layer sees.

    Raises:
        ArtifactError: If onnxruntime's output is not torch's.
    """
    exported = (
        _model(network, states=states).SerializeToString(deterministic=True)
        if isinstance(network, LstmAutoencoder)
        else _traced(network)
    )
    difference = max_difference(network, exported, windows)
    if difference > PARITY_TOLERANCE:
        raise ArtifactError(
            f"The exported network differs from the trained one by {difference:.1e}; at most "
            f"{PARITY_TOLERANCE:.0e} was expected. Check the versions of torch and onnxruntime."
        )
    return bytes(exported)


def max_difference(network: WindowNetwork, exported: bytes, windows: NDArray[np.float32]) -> float:
    """Return the largest absolute difference between both on ``windows``, in deviations."""
    if not len(windows):
        return 0.0
    runtime = OnnxReconstructor(
        exported, window_length=network.window_length, n_channels=network.n_channels
    )
    with torch.no_grad():
        reference = network(torch.from_numpy(windows)).numpy()
    return float(np.abs(reconstruct_in_chunks(runtime, windows) - reference).max())


def _traced(network: WindowNetwork) -> bytes:
    example = torch.zeros(2, network.window_length, network.n_channels)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "network.onnx"
        # the tracing exporter is deprecated; its successor wants further packages
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_axes={INPUT_NAME: {0: "batch"}, OUTPUT_NAME: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return bytes(_cleaned(onnx.load(path), network).SerializeToString(deterministic=True))


def _cleaned(model: onnx.ModelProto, network: WindowNetwork) -> onnx.ModelProto:
    """State the output's shape, which tracing loses; drop notes of where the code was."""
    dims = model.graph.output[0].type.tensor_type.shape.dim
    dims[1].dim_value, dims[2].dim_value = network.window_length, network.n_channels
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    onnx.checker.check_model(model, full_check=True)
    return model


def _model(network: LstmAutoencoder, *, states: bool) -> onnx.ModelProto:
    shape = ("batch", network.window_length, network.n_channels)
    nodes: Sequence[Node] = NODES
    outputs: dict[str, tuple[str, int, int]] = {OUTPUT_NAME: shape}
    if states:
        inner, size = STATES_NODE[1][0], network.decoder.hidden_size
        # the name of the output is that of an inner value otherwise: rename that
        nodes = (*(_renamed(node, STATES_NAME, inner) for node in NODES), STATES_NODE)
        outputs = {**outputs, STATES_NAME: ("batch", network.window_length, size)}
    graph = helper.make_graph(
        [
            _node(operator, inputs, output, network.encoder.hidden_size)
            for operator, inputs, output in nodes
        ],
        "lstm_autoencoder",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
            for name, size in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in _constants(network).items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="surgeline",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _renamed(node: Node, before: str, after: str) -> Node:
    operator, inputs, output = node
    renamed = tuple(after if name == before else name for name in inputs)
    return operator, renamed, after if output == before else output


def _node(operator: str, inputs: tuple[str, ...], output: str, hidden: int) -> onnx.NodeProto:
    match operator:
        case "Transpose":
            return helper.make_node(operator, inputs, [output], perm=[1, 0, 2])
        case "LSTM:last":
            return helper.make_node("LSTM", inputs, ["", output], hidden_size=hidden)
        case "LSTM:all":
            return helper.make_node("LSTM", inputs, [output], hidden_size=hidden)
        case _:
            return helper.make_node(operator, inputs, [output])


def _constants(network: LstmAutoencoder) -> dict[str, NDArray[np.generic]]:
    weights = {
        name: value.detach().numpy().astype(np.float32)
        for name, value in network.state_dict().items()
    }
    constants: dict[str, NDArray[np.generic]] = {
        "axis0": np.array([0], np.int64),
        "axis1": np.array([1], np.int64),
        "repeats": np.array([network.window_length, 1, 1], np.int64),
    }
    for layer in ("to_code", "to_hidden", "to_row"):
        constants[f"{layer}.weight"] = np.ascontiguousarray(weights[f"{layer}.weight"].T)
        constants[f"{layer}.bias"] = weights[f"{layer}.bias"]
    for layer in ("encoder", "decoder"):
        biases = [_onnx_gates(weights[f"{layer}.bias_{kind}_l0"]) for kind in ("ih", "hh")]
        constants[f"{layer}.W"] = _onnx_gates(weights[f"{layer}.weight_ih_l0"])[None]
        constants[f"{layer}.R"] = _onnx_gates(weights[f"{layer}.weight_hh_l0"])[None]
        constants[f"{layer}.B"] = np.concatenate(biases)[None]
    return constants


def _onnx_gates(stacked: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorder gates: torch has input, forget, cell, output; ONNX input, output, forget, cell."""
    into, forget, cell, out = np.split(stacked, 4)
    return np.concatenate([into, out, forget, cell])
