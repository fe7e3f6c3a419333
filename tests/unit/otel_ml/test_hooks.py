"""Users' functions around a call: what they see, what they may change, and how they may fail."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otel_ml import hooks
from otel_ml.hooks import CONTENT, CallHooks, ContentHook, load, without_content
from otel_ml_conventions import attributes as keys

FACTS: dict[str, Any] = {
    keys.ML_INPUT_FEATURES: '{"age":42}',
    keys.ML_PREDICTION_LABEL: "fraud",
    keys.ML_PREDICTION_CONFIDENCE: 0.9,
    keys.ML_INPUT_FEATURE_COUNT: 1,
}
REST = {keys.ML_PREDICTION_CONFIDENCE: 0.9, keys.ML_INPUT_FEATURE_COUNT: 1}
SPAN = object()


class Failures:
    """What was counted as failed."""

    def __init__(self) -> None:
        self.causes: list[str] = []

    def __call__(self, cause: str, error: BaseException) -> None:
        """Count *cause*."""
        self.causes.append(cause)


@pytest.fixture
def failures() -> Failures:
    """Return an empty count."""
    return Failures()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes a module `our_hooks` of a source text."""

    def write(source: str) -> None:
        (tmp_path / "our_hooks.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "our_hooks", raising=False)

    return write


def test_a_content_hook_sees_content_alone_and_the_span(failures: Failures) -> None:
    """Feature values and what was predicted of them, as they would be sent."""
    seen: list[Any] = []
    hook = ContentHook(lambda content, span: seen.append((dict(content), span)), failures)
    hook.filtered(FACTS, SPAN)
    assert seen == [
        ({keys.ML_INPUT_FEATURES: '{"age":42}', keys.ML_PREDICTION_LABEL: "fraud"}, SPAN)
    ]


def test_what_a_content_hook_returns_is_what_leaves(failures: Failures) -> None:
    """It may edit, drop, and tell where the content is stored instead."""

    def store(content: dict[str, Any], span: Any) -> dict[str, Any]:
        content.pop(keys.ML_INPUT_FEATURES)
        content[keys.ML_PREDICTION_LABEL] = "***"
        return {**content, keys.ML_CONTENT_REFERENCE: "s3://ours/1"}

    filtered = ContentHook(store, failures).filtered(FACTS, SPAN)
    assert filtered == {
        **REST,
        keys.ML_PREDICTION_LABEL: "***",
        keys.ML_CONTENT_REFERENCE: "s3://ours/1",
    }
    assert failures.causes == []


def test_a_content_hook_that_returns_nothing_lets_nothing_pass(failures: Failures) -> None:
    """Who edits in place and forgets to return has sent nothing that he did not mean to."""
    assert ContentHook(lambda content, span: None, failures).filtered(FACTS, SPAN) == REST
    assert failures.causes == []


def _raise(content: Any, span: Any) -> Any:
    raise ValueError(content[keys.ML_INPUT_FEATURES])


@pytest.mark.parametrize(
    "hook",
    [
        _raise,
        lambda content: content,
        lambda content, span: "all of it",
        lambda content, span: [content],
        lambda content, span: {7: "seven"},
        lambda content, span: Hostile(content),
        "a_module_that_is_not_there:redact",
        "json:no_such_function",
        "json:__name__",
        "no_such_entry_point",
    ],
    ids=[
        "raises",
        "arity",
        "text",
        "list",
        "keys",
        "hostile",
        "module",
        "name",
        "no function",
        "entry point",
    ],
)
def test_where_a_content_hook_fails_no_content_leaves(
    hook: Any, failures: Failures, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest is told, the failure is counted at every call, and the call goes on."""
    content_hook = ContentHook(hook, failures)
    for _ in range(2):
        assert content_hook.filtered(FACTS, SPAN) == REST
    assert failures.causes == ["content_hook", "content_hook"]
    assert "42" not in caplog.text


def test_a_content_hook_is_not_asked_where_there_is_no_content(failures: Failures) -> None:
    """A call whose content is not captured costs nothing."""
    hook = ContentHook(_raise, failures)
    assert hook.filtered(REST, SPAN) == REST
    assert failures.causes == []


def test_a_content_hook_cannot_change_other_facts(failures: Failures) -> None:
    """What it says of anything that it was not given is passed over."""
    hook = ContentHook(lambda content, span: {keys.ML_PREDICTION_CONFIDENCE: 1.0}, failures)
    assert hook.filtered(FACTS, SPAN) == REST


def test_a_function_is_loaded_when_it_is_first_needed(
    module: Callable[[str], None], failures: Failures
) -> None:
    """Its module is the program's: before the program runs it may not be importable."""
    hook = ContentHook("our_hooks:Redaction.apply", failures)
    module(
        "class Redaction:\n"
        "    @staticmethod\n"
        "    def apply(content, span):\n"
        "        return {'ml.prediction.label': 'x'}\n"
    )
    assert "our_hooks" not in sys.modules
    assert hook.filtered(FACTS, SPAN) == {**REST, keys.ML_PREDICTION_LABEL: "x"}


def test_a_module_that_cannot_be_imported_is_looked_for_once_and_named(
    module: Callable[[str], None], failures: Failures, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says which hook and why, whatever the number of calls."""
    module("import no_such_module_of_ours\n")
    hook = ContentHook("our_hooks:redact", failures)
    for _ in range(3):
        hook.filtered(FACTS, SPAN)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage() == (
        "content_hook: cannot load 'our_hooks:redact': No module named 'no_such_module_of_ours'"
    )


def test_a_content_hook_may_be_named_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """As packages that bring one do; an unknown name is told with the known ones."""
    points = [EntryPoint("vault", "json:dumps", "otel_ml_content_hook")]
    monkeypatch.setattr(hooks, "entry_points", lambda group: points)
    assert load("vault") is json.dumps
    with pytest.raises(LookupError, match="known: vault"):
        load("valt")


@pytest.mark.parametrize(
    ("answer", "permitted"),
    [(None, True), (True, True), (1, True), (0, False), (False, False), (np.False_, False)],
)
def test_only_false_keeps_content_out(answer: object, permitted: bool, failures: Failures) -> None:
    """A hook that only adds attributes need not return anything."""
    seen: list[Any] = []

    def before(*told: Any) -> object:
        seen.append(told)
        return answer

    call_hooks = CallHooks(before, None, failures)
    assert call_hooks.permits(SPAN, "model", (1,), {"x": 2}) is permitted
    assert seen == [(SPAN, "model", (1,), {"x": 2})]


def test_an_answer_that_is_neither_true_nor_false_keeps_content_out(failures: Failures) -> None:
    """An array of several answers is a slip in the hook."""
    call_hooks = CallHooks(lambda *_: np.array([True, False]), None, failures)
    assert call_hooks.permits(SPAN, "model", (), {}) is False
    assert failures.causes == ["before_capture"]


class Rules(list[str]):
    """Rules that decide; there may be none."""

    def __call__(self, *_told: Any) -> bool:
        """Keep everything out."""
        return False


def test_an_empty_object_is_asked_like_any_function(failures: Failures) -> None:
    """Whether a hook is there is not told by its truth."""
    assert not CallHooks(Rules(), None, failures).permits(SPAN, "model", (), {})


class Hostile(dict[str, Any]):
    """A mapping that cannot be read."""

    def __iter__(self) -> Iterator[str]:
        """Fail."""
        raise RuntimeError


def test_a_hook_before_that_fails_keeps_content_out(failures: Failures) -> None:
    """Who decides about content by a hook does not lose it to a slip in the hook."""

    def before(span: Any) -> None:
        """Take too little."""

    call_hooks = CallHooks(before, None, failures)
    assert call_hooks.permits(SPAN, "model", (), {}) is False
    assert failures.causes == ["before_capture"]


def test_a_hook_after_sees_the_output_and_may_fail(failures: Failures) -> None:
    """It gets span, model and output; what it raises is counted and goes no further."""
    seen: list[Any] = []
    CallHooks(None, lambda *told: seen.append(told), failures).tell(SPAN, "model", [1])
    assert seen == [(SPAN, "model", [1])]
    CallHooks(None, lambda: None, failures).tell(SPAN, "model", [1])
    assert failures.causes == ["after_capture"]


def test_no_hook_is_no_obstacle(failures: Failures) -> None:
    """Everything is permitted, nothing is told."""
    none = CallHooks(None, None, failures)
    assert none.permits(SPAN, "model", (), {}) is True
    none.tell(SPAN, "model", None)
    assert failures.causes == []


def test_content_is_what_the_conventions_call_personal() -> None:
    """Every attribute of an inference that the registry marks as personal data goes by the hook."""
    registry = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text())
    told = registry["spans"]["ml.inference"]["attributes"]
    personal = {
        key
        for key in told
        if registry["attributes"].get(key, {}).get("annotations", {}).get("sensitivity") == "PII"
    }
    assert keys.ML_INPUT_FEATURES in personal
    assert personal <= CONTENT <= set(told)
    assert without_content(FACTS) == REST


@pytest.mark.parametrize(
    "rounded",
    [np.array([1.5, 2.5]), np.array([1.5, 2.5], np.float32), (1.5, 2.5), [1.5, 2.5]],
    ids=lambda rounded: type(rounded).__name__,
)
def test_a_content_hook_may_return_what_numpy_gives(failures: Failures, rounded: Any) -> None:
    """`np.round` of the values is an array, of which a span would hold the text."""
    hook = ContentHook(lambda content, _span: {**content, keys.ML_INPUT_VALUES: rounded}, failures)
    told = hook.filtered({keys.ML_INPUT_VALUES: [1.49, 2.51]}, SPAN)
    assert list(told[keys.ML_INPUT_VALUES]) == [1.5, 2.5]
    assert {type(value) for value in told[keys.ML_INPUT_VALUES]} == {float}
    assert failures.causes == []


@pytest.mark.parametrize(
    "value", [object(), {1.5}, 1j, np.array(1j)], ids=lambda value: type(value).__name__
)
def test_what_no_attribute_can_have_is_a_failure_of_the_hook(
    failures: Failures, value: object
) -> None:
    """Its text is not what anybody decided to send."""
    hook = ContentHook(lambda content, _span: {**content, "reference": value}, failures)
    assert hook.filtered(FACTS, SPAN) == REST
    assert failures.causes == ["content_hook"]
