"""What a decoder keeps from one request to the next is little, whatever these say."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.spans import PlainDecoder
from tests.data.export_requests import RESOURCE, export_request, inference_span

if TYPE_CHECKING:
    from otel_ml_processor.decode.decoder import Decoder

N_REQUESTS, N_BYTES = 32, 1 << 20


@pytest.mark.parametrize("kind", [FastDecoder, PlainDecoder])
def test_a_large_resource_is_not_kept(kind: type[FastDecoder | PlainDecoder]) -> None:
    """After many requests, each with another resource of a megabyte, less than four of them are in memory."""
    decoder: Decoder = kind(lambda _: None)
    requests = [
        export_request(
            [inference_span({})], {**RESOURCE, "host.id": f"{number:09}" * (N_BYTES // 9)}
        )
        for number in range(N_REQUESTS)
    ]
    decoder.decode(requests[0])
    tracemalloc.start()
    try:
        for request in requests:
            assert len(decoder.decode(request).spans) == 1
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept_bytes < 4 * N_BYTES
