"""ONNX models run by ONNX Runtime and by OpenVINO at their best: in float32, with input and output bound in advance."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Call = Callable[[], Tensor]  # returns the output, and keeps alive whatever it reads and writes


def onnxruntime_call(model: bytes, input: Tensor, output_shape: tuple[int, ...], threads: int) -> Call:
    """A call that computes the model's one float32 output from its one input again and again."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its idle threads would otherwise spin on while the next candidate is being timed.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    out = torch.empty(output_shape)
    binding = session.io_binding()
    (into,), (out_of,) = session.get_inputs(), session.get_outputs()
    for bind, name, tensor in ((binding.bind_input, into.name, input), (binding.bind_output, out_of.name, out)):
        array = tensor.numpy()
        bind(name, "cpu", 0, array.dtype, array.shape, tensor.data_ptr())

    def call() -> Tensor:
        session.run_with_iobinding(binding)
        return out

    return call


def openvino_call(model: bytes, input: Tensor, output_shape: tuple[int, ...], threads: int) -> Call:
    """A call that computes the model's one float32 output from its one input again and again."""
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    request = core.compile_model(core.read_model(model=model, weights=b""), "CPU", settings).create_infer_request()
    out = torch.empty(output_shape)
    request.set_input_tensor(openvino.Tensor(input.numpy(), shared_memory=True))
    request.set_output_tensor(openvino.Tensor(out.numpy(), shared_memory=True))

    def call() -> Tensor:
        request.infer(share_outputs=True)
        return out

    return call
