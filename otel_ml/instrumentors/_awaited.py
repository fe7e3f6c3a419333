"""
All that is loaded of our instrumentors when a program starts: which frameworks they are for.

The rest of a framework's instrumentor is imported when somebody begins to import the framework.
"""

from collections.abc import Callable
from importlib import import_module
from logging import getLogger
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from otel_ml.in_force import Lease
from otel_ml.instrumentors._imports import imports
from otel_ml.instrumentors._supported import CheckedInstrumentor, SupportedFramework
from otel_ml.instrumentors._wrapping import Hooks, Patches

if TYPE_CHECKING:
    from otel_ml.instrumentors._instrumentor import FrameworkInstrumentor

__all__ = ["FRAMEWORKS", "AwaitedInstrumentor"]

_logger = getLogger("otel_ml")

# Where the wrappers find us that are on functions which load models of a framework not yet imported.
hooks: Final = Hooks()


class _Row(NamedTuple):
    """
    A framework that is instrumented here: as `SupportedFramework`, beside what is done about it.

    Attributes:
        instrumentor: The class that instruments it, in the file that bears the package's name.
        oldest: Oldest version that is supported.
        calls: Which calls become inferences.
        loads: Which calls become spans of loading a model.
        name: What the conventions call it, where that is not the name of the package.
        distributions: What it is installed as, where that is not the name of the package.
        loaders: Modules whose function `load` may be what imports it.
    """

    instrumentor: str
    oldest: str
    calls: str
    loads: str
    name: str = ""
    distributions: tuple[str, ...] = ()
    loaders: tuple[str, ...] = ()

    def framework(self, package: str) -> SupportedFramework:
        """Return what there is to know of the framework that is imported as *package*."""
        name, distributions = self.name or package, self.distributions or (package,)
        return SupportedFramework(name, distributions, self.oldest, self.calls, self.loads)


# By the name of the package that is imported, which is also that of our file.
_ROWS: Final = {
    "catboost": _Row(
        "CatboostInstrumentor",
        oldest="1.2",
        calls="`predict`, `predict_proba`, `predict_log_proba`, `virtual_ensembles_predict`, "
        "and `staged_predict` to its last step, of every model",
        loads="`load_model`",
    ),
    "keras": _Row(
        "KerasInstrumentor",
        oldest="3.0",
        calls="`predict`, `predict_on_batch` and the call itself of every model (eager, not "
        "training)",
        loads="`keras.models.load_model`, `keras.saving.load_model`",
    ),
    "lightgbm": _Row(
        "LightgbmInstrumentor",
        oldest="3.3",
        calls="`Booster.predict`; `predict`, `predict_proba` and `decision_function` of "
        "`LGBMClassifier`, `LGBMRegressor`, `LGBMRanker` and what extends them",
        loads="`Booster(model_file=...)`",
    ),
    "mlflow": _Row(
        "MlflowInstrumentor",
        oldest="2.10",
        calls="`PyFuncModel.predict`, `PyFuncModel.predict_stream` (one, until its last chunk)",
        loads="`mlflow.pyfunc.load_model`",
        distributions=("mlflow", "mlflow-skinny"),
    ),
    "onnxruntime": _Row(
        "OnnxRuntimeInstrumentor",
        oldest="1.16",
        calls="`run`, `run_async`, `run_with_ort_values`, `run_with_iobinding` of every session",
        loads="`InferenceSession(...)`",
        distributions=(
            "onnxruntime",
            "onnxruntime-gpu",
            "onnxruntime-directml",
            "onnxruntime-openvino",
            "onnxruntime-qnn",
        ),
    ),
    "sentence_transformers": _Row(
        "SentenceTransformersInstrumentor",
        oldest="3.0",
        calls="`encode`, `encode_query`, `encode_document`, `encode_multi_process` of every "
        "encoder; `predict`, `rank` of `CrossEncoder`",
        loads="the constructors, of a folder or a name",
        distributions=("sentence-transformers",),
    ),
    "sklearn": _Row(
        "SklearnInstrumentor",
        oldest="1.3",
        calls="`predict`, `predict_proba`, `predict_log_proba`, `decision_function`, "
        "`score_samples` of every estimator",
        loads="`joblib.load`, `pickle.load`, where an estimator or a booster comes of it",
        distributions=("scikit-learn",),
        loaders=("joblib", "pickle"),
    ),
    "tensorflow": _Row(
        "TensorflowInstrumentor",
        oldest="2.13",
        calls="signatures and functions of a model that `tf.saved_model.load` gave",
        loads="`tf.saved_model.load`",
        distributions=(
            "tensorflow",
            "tensorflow-cpu",
            "tensorflow-macos",
            "tensorflow-intel",
            "tensorflow-cpu-aws",
        ),
    ),
    "torch": _Row(
        "TorchInstrumentor",
        oldest="2.1",
        calls="every call of a `torch.nn.Module`, compiled, scripted, traced, exported or "
        "quantised too, except in training",
        loads="`torch.load`, `torch.jit.load`, where a module comes of it; `torch.export.load`",
        name="pytorch",
    ),
    "transformers": _Row(
        "TransformersInstrumentor",
        oldest="4.40",
        calls="every pipeline (a dataset or generator is one, until it is exhausted); "
        "`generate` as `gen_ai.*`, where opted in",
        loads="`pipeline`, `from_pretrained` of every model",
    ),
    "xgboost": _Row(
        "XgboostInstrumentor",
        oldest="1.7",
        calls="`Booster.predict`, `Booster.inplace_predict`; `predict` and `predict_proba` of "
        "`XGBClassifier`, `XGBRegressor`, `XGBRanker` and what extends them",
        loads="`load_model`, `Booster(model_file=...)`",
        distributions=("xgboost", "xgboost-cpu"),
    ),
}
FRAMEWORKS: Final = {package: row.framework(package) for package, row in _ROWS.items()}


