"""Streams that come and go, as the versions of a model do: what the last ones are told does not depend on how many there have been."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.reading import Change, Reading
from otel_ml_processor.commands.replay import Replayed
from otel_ml_processor.config import (
    Config,
    Duration,
    ModelConfig,
    StreamsConfig,
    VerdictConfig,
    WindowConfig,
)
from otel_ml_processor.pipeline import Pipeline
from otel_ml_processor.service import make_pipeline, new_self_metrics
from otel_ml_processor.windows.references import References
from tests.data.state_house import profile
from tests.unit.processor.otlp_requests import inference, request_of

SECOND_NS = 1_000_000_000
ROWS = 400


@dataclass
class Clock:
    """A clock that is put."""

    now_ns: int = 1_700_000_000 * SECOND_NS

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ns


@dataclass
class House:
    """A pipeline with room for one stream at a time, and a model that drifts and is unsure of large amounts."""

    config: Config
    clock: Clock = field(default_factory=Clock)
    kept: Replayed = field(default_factory=Replayed)
    number: int = 0

    def __post_init__(self) -> None:
        """Build the pipeline."""
        references = References.of([("fraud.json", profile())])
        self.pipeline: Pipeline = make_pipeline(
            self.config,
            references,
            Promises.of_config(self.config, references.profiles.values()),
            forward=None,
            emit=self.kept,
            self_metrics=new_self_metrics(),
            clock_ns=self.clock,
        )

    def send(self, version: str) -> tuple[Reading, Change]:
        """Have a window of that version pass, in two requests; return what is told of it."""
        random = np.random.default_rng(4)
        for _ in range(2):
            spans = []
            for _ in range(ROWS // 2):
                self.number += 1
                amount = float(random.normal(1.0))
                spans.append(
                    inference(
                        self.number,
                        end_ns=self.clock.now_ns,
                        version=version,
                        features={"amount": amount},
                        prediction_confidence=0.6 if amount > 1.5 else 0.95,
                    )
                )
            self.pipeline.take(request_of(spans).SerializeToString(), None)
            self.pipeline.tick(self.clock.now_ns)
        return self.kept.readings[-1], self.kept.changes[-1]


def config(low_confidence: float) -> Config:
    """Return a configuration for one stream at a time; what is a low confidence is another thing for the model of these tests."""
    return Config(
        windows=(WindowConfig(name="rows", rows=ROWS),),
        streams=StreamsConfig(max=1, silent=Duration(60)),
        verdicts=VerdictConfig(low_confidence=1.25 - low_confidence),
        models=(ModelConfig(name="fraud", verdicts=VerdictConfig(low_confidence=low_confidence)),),
    )


def test_a_version_that_takes_the_room_of_another_is_told_as_much() -> None:
    """Traces that show the drift, and where the model is unsure: the first of several versions has them, and the last."""
    house = House(config(low_confidence=0.7))
    for version in ("1", "2", "3"):
        reading, change = house.send(version)
        house.clock.now_ns += 61 * SECOND_NS

        assert reading.stream.version == version
        assert change.reading.stream.version == version
        assert len(change.trace_ids) == 5
        assert [pattern.failure for pattern in reading.patterns] == ["low_confidence"]


def test_what_is_low_for_one_model_decides_where_it_is_unsure() -> None:
    """As everywhere else: with a limit of its own below all of its confidences there is nowhere that the model is."""
    reading, _ = House(config(low_confidence=0.55)).send("1")

    assert reading.patterns == ()
