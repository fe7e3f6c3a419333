"""What is installed: one distribution with three packages, harmless in other people's services."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

from otel_ml import instrumentors
from otel_ml.instrumentors._awaited import AwaitedInstrumentor
from tests.data.programs import run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", name="wheel")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


@pytest.mark.parametrize(
    "name",
    [
        "otel_ml/__init__.py",
        "otel_ml/py.typed",
        "otel_ml_conventions/registry.json",
        "otel_ml_conventions/py.typed",
        "otel_ml_processor/__main__.py",
        "otel_ml_processor/emit/page.html",
        "otel_ml_processor/py.typed",
    ],
)
def test_the_wheel_has_three_packages_with_their_data(wheel: list[str], name: str) -> None:
    """What is in the tree below three folders is side by side once installed."""
    assert name in wheel


def test_the_wheel_has_nothing_else(wheel: list[str]) -> None:
    """No tests, no generator, no examples are put into anybody's site-packages."""
    tops = {name.split("/")[0].split("-")[0] for name in wheel}
    assert tops == {"otel_ml", "otel_ml_conventions", "otel_ml_processor"}


def test_no_extra_has_a_name_that_the_zero_code_loader_takes_for_its_own() -> None:
    """With an extra `instruments`, one missing framework would switch all our instrumentors off."""
    extras = distribution("otel-ml").metadata.get_all("Provides-Extra") or []
    assert not [extra for extra in extras if extra.startswith("instruments")]


def test_the_base_needs_the_api_and_nothing_compiled() -> None:
    """It is injected into other people's processes: pure Python, two dependencies."""
    required = [r for r in distribution("otel-ml").requires or [] if "extra ==" not in r]
    names = sorted(r.split("<")[0].split(">")[0].strip() for r in required)
    assert names == ["opentelemetry-api", "opentelemetry-instrumentation"]


def test_zero_code_finds_every_instrumentor_by_a_name_of_its_own() -> None:
    """Prefixed, because other vendors have entry points called `sklearn` or `transformers`; one for each file of a framework."""
    ours = {
        point.name: point.load()
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.value.startswith("otel_ml.")
    }
    folder = Path(instrumentors.__file__).parent
    frameworks = {path.stem for path in folder.glob("[a-z]*.py")}
    assert set(ours) == {f"ml_{name}" for name in frameworks}
    assert all(issubclass(kind, AwaitedInstrumentor) for kind in ours.values())


@pytest.mark.parametrize("module", ["otel_ml", "otel_ml_conventions"])
def test_importing_the_sdk_brings_nothing_heavy_along(module: str) -> None:
    """No numpy, no grpc, no protobuf, no framework, no SDK."""
    heavy = {"numpy", "grpc", "google.protobuf", "sklearn", "opentelemetry.sdk", "scipy"}
    assert not heavy & imported_with(module)


def test_a_processor_at_rest_has_no_optimizer_in_memory() -> None:
    """24 MiB that only labels need."""
    assert "scipy.optimize" not in imported_with("otel_ml_processor.__main__")


def imported_with(module: str) -> set[str]:
    """Return what is imported where *module* is."""
    return set(run(f"import sys, {module}; print(*sys.modules)").stdout.split())
