"""HTTP for every pack: one pooled client, with the check of addresses where its sockets are made.

Importing this is cheap; httpx is loaded when the client is made.
"""

from flowruntime.http.addresses import why_not_public
from flowruntime.http.client import CONNECT_SECONDS, MAX_CONNECTIONS, MAX_REDIRECTS, AddressRefusedError, make_client
from flowruntime.http.tls import Tls

__all__ = [
    "CONNECT_SECONDS",
    "MAX_CONNECTIONS",
    "MAX_REDIRECTS",
    "AddressRefusedError",
    "Tls",
    "make_client",
    "why_not_public",
]
