"""A real HTTP server on this machine, with the manners and the faults of those in the internet."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from automedsam.runtime.downloads import Source


@dataclass
class Server:
    """The files of a server, each with the length that it announces, and the requests."""

    url: str = ""
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    has_ranges: bool = True
    content_type: str = "application/octet-stream"
    asked: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)  # as asked for
    pause_at: int | None = None  # how many bytes it sends before it waits
    may_go_on: Event = field(default_factory=Event)

    def source(
        self, name: str, content: bytes, sha256: str | None = None, size_bytes: int | None = None
    ) -> Source:
        self.files[f"/{name}"] = content, len(content)
        return Source(
            name=name,
            urls=(f"{self.url}/{name}",),
            sha256=sha256,
            size_bytes=size_bytes,
            licence="CC BY 4.0, somebody",
        )

    def known_source(self, name: str, content: bytes) -> Source:
        return self.source(name, content, sha256_of(content), len(content))


@contextmanager
def serve() -> Iterator[Server]:
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked_range = self.headers["Range"]
            served.asked.append(self.path)
            served.ranges.append(asked_range)
            content, length = served.files.get(self.path, (b"sorry", 5))
            status, start = (200, 0) if self.path in served.files else (404, 0)
            if status == 200 and served.has_ranges and asked_range:
                start = int(re.fullmatch(r"bytes=(\d+)-", asked_range)[1])
                status = 206 if start < length else 416
            if status == 416:
                content, length, start = b"", 0, 0
            self.send_response(status)
            self.send_header("Content-Length", str(length - start))
            self.send_header("Content-Type", served.content_type)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{length - 1}/{length}")
            self.end_headers()
            pause = len(content) if served.pause_at is None else served.pause_at
            with suppress(ConnectionError):  # the other side may be killed
                self.wfile.write(content[start:pause])
                self.wfile.flush()
                if pause < len(content):
                    served.may_go_on.wait(30)
                    self.wfile.write(content[max(start, pause) :])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            served.may_go_on.set()
            http.shutdown()
            thread.join()


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
