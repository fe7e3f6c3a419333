"""
A loan is decided by three models behind a queue, and the whole decision is one trace.

`python decide.py` asks for two loans. An application is put on a queue; a worker takes it and asks one model whether it is a fraud,
one how likely the loan is paid back, and one what interest it needs. The message carries the trace context, as messages of Kafka,
RabbitMQ or Celery do with their own instrumentation: three lines here, because a `queue.Queue` has none.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from opentelemetry import context, propagate, trace
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LinearRegression

import otel_ml

if TYPE_CHECKING:
    from numpy.typing import NDArray

tracer = trace.get_tracer("loan")
FEATURES = ("income", "debt", "age", "amount")


@dataclass
class Application:
    """What somebody says when they ask for a loan."""

    income: float
    debt: float
    age: float
    amount: float

    def row(self) -> NDArray[np.float64]:
        """Return the features, as one sample."""
        return np.array([list(asdict(self).values())])


class Models:
    """The three models, trained on applications of the past."""

    PAYS = 0.5
    """How likely a loan must be paid back."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        past = np.column_stack(
            [
                rng.normal(50_000, 15_000, 500),
                rng.gamma(2, 5_000, 500),
                rng.integers(20, 70, 500),
                rng.gamma(3, 4_000, 500),
            ]
        )
        paid_back = past[:, 0] - past[:, 1] - past[:, 3] + rng.normal(0, 8_000, 500) > 15_000
        self.fraud = IsolationForest(n_estimators=25, contamination=0.01, random_state=0).fit(past)
        self.credit = GradientBoostingClassifier(n_estimators=25, random_state=0)
        self.credit.fit(past, np.where(paid_back, "pays", "defaults"))
        self.interest = LinearRegression().fit(past, 3 + past[:, 3] / 10_000)
        self.means = past.mean(axis=0)
        for name in ("fraud", "credit", "interest"):
            model = getattr(self, name)
            otel_ml.register_model(model, name=f"loan-{name}", version="4", feature_names=FEATURES)

    def what_matters(self, row: NDArray[np.float64]) -> dict[str, float]:
        """Return by how much the chance of being paid back would fall if a feature were as it usually is."""
        usual = np.tile(row, (len(FEATURES), 1))
        np.fill_diagonal(usual, self.means)
        pays = self.credit.predict_proba(np.vstack([row, usual]))[:, 1]
        return dict(zip(FEATURES, (pays[0] - pays[1:]).tolist(), strict=True))


def decide(models: Models, application: Application) -> dict[str, Any]:
    """Return the decision on *application*: refused as a fraud, refused, or granted at an interest."""
    with tracer.start_as_current_span("decide"):
        row = application.row()
        if models.fraud.predict(row)[0] == -1:
            return {"granted": False, "because": "unlike any application before"}
        # Of its classes, "defaults" and "pays".
        pays = float(models.credit.predict_proba(row)[0, 1])
        with otel_ml.explanation("loan-credit", version="4", target="pays") as found:
            found.record(models.what_matters(row))
        if pays < models.PAYS:
            return {"granted": False, "because": "it would not be paid back"}
        return {"granted": True, "interest": round(float(models.interest.predict(row)[0]), 2)}


def work(models: Models, waiting: queue.Queue[Any]) -> None:
    """Decide what waits, each message in the trace it came from, until None comes."""
    while (message := waiting.get()) is not None:
        token = context.attach(propagate.extract(message["headers"]))
        try:
            decision = decide(models, Application(**message["application"]))
        finally:
            context.detach(token)
        message["answer"].put(decision)


def ask(waiting: queue.Queue[Any], application: Application) -> dict[str, Any]:
    """Put *application* on the queue and wait for the decision."""
    with tracer.start_as_current_span("loan application"):
        headers: dict[str, str] = {}
        propagate.inject(headers)
        answer: queue.Queue[dict[str, Any]] = queue.Queue()
        waiting.put({"headers": headers, "application": asdict(application), "answer": answer})
        return answer.get()


def main() -> None:
    """Ask for a loan that is granted, and for one that nobody like this has ever asked for."""
    waiting: queue.Queue[Any] = queue.Queue()
    worker = threading.Thread(target=work, args=(Models(), waiting))
    worker.start()
    for application in (
        Application(income=80_000, debt=2_000, age=41, amount=9_000),
        Application(income=1_000_000, debt=900_000, age=19, amount=500_000),
    ):
        sys.stdout.write(json.dumps(ask(waiting, application)) + "\n")
    waiting.put(None)
    worker.join()


if __name__ == "__main__":
    main()
