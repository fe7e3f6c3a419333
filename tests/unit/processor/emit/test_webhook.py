"""The webhook against real receivers: some take, some refuse, some hang, some lie."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from otel_ml_processor.config import ClientTls, Duration, Secret, WebhookConfig
from otel_ml_processor.emit import webhook as under_test
from otel_ml_processor.emit.events import drift_attributes, warning
from otel_ml_processor.emit.otlp import Identity
from otel_ml_processor.emit.webhook import Webhook, event_body, event_id, key_of
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.self_metrics import SelfMetrics
from tests.unit.processor.emit import sample_readings as samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from otel_ml_processor.assess.reading import Change

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BOUND_S = 60.0
FAILED, DROPPED = "ml.processor.export_failed", "ml.processor.webhooks_dropped"


class Receiver:
    """A real HTTP server; `answers` says what becomes of a request: a status, or how long it hangs (an event)."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        """Listen on a port of this machine; take everything until a test says otherwise."""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: Callable[[dict[str, str], bytes], int | threading.Event] = lambda *_: 204
        self.came = threading.Semaphore(0)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                headers = {key.lower(): value for key, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                receiver.got.append((headers, body))
                answer = receiver.answers(headers, body)
                receiver.came.release()
                if isinstance(answer, threading.Event):
                    answer.wait(BOUND_S)
                    return
                self.send_response(answer)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}/retrain"

    def wait(self, requests: int = 1) -> None:
        """Wait for so many more requests."""
        for _ in range(requests):
            assert self.came.acquire(timeout=BOUND_S), "nothing came"

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    """Give a receiver that is closed afterwards."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again after hundredths of a second instead of seconds."""
    monkeypatch.setattr(under_test, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(under_test, "LONGEST_DELAY_S", 0.05)


class Setup:
    """A webhook with its counters."""

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        """Make it, but do not start it."""
        clock_s = settings.pop("clock_s", None)
        named = settings if "secret_file" in settings else {"secret": Secret(SECRET), **settings}
        self.metrics = SelfMetrics()
        more = {"clock_s": clock_s} if clock_s else {}
        config = WebhookConfig(url=url, **named)
        self.hook = Webhook(config, folder, self.metrics, **more)

    def counted(self, name: str) -> int:
        """Return a counter."""
        return sum(value for found, _, value in self.metrics.snapshot() if found == name)


def change() -> Change:
    """Return a change of two features."""
    found = samples.drifting_reading()
    return samples.change_of(found, samples.TEMP, samples.DEWP)


def test_the_public_library_verifies_what_arrives(receiver: Receiver, tmp_path: Path) -> None:
    """Whoever receives it needs no code of ours: id, time and signature are those of Standard Webhooks."""
    setup = Setup(receiver.url, tmp_path)
    setup.hook.start()
    setup.hook.push("one", b'{"a": "\xc3\xa9"}')
    receiver.wait()
    setup.hook.close(BOUND_S)

    ((headers, body),) = receiver.got
    assert Verifier(SECRET).verify(body, headers) == {"a": "\xe9"}
    assert (headers["webhook-id"], headers["content-type"]) == ("one", "application/json")
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER_SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body, {**headers, "webhook-id": "two"})
    assert (setup.counted(FAILED), setup.counted(DROPPED)) == (0, 0)


def test_the_body_says_what_the_log_record_says() -> None:
    """One event, two ways: attribute by attribute the same."""
    about = drift_attributes(change(), "temp has drifted", effect_floor=0.01)
    body = json.loads(event_body(change().reading.window.end_ns, about))
    request = warning(about, change().reading.window.end_ns, Identity("one", "1"), 1)
    (record,) = (
        ExportLogsServiceRequest.FromString(request).resource_logs[0].scope_logs[0].log_records
    )

    assert body["event_name"] == record.event_name
    assert body["time"] == "2013-03-20T14:00:00Z"  # the end of the window
    assert body["attributes"].keys() == {one.key for one in record.attributes}
    for one in record.attributes:
        kind = one.value.WhichOneof("value")
        value = getattr(one.value, kind or "")
        if kind == "array_value":
            value = [getattr(item, item.WhichOneof("value") or "") for item in value.values]
        assert body["attributes"][one.key] == value


