"""HTTP over real sockets: the same predictions, and a sentence with the right status for all else."""

from __future__ import annotations

import base64
import http.client
import io
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import UsageError
from edgecnn.serve.web import MOST_CONNECTIONS, parse_address
from tests.edgecnn.serve.serving import DIGITS, Served, digits, labels_and_scores, serving
from tests.support import Cli

MOST = 100_000


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("web"), DIGITS, "--http", "0", "--max-bytes", str(MOST)) as served:
        yield served


def place(service: Served) -> tuple[str, int]:
    host, _, port = str(service.first["url"]).removeprefix("http://").rpartition(":")
    return host, int(port)


def ask(
    service: Served, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and document of one request."""
    connection = http.client.HTTPConnection(*place(service), timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, dict(answer.getheaders()), json.loads(data) if data else None
    finally:
        connection.close()


def raw_answer(service: Served, data: bytes) -> bytes:
    """What comes back for bytes that no client would send."""
    with socket.create_connection(place(service), timeout=60) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def test_it_is_bound_to_this_machine(service: Served) -> None:
    assert place(service)[0] == "127.0.0.1"


def test_predictions_are_those_of_evaluate(service: Served) -> None:
    raw = digits(20)
    for number, (sample, expected) in enumerate(zip(raw, labels_and_scores(DIGITS, raw), strict=True)):
        listed = {"id": number, "data": sample.tolist()}
        coded = {"id": number, "data": base64.b64encode(npy(sample)).decode()}
        found = [
            ask(service, "POST", "/predict", npy(sample), {"Content-Type": "application/x-npy"}),
            *(
                ask(service, "POST", "/predict", json.dumps(one).encode(), {"Content-Type": "application/json"})
                for one in (listed, coded)
            ),
        ]
        for status, _, document in found:
            assert (status, document["label"], document["score"]) == (200, *expected)
        assert [document.get("id") for _, _, document in found] == [None, number, number]


def test_pictures_by_their_bytes(service: Served) -> None:
    """Whatever the client says that they are."""
    pytest.importorskip("PIL")
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    ppm = b"P6\n# made for a test\n30 40\n255\n" + pixels.tobytes()
    for kind in ("image/png", "application/octet-stream", ""):
        headers = {"Content-Type": kind} if kind else {}
        found = [ask(service, "POST", "/predict", body, headers) for body in (stream.getvalue(), ppm)]
        assert [status for status, _, _ in found] == [200, 200]
        assert found[0][2]["top"] == found[1][2]["top"]


def test_health_counts(service: Served) -> None:
    before = ask(service, "GET", "/health")[2]
    ask(service, "POST", "/predict", npy(digits(1)[0]))
    ask(service, "POST", "/predict", b"nothing")
    status, _, after = ask(service, "GET", "/health?x=1")
    assert (status, after["status"], after["model"], after["runtime"]) == (200, "ok", "digits_tiny", "litert")
    assert after["count"] == before["count"] + 1
    assert after["refused"] == before["refused"] + 1
    assert after["id"] == service.first["id"]
    assert after["uptime_s"] >= before["uptime_s"]
    assert after["p50_ms"] > 0


def test_the_list_of_routes(service: Served) -> None:
    status, headers, document = ask(service, "GET", "/")
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert set(document["routes"]) == {"GET /", "GET /health", "POST /predict"}


JSON = {"Content-Type": "application/json"}
REFUSED: list[tuple[str, str, bytes | None, dict[str, str], int, str]] = [
    ("GET", "/nothing", None, {}, 404, "/predict"),
    ("POST", "/nothing", b"x", {}, 404, "/predict"),
    ("GET", "/predict", None, {}, 405, "takes POST"),
    ("DELETE", "/predict", None, {}, 405, "takes POST"),
    ("POST", "/health", b"", {}, 405, "takes GET"),
    ("POST", "/predict", b"", {}, 400, "empty"),
    ("POST", "/predict", b"GIF87a and no more", {}, 400, "image"),
    ("POST", "/predict", b"\x93NUMPY\x01\x00v\x00{'descr'", {}, 400, ".npy"),
    ("POST", "/predict", npy(np.zeros((9, 9), np.uint8)), {}, 400, "9×9"),
    ("POST", "/predict", b"{", JSON, 400, "not JSON"),
    ("POST", "/predict", b"[" * 50_000, JSON, 400, "not JSON"),
    ("POST", "/predict", b"[]", JSON, 400, "JSON object"),
    ("POST", "/predict", b'{"image": "/etc/hostname"}', JSON, 400, "one of data, text"),
    ("POST", "/predict", b"--x", {"Content-Type": "multipart/form-data; boundary=x"}, 415, "curl"),
    ("POST", "/predict", bytes(MOST + 1), {}, 413, str(MOST)),
    ("POST", "/predict", bytes(60 * MOST), {}, 413, str(MOST)),
    ("POST", "/predict", b"x", {"Content-Length": "1e3"}, 400, "no number"),
    ("POST", "/predict", b"x", {"Content-Length": "-1"}, 400, "no number"),
    ("POST", "/predict", b"x", {"Transfer-Encoding": "chunked", "Content-Length": "1"}, 411, "Content-Length"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "expected"), REFUSED)
def test_what_is_refused(
    service: Served, method: str, path: str, body: bytes | None, headers: dict[str, str], status: int, expected: str
) -> None:
    found, back, document = ask(service, method, path, body, headers)
    assert found == status, document
    assert expected in document["error"]
    assert back["Connection"] == "close"
    if status == 405:
        assert back["Allow"] in ("GET", "POST")
    assert ask(service, "GET", "/health")[0] == 200


def test_a_client_that_asks_first_sends_nothing_that_is_too_long(service: Served) -> None:
    head = f"POST /predict HTTP/1.1\r\nContent-Length: {MOST + 1}\r\nExpect: 100-continue\r\n\r\n"
    assert raw_answer(service, head.encode()).startswith(b"HTTP/1.1 413 ")
    body = npy(digits(1)[0])
    head = f"POST /predict HTTP/1.1\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    answer = raw_answer(service, head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"nonsense\r\n\r\n", b"Bad request"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b" 414 "),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b" 431 "),
        (b"BREW / HTTP/1.1\r\n\r\n", b" 501 "),
        (b"POST /predict HTTP/1.1\r\n\r\n", b" 411 "),
        (b"POST /predict HTTP/1.1\r\nContent-Length: 100\r\n\r\nshort", b" 408 "),
        (b"POST /predict HTTP/1.1\r\nContent-Length: 9" + b"9" * 4000 + b"\r\n\r\n", b" 413 "),
    ],
)
def test_bytes_that_are_no_request(service: Served, data: bytes, expected: bytes) -> None:
    assert expected in raw_answer(service, data)
    assert ask(service, "GET", "/health")[0] == 200


def test_many_at_once_are_answered_alike(service: Served) -> None:
    """From as many threads as may be: one interpreter, and nobody gets another's answer."""
    raw = digits(40)
    expected = labels_and_scores(DIGITS, raw)
    found: dict[int, tuple[str, float]] = {}

    def work(first: int) -> None:
        for number in range(first, len(raw), MOST_CONNECTIONS - 1):
            document = ask(service, "POST", "/predict", npy(raw[number]))[2]
            found[number] = (document["label"], document["score"])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(MOST_CONNECTIONS - 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(raw))] == expected