class AwaitedInstrumentor(CheckedInstrumentor):
    """
    Stands for the instrumentor of a framework until somebody imports the framework.

    Attributes:
        package: What is imported then, which is also the name of the instrumentor's file.
        instrumentor: Name of the instrumentor's class.
        loaders: Modules whose function `load` may be what imports the framework.
    """

    package: ClassVar[str]
    instrumentor: ClassVar[str]
    loaders: ClassVar[tuple[str, ...]]

    _patches: Patches | None = None
    _instrumentor: "FrameworkInstrumentor | None" = None

    def _begin(self, held: Lease) -> None:  # noqa: ARG002 - it is for when the framework comes
        self._patches = Patches(__name__)
        for module in self.loaders:
            imports.when_imported(module, self._wrap_load)
        imports.before_import(self.package, self._instrument_in_full)

    def _wrap_load(self, module: ModuleType) -> None:
        if self._patches is not None:
            hooks.load = self._load
            self._patches.load(module, "load")

    def _load(
        self, original: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call *original* as the instrumentor does, for what it loads may import the framework."""
        imports.announce(self.package)
        load = None if self._instrumentor is None else self._instrumentor.hooks.load
        return original(*args, **kwargs) if load is None else load(original, name, args, kwargs)

    def _instrument_in_full(self) -> None:
        """Let the instrumentor begin; it never raises, for it runs inside other people's imports."""
        self._leave()
        held = self._lease
        if held is None:
            return
        try:
            self._instrumentor = self._imported()
            self._instrumentor.instrument(
                skip_dep_check=True, settings=held.settings, **held.providers._asdict()
            )
        except Exception:
            _logger.exception("%s is not instrumented", self.framework.name)

    def _imported(self) -> "FrameworkInstrumentor":
        module = import_module(f"{__package__}.{self.package}")
        instrumentor: FrameworkInstrumentor = getattr(module, self.instrumentor)()
        return instrumentor

    def _leave(self) -> None:
        """Await nothing any more."""
        imports.forget(self._wrap_load)
        imports.forget(self._instrument_in_full)
        if self._patches is not None:
            self._patches.undo()
        self._patches = None

    def _end(self) -> None:
        self._leave()
        if self.loaders:
            hooks.clear()
        begun, self._instrumentor = self._instrumentor, None
        if begun is not None and begun.is_instrumented_by_opentelemetry:
            begun.uninstrument()


def _awaited(package: str, row: _Row) -> type[AwaitedInstrumentor]:
    """Return the class by which the loader finds the instrumentor of *package*."""
    facts = {
        "framework": FRAMEWORKS[package],
        "package": package,
        "instrumentor": row.instrumentor,
        "loaders": row.loaders,
        "__module__": __name__,
    }
    return type(row.instrumentor, (AwaitedInstrumentor,), facts)


# What the entry points name, each by its package.
globals().update({package: _awaited(package, row) for package, row in _ROWS.items()})
