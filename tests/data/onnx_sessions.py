"""Sessions of small models, with the outputs that converters and exporters give them."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT
ANY = "N"
CANARY = 424242.5


def value(name: str, *shape: Any, kind: int = FLOAT) -> Any:
    """Return the declaration of an input or an output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def session_of(model: bytes | str) -> ort.InferenceSession:
    """Return a session of a file or its content; older versions want to know which devices may be used."""
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"])


def session(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], name: str = "churn", version: int = 3
) -> ort.InferenceSession:
    """Return a session of a graph."""
    return session_of(model_of(nodes, inputs, outputs, name, version).SerializeToString())


def model_of(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], name: str, version: int
) -> onnx.ModelProto:
    """Return the model of a graph, for opsets that every supported runtime has."""
    graph = helper.make_graph(nodes, name, inputs, outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, model_version=version)


def softmax(output: str = "probabilities", classes: Any = 2) -> ort.InferenceSession:
    """Return a model that gives the softmax of its two inputs: of log 1 and log 3, 1/4 and 3/4."""
    node = helper.make_node("Softmax", ["x"], [output], axis=1)
    return session([node], [value("x", ANY, 2)], [value(output, ANY, classes)])


def zipmap() -> ort.InferenceSession:
    """Return a model as converters of scikit-learn models make it: a label, and a map of each sample."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], axis=1),
        helper.make_node("ArgMax", ["x"], ["output_label"], axis=1, keepdims=0),
        helper.make_node(
            "ZipMap", ["p"], ["output_probability"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]
        ),
    ]
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(
            TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, shape=None)
        )
    )
    outputs = [
        value("output_label", ANY, kind=TensorProto.INT64),
        helper.make_value_info("output_probability", maps),
    ]
    return session(nodes, [value("x", ANY, 2)], outputs)


def total(output: str = "variable") -> ort.InferenceSession:
    """Return a model that gives the sum of its two inputs, under a name that regressors use."""
    node = helper.make_node("ReduceSum", ["x", "axes"], [output], keepdims=1)
    axes = helper.make_node(
        "Constant", [], ["axes"], value=helper.make_tensor("a", TensorProto.INT64, [1], [1])
    )
    return session([axes, node], [value("x", ANY, 2)], [value(output, ANY, 1)])


def columns() -> ort.InferenceSession:
    """Return a model with two inputs of one column each, which it adds."""
    node = helper.make_node("Add", ["age", "visits"], ["variable"])
    return session(
        [node], [value("age", ANY, 1), value("visits", ANY, 1)], [value("variable", ANY, 1)]
    )


def logs(*rows: tuple[float, float]) -> dict[str, Any]:
    """Return a feed whose softmax is *rows*."""
    return {"x": np.log(np.array(rows, dtype=np.float32))}
