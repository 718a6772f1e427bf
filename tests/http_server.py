"""A real HTTP server on a free loopback port, in a thread, for a WSGI application."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["App", "make_certificate", "serving"]

#: A WSGI application: (environ, start_response) gives the body.
App = Callable[[Any, Any], Any]


class _Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Keep the tests' output clean."""


@contextmanager
def serving(app: App, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Serve the application until the block ends; gives its URL, `http://127.0.0.1:PORT`.

    With a certificate and its key it speaks https.
    """
    files = None if certificate is None else (str(certificate[0]), str(certificate[1]))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent, ssl_context=files)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'http' if files is None else 'https'}://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key, as files in this folder.

    Skips the test without openssl, which `make test` installs where it may; nothing else here makes certificates.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    command = ["openssl", "req", *options.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
