"""PyTorch: which calls of modules are inferences, and how modules and tensors are read."""

import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import islice
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.models import Framework, Registration, registrations, sources
from otel_ml.describe.probabilities import (
    describe_shape,
    distributions,
    exponentials,
    one_array,
    two_classes,
)
from otel_ml.describe.soundness import Outline, is_array
from otel_ml.describe.tensors import known_shape, plain_array, type_name
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._hugging_face import class_names, hub_metadata
from otel_ml.instrumentors._identity import Metadata, identify, stored_at
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded, file_of
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["Module", "TorchInstrumentor"]

# Where torch keeps layers and losses: parts of models, which are models where they are registered.
_LAYERS: Final = (
    "torch.nn.modules.",
    "torch.nn.utils.",  # of layers whose weights are worked out: the layer, and what works them out
    "torch.nn.quantized.",
    "torch.nn.intrinsic.",
    "torch.ao.",
)
_QUANTISED: Final = ".quantized."
# What stands in front of a model, and where it holds that.
_IN_FRONT: Final = {
    "AveragedModel": "module",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
}
# Where versions keep which files their compiler passes over.
_RULES: Final = ("torch._dynamo.trace_rules", "torch._dynamo.skipfiles")
_DEEPEST: Final = 16  # containers in containers
_MOST_VALUES: Final = 64  # of a container, in search of a tensor: longer ones hold numbers or texts
_TABLE_AXES: Final = 2
_ONE_EACH: Final = {(), (1,)}  # shapes of what there is of each sample
_NOT_TOLD: Final[Facts] = {}
_DISTRIBUTIONS: Final = frozenset({Answer.PROBABILITIES, Answer.LOGARITHMS})

_Convert = Callable[[Any], Any]
_Reading = tuple[Answer, _Convert]

# Where the wrappers on torch's classes find us.
hooks: Final = Hooks()


class TorchInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call of a module that is not a part of training.

    A call trains where gradients are recorded and the module is in training mode, or an input wants
    its own gradient. Building a graph of a module (compiling, tracing, exporting it) is no call of
    it. A layer or a loss of torch's own is no model, unless it is registered as one. No device is
    ever waited for, and nothing is copied from it.
    """

    framework = FRAMEWORKS["torch"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a module, tells of itself."""
        return Module(settings, model, is_part)

    def cover(self, coverage: Coverage) -> None:
        """Wrap the one call of all modules, and see when one goes to another device or type."""

        def cover_modules(module: ModuleType) -> None:
            coverage.observe(module.Module, "__call__")
            coverage.guard(module.Module, "_apply", trains=True)
            wrapper = module.Module.__call__
            # What is compiled calls the original, so that none of our code is in its graph.
            wrapper._torchdynamo_inline = wrapper.__wrapped__  # noqa: SLF001 - there is no public place

        def cover_compiling(rules: ModuleType) -> None:
            _pass_over(getattr(rules, "add", str))

        def cover_symbolic_tracing(tracing: ModuleType) -> None:
            coverage.guard(tracing.Tracer, "trace")

        def cover_tracing(tracing: ModuleType) -> None:
            # It calls the module once more, to compare, when nothing tells of tracing any more.
            coverage.guard(tracing, "trace", "trace_module", "_trace_impl")

        def cover_exporting(module: ModuleType) -> None:
            # Earlier versions call the module once before anything tells of it.
            coverage.guard(module, "export")

        def cover_loading(module: ModuleType) -> None:
            coverage.load(module, "load")

        def cover_programs(module: ModuleType) -> None:
            coverage.load(module.ExportedProgram, "module")

        for place in ("torch", "torch.jit", "torch.export"):
            coverage.when_imported(place, cover_loading)
        coverage.when_imported("torch.export", cover_exporting)
        coverage.when_imported("torch.export.exported_program", cover_programs)
        coverage.when_imported("torch.nn.modules.module", cover_modules)
        for place in _RULES:
            coverage.when_imported(place, cover_compiling)
        coverage.when_imported("torch.fx._symbolic_trace", cover_symbolic_tracing)
        coverage.when_imported("torch.jit._trace", cover_tracing)
        coverage.when_imported("torch.jit", cover_tracing)

    def loaded(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Loaded | None:
        """
        Return the module or exported program that was read.

        Weights alone, and whatever else a file holds, are no model; nor is a program's module a
        second one: it is called as the program is.
        """
        if name == "module":
            _hand_on(args[0], result)
            return None
        file = file_of(args[0] if args else kwargs.get("f"))
        if isinstance(result, sys.modules["torch"].nn.Module):
            return Loaded(result, file)
        export = sys.modules.get("torch.export")
        if export is None or not isinstance(result, export.ExportedProgram):
            return None
        # What is called are its modules, and most users let go of the program at once.
        return Loaded(result, file, weights=next(iter(result.state_dict.values()), None))

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return the observer's `observe` for calls that are inferences."""
        observe, guard = observer.observe, observer.guard

        def observe_module(
            original: Callable[..., Any],
            _method: str,
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
        ) -> Any:
            try:
                is_silent = not args or _is_silent(args[0])
                is_training = not is_silent and _trains(args, kwargs)
            except Exception:  # noqa: BLE001 - of something half made, about which the call will tell
                return original(*args, **kwargs)
            if is_silent:
                return original(*args, **kwargs)
            if is_training:
                return guard(original, False, args, kwargs)  # noqa: FBT003 - as wrappers call it
            if type(args[0]).__name__ == "OptimizedModule":
                original = partial(_quiet, guard, original)
            return observe(original, "forward", args, kwargs)

        return observe_module


@cache
def _pass_over(add: Callable[[str], Any]) -> None:
    """
    Let the compiler pass over our frames, as it does over those of torch's own calls of modules.

    Else it compiles every module from its wrapper on: all share that one's code, and with it the few
    compilations that are allowed of one.
    """
    add("otel_ml")


def _quiet(
    guard: Callable[..., Any], original: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Call a compiled module: its parts are compiled with it, and nothing of ours is to be in there."""
    return guard(original, False, args, kwargs)  # noqa: FBT003 - as wrappers call it


def _hand_on(program: Any, module: Any) -> None:
    """Let *module*, made from an exported *program*, be known as that is."""
    source, said = sources.get(program), registrations.get(program)
    if source is not None:
        sources.remember(module, source)
    if said is not None:
        registrations.remember(module, said)


def _is_silent(model: Any) -> bool:
    """Whether calling *model* is no use of a model."""
    kind = type(model)
    if kind.__module__.startswith(_LAYERS) and kind.__name__ != "Sequential":
        return registrations.get(model) is None
    torch = sys.modules["torch"]
    is_compiling = getattr(torch.compiler, "is_compiling", bool)  # the oldest ones cannot tell
    if is_compiling() or torch.jit.is_tracing():
        return True
    # A replica answers for a part of a batch, in a thread that does not know who called.
    return "_is_replica" in model.__dict__


def _trains(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if not sys.modules["torch"].is_grad_enabled():
        return False
    given = (*args[1:], *kwargs.values()) if kwargs else args[1:]
    if any(getattr(value, "requires_grad", False) for value in given):
        return True
    model = _behind(args[0])
    # An exported graph is in no mode, what would change it is taken from it; a frozen script has none.
    return bool(getattr(model, "training", False)) and "train" not in model.__dict__


def _behind(model: Any) -> Any:
    """Return the model that *model* stands in front of: compiled, or on several devices."""
    for _ in range(_DEEPEST):
        place = _IN_FRONT.get(type(model).__name__)
        if place is None or not type(model).__module__.startswith("torch."):
            break
        model = model._modules[place]  # noqa: SLF001 - attributes of the outer one may be the inner one's
    return model


class Module:
    """
    What is read of a module once, until one goes to another device or type.

    What its outputs mean is known where it ends in a softmax or a sigmoid, where its task is
    registered, or where its configuration tells the problem; else their shape is told.
    """

    def __init__(self, settings: Settings, module: Any, is_part: bool) -> None:
        model = _behind(module)
        said = registrations.get(module) or registrations.get(model) or Registration()
        config = getattr(model, "config", None)
        task = said.task or _problem(config)
        self._answer, self._convert = _reading(model, task)
        self.reads_values = self._answer is not Answer.UNKNOWN
        self._has_confidences = self._answer in _DISTRIBUTIONS
        self.distributions: dict[str, _Convert] = {}
        if self._has_confidences:
            self.distributions["forward"] = self._probabilities
        self._answers = Answers(settings, said.class_names or class_names(config))
        self.feature_names = said.feature_names
        self.model = identify(
            model,
            settings,
            Framework(MlFrameworkNameValues.PYTORCH.value, str(sys.modules["torch"].__version__)),
            task,
            _metadata(model, config),
            said=said,
            is_part=is_part,
        )

    def operation(self, _method: str) -> str:
        """Return `predict`, whatever the module is made for."""
        return MlOperationNameValues.PREDICT.value

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """
        Return the first tensor: columns are features where it holds floating numbers in two axes.

        Of a tensor with fewer axes, or in a list or tuple, nobody knows whether it is one sample.
        """
        given = (*args, *kwargs.values()) if kwargs else args
        tensor = _first_tensor(given)
        if tensor is None:
            return Table(None)
        table, axes = read_table(tensor), tensor.dim()
        is_by_itself = tensor is given[0] or _is_by_itself(tensor, given)
        if axes != _TABLE_AXES or not tensor.dtype.is_floating_point or not is_by_itself:
            table.columns, table.tensor_shape = None, known_shape(tensor)
        if axes < _TABLE_AXES or not is_by_itself:
            table.rows = None
        return table

    def matters_unsampled(self, _method: str) -> bool:
        """Whether the outputs are known to be probabilities."""
        return self._has_confidences

    def outputs(self, _method: str, output: Any, captured: Captured) -> Facts:
        """Return class and confidence, or numbers, where they are known to be that; else the shape."""
        is_copied = is_array(output) or isinstance(output, Outline)
        tensor = output if is_copied else _first_tensor((output,))
        if tensor is None:
            return _NOT_TOLD
        array = None
        if self.reads_values:
            array = output if is_copied else plain_array(tensor)
        if array is None:
            return describe_shape(tensor)
        converted = self._converted(array)
        if converted is None:
            return describe_shape(tensor)
        return self._answers.describe(self._answer, converted, captured)

    def _probabilities(self, output: Any) -> Any:
        """Return the probabilities in *output*; None where it is not one array of some."""
        converted = None if one_array(output) is None else self._converted(output)
        return exponentials(converted) if self._answer is Answer.LOGARITHMS else converted

    def _converted(self, array: Any) -> Any:
        is_row = array.ndim == 1 < array.size and self._convert is not _logistic
        if is_row and self._has_confidences:
            array = array.reshape(1, -1)  # of the one sample that it was asked about
        return self._convert(array)


def _first_tensor(values: Any, depth: int = 2) -> Any:
    """Return the first tensor in *values*, or in what they hold; of answers by name the logits."""
    tensor = sys.modules["torch"].Tensor
    for value in islice(values, _MOST_VALUES):
        if isinstance(value, tensor):
            return value
        inner = value
        if isinstance(value, Mapping):
            inner = (value["logits"],) if "logits" in value else value.values()
        elif not isinstance(value, (list, tuple)):
            continue
        found = _first_tensor(inner, depth - 1) if depth else None
        if found is not None:
            return found
    return None


def _is_by_itself(tensor: Any, given: tuple[Any, ...]) -> bool:
    """Whether *tensor* is one of what was *given*, or has a name there, and is in no list."""
    return any(
        value is tensor
        for each in given
        for value in islice(each.values() if isinstance(each, Mapping) else (each,), _MOST_VALUES)
    )


def _problem(config: Any) -> MlTaskTypeValues | None:
    """Return the task that the configuration of a model of Hugging Face's tells."""
    problem = getattr(config, "problem_type", None)
    if problem == "regression":
        return MlTaskTypeValues.REGRESSION
    if problem == "multi_label_classification":
        return MlTaskTypeValues.MULTILABEL_CLASSIFICATION
    if problem != "single_label_classification":
        return None
    is_binary = getattr(config, "num_labels", None) == 2  # noqa: PLR2004 - as the word says
    return (
        MlTaskTypeValues.BINARY_CLASSIFICATION
        if is_binary
        else MlTaskTypeValues.MULTICLASS_CLASSIFICATION
    )


def _reading(model: Any, task: MlTaskTypeValues | None) -> _Reading:
    """Return what the outputs hold, and how an array of them becomes that."""
    binary, several = (
        MlTaskTypeValues.BINARY_CLASSIFICATION,
        MlTaskTypeValues.MULTICLASS_CLASSIFICATION,
    )
    last = _last_layer(model)
    if last == "Softmax" and task in {None, binary, several}:
        return Answer.PROBABILITIES, _same
    if last == "LogSoftmax" and task in {None, binary, several}:
        return Answer.LOGARITHMS, _same
    if last == "Sigmoid" and task in {None, binary}:
        return Answer.PROBABILITIES, _logistic
    if task in {binary, several}:
        return Answer.PROBABILITIES, distributions
    if task in {MlTaskTypeValues.REGRESSION, MlTaskTypeValues.FORECASTING}:
        return Answer.NUMBERS, _same
    return Answer.UNKNOWN, _same


def _logistic(array: Any) -> Any:
    """Return the probabilities of both classes; None of several labels, of which each is by itself."""
    return two_classes(array) if array.shape[1:] in _ONE_EACH else None


def _same(array: Any) -> Any:
    return array


def _last_layer(model: Any) -> str:
    """Return the class of the last layer of a sequence of layers, of anything else its own class."""
    for _ in range(_DEEPEST):
        if not _is_sequence(model) or not model._modules:  # noqa: SLF001 - `children` names each once
            break
        *_, model = model._modules.values()  # noqa: SLF001 - same
    return _class_name(model)


def _is_sequence(model: Any) -> bool:
    """Whether *model* does nothing but call its layers one after the other."""
    sequence = sys.modules["torch"].nn.Sequential
    own = getattr(type(model), "forward", None)
    return own is sequence.forward or _class_name(model) == sequence.__name__


def _class_name(model: Any) -> str:
    """Return the name of the class, of a script that of the class it was made from."""
    kind = type(model)
    if kind.__module__.startswith("torch.jit."):
        return str(getattr(model, "original_name", kind.__name__))
    return kind.__name__


def _metadata(model: Any, config: Any) -> Metadata:
    known = Metadata() if config is None else hub_metadata(config)
    name = known.name or stored_at(sources.get(model) or "").name or _class_name(model)
    return Metadata(name, known.version, _facts(model))


def _facts(model: Any) -> dict[str, str]:
    """Return device and precision, by what is quantised, else by the first of the weights."""
    weight = _quantised_weight(model)
    if weight is None:
        weight = next(iter(model.parameters()), None)
    if weight is None:
        return {}
    return {
        keys.ML_DEVICE_NAME: str(weight.device),
        keys.ML_MODEL_PRECISION: type_name(weight.dtype),
    }


def _quantised_weight(model: Any) -> Any:
    for part in getattr(model, "modules", tuple)():  # an exported program has none
        weight = getattr(part, "weight", None) if _QUANTISED in type(part).__module__ else None
        if callable(weight):  # it is packed, and given as a tensor when asked for
            return weight()
    return None
