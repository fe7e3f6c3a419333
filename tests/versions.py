"""
Runs the instrumentors' tests with other versions of the frameworks than those that `make test` installs.

    python tests/versions.py            # every row
    python tests/versions.py 2024       # one of them

Each row is an environment of its own in build/versions, made by `uv`: what could be had at that time, together.
The oldest versions that are promised are the dependency group `oldest`, the latest are what `make test` runs.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
BIN: Final = ROOT / ".venv" / "bin"
TESTS: Final = "tests/unit/otel_ml/instrumentors"
AROUND: Final = (
    "cloudpickle>=3,<4",
    "hypothesis>=6.100,<7",
    "polars>=1,<3",
    "psutil>=6,<8",
    "pytest>=8.3,<10",
    "pytest-randomly>=3.16,<6",
    "pytest-timeout>=2.3,<3",
)


class Row(NamedTuple):
    """
    What is installed together.

    Attributes:
        frameworks: What a user has.
        opentelemetry: Version of its API and SDK, and of its instrumentation.
        without: Tests that need what came later.
    """

    frameworks: tuple[str, ...]
    opentelemetry: tuple[str, str]
    without: tuple[str, ...] = ()

    def requirements(self) -> tuple[str, ...]:
        """Return everything that the row's environment needs beside otel-ml itself."""
        api, instrumentation = self.opentelemetry
        return (
            *AROUND,
            *self.frameworks,
            f"opentelemetry-api=={api}",
            f"opentelemetry-exporter-otlp-proto-common=={api}",
            f"opentelemetry-instrumentation=={instrumentation}",
            f"opentelemetry-sdk=={api}",
        )


ROWS: Final = {
    "2024": Row(
        (
            "catboost==1.2.5",
            "lightgbm==4.3.0",
            "numpy==1.26.4",
            "onnx==1.16.1",
            "onnxruntime==1.18.0",
            "pandas==2.2.2",
            "scikit-learn==1.5.2",
            "xgboost-cpu==2.1.4",
        ),
        ("1.34.1", "0.55b1"),
        without=("test_every_estimator.py",),  # scikit-learn makes one of each since 1.6
    ),
    "2025": Row(
        (
            "catboost==1.2.8",
            "lightgbm==4.6.0",
            "numpy==2.2.6",
            "onnx==1.18.0",
            "onnxruntime==1.22.1",
            "pandas==2.3.3",
            "scikit-learn==1.7.2",
            "xgboost-cpu==3.0.5",
        ),
        ("1.38.0", "0.59b0"),
    ),
}


def main(names: list[str]) -> int:
    """Run the rows *names*, all of them by default; return the first exit code that is not 0."""
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        sys.stderr.write(f"unknown row {unknown[0]!r}; known: {', '.join(ROWS)}\n")
        return 2
    return next(filter(None, (run(name) for name in names or ROWS)), 0)


def run(name: str) -> int:
    """Make the environment of row *name* and run the tests in it; return their exit code."""
    python = ROOT / "build" / "versions" / name / "bin" / "python"
    folder, uv = python.parents[1], BIN / "uv"
    make = [uv, "venv", "--quiet", "--allow-existing", "--python", BIN / "python", folder]
    fill = [uv, "pip", "install", "--quiet", "--python", python, "-e", ROOT]
    # A framework of that time warns of what its dependencies have given up since.
    test = [python, "-m", "pytest", "-p", "no:cacheprovider", "-o", "filterwarnings=default", TESTS]
    left_out = [f"--ignore={TESTS}/{file}" for file in ROWS[name].without]
    sys.stdout.write(f"== {name}\n")
    sys.stdout.flush()
    for command in (make, [*fill, *ROWS[name].requirements()], [*test, *left_out]):
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
