"""The address that a server is to listen on."""

from __future__ import annotations

import socket

import pytest

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.listener import check_endpoint


def test_an_address_in_use_is_told_with_what_to_do() -> None:
    """Place, address, the reason of the operating system, and the two ways out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError) as raised:
            check_endpoint("$.receive.endpoint", endpoint, may_reach_out=False)
    assert str(raised.value) == (
        f"$.receive.endpoint: cannot listen on {endpoint}: Address already in use; "
        "stop what listens there or choose another port"
    )


def test_a_name_that_nobody_knows_is_no_port_in_use() -> None:
    """Stopping something would not help; the name is what is wrong."""
    with pytest.raises(ConfigError) as raised:
        check_endpoint("$.receive.endpoint", "no-such-host.invalid:4317", may_reach_out=True)
    assert str(raised.value) == (
        "$.receive.endpoint: cannot listen on no-such-host.invalid:4317: "
        "nobody knows that name; write an address of this machine"
    )


def test_a_free_address_is_fine() -> None:
    """Also port 0, which stands for any, and a name with two addresses."""
    for endpoint in ("127.0.0.1:0", "localhost:0", "[::1]:0"):
        check_endpoint("$.receive.endpoint", endpoint, may_reach_out=False)
