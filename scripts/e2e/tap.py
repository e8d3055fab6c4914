"""A relay between streamgauge and a replica that keeps what passes: the bytes as the replica really sent them.

Two calls of a real server never give the same bytes (ids, times, how tokens share a chunk), so the claim "the client
gets the replica's bytes" is checked on one and the same answer: here on its way in, at the client on its way out.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
from dataclasses import dataclass

READ_LEN = 65536


@dataclass(frozen=True)
class Message:
    """One HTTP answer: status, headers by lower-case name, and the body without its transfer coding."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def read(cls, response: http.client.HTTPResponse) -> Message:
        """Reads an answer to its end; raises `http.client.HTTPException` when the end is missing."""
        headers = {name.lower(): value for name, value in response.getheaders()}
        return cls(response.status, headers, response.read())


class RecordedSocket:
    """What `http.client` needs of a socket, over recorded bytes."""

    def __init__(self, recorded: bytes) -> None:
        self._recorded = recorded

    def makefile(self, _mode: str) -> io.BytesIO:
        """The bytes as a file."""
        return io.BytesIO(self._recorded)


@dataclass(frozen=True)
class Exchange:
    """One request as the replica got it, and the answer as it gave it: raw bytes."""

    request: bytes
    answer: bytes

    @property
    def request_body(self) -> bytes:
        """What follows the head; neither of our senders uses chunks for a request."""
        return self.request.partition(b"\r\n\r\n")[2]

    def message(self) -> Message:
        """The answer, parsed."""

        # The types ask for a real socket, but `HTTPResponse` calls nothing of it except `makefile`.
        response = http.client.HTTPResponse(RecordedSocket(self.answer))  # type: ignore[arg-type]
        response.begin()
        return Message.read(response)


class Connection:
    """Both directions of one connection, as they grow."""

    def __init__(self) -> None:
        self.request = bytearray()
        self.answer = bytearray()
        # Where the requests and answers of the current exchange begin.
        self.mark = (0, 0)


class Tap:
    """Listens on a free port and relays every connection to one replica. For one request at a time."""

    def __init__(self, replica_port: int) -> None:
        self._replica = ("127.0.0.1", replica_port)
        self._connections: list[Connection] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def start_exchange(self) -> None:
        """Forgets what has passed so far. A kept-alive connection carries one exchange after another."""
        for connection in list(self._connections):
            connection.mark = (len(connection.request), len(connection.answer))

    def exchange(self, request_id: str) -> Exchange | None:
        """What has passed since `start_exchange` on the connection that carried this request id."""
        for connection in list(self._connections):
            request_at, answer_at = connection.mark
            request = bytes(connection.request[request_at:])
            if request_id.encode() in request:
                return Exchange(request, bytes(connection.answer[answer_at:]))
        return None

    def close(self) -> None:
        """Closes the port and every connection; the threads end with them."""
        for open_socket in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()

    def _accept(self) -> None:
        while True:
            try:
                downstream, _ = self._listener.accept()
            except OSError:
                # The listener was closed: the end of the run.
                return
            try:
                upstream = socket.create_connection(self._replica)
            except OSError:
                downstream.close()
                continue
            connection = Connection()
            self._connections.append(connection)
            self._sockets += [downstream, upstream]
            for source, target, record in (
                (downstream, upstream, connection.request),
                (upstream, downstream, connection.answer),
            ):
                threading.Thread(target=relay, args=(source, target, record), daemon=True).start()


def relay(source: socket.socket, target: socket.socket, record: bytearray) -> None:
    """Copies one direction until it ends, and passes the end on."""
    with contextlib.suppress(OSError):
        while piece := source.recv(READ_LEN):
            record += piece
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
