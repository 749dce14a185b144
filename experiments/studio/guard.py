"""What a request has to be before anything is done: of the studio's own page, for this machine, and small."""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "x-imuforge-studio"
"""A header of our own, which no form can send, and no other site's script without asking first (and we never agree)."""

POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src 'self'; font-src data:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""plotly compiles its shaders' helpers, hence 'unsafe-eval'; nothing is loaded from anywhere, or sent anywhere."""

HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware that refuses foreign hosts, foreign origins and bodies that are too large.

    A page elsewhere on the web reaches 127.0.0.1 from its reader's browser: by a name that it points there (the Host
    header then says that name), or by a request across origins (the Origin header then says its own).
    """

    def __init__(self, app: ASGIApp, *, port: int, most_bytes: int) -> None:
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        fault = self._find_fault(scope)
        if fault is None:
            await self._app(scope, receive, send_with_headers)
        else:
            status, line = fault
            await JSONResponse({"error": line}, status)(scope, receive, send_with_headers)

    def _find_fault(self, scope: Scope) -> tuple[int, str] | None:
        given: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            given.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        host, origin = given.get("host", []), given.get("origin", [])
        if len(host) != 1 or host[0].lower() not in self._hosts:
            return 421, f"the request is for {', '.join(host)[:80] or 'no host'}, expected {sorted(self._hosts)[0]}"
        if any(one.lower() not in self._origins for one in origin):
            return 403, f"the request comes from {', '.join(origin)[:80]}, expected the studio's own page"
        if scope["method"] in ("GET", "HEAD"):
            return None
        if HEADER not in given:
            return 403, f"the request lacks the header {HEADER}, expected on what changes or computes anything"
        length = given.get("content-length", [""])[0]
        if not length.isascii() or not length.isdigit():
            return 411, "the request does not say how long it is, expected a content-length"
        if int(length[:20]) > self._most_bytes:
            return 413, (
                f"{int(length[:20]) / 1e6:,.0f} MB are too much, expected up to {self._most_bytes / 1e6:,.0f} MB; "
                "cut the file, or use imuforge synth --motion"
            )
        return None
