"""Where profiles come from: files, which may change, and the registry of MLflow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.file_stamp import FileStamp, file_stamp
from otel_ml_processor.profile import Profile
from otel_ml_processor.profile_file import read_profile, write_profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ARTIFACT", "ProfileSources", "is_of_mlflow", "log_profile", "profile_of_mlflow"]

ARTIFACT: Final = "otel_ml/profile.json"
"""Where in a run of MLflow the profile of its model is."""
_SCHEME: Final = "models:/"
Named = tuple[str, Profile]


class ProfileSources:
    """
    The profiles that *names* say: paths relative to *folder*, or models in the registry of MLflow.

    *of_tenants* are the names of those that are for one tenant only.
    """

    def __init__(
        self,
        names: Sequence[str],
        folder: Path,
        of_tenants: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._names = tuple(names)
        self._of_tenants = of_tenants
        all_names = [*names, *(name for own in of_tenants.values() for name in own)]
        self._paths = [folder / name for name in all_names if not is_of_mlflow(name)]
        self._folder = folder
        self._read: list[FileStamp | None] = []

    def read(self) -> list[tuple[str, Profile]]:
        """
        Return every profile that is for all tenants, with what it is called.

        Raises:
            ProfileError: If one cannot be used.
        """
        return self.read_all()[0]

    def read_all(self) -> tuple[list[Named], dict[str, list[Named]]]:
        """
        Return every profile with what it is called: those that are for all tenants, and those of each.

        Raises:
            ProfileError: If one cannot be used.
        """
        self._read = self._stamps()
        of_tenants = {t: [*map(self._one, names)] for t, names in self._of_tenants.items()}
        return [self._one(name) for name in self._names], of_tenants

    def have_changed(self) -> bool:
        """Return whether a file is another one than when it was read; a registry is not asked."""
        return self._stamps() != self._read

    def _one(self, name: str) -> tuple[str, Profile]:
        if is_of_mlflow(name):
            return name, profile_of_mlflow(name)
        path = self._folder / name
        return str(path), read_profile(path)

    def _stamps(self) -> list[FileStamp | None]:
        return [*map(file_stamp, self._paths)]


def is_of_mlflow(name: str) -> bool:
    """Whether *name* is a model in a registry of MLflow: `models:/name/version` or `models:/name@alias`."""
    return name.startswith(_SCHEME)


def profile_of_mlflow(model: str) -> Profile:
    """
    Return the profile that was logged in the run of a registered *model*, with `log_profile`.

    Which server is asked says MLflow's own configuration (`MLFLOW_TRACKING_URI`, `MLFLOW_REGISTRY_URI`).

    Raises:
        ProfileError: If MLflow is missing, there is no such model, its run has no profile, or it cannot be used.
    """
    mlflow = _mlflow(model)
    with tempfile.TemporaryDirectory() as folder:
        try:
            source = f"runs:/{_run_id(mlflow, model)}/{ARTIFACT}"
            path = mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=folder)
        except Exception as error:  # noqa: BLE001 - whatever a server or its client raises, the operator can mend it
            message = (
                f"{model}: cannot get the profile from MLflow: {_first_line(error)}; "
                "log it with `otel-ml profile log`"
            )
            raise ProfileError(message) from None
        try:
            return read_profile(Path(path))
        except ProfileError as error:
            raise ProfileError(f"{model}: {str(error).partition(': ')[2]}") from None


def log_profile(profile: Profile, *, run_id: str = "", model: str = "") -> str:
    """
    Log *profile* as artifact `otel_ml/profile.json` of a run of MLflow, and return the run's id.

    Args:
        profile: What is logged, in place of a profile that the run has.
        run_id: The run; or, instead,
        model: A model in the registry, whose run it is: `models:/name/version` or `models:/name@alias`.

    Raises:
        ProfileError: If MLflow is missing, there is no such run or model, or the server refuses.
    """
    mlflow = _mlflow(model or run_id)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(ARTIFACT).name
        write_profile(profile, path)
        try:
            run = run_id or _run_id(mlflow, model)
            mlflow.MlflowClient().log_artifact(run, str(path), str(Path(ARTIFACT).parent))
        except Exception as error:  # noqa: BLE001 - as above
            message = f"{model or run_id}: cannot log the profile: {_first_line(error)}"
            raise ProfileError(message) from None
    return run


def _run_id(mlflow: Any, model: str) -> str:
    """Return the run that a registered model comes from."""
    client = mlflow.MlflowClient()
    said = model.removeprefix(_SCHEME)
    name, separator, alias = said.rpartition("@")
    if separator:
        found = client.get_model_version_by_alias(name, alias)
    else:
        name, _, version = said.rpartition("/")
        if not name or not version:
            raise ValueError("expected models:/name/version or models:/name@alias")
        found = client.get_model_version(name, version)
    if not found.run_id:
        raise ValueError("the model was not registered from a run")
    return str(found.run_id)


def _mlflow(what: str) -> Any:
    try:
        import mlflow
    except ImportError:
        raise ProfileError(
            f"{what}: MLflow is not installed here; install `mlflow-skinny`, or use the profile's file"
        ) from None
    return mlflow


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
