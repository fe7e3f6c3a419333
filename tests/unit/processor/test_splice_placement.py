"""Redaction before the hop, sampling behind it, the order kept, and a question where it is not known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otel_ml_processor.commands.splice.collector import Named, Pipeline
from otel_ml_processor.commands.splice.layers import Place
from otel_ml_processor.commands.splice.placement import (
    Placement,
    Said,
    around_wall,
    placed_for_copy,
    placed_in_line,
)
from otel_ml_processor.commands.splice.refusal import RefusedError
from otel_ml_processor.errors import ConfigError

NOBODY = Said()


def pipeline(*processors: str) -> Pipeline:
    """Return a pipeline of traces with *processors*, one to a line."""
    file = Path("gateway.yaml")
    named = tuple(Named(name, Place(file, 10 + i)) for i, name in enumerate(processors))
    return Pipeline("traces", Place(file, 8), (), named, ())


@pytest.mark.parametrize(
    ("processors", "before", "behind"),
    [
        ((), (), ()),
        (("memory_limiter", "batch"), ("memory_limiter", "batch"), ()),
        (
            ("memory_limiter", "redaction/cards", "tail_sampling", "batch"),
            ("memory_limiter", "redaction/cards"),
            ("tail_sampling", "batch"),
        ),
        (
            ("k8sattributes", "groupbytrace", "probabilistic_sampler/tenth", "filter", "batch"),
            ("k8sattributes",),
            ("groupbytrace", "probabilistic_sampler/tenth", "filter", "batch"),
        ),
        (("${env:FIRST:-attributes}", "batch"), ("${env:FIRST:-attributes}", "batch"), ()),
    ],
)
def test_in_line_the_pipeline_is_cut_at_its_first_sampler(
    processors: tuple[str, ...], before: tuple[str, ...], behind: tuple[str, ...]
) -> None:
    """What follows a sampler follows it still: no processor sees other spans than it saw, in no other order."""
    placed = placed_in_line(pipeline(*processors), NOBODY)
    assert (placed.before, placed.behind) == (before, behind)


@pytest.mark.parametrize("late", ["redaction", "attributes/users", "transform", "resource", "span"])
def test_in_line_nothing_that_may_redact_comes_after_the_hop(late: str) -> None:
    """Behind a sampler it would come too late; which of the two moves is for the operator to say."""
    with pytest.raises(RefusedError) as caught:
        placed_in_line(pipeline("tail_sampling", "batch", late), NOBODY)
    message = str(caught.value)
    assert message.startswith(f"gateway.yaml:12: `{late}` may take content off spans")
    assert f"--before {late}" in message
    assert f"--behind {late}" in message


def test_in_line_the_operator_has_the_last_word() -> None:
    """Either way out of the refusal does what it says."""
    pipe = pipeline("memory_limiter", "tail_sampling", "redaction")
    moved = placed_in_line(pipe, Said(before=("redaction",)))
    kept = placed_in_line(pipe, Said(behind=("redaction",)))
    assert (moved.before, moved.behind) == (("memory_limiter", "redaction"), ("tail_sampling",))
    assert (kept.before, kept.behind) == (("memory_limiter",), ("tail_sampling", "redaction"))


@pytest.mark.parametrize(
    ("processors", "copied"),
    [
        ((), ()),
        (("memory_limiter", "batch"), ()),
        (("tail_sampling", "redaction", "batch/large"), ("redaction",)),
        (("filter", "probabilistic_sampler", "transform"), ("filter", "transform")),
    ],
)
def test_a_copy_passes_what_shapes_spans_and_no_sampler(
    processors: tuple[str, ...], copied: tuple[str, ...]
) -> None:
    """
    Redaction is passed wherever it stands, because a copy has no sampler that it could come after; batching is done once.

    A memory limiter is left out: what it refused in the copy and not in the original would be sent, and stored, again.
    """
    assert placed_for_copy(pipeline(*processors), NOBODY).before == copied


@pytest.mark.parametrize(
    ("names", "before", "behind"),
    [
        ((), (), ()),
        (("redaction", "transform"), (), ("redaction", "transform")),
        (
            ("filter", "k8sattributes", "resource", "transform", "redaction"),
            ("filter", "k8sattributes", "resource"),
            ("transform", "redaction"),
        ),
    ],
)
def test_the_wall_of_a_copy_stands_as_early_as_can_be(
    names: tuple[str, ...], before: tuple[str, ...], behind: tuple[str, ...]
) -> None:
    """Only what asks who sent the spans stands before it, in the order that was; behind it a failure reaches no sender."""
    assert around_wall(names) == (before, behind)


@pytest.mark.parametrize("place", [placed_for_copy, placed_in_line])
def test_what_is_not_known_is_asked_for(place: Callable[[Pipeline, Said], Placement]) -> None:
    """All at once, each with its line; answered, it goes where the answer says."""
    pipe = pipeline("lookup", "batch", "ours/two")
    with pytest.raises(RefusedError) as caught:
        place(pipe, NOBODY)
    message = str(caught.value)
    assert message.startswith(
        "gateway.yaml:10: `lookup`, `ours/two` (line 12) in pipeline `traces`"
    )
    assert "--before lookup, or --behind lookup" in message
    answered = place(pipe, Said(before=("lookup",), behind=("ours/two",)))
    assert "lookup" in answered.before
    assert "ours/two" in answered.behind


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            Said(before=("bach",)),
            "--before bach: expected a processor of pipeline `traces`, which has: batch",
        ),
        (
            Said(behind=("nothing",)),
            "--behind nothing: expected a processor of pipeline `traces`, which has: batch",
        ),
        (Said(("batch",), ("batch",)), "--before and --behind: batch cannot stand on both sides"),
    ],
)
def test_an_answer_to_nothing_is_a_mistake(said: Said, told: str) -> None:
    """A name that is written wrong would otherwise be passed over in silence."""
    with pytest.raises(ConfigError, match=f"^{told}$"):
        said.check(pipeline("batch"), ())
