"""Whose a request is: by what is told which tenant its inferences belong to."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ONE_TENANT", "Whose"]


class Whose(NamedTuple):
    """
    How the tenant of what a request holds is told: `caller` is what a header of the request says, `attribute` where its resources say it.

    At most one of the two is set; with neither, tenants are not told apart.
    """

    caller: str = ""
    attribute: str = ""


ONE_TENANT: Final = Whose()
"""Tenants are not told apart: all streams have the empty one."""
