"""Predictions over HTTP: one request a connection, few at a time, none larger or slower than allowed.

``POST /predict`` takes the bytes of a sample's file or a JSON request, ``GET /health`` says how the service is,
``GET /`` which routes there are. All answers are JSON.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from edgecnn import __version__
from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.serve.lines import as_line, parse_json
from edgecnn.serve.model import ServedModel
from edgecnn.serve.notify import Notifier
from edgecnn.serve.samples import SampleReader, from_request
from edgecnn.serve.stopping import Stopping

MOST_CONNECTIONS = 8
"""At a time; each may hold a request of the largest size in memory. Further ones get 503 at once."""

REQUEST_SECONDS = 20.0
"""A request must be there whole after so long."""

SILENT_SECONDS = 10.0
"""So long may pass without a byte."""

ROUTES: Mapping[str, str] = {"/": "GET", "/health": "GET", "/predict": "POST"}

_LINGER_SECONDS = 2.0    # for what a refused client is still sending: a closed socket would cost it the answer
_REPORT = 5.0    # seconds: so long may one inference take before the watchdog is told no more


@dataclass(frozen=True)
class Address:
    """Where to listen.

    Attributes:
        host: Name or address.
        port: 0 for any free one.
        family: IPv4 or IPv6.
        loopback: Only programs on this machine can connect.
    """

    host: str
    port: int
    family: socket.AddressFamily
    loopback: bool


def parse_address(text: str) -> Address:
    """What ``--http`` takes: ``PORT`` (on 127.0.0.1), ``HOST:PORT``, ``[IPv6]:PORT``.

    Raises:
        UsageError: It is something else, or the host is unknown.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (colon and not host) or (":" in host and not bracketed) or not (port.isascii() and port.isdecimal()):
        raise UsageError(
            f"--http {text}: expected is [HOST:]PORT, for example 8080 (this machine only) or 0.0.0.0:8080 (everybody)."
        )
    if int(port) > 65535:
        raise UsageError(f"--http {text}: ports go up to 65535.")
    host = host.strip("[]") if host else "127.0.0.1"
    try:
        family, _, _, _, found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--http {text}: no such host: {host!r}. Give an address of this machine.") from error
    address = str(found[0])
    return Address(address, int(port), family, ipaddress.ip_address(address.partition("%")[0]).is_loopback)


