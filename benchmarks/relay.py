"""
The least that a hop in Python can cost: grpcio alone takes bytes in and passes them on, and nobody looks at them.

The next hop is called from the thread that received, as the processor does. `relay.py FILE`, where the file says where to listen and where to send to.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import grpc

EXPORT: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
TIMEOUT_S: Final = 60.0


def main() -> None:
    """Relay until the process is ended."""
    listen, forward = Path(sys.argv[1]).read_text().split()
    channel = grpc.insecure_channel(forward, [("grpc.enable_http_proxy", 0)])
    export = partial(channel.unary_unary(f"/{EXPORT}/Export"), timeout=TIMEOUT_S)
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: export(request))
    server = grpc.server(
        ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", 64 << 20)]
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(EXPORT, {"Export": handler}),)
    )
    server.add_insecure_port(listen)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
