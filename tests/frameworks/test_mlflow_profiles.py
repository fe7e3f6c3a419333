"""A profile lives with its model in MLflow: logged with the run, read by the name of the model in the registry."""

from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest

from otel_ml_processor.commands.profile import main
from otel_ml_processor.config_file import load_config
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.profile_sources import log_profile, profile_of_mlflow
from otel_ml_processor.service import load_references
from otel_ml_processor.windows.reference import build_profile

# What MLflow says of the way runs are kept here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep runs and models in a folder of the test's own."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(name="profile")
def a_profile() -> Profile:
    """The profile of a small table."""
    return build_profile(
        {"age": np.arange(100.0)},
        model="churn",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=100),
    )


def registered(name: str) -> str:
    """Return the run of a model that was just registered under *name*, version 1."""
    client = mlflow.MlflowClient()
    run_id: str = client.create_run("0").info.run_id
    client.create_registered_model(name)
    client.create_model_version(name, f"runs:/{run_id}/model", run_id)
    client.set_registered_model_alias(name, "champion", "1")
    return run_id


@pytest.mark.parametrize("by", ["models:/churn/1", "models:/churn@champion"])
def test_a_logged_profile_is_found_by_the_name_of_its_model(profile: Profile, by: str) -> None:
    """By version and by alias; it is an artifact of the run that anybody can download."""
    run_id = registered("churn")

    assert log_profile(profile, model=by) == run_id

    assert profile_of_mlflow(by) == profile
    artifacts = mlflow.MlflowClient().list_artifacts(run_id, "otel_ml")
    assert [artifact.path for artifact in artifacts] == ["otel_ml/profile.json"]


def test_the_processor_takes_its_profile_from_the_registry(
    profile: Profile, tmp_path: Path
) -> None:
    """`profiles: ["models:/churn/1"]` beside files."""
    log_profile(profile, run_id=registered("churn"))

    references = load_references(load_config(None, ["profiles=['models:/churn/1']"]), tmp_path)

    assert list(references.profiles.values()) == [profile]


def test_the_commands_log_and_show_it(
    profile: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`otel-ml profile log`, by run or by model, and `show` by the model's name."""
    run_id = registered("churn")
    write_profile(profile, tmp_path / "p.json")

    assert main(["log", str(tmp_path / "p.json"), "--run-id", run_id]) == 0
    assert f"logged as otel_ml/profile.json of run {run_id}" in capsys.readouterr().out
    assert main(["log", str(tmp_path / "p.json"), "--model", "models:/churn@champion"]) == 0
    capsys.readouterr()

    assert main(["show", "models:/churn/1"]) == 0
    assert profile.id in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("models:/nobody/1", "nobody"),
        ("models:/churn/7", "version"),
        ("models:/churn@nobody", "nobody"),
        ("models:/churn", "expected models:/name/version or models:/name@alias"),
        ("models:/churn/1", "profile.json"),
    ],
)
def test_what_is_not_there_is_one_line(name: str, said: str) -> None:
    """The model, the reason, and how to make one."""
    registered("churn")

    with pytest.raises(ProfileError) as caught:
        profile_of_mlflow(name)

    message = str(caught.value)
    assert message.startswith(f"{name}: cannot get the profile from MLflow: ")
    assert said in message
    assert message.endswith("log it with `otel-ml profile log`")
    assert "\n" not in message


def test_a_run_that_is_not_there_is_one_line(profile: Profile) -> None:
    """Also for logging."""
    with pytest.raises(ProfileError, match=r"^absent: cannot log the profile: .*absent"):
        log_profile(profile, run_id="absent")


def test_an_artifact_that_is_no_profile_is_refused(tmp_path: Path) -> None:
    """It names the model, not a temporary file."""
    run_id = registered("churn")
    (tmp_path / "profile.json").write_text("{}")
    mlflow.MlflowClient().log_artifact(run_id, str(tmp_path / "profile.json"), "otel_ml")

    with pytest.raises(ProfileError, match=r"^models:/churn/1: not a profile of format"):
        profile_of_mlflow("models:/churn/1")
