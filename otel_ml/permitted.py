"""What the settings let leave of the inputs of a call, however the call is told."""

from otel_ml.describe.input_hash import InputHash
from otel_ml.describe.samples import ContentPolicy
from otel_ml.settings import Settings

__all__ = ["content_policy", "input_hash"]


def content_policy(settings: Settings) -> ContentPolicy:
    """Return which feature values may leave where content is asked for at all."""
    return ContentPolicy(
        settings.capture_max_rows,
        settings.capture_max_features,
        settings.capture_max_bytes,
        settings.feature_allowlist,
        settings.feature_denylist,
    )


def input_hash(settings: Settings) -> InputHash | None:
    """Return what hashes inputs, None where no hash is asked for."""
    if not settings.capture_input_hash:
        return None
    return InputHash(
        settings.input_hash_key,
        settings.capture_max_rows,
        settings.feature_allowlist,
        settings.feature_denylist,
    )
