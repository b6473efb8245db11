"""Which hosts and pages may use a service: a browser lets any page send requests anywhere.

A page of another origin could make a service on one's own machine work, and one whose host name
was rebound to this machine could read the results. So a service answers to the names that it knows,
and to pages of its own origin; programs other than browsers say nothing of an origin.
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from srgan.server.errors import refuse


class Guard:
    """Turns away requests to other hosts, and from pages of other origins.

    Addresses in digits are no names, so that nobody can rebind them; they and localhost are always
    allowed.

    Args:
        app: What answers the others.
        hosts: Names that requests may be sent to; `*.example.com` stands for all below, `*` for
            all.
        origins: Of other pages that may use the service, as `origin_of` returns them.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], origins: Sequence[str]) -> None:
        self._app = app
        self._hosts = [host.lower() for host in (*hosts, "localhost", "*.localhost")]
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = scope["type"] == "http" and self._reason(scope["method"], Headers(scope=scope))
        if reason:
            await refuse(403, reason)(scope, receive, send)
        else:
            if scope["type"] == "http" and scope["method"] == "HEAD":
                scope = {**scope, "method": "GET"}  # the server leaves out the answer's body
            await self._app(scope, receive, send)

    def _reason(self, method: str, headers: Headers) -> str:
        """Why a request is turned away, or ""."""
        host = headers.get("host", "").lower()
        if host and not self._knows(host):
            return (
                f"This service does not go by the name {host[:100]!r}. Use its address, or allow "
                "the name: srgan serve --allow-host NAME."
            )
        origin = headers.get("origin", "").lower()
        if "*" in self._origins or (origin and origin in self._origins):
            return ""
        site = headers.get("sec-fetch-site", "")
        if origin:
            foreign = origin.partition("://")[2] != host
        elif method == "GET" and headers.get("sec-fetch-mode") == "navigate":
            foreign = False  # a link was followed
        else:
            foreign = site in ("cross-site", "same-site")
        if foreign:
            return (
                f"The page at {origin[:100] or 'another origin'} may not use this service. Allow "
                "it: srgan serve --allow-origin ORIGIN."
            )
        return ""

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:  # brackets that are not closed
            return False
        return _is_address(name) or any(
            pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:]))
            for pattern in self._hosts
        )


def origin_of(text: str) -> str:
    """Returns an origin as browsers write it: `https://example.com`, `null`, or `*` for all.

    Raises:
        ValueError: If it is none, so that no page could have it.
    """
    origin = text.lower().rstrip("/")
    if origin not in ("*", "null") and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", origin):
        raise ValueError(
            f"Expected the origin of a page, as https://shop.example, or * for all; got {text!r}."
        )
    return origin


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
