"""Who may use a service, and how often: tokens, of which it knows the hashes alone."""

import asyncio
import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from srgan.server.errors import refuse

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Of a token."""

_HASH = re.compile("[0-9a-f]{64}")
_MAX_CLIENTS = 10_000  # clients whose requests are counted


def new_token() -> tuple[str, str]:
    """Returns a new token, and its hash."""
    token = secrets.token_urlsafe(32)  # as many bits as the hash has: it needs no salt
    return token, _hash(token)


def read_tokens(file: Path) -> dict[str, str]:
    """Returns the hashes of tokens, by their names.

    Args:
        file: With a name and a hash in each line, as `srgan token` writes them.

    Raises:
        OSError: If it cannot be read.
        ValueError: If a line is something else.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(" ")
        if not NAME.fullmatch(name) or not _HASH.fullmatch(hashed.strip()) or name in found:
            raise ValueError(
                f"{file}, line {number} is not a new name and the hash of its token. Add one by "
                f"srgan token NAME --tokens {file}."
            )
        found[name] = hashed.strip()
    if not found:
        raise ValueError(f"{file} has no tokens. Add one by srgan token NAME --tokens {file}.")
    return found


def protects(path: str) -> bool:
    """Whether a path needs a token, where there are any."""
    return path.startswith("/v1/") or path == "/metrics"


class Access:
    """Lets in who has a token, if there are any, and nobody too often.

    What tells of pictures or works on them needs a token: all below /v1/, and /metrics. The state
    of a request gets an `owner`, the name of the token or "".

    Args:
        app: What answers.
        tokens: Hashes by name; without any, nobody needs one.
        rate: Requests that work on pictures, a minute and client, or None; as many may come at
            once. Without tokens, an address is a client.
    """

    def __init__(self, app: ASGIApp, tokens: Mapping[str, str], rate: float | None) -> None:
        self._app, self._tokens, self._rate = app, tokens, rate
        self._spent: dict[str, tuple[float, float]] = {}  # requests left, and when that was so

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        owner = ""
        if self._tokens and protects(scope["path"]):
            owner = self._owner(Headers(scope=scope).get("authorization", ""))
            if not owner:
                reason = (
                    "This service needs a token, and does not know the one that it got."
                    if "authorization" in Headers(scope=scope)
                    else "This service needs a token."
                )
                reason += " Send the header Authorization: Bearer TOKEN."
                answer = refuse(401, reason, {"WWW-Authenticate": "Bearer"})
                await answer(scope, receive, send)
                return
        scope.setdefault("state", {})["owner"] = owner
        if self._rate and scope["method"] == "POST":
            client = owner or (scope["client"] or ("",))[0]
            if wait := self._wait(client, self._rate):
                answer = refuse(
                    429,
                    f"Expected at most {self._rate:g} requests a minute; try again later.",
                    {"Retry-After": str(math.ceil(wait))},
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _owner(self, header: str) -> str:
        kind, _, token = header.partition(" ")
        found, owner = _hash(token.strip()), ""
        for name, known in self._tokens.items():  # all of them, so that the time tells nothing
            if hmac.compare_digest(found, known):
                owner = name
        return owner if kind.lower() == "bearer" else ""

    def _wait(self, client: str, rate: float) -> float:
        """Seconds until the client may ask, or 0, if it may now and does."""
        now = asyncio.get_running_loop().time()
        if len(self._spent) >= _MAX_CLIENTS:
            self._spent.clear()
        left, since = self._spent.pop(client, (max(rate, 1), now))
        left = min(left + (now - since) * rate / 60, max(rate, 1))
        may = left >= 1
        self._spent[client] = left - may, now
        return 0 if may else (1 - left) * 60 / rate


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