class _RefusalError(Exception):
    """A request that gets an error for its answer."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


class Service(socketserver.ThreadingTCPServer):
    """Listens from the moment it is made; answers once ``run`` is called."""

    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True    # the requests in hand are answered before the service ends
    request_queue_size = 16

    def __init__(self, address: Address, model: ServedModel, reader: SampleReader) -> None:
        """Listen.

        Args:
            address: Where.
            model: That answers.
            reader: Of its samples.

        Raises:
            EdgecnnError: The port is taken, or may not be used.
        """
        self.address_family = address.family
        self.model, self.reader, self.started, self.refused = model, reader, time.monotonic(), 0
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._unread: dict[Any, float] = {}    # connections whose request is not there yet, and since when they are
        self._guard = threading.Lock()
        try:
            super().__init__((address.host, address.port), _Handler)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "another program has it" if taken else (error.strerror or str(error)).lower()
            raise EdgecnnError(
                f"cannot listen on {address.host} port {address.port}: {why}. Choose another port (from 1024 on no "
                "rights are needed), for example --http 8080; 0 takes any free one."
            ) from error

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{shown}:{port}"

    def run(self, stop: Stopping, notifier: Notifier) -> None:
        """Answer until the end is asked for; what has been received whole by then is answered first.

        Raises:
            StopServingError: See ``stop``.
        """
        listening = threading.Thread(target=self.serve_forever, name="http", kwargs={"poll_interval": 0.2})
        listening.start()
        try:
            while True:
                if notifier.interval is not None and self.model.predictor.idle(_REPORT):
                    notifier.alive()
                with stop.waiting():
                    time.sleep(notifier.interval or 3600.0)
        finally:
            self.shutdown()
            listening.join()
            self._end_unread(older_than=0.0)
            self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the connection, unless there are too many."""
        if not self._free.acquire(blocking=False):
            self._turn_away(request)
            return
        with self._guard:
            self._unread[request] = time.monotonic()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, from its request to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.received(request)
            self._free.release()

    def received(self, request: Any) -> None:
        """A connection's request is there whole: from here on it is answered, whatever happens."""
        with self._guard:
            self._unread.pop(request, None)

    def service_actions(self) -> None:
        """End connections that take too long over their request."""
        self._end_unread(older_than=REQUEST_SECONDS)

    def health(self) -> dict[str, Any]:
        """How the service is."""
        model = self.model
        return {
            "status": "ok",
            "model": model.name,
            "id": model.id,
            "task": model.predictor.contract.task,
            "takes": self.reader.expected,
            "runtime": model.runtime,
            "runtime_version": model.predictor.session.version,
            "edgecnn": __version__,
            "uptime_s": round(time.monotonic() - self.started, 1),
            "count": model.predictor.count,
            "refused": self.refused,
            "p50_ms": model.predictor.median_ms(),
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event; anything else is one line."""
        del request, client_address
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, (ConnectionError, TimeoutError)):
            print(f"Error: {type(error).__name__}: {first_line(error)}", file=sys.stderr, flush=True)

    def count_refused(self) -> None:
        """One more request without a prediction."""
        with self._guard:
            self.refused += 1

    def _end_unread(self, older_than: float) -> None:
        now = time.monotonic()
        with self._guard:
            late = [request for request, since in self._unread.items() if now - since >= older_than]
        for request in late:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RD)    # its thread reads the end, and closes

    def _turn_away(self, request: Any) -> None:
        """503 from the listening thread, which must not wait for anybody."""
        body = as_line({"error": f"busy with {MOST_CONNECTIONS} requests. Try again in a second."})
        head = (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            request.settimeout(0.1)
            request.recv(65536)
            request.sendall(head.encode() + body)
        self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    """One connection with one request."""

    server: Service
    protocol_version = "HTTP/1.1"
    timeout = SILENT_SECONDS

    def version_string(self) -> str:
        """Who answers, without Python's version."""
        return f"edgecnn/{__version__}"

    def do_GET(self) -> None:
        """``/`` and ``/health``; other methods come here too, and learn what is allowed."""
        self._answered()

    do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET    # noqa: N815

    def handle_expect_100(self) -> bool:
        """A client that asks before it sends is told at once what will not be taken."""
        try:
            self._check()
        except _RefusalError as refusal:
            self._refuse(refusal)
            return False
        return super().handle_expect_100()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What ``http.server`` itself refuses: a bad request line, too many headers, an unknown method."""
        del explain
        self._refuse(_RefusalError(HTTPStatus(code), message or HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing for each request: a journal on an SD card would wear it out."""
        del format, args

    def _answered(self) -> None:
        try:
            length = self._check()
            path = urlsplit(self.path).path
            if path != "/predict":
                self.server.received(self.connection)
                self._send(HTTPStatus.OK, self.server.health() if path == "/health" else self._routes())
                return
            self._send(HTTPStatus.OK, self._prediction(self._body(length)))
        except _RefusalError as refusal:
            self._refuse(refusal)
        except EdgecnnError as error:
            self._refuse(_RefusalError(HTTPStatus.BAD_REQUEST, str(error)))
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            self.server.handle_error(self.connection, self.client_address)
            message = "a mistake in edgecnn itself; the service's own output names it."
            self._refuse(_RefusalError(HTTPStatus.INTERNAL_SERVER_ERROR, message))

    def _check(self) -> int:
        """Everything about a request that can be told before its body; the body's length.

        Raises:
            _RefusalError: There is no such route or method, or the body is too long or of unknown length.
        """
        path = urlsplit(self.path).path
        if path not in ROUTES:
            raise _RefusalError(HTTPStatus.NOT_FOUND, f"no route {path[:100]}. There are {', '.join(ROUTES)}.")
        if self.command != ROUTES[path]:
            allowed = ROUTES[path]
            message = f"{path} takes {allowed}, not {self.command}."
            raise _RefusalError(HTTPStatus.METHOD_NOT_ALLOWED, message, {"Allow": allowed})
        if self.command != "POST":
            return 0
        text = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not text:
            raise _RefusalError(HTTPStatus.LENGTH_REQUIRED, "a body with a Content-Length is needed.")
        if not (text.isascii() and text.isdecimal()):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, f"Content-Length {text[:40]!r} is no number.")
        most = self.server.reader.most_bytes
        if len(text) > 18 or int(text) > most:
            raise _RefusalError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{text[:18]} bytes; at most {most} are taken (--max-bytes)."
            )
        if self.headers.get_content_type().startswith("multipart/"):
            raise _RefusalError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "multipart is not supported: send the file itself (curl --data-binary @photo.jpg), or JSON.",
            )
        return int(text)

    def _body(self, length: int) -> bytes:
        """The whole body.

        Raises:
            _RefusalError: It did not come in time.
        """
        with contextlib.suppress(TimeoutError):
            body = self.rfile.read(length)
            if len(body) == length:
                self.server.received(self.connection)
                return body
        raise _RefusalError(HTTPStatus.REQUEST_TIMEOUT, f"the body did not come: {length} bytes were announced.")

    def _prediction(self, body: bytes) -> dict[str, Any]:
        """The answer to a sample.

        Raises:
            EdgecnnError: It is none of this model.
        """
        reader, predictor = self.server.reader, self.server.model.predictor
        if self.headers.get_content_type() != "application/json":
            return predictor.predict(reader.from_bytes(body, "the body")).document()
        request = parse_json(body)
        document = predictor.predict(from_request(request, reader, files=False)).document()
        return {"id": request["id"], **document} if "id" in request else document

    def _routes(self) -> dict[str, Any]:
        return {
            "model": self.server.model.name,
            "takes": self.server.reader.expected,
            "labels": list(self.server.model.predictor.contract.labels),
            "routes": {f"{method} {path}": _MEANINGS[path] for path, method in ROUTES.items()},
        }

    def _refuse(self, refusal: _RefusalError) -> None:
        self.server.count_refused()
        self._send(refusal.status, {"error": refusal.message}, refusal.headers)
        self._linger()

    def _send(self, status: HTTPStatus, document: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        body = as_line(document)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def _linger(self) -> None:
        """Take what the client still sends, for a moment."""
        end = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_SECONDS / 4)
            while time.monotonic() < end and self.connection.recv(65536):
                pass


_MEANINGS = {
    "/": "this list",
    "/health": "model, runtime, uptime, number of predictions, their median in ms",
    "/predict": 'the body is a sample\'s file, or JSON: {"data": nested list or base64 of a file} or {"text": …}',
}