def test_one_connection_too_many_is_turned_away(tmp_path: Path) -> None:
    with serving(tmp_path, DIGITS, "--http", "0") as service:
        idle = [socket.create_connection(place(service), timeout=60) for _ in range(MOST_CONNECTIONS)]
        status, headers, document = ask(service, "GET", "/health")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "busy" in document["error"]
        for connection in idle:
            connection.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        for connection in idle:
            assert connection.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
            connection.close()
        assert service.end() == 0


def test_sigterm_does_not_wait_for_who_is_silent(tmp_path: Path) -> None:
    with serving(tmp_path, DIGITS, "--http", "0") as service, socket.socket() as silent:
        silent.connect(place(service))
        silent.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
        assert ask(service, "GET", "/health")[0] == 200
        assert service.end() == 0
    assert "Asked to end" in (tmp_path / "said.txt").read_text(encoding="utf-8")


def test_ctrl_c_ends_it_too(tmp_path: Path) -> None:
    with serving(tmp_path, DIGITS, "--http", "0") as service:
        assert service.end(signal.SIGINT) == 130


def test_everybody_only_when_told_and_with_a_warning(tmp_path: Path, cli: Cli) -> None:
    with serving(tmp_path, DIGITS, "--http", "0.0.0.0:0") as service:
        _, port = place(service)
        assert "another program has it" in cli("serve", DIGITS, "--http", str(port), code=1).stderr
    assert "can be reached from other machines" in (tmp_path / "said.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:0", "127.0.0.1", 0, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::1]:80", "::1", 80, True),
        ("[::]:80", "::", 80, False),
        ("192.0.2.7:5000", "192.0.2.7", 5000, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    address = parse_address(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)


@pytest.mark.parametrize("text", ["", ":80", "80:", "::1:80", "a b", "localhost", "-1", "65536", "٣", "x..y:80"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--http"):
        parse_address(text)
