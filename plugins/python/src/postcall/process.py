"""The process of a plugin: what it takes over, how it shakes hands with postcall, and how it ends."""

from __future__ import annotations

import base64
import logging
import os
import shutil
import signal
import sys
import threading
from typing import NoReturn

from .transformer import Transformer

__all__ = ["run", "started_by_postcall"]

STOP_GRACE = 1.0  # seconds for calls under way; postcall kills after two


def started_by_postcall() -> bool:
    """Report whether this process was started as a plugin."""
    return os.environ.get("POSTCALL_PLUGIN") == "transform"


def by_hand(transformer: Transformer) -> NoReturn:
    """Say what this is to somebody who started it."""
    name, version = transformer.name, transformer.version
    print(
        f"{name} {version} is a plugin of postcall, which starts it: name it in POSTCALL_TRANSFORMS",
        file=sys.stderr,
    )
    sys.exit(2)


def run(transformer: Transformer) -> None:
    """Serve until postcall ends the plugin."""
    handshake = _take_over()
    if os.environ.get("POSTCALL_PLUGIN_STDIN") == "hold":
        _end_with_host()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the host's to act on
    server, line = _listen(transformer, ended)
    os.write(handshake, line.encode())
    ended.wait()
    server.stop(STOP_GRACE).wait(STOP_GRACE)
    logging.shutdown()


def _take_over() -> int:
    """Keep stdout for the handshake and return it; from here on everything that is written goes to stderr, logged."""
    from . import log

    handshake = os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    log.begin(sys.stderr)
    return handshake


def _end_with_host() -> None:
    """End when the host is gone, which its end of stdin tells: a plugin must not outlive it."""
    hold = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # nobody else reads it, no child holds it
    os.close(nothing)

    def wait() -> None:
        while os.read(hold, 1024):
            pass
        folder = os.getcwd()
        if os.path.basename(folder).startswith("postcall-plugin-"):
            shutil.rmtree(folder, ignore_errors=True)  # the host can't any more
        os._exit(3)

    threading.Thread(target=wait, name="postcall-stdin", daemon=True).start()


def _listen(transformer: Transformer, ended: threading.Event):  # type: ignore[no-untyped-def]
    """Start the server and return it with its line of the handshake."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # or it writes of every refused client
    import grpc

    from . import certificate
    from .server import PROTOCOL, Service, make_server

    host = os.environ.get("PLUGIN_CLIENT_CERT", "")
    if not host:
        sys.exit("PLUGIN_CLIENT_CERT is empty: this plugin speaks with a host of which it has a certificate only")
    key, pem, der = certificate.make()
    credentials = grpc.ssl_server_credentials([(key, pem)], host.encode(), require_client_auth=True)
    server = make_server(Service(transformer, ended))
    path = os.path.join(os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or os.getcwd(), "plugin.sock")
    if server.add_secure_port(f"unix:{path}", credentials) == 0:
        sys.exit(f"can't listen on {path}")
    server.start()
    text = base64.b64encode(der).decode().rstrip("=")
    return server, f"{PROTOCOL}|{PROTOCOL}|unix|{path}|grpc|{text}\n"
