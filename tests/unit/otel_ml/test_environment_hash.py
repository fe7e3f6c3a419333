"""The fingerprint of what is installed, and the resource that bears it."""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource

from otel_ml.environment import environment_hash, fingerprint, installed_packages
from otel_ml.resource_detector import EnvironmentDetector
from tests.data.programs import run

PACKAGES = {"numpy": "2.3.1", "scikit-learn": "1.9.1"}


def install(folder: Path, directory: str, text: str, file: str = "METADATA") -> None:
    """Make a distribution in *folder* whose metadata is *text*."""
    (folder / directory).mkdir(parents=True)
    (folder / directory / file).write_text(text, encoding="utf-8")


@pytest.fixture(name="site")
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one folder that packages are found in."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def test_the_same_software_has_the_same_fingerprint() -> None:
    """Whatever order packages are found in; 64 bits in hexadecimal."""
    one = fingerprint("cpython 3.11.4", "linux-x86_64", PACKAGES)
    other = fingerprint("cpython 3.11.4", "linux-x86_64", dict(reversed(PACKAGES.items())))
    assert one == other
    assert len(bytes.fromhex(one)) == 8


def test_any_difference_is_another_fingerprint() -> None:
    """Python, platform, a version, a package more or less."""
    different = {
        fingerprint("cpython 3.11.4", "linux-x86_64", PACKAGES),
        fingerprint("cpython 3.11.5", "linux-x86_64", PACKAGES),
        fingerprint("cpython 3.11.4", "linux-aarch64", PACKAGES),
        fingerprint("cpython 3.11.4", "linux-x86_64", {**PACKAGES, "numpy": "2.3.2"}),
        fingerprint("cpython 3.11.4", "linux-x86_64", {"numpy": "2.3.1"}),
        fingerprint("cpython 3.11.4", "linux-x86_64", {}),
    }
    assert len(different) == 6


def test_every_installed_package_is_in_it() -> None:
    """As the standard library reads their metadata, the slow way."""
    expected = {
        re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found.version
        for found in reversed(list(distributions()))
    }
    assert installed_packages() == expected


def test_it_is_equal_in_another_process() -> None:
    """With another seed of hashes, and a path in another order; nothing else is imported for it."""
    program = (
        "import sys; from otel_ml.environment import environment_hash; print(environment_hash());"
        "print(sorted({'numpy', 'sklearn', 'opentelemetry', 'email'} & set(sys.modules)))"
    )
    done = run(program, environment={"PYTHONHASHSEED": "7"})
    found, imported = done.stdout.split("\n")[:2]
    assert found == environment_hash()
    assert "numpy" not in imported
    assert "sklearn" not in imported


def test_names_are_normalised(site: Path) -> None:
    """`Foo.Bar_baz`, `foo-bar-baz` and `FOO__bar-baz` are one package."""
    install(site, "a-1.dist-info", "Metadata-Version: 2.1\nName: Foo.Bar_baz\nVersion: 1\n\n")
    install(site, "b-1.egg-info", "Name: x_Y\nVersion: 2\n", "PKG-INFO")
    assert installed_packages() == {"foo-bar-baz": "1", "x-y": "2"}


def test_a_description_is_not_taken_for_a_header(site: Path) -> None:
    """Whatever a package writes about itself."""
    install(site, "a-1.dist-info", "Name: a\nVersion: 1\n\nName: b\nVersion: 9\n")
    assert installed_packages() == {"a": "1"}
    install(site, "c-1.dist-info", "Summary: nothing\n\nName: c\nVersion: 9\n")
    assert installed_packages() == {"a": "1"}


def test_of_a_package_that_is_there_twice_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one that Python imports."""
    for folder, version in (("one", "1"), ("two", "2")):
        install(tmp_path / folder, "a-1.dist-info", f"Name: a\nVersion: {version}\n")
    for order, expected in ((("one", "two"), "1"), (("two", "one"), "2")):
        monkeypatch.setattr(sys, "path", [str(tmp_path / folder) for folder in order])
        assert installed_packages() == {"a": expected}


def test_a_broken_installation_is_left_out(site: Path) -> None:
    """No metadata, metadata that is no text, a folder in its place: a service starts all the same."""
    install(site, "good-1.dist-info", "Name: good\nVersion: 1\n")
    install(site, "empty-1.dist-info", "")
    (site / "none-1.dist-info").mkdir()
    (site / "binary-1.dist-info").mkdir()
    (site / "binary-1.dist-info" / "METADATA").write_bytes(b"Name: binary\nVersion: \xff\xfe\n")
    (site / "folder-1.dist-info" / "METADATA").mkdir(parents=True)
    assert installed_packages() == {"good": "1"}


def test_the_resource_tells_the_environment_and_has_no_schema_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A resource with a schema URL of its own would drop another one when they are merged."""
    monkeypatch.delenv("OTEL_ML_MODEL_NAME", raising=False)
    found = EnvironmentDetector().detect()
    assert dict(found.attributes) == {"ml.environment.hash": environment_hash()}
    assert found.schema_url == ""
    theirs = Resource({"service.name": "x"}, "https://opentelemetry.io/schemas/1.44.0")
    assert dict(theirs.merge(found).attributes) == {"service.name": "x", **found.attributes}


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("churn", "3", {"ml.model.name": "churn", "ml.model.version": "3"}),
        (" churn ", " ", {"ml.model.name": "churn"}),
        ("", "3", {}),
        (" ", "", {}),
    ],
)
def test_the_resource_tells_the_model_of_a_process_that_serves_one(
    name: str, version: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so by its name; a version alone is no model."""
    monkeypatch.setenv("OTEL_ML_MODEL_NAME", name)
    monkeypatch.setenv("OTEL_ML_MODEL_VERSION", version)
    attributes = dict(EnvironmentDetector().detect().attributes)
    del attributes["ml.environment.hash"]
    assert attributes == expected


def test_the_sdk_finds_it_by_its_name() -> None:
    """`OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=otel,ml_environment` is all that is needed."""
    program = (
        "from opentelemetry.sdk.resources import Resource; print(*Resource.create().attributes)"
    )
    for detectors, is_there in (("otel,ml_environment", True), ("otel", False)):
        done = run(program, environment={"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": detectors})
        assert ("ml.environment.hash" in done.stdout.split()) is is_there
