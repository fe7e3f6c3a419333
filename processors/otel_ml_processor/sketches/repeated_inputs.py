"""How many inputs of a window came before, and how many of those were answered otherwise, from the hashes of inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import IntArray

__all__ = ["MAX_INPUTS", "NO_OUTPUT", "RepeatedInputs", "mixed"]

MAX_INPUTS: Final = 512
"""Different inputs that are kept; of more, a fair sample of so many."""
NO_OUTPUT: Final = np.iinfo(np.int64).min
"""Instead of the hash of an output that was not said."""
_ERRORS: Final = 3
"""Standard errors within which the number of different inputs is known."""
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class RepeatedInputs:
    """
    Calls by input: how often each came and between which hashes its outputs lie; add in any parts, merge in any order: the same numbers.

    Kept are the `MAX_INPUTS` inputs whose hashes are the smallest once they are mixed: which those are depends on no order, each was counted
    from its first call on, and they are a fair sample of all inputs however often these come. Up to so many inputs every share is exact.

    References:
        Beyer, K. et al. (2007). On synopses for distinct-value estimation under multiset operations. SIGMOD.
    """

    __slots__ = ("calls", "columns")

    def __init__(self) -> None:
        self.calls = 0
        """Calls that say the hash of their input."""
        self.columns: IntArray = np.zeros((4, 0), dtype=np.int64)
        """Of each input that is kept, ascending by its mixed hash: that hash, how many calls, and the lowest and highest hash of their outputs."""

    def add(self, inputs: IntArray, outputs: IntArray) -> None:
        """
        Count calls, each the hash of its input, 0 where it says none, and of its output.

        Args:
            inputs: 64 bits as signed numbers, shape (n_calls,).
            outputs: The same of what was answered; `NO_OUTPUT` where that was not said, which differs from nothing.
        """
        is_said = inputs != 0
        if not is_said.any():
            return
        outputs = outputs[is_said]
        is_known = outputs != NO_OUTPUT
        highest = np.iinfo(np.int64).max
        self._take(
            int(is_said.sum()),
            np.stack(
                [
                    mixed(inputs[is_said]),
                    np.ones(len(outputs), dtype=np.int64),
                    np.where(is_known, outputs, highest),
                    np.where(is_known, outputs, NO_OUTPUT),
                ]
            ),
        )

    def merge(self, other: RepeatedInputs) -> None:
        """Add what *other* counted."""
        if other.calls:
            self._take(other.calls, other.columns)

    def repeated(self) -> float | None:
        """
        Return the share of calls whose input came before in the same window, in [0, 1]; None where no call says its hash.

        Of more than `MAX_INPUTS` different inputs it is what those that are kept show, held within three standard errors of what follows from how
        many different ones there are: one input that comes all the time is then seen even where it is not among them.
        """
        if not self.calls:
            return None
        hashes, counts = self.columns[:2]
        shown = 1 - len(counts) / int(counts.sum())
        if len(counts) < MAX_INPUTS:
            return shown
        lies_within = (float(hashes[-1]) - np.iinfo(np.int64).min + 1) / 2.0**64
        different = (MAX_INPUTS - 1) / lies_within / self.calls
        error = _ERRORS * different / np.sqrt(MAX_INPUTS - 2)
        return float(
            np.clip(np.clip(shown, 1 - different - error, 1 - different + error), 0.0, 1.0)
        )

    def inconsistent(self) -> float | None:
        """Return the share of repeated inputs that were not always answered alike, in [0, 1]; None where none of those kept was repeated."""
        _, counts, lowest, highest = self.columns
        is_repeated = counts > 1
        if not is_repeated.any():
            return None
        return float((lowest < highest)[is_repeated].mean())

    def _take(self, calls: int, columns: IntArray) -> None:
        self.calls += calls
        if self.columns.shape[1] >= MAX_INPUTS:  # what lies behind the last one is not kept anyway
            columns = columns[:, columns[0] <= self.columns[0, -1]]
        if not columns.shape[1]:
            return
        together = np.concatenate([self.columns, columns], axis=1)
        together = together[:, np.argsort(together[0], kind="stable")]
        _, starts = np.unique(together[0], return_index=True)
        self.columns = np.stack(
            [
                together[0, starts],
                np.add.reduceat(together[1], starts),
                np.minimum.reduceat(together[2], starts),
                np.maximum.reduceat(together[3], starts),
            ]
        )[:, :MAX_INPUTS]


def mixed(words: IntArray) -> IntArray:
    """
    Return words of 64 bits, one for each of *words* and no two the same, that look like chance however regular those are.

    References:
        Steele, G. L., Lea, D., Flood, C. H. (2014). Fast splittable pseudorandom number generators. OOPSLA. (The finalizer of SplitMix64.)
    """
    z: NDArray[np.uint64] = words.view(np.uint64) + _STEP
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return np.asarray((z ^ (z >> np.uint64(31))).view(np.int64))
