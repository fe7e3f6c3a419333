"""What is counted by class and segment survives a restart, and merges as one processor would have counted it."""

import msgspec
import numpy as np
import pytest

from otel_ml_processor.state.stored_streams import StoredSummary
from otel_ml_processor.windows.divided import BY_CLASS
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary
from tests.data.segmented import reference_profile, summary_of, table

REFERENCE = Reference.of(reference_profile(2_000))


def counts(summary: Summary) -> dict[str, dict[str, list[int]]]:
    """Return all integers by division and value."""
    return {
        name: {value: block.tolist() for value, block in division.blocks.items()}
        for name, division in summary.divided.by_name.items()
    }


@pytest.mark.parametrize("reference", [REFERENCE, None])
def test_it_reads_back_as_it_was_written(reference: Reference | None) -> None:
    """Every integer of every class and region, through the bytes of the file; it then takes part in a merge."""
    summary = summary_of(table(500, seed=1), reference)
    stored = msgspec.msgpack.encode(StoredSummary.of(summary))
    read = msgspec.msgpack.decode(stored, type=StoredSummary).summary(reference)
    assert counts(read) == counts(summary)
    assert set(counts(read)) == {BY_CLASS, "region"}
    whole = summary_of(table(500, seed=2), reference)
    whole.merge(read)
    again = summary_of(table(500, seed=1), reference)
    again.merge(summary_of(table(500, seed=2), reference))
    assert counts(whole) == counts(again)


def test_rows_that_are_all_of_the_other_values_read_back() -> None:
    """Where no value is told apart, as where all rows are of a region called `other`, the rows of the others are written all the same."""
    rows = table(300)
    summary = summary_of({**rows, "region": np.full(300, "other")}, REFERENCE)
    stored = msgspec.msgpack.encode(StoredSummary.of(summary))
    read = msgspec.msgpack.decode(stored, type=StoredSummary).summary(REFERENCE)
    others = read.divided.by_name["region"].rest
    assert others is not None
    assert others.rows == 300


def test_a_configuration_that_divides_otherwise_reads_it_too() -> None:
    """What is no longer asked for is passed over, what is new begins empty."""
    before = summary_of(table(500), REFERENCE)
    now = Summary(REFERENCE)
    now.merge(before)
    assert now.rows == 500
    assert counts(now) == {}


def test_counts_of_other_outputs_are_refused() -> None:
    """A block that does not fit the reference is no count of it."""
    stored = StoredSummary.of(summary_of(table(50), REFERENCE))
    damaged = msgspec.structs.replace(
        stored,
        divided={
            "region": type(stored.divided["region"])(
                {"emea": stored.divided["region"].blocks["emea"][:-9]}, None
            )
        },
    )
    with pytest.raises(ValueError, match=r".+"):
        damaged.summary(REFERENCE)
