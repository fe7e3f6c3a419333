"""A pipeline is one model: one span, of the outermost call, and no span of its steps."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from conventions.scenarios.models import churn_model, named
from conventions.scenarios.shown import show
from conventions.scenarios.telemetry import Telemetry


def run(telemetry: Telemetry) -> None:
    """Ask for the probabilities of one sample."""
    model = Pipeline([("as_it_is", FunctionTransformer()), ("model", churn_model())])
    with telemetry.sdk():
        model.predict_proba(named((1, 5)))


if __name__ == "__main__":
    show(run)
