"""Says how TLS connections are made where the default will not do: other authorities, a client certificate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flowcore.errors import FatalNodeError

if TYPE_CHECKING:
    import ssl

__all__ = ["Tls", "file_stamps", "make_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Settings of TLS; certificates and keys are PEM texts, or paths of PEM files.

    >>> Tls(certificate="me.pem", key="me.key").without_client() == Tls()
    True
    """

    #: Whether the server has to show a certificate for its name by a trusted authority.
    verify: bool = True
    #: Authorities to trust in place of the usual ones.
    ca: str | None = None
    #: The client's certificate, with those that lead to its authority.
    certificate: str | None = None
    #: The key of the client's certificate, unless it stands in the same PEM.
    key: str | None = field(default=None, repr=False)
    key_password: str | None = field(default=None, repr=False)

    def without_client(self) -> Tls:
        """The same without a client certificate: for servers that it is not meant for."""
        return replace(self, certificate=None, key=None, key_password=None)


def file_stamps(tls: Tls, *, allowed: bool) -> tuple[tuple[int, int], ...]:
    """Time and size of each file that the settings name: a renewed certificate makes them differ.

    Raises FatalNodeError (`http.tls`) for a file that cannot be read, and for any unless files are `allowed`.
    """
    stamps = []
    for name, given in _parts(tls):
        if _is_pem(given):
            continue
        if not allowed:
            raise FatalNodeError(
                f"`tls.{name}` names a file, and where only the public internet may be reached no files are read.",
                code="http.tls",
                remedy="Give the PEM text itself, from a secret: ${{ secrets.NAME }}.",
            )
        with _readable(name):
            status = os.stat(given)  # noqa: PTH116 - pathlib is not worth its import here
            stamps.append((status.st_mtime_ns, status.st_size))
    return tuple(stamps)


def make_context(tls: Tls) -> ssl.SSLContext:
    """The settings as the standard library wants them.

    Raises FatalNodeError (`http.tls`) for what cannot be read or used.
    """
    import httpx

    context = _trusting(tls.ca) if tls.verify and tls.ca is not None else httpx.create_ssl_context(verify=tls.verify)
    if tls.certificate is not None:
        _load_client(context, tls, tls.certificate)
    elif tls.key is not None:
        raise FatalNodeError(
            "`tls.key` is given without `tls.certificate`.", code="http.tls", remedy="Give both, or neither."
        )
    return context


def _trusting(ca: str) -> ssl.SSLContext:
    import ssl

    with _readable("ca"):
        try:
            # cadata is searched for certificates; text between them, as some bundles have it, is read over.
            return ssl.create_default_context(cadata=ca) if _is_pem(ca) else ssl.create_default_context(cafile=ca)
        except (ssl.SSLError, ValueError) as error:
            raise FatalNodeError(
                "`tls.ca` holds no certificates in PEM form.",
                code="http.tls",
                remedy="Give certificates that begin with -----BEGIN CERTIFICATE-----, or a file of them.",
            ) from error


def _load_client(context: ssl.SSLContext, tls: Tls, certificate: str) -> None:
    import ssl

    with _as_file("certificate", certificate) as certificate_file, _as_file("key", tls.key) as key_file:
        try:
            # Without an answer to the question for the password OpenSSL would ask at the terminal.
            context.load_cert_chain(str(certificate_file), key_file, password=lambda: tls.key_password or "")
        except (ssl.SSLError, ValueError) as error:
            # OpenSSL tells a key that is missing, broken or locked by nothing but "PEM lib".
            mismatch = getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
            why = "its key is missing, broken, or locked with another password"
            raise FatalNodeError(
                f"The client certificate cannot be used: {'the key belongs to another one' if mismatch else why}.",
                code="http.tls",
                remedy="Give in `tls.certificate` and `tls.key` a certificate and its own key in PEM form, and in "
                "`tls.key_password` the key's password if it has one.",
            ) from error


def _parts(tls: Tls) -> Iterator[tuple[str, str]]:
    named = (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key))
    return ((name, given) for name, given in named if given is not None)


def _is_pem(given: str) -> bool:
    return "-----BEGIN " in given


@contextmanager
def _as_file(name: str, given: str | None) -> Iterator[str | None]:
    """The path of what is given; the standard library loads client certificates from files only."""
    if given is None or not _is_pem(given):
        if given is not None:
            with _readable(name), open(given, "rb"):  # noqa: PTH123 - as above
                pass  # OpenSSL would not say which of the files it is
        yield given
        return
    import tempfile

    with tempfile.NamedTemporaryFile("w", prefix="flownodes-", suffix=".pem") as file:  # readable by its owner only
        file.write(given)
        file.flush()
        yield file.name


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # a path with a NUL in it is a ValueError
        why = getattr(error, "strerror", None) or "it is no path"
        raise FatalNodeError(
            # Not shown: it may be a secret that is no PEM text.
            f"The file that `tls.{name}` names cannot be read: {why}.",
            code="http.tls",
            remedy="Correct the path, or give the PEM text itself, which begins with -----BEGIN.",
        ) from error
