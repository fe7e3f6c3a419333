"""With nested calls switched on, the steps of a pipeline and the model inside of it have spans below that of the call."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask for the probabilities of one sample."""
    model = Pipeline([("as_it_is", FunctionTransformer()), ("model", churn_model())])
    with telemetry.sdk(capture_nested=True):
        model.predict_proba(named((1, 5)))


if __name__ == "__main__":
    show(run)
