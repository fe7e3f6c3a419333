"""What is compiled is made ready before the first request, so that none waits for it."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Final

from otel_ml_processor.assess.error_patterns import warm_patterns
from otel_ml_processor.assess.rows import warm_judging
from otel_ml_processor.compiled import IS_COMPILED, compiling_told
from otel_ml_processor.compiler_memory import let_go_of_compiler
from otel_ml_processor.decode.fast import warm
from otel_ml_processor.decode.strip import warm_strip
from otel_ml_processor.emit.confidence_samples import warm_confidences
from otel_ml_processor.feedback.keys import warm_keys
from otel_ml_processor.feedback.said_names import warm_said_names
from otel_ml_processor.state.seen_spans import warm_seen_spans
from otel_ml_processor.windows.warm import warm_counting

__all__ = ["prepare_decoder"]

_LOGGER: Final = logging.getLogger(__name__)
_MADE_READY: Final = (
    warm,
    warm_strip,
    warm_seen_spans,
    warm_counting,
    warm_judging,
    warm_patterns,
    warm_confidences,
    warm_said_names,
    warm_keys,
)
"""What has something compiled, each all that its module needs."""


@cache  # once per process: a configuration that is read again finds all of it compiled
def prepare_decoder() -> None:
    """Have all that is compiled ready before the first request: read from where it was kept, or compiled now, in half a minute."""
    if not IS_COMPILED:
        _LOGGER.info("decoder: plain; the extra `fast` (numba) makes it some ten times as fast")
        return
    begin = time.monotonic()
    slow = "decoder: compiled now, which takes half a minute or more; the next start finds it done"
    with compiling_told(lambda: _LOGGER.info(slow)):
        for make_ready in _MADE_READY:
            make_ready()
    let_go_of_compiler()
    _LOGGER.info("decoder: compiled; ready after %.1f s", time.monotonic() - begin)