@pytest.mark.parametrize("status", [500, 503, 429, 401, 404, 302])
def test_what_is_not_taken_comes_again_with_the_same_id(
    receiver: Receiver, tmp_path: Path, status: int
) -> None:
    """A receiver that fails twice has the event at the third time, and can tell that it is the same; a redirect is not followed."""
    setup = Setup(receiver.url, tmp_path)
    receiver.answers = lambda *_: status if len(receiver.got) <= 2 else 204
    setup.hook.start()
    setup.hook.push("one", b"{}")
    receiver.wait(3)
    setup.hook.close(BOUND_S)

    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["one"] * 3
    assert {body for _, body in receiver.got} == {b"{}"}
    assert (setup.counted(FAILED), setup.counted(DROPPED)) == (2, 0)


def test_a_receiver_that_hangs_is_left_after_the_timeout_and_asked_again(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody answers the first time; afterwards somebody does. Each time that was too long is counted, and at last the event is delivered."""
    caplog.set_level(logging.INFO, under_test.__name__)
    hangs = threading.Event()
    setup = Setup(receiver.url, tmp_path, timeout=Duration(0.2))
    receiver.answers = lambda *_: hangs if len(receiver.got) == 1 else 204
    setup.hook.start()
    setup.hook.push("one", b"{}")
    # On a busy machine two tenths of a second are too little for one that answers at once, too.
    while "webhook: events are delivered again" not in caplog.messages:
        threading.Event().wait(0.01)
    hangs.set()
    setup.hook.close(BOUND_S)

    assert len(receiver.got) >= 2
    assert (setup.counted(FAILED) >= 1, setup.counted(DROPPED)) == (True, 0)


def test_whoever_hands_an_event_in_does_not_wait(receiver: Receiver, tmp_path: Path) -> None:
    """While one event hangs at its receiver others are handed in at once, and leave afterwards."""
    hangs = threading.Event()
    setup = Setup(receiver.url, tmp_path, timeout=Duration(BOUND_S))
    receiver.answers = lambda *_: hangs if len(receiver.got) == 1 else 204
    setup.hook.start()
    setup.hook.push("slow", b"{}")
    receiver.wait()
    for number in range(3):
        setup.hook.push(f"other {number}", b"{}")
    assert len(receiver.got) == 1, "handed in, while the first still hangs"
    hangs.set()
    receiver.wait(4)
    setup.hook.close(BOUND_S)

    assert {headers["webhook-id"] for headers, _ in receiver.got[1:]} == {
        "slow",
        *(f"other {number}" for number in range(3)),
    }


def test_an_event_that_is_never_taken_holds_up_no_other(receiver: Receiver, tmp_path: Path) -> None:
    """One that the receiver cannot read comes again and again; the next one arrives meanwhile."""
    setup = Setup(receiver.url, tmp_path)
    taken = threading.Event()

    def answers(headers: dict[str, str], _: bytes) -> int:
        if headers["webhook-id"] == "odd":
            return 400
        taken.set()
        return 204

    receiver.answers = answers
    setup.hook.start()
    setup.hook.push("odd", b"{}")
    setup.hook.push("good", b"{}")
    assert taken.wait(BOUND_S)
    setup.hook.close(BOUND_S)

    assert setup.counted(DROPPED) == 1, "the odd one, at the end"


def test_after_a_day_an_event_is_given_up_and_counted(receiver: Receiver, tmp_path: Path) -> None:
    """Retries have an end, and it is told."""
    away_s = [0.0]
    setup = Setup(receiver.url, tmp_path, clock_s=lambda: time.monotonic() + away_s[0])

    def refuses(*_: object) -> int:
        away_s[0] += 43_200
        return 500

    receiver.answers = refuses
    setup.hook.start()
    setup.hook.push("one", b"{}")
    receiver.wait(2)
    setup.hook.close(BOUND_S)

    assert len(receiver.got) == 2
    assert (setup.counted(FAILED), setup.counted(DROPPED)) == (2, 1)


def test_what_does_not_fit_is_dropped_and_counted(tmp_path: Path) -> None:
    """A receiver that has been away for long does not fill the memory."""
    setup = Setup("http://127.0.0.1:9/", tmp_path)
    for number in range(under_test.MAX_WAITING + 3):
        setup.hook.push(str(number), b"{}")
    assert setup.counted(DROPPED) == 3
    setup.hook.close(BOUND_S)
    assert setup.counted(DROPPED) == under_test.MAX_WAITING + 3


def test_the_end_tries_once_more_and_counts_what_is_left(tmp_path: Path) -> None:
    """Nobody listens: the processor ends all the same, and the event is not forgotten silently."""
    closed = Receiver()
    closed.close()
    setup = Setup(closed.url, tmp_path)
    setup.hook.start()
    setup.hook.push("one", b"{}")
    setup.hook.close(BOUND_S)

    assert setup.counted(DROPPED) == 1
    assert setup.counted(FAILED) >= 1


def test_the_end_does_not_wait_for_a_receiver_that_hangs(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Ending has a limit of its own, below the timeout of the receiver."""
    hangs = threading.Event()
    setup = Setup(receiver.url, tmp_path, timeout=Duration(BOUND_S))
    receiver.answers = lambda *_: hangs
    setup.hook.start()
    setup.hook.push("hangs", b"{}")
    receiver.wait()
    setup.hook.push("waits", b"{}")
    setup.hook.close(0.1)
    assert setup.counted(DROPPED) == 1
    hangs.set()


def test_an_event_has_one_id_however_often_it_is_worked_out() -> None:
    """After a restart the same window gives the same id, whatever example traces are at hand; another window or stream another."""
    one = change()
    again = replace(one, trace_ids=("ab" * 16,), moment=None)
    assert event_id(one.reading) == event_id(again.reading)

    later = replace(one.reading.window, end_ns=one.reading.window.end_ns + 1)
    others = [
        replace(one.reading, window=later),
        replace(one.reading, window=replace(one.reading.window, name="24h")),
        replace(one.reading, stream=samples.NAMELESS),
        replace(one.reading, reference_id="sha256:another"),
    ]
    ids = {event_id(reading) for reading in others}
    assert len(ids | {event_id(one.reading)}) == 5


def test_a_secret_in_a_file_may_change(receiver: Receiver, tmp_path: Path) -> None:
    """The next event is signed with the new one; while there is none, events wait."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    setup = Setup(receiver.url, tmp_path, secret_file="secret")
    setup.hook.start()
    setup.hook.push("one", b"{}")
    receiver.wait()
    file.write_text("nonsense")
    setup.hook.push("two", b"{}")
    while not setup.counted(FAILED):
        threading.Event().wait(0.01)
    file.write_text(OTHER_SECRET)
    receiver.wait()
    setup.hook.close(BOUND_S)

    (first, _), (second, body) = receiver.got
    Verifier(SECRET).verify(b"{}", first)
    Verifier(OTHER_SECRET).verify(body, second)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "hunter2",
        SECRET.removeprefix("whsec_"),
        "whsec_c2hvcnQ=",
        "whsec_???",
        "whsec_" + "A" * 400,
    ],
)
def test_a_weak_or_odd_secret_is_refused_and_not_shown(secret: str) -> None:
    """A secret that anybody could guess signs nothing; the complaint says how to make a good one."""
    with pytest.raises(ConfigError, match="openssl rand -base64 32") as refused:
        key_of(secret, "$.emit.webhook.secret")
    assert not secret or len(secret) < 7 or secret not in str(refused.value)


def test_a_file_that_is_not_there_is_named_at_the_start(tmp_path: Path) -> None:
    """Not at three in the morning, when something drifts."""
    with pytest.raises(ConfigError, match=r"secret_file: cannot read .*nowhere"):
        Setup("http://127.0.0.1:9/", tmp_path, secret_file="nowhere")


def test_over_tls_only_a_known_authority_is_told(tmp_path: Path) -> None:
    """With the authority of the receiver the event arrives; without it nothing is sent."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    receiver = Receiver(context)
    url = receiver.url.replace("http:", "https:")
    trusting = Setup(url, tmp_path, tls=ClientTls(ca_file="ca.pem"))
    trusting.hook.start()
    trusting.hook.push("one", b"{}")
    receiver.wait()
    trusting.hook.close(BOUND_S)
    doubting = Setup(url, tmp_path)
    doubting.hook.start()
    doubting.hook.push("two", b"{}")
    doubting.hook.close(BOUND_S)
    receiver.close()

    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["one"]
    assert (trusting.counted(DROPPED), doubting.counted(DROPPED)) == (0, 1)


def test_a_certificate_that_has_expired_is_replaced_without_a_restart(tmp_path: Path) -> None:
    """An event that a receiver did not want from an expired certificate arrives with the next one."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)

    def write(**issue: datetime) -> None:
        own = authority.issue_cert("processor.example.org", **issue)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        own.private_key_pem.write_to_path(str(tmp_path / "own.key"))
        own.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))

    write(not_after=yesterday)
    receiver = Receiver(context)
    files = ClientTls(ca_file="ca.pem", cert_file="own.pem", key_file="own.key")
    setup = Setup(receiver.url.replace("http:", "https:"), tmp_path, tls=files)
    setup.hook.start()
    setup.hook.push("one", b"{}")
    while not setup.counted(FAILED):
        threading.Event().wait(0.01)
    assert receiver.got == []
    write()
    receiver.wait()
    setup.hook.close(BOUND_S)
    receiver.close()
    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["one"]
