"""Log records that say which trace, span and prediction they are about."""

import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
from opentelemetry import trace

import otel_ml
from otel_ml.testing import capture
from tests.data.programs import run

FORMAT = '{"trace": "%(trace_id)s", "span": "%(span_id)s", "prediction": "%(prediction_id)s"}'


@pytest.fixture(autouse=True)
def _records_as_before() -> Iterator[None]:
    """Put back what handles log records."""
    handle = logging.Logger.handle
    yield
    logging.Logger.handle = handle  # as it was


class Kept(logging.Handler):
    """Keeps what it formats."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self.told: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record*."""
        self.told.append(json.loads(self.format(record)))


def correlated(*, by_filter: bool) -> tuple[Kept, logging.Logger]:
    """Return a logger with a handler that keeps records, told by a filter of that handler, or all records being told."""
    handler, logger = Kept(), logging.getLogger("service")
    if by_filter:
        handler.addFilter(otel_ml.LogCorrelation())
    else:
        otel_ml.correlate_logs()
    logger.addHandler(handler)
    return handler, logger


@pytest.mark.parametrize("by_filter", [True, False])
def test_a_record_says_what_it_is_about(by_filter: bool) -> None:
    """Inside of an inference its ids, by a filter of one handler or for all records."""
    handler, logger = correlated(by_filter=by_filter)
    with capture() as seen:
        with otel_ml.inference("fraud", prediction_id="p7"):
            logger.warning("scored")
        (span,) = seen.spans
    logger.removeHandler(handler)
    assert handler.told == [
        {
            "trace": f"{span.context.trace_id:032x}",
            "span": f"{span.context.span_id:016x}",
            "prediction": "p7",
        }
    ]


def test_a_record_of_nothing_has_empty_ids() -> None:
    """So that a format can always name them; a span without a prediction has its own."""
    record = logging.makeLogRecord({})
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))):
        assert otel_ml.LogCorrelation().filter(record)
    assert (record.trace_id, record.span_id, record.prediction_id) == (
        "0" * 31 + "1",
        "0" * 15 + "2",
        "",
    )
    record = logging.makeLogRecord({})
    assert otel_ml.LogCorrelation().filter(record)
    assert (record.trace_id, record.span_id) == ("", "")


def test_logging_makes_up_no_id() -> None:
    """An id that nobody asked for is not put on the span because somebody logs."""
    with capture() as seen:
        with otel_ml.inference("fraud"):
            otel_ml.LogCorrelation().filter(logging.makeLogRecord({}))
        assert "ml.prediction.id" not in seen.attributes


@pytest.mark.parametrize("within", [True, False])
def test_a_prediction_without_an_id_of_its_own_is_told_by_its_address(within: bool) -> None:
    """A record that is logged during a call, or after it, leads to it: it says the id that whoever asks is given."""
    record = logging.makeLogRecord({})
    with capture() as seen:
        with otel_ml.inference("fraud"):
            if within:
                otel_ml.LogCorrelation().filter(record)
        otel_ml.LogCorrelation().filter(record)
        asked = otel_ml.current_prediction_id()
        (span,) = seen.spans
    place = span.context
    address = f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"
    assert (record.prediction_id, asked) == (address, address)


def test_a_second_call_changes_nothing() -> None:
    """One line may stand in several places."""
    otel_ml.correlate_logs()
    handle = logging.Logger.handle
    otel_ml.correlate_logs()
    assert logging.Logger.handle is handle


@pytest.mark.parametrize("name", ["trace_id", "span_id", "prediction_id"])
@pytest.mark.parametrize("by_filter", [True, False])
def test_what_a_service_says_itself_stays(by_filter: bool, name: str) -> None:
    """A service that logs ids of its own by `extra` logs on, and they are what is written."""
    handler, logger = correlated(by_filter=by_filter)
    with capture(), otel_ml.inference("fraud", prediction_id="p7"):
        logger.warning("scored", extra={name: "its own"})
    logger.removeHandler(handler)
    (told,) = handler.told
    assert told[name.removesuffix("_id")] == "its own"


def test_a_record_that_came_from_another_process_is_told_too() -> None:
    """What a listener receives and hands to a logger can be formatted like any other."""
    handler, logger = Kept(), logging.getLogger("service")
    otel_ml.correlate_logs()
    logger.addHandler(handler)
    afar = {"levelno": logging.ERROR, "msg": "from afar", "trace_id": "theirs"}
    logger.handle(logging.makeLogRecord(afar))
    logger.removeHandler(handler)
    (told,) = handler.told
    assert (told["trace"], told["span"]) == ("theirs", "")


def test_it_can_be_configured_as_a_dictionary() -> None:
    """As logging's own configuration names filters."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"otel_ml": {"()": "otel_ml.LogCorrelation"}},
            "handlers": {"null": {"class": "logging.NullHandler", "filters": ["otel_ml"]}},
        }
    )


def test_one_variable_installs_it() -> None:
    """A program that is instrumented needs no line of its own."""
    program = """
        import logging, otel_ml
        from otel_ml.testing import Capture
        seen = Capture()
        otel_ml.instrument(tracer_provider=seen.tracer_provider)
        logging.basicConfig(format="%(prediction_id)s", level="INFO")
        with otel_ml.inference("fraud", prediction_id="p7"):
            logging.info("scored")
    """
    done = run(program, environment={"OTEL_INSTRUMENTATION_ML_LOG_CORRELATION": "true"})
    assert done.stderr.strip() == "p7"
