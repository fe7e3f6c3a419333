"""A model in a file of its own, run by ONNX Runtime: who it is stands in the file, what it answers in its outputs' names."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry

VERSION = 3


def churn_session() -> onnxruntime.InferenceSession:
    """Return a model that says `1` with probability 3**x / (1 + 3**x) of its input less zero."""
    logs = helper.make_tensor("logs", TensorProto.FLOAT, [1, 2], [0.0, float(np.log(3))])
    nodes = [
        helper.make_node("Constant", [], ["logs"], value=logs),
        helper.make_node("MatMul", ["age", "logs"], ["logits"]),
        helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2]),
    ]
    age = helper.make_tensor_value_info("age", TensorProto.FLOAT, ["N", 1])
    graph = helper.make_graph(nodes, "churn", [age], outputs)
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, model_version=VERSION)
    return onnxruntime.InferenceSession(model.SerializeToString())


def run(telemetry: Telemetry) -> None:
    """Load it, and ask for label and probabilities of one sample."""
    with telemetry.sdk():
        session = churn_session()
        session.run(["label", "probabilities"], {"age": np.array([[1.0]], dtype=np.float32)})


if __name__ == "__main__":
    show(run)
