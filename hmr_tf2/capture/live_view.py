"""Shows pictures as they come: in a window where OpenCV has one, else in the web browser."""

import contextlib
import http.server
import threading
import webbrowser
from collections.abc import Iterator
from typing import Protocol

import cv2
import numpy as np
from absl import logging

_PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; background: #222; color: #ddd;
  font: 16px sans-serif; text-align: center }}
img {{ max-width: 100%; max-height: 92vh }}</style>
<img src="stream" alt="{title}"><p>{title} – press q to end</p>
<script>
onkeydown = event => {{ if (event.key == "q") fetch("end", {{ method: "POST" }}); }};
</script>
"""
_BOUNDARY = "frame"


class LiveView(Protocol):
    """Where pictures are shown."""

    def show(self, picture: np.ndarray) -> bool:
        """Shows RGB uint8 [H, W, 3] in the place of the one before; False once q was pressed."""


@contextlib.contextmanager
def live_view(title: str) -> Iterator[LiveView]:
    """Opens a window; or a page, as the OpenCV that we install has no windows."""
    try:
        cv2.imshow(title, np.zeros((48, 64, 3), np.uint8))
    except cv2.error:
        with Page(title) as page:
            webbrowser.open(page.address)
            logging.info("The pictures are shown at %s; press q there to end.", page.address)
            yield page
    else:
        try:
            yield Window(title)
        finally:
            cv2.destroyAllWindows()


class Window:
    """OpenCV's window."""

    def __init__(self, title: str):
        self._title = title
        self._was_open = False

    def show(self, picture: np.ndarray) -> bool:
        is_open = self._is_open()
        if self._was_open and not is_open:  # showing a picture would open it again
            return False
        self._was_open = is_open
        cv2.imshow(self._title, picture[..., ::-1])
        return cv2.waitKey(1) & 0xFF != ord("q")

    def _is_open(self) -> bool:
        """Whether the window is seen; False too where OpenCV's toolkit cannot tell."""
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            return False


class Page:
    """A page that this machine serves to its own browser, with the pictures as motion JPEG."""

    def __init__(self, title: str):
        self._title = title
        self._news = threading.Condition()
        self._jpeg = b""
        self._count = 0
        self._has_ended = False

    def __enter__(self) -> "Page":
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.end()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def show(self, picture: np.ndarray) -> bool:
        jpeg = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
        with self._news:
            self._jpeg, self._count = jpeg, self._count + 1
            self._news.notify_all()
            return not self._has_ended

    def pictures(self) -> Iterator[bytes]:
        """Yields the newest picture as JPEG, whenever there is another one."""
        last = 0
        while True:
            with self._news:
                while self._count == last and not self._has_ended:
                    self._news.wait()
                if self._has_ended:
                    return
                jpeg, last = self._jpeg, self._count
            yield jpeg

    def end(self) -> None:
        """Says that no more pictures are wanted."""
        with self._news:
            self._has_ended = True
            self._news.notify_all()

    def _handler(self) -> type:
        page, html = self, _PAGE.format(title=self._title).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802, the library's name
                if self.path == "/stream":
                    self._start(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                    with contextlib.suppress(ConnectionError):  # the page was closed
                        for jpeg in page.pictures():
                            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n"
                            self.wfile.write(head.encode() + jpeg + b"\r\n")
                else:
                    self._start("text/html; charset=utf-8")
                    self.wfile.write(html)

            def do_POST(self):  # noqa: N802, the library's name
                page.end()
                self._start("text/plain")

            def log_message(self, *args):
                """Says nothing; requests are no news."""

            def _start(self, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()

        return Handler
