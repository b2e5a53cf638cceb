"""The gRPC services that postcall calls: the transform itself, health, and the end."""

from __future__ import annotations

import logging
import threading
from concurrent import futures
from typing import Any, Callable, NoReturn

import grpc
from google.protobuf.message import DecodeError

from . import transform_pb2 as wire
from .call import Call
from .errors import Canceled, Permanent, Retry, SettingError
from .transformer import Transformer
from .where import where

__all__ = ["Service", "make_server"]

PROTOCOL = 1
MAX_MESSAGE = 64 << 20
# Calls at once. postcall has at most 64 under way, and its question whether the plugin is alive must not wait for them.
THREADS = 80
# Bytes of a message that are on their way without a round trip; more than a batch has.
_WINDOW = 4 << 20

log = logging.getLogger("postcall")
Context = Any  # grpc.ServicerContext, of which grpcio says little
Handler = Callable[[bytes, Context], bytes]


class Service:
    """The services of one plugin. ended is set when postcall asks the plugin to end."""

    def __init__(self, transformer: Transformer, ended: threading.Event) -> None:
        self._transformer, self._ended = transformer, ended
        self._lock = threading.Lock()
        self._opening = self._open = False

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return the methods by name."""
        return [
            _service("postcall.transform.v1.Transformer", Configure=self.configure, Transform=self.transform),
            _service("grpc.health.v1.Health", Check=self.health),
            _service("plugin.GRPCController", Shutdown=self.shutdown),
        ]

    def configure(self, data: bytes, context: Context) -> bytes:
        """Take the settings, once."""
        try:
            request = wire.ConfigureRequest.FromString(data)
        except DecodeError:
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "the request is no message of this protocol")
        name = self._transformer.name
        if request.protocol != PROTOCOL:
            says = f"{name} speaks version {PROTOCOL} of the protocol, the host speaks {request.protocol}"
            _abort(context, grpc.StatusCode.UNIMPLEMENTED, says)
        with self._lock:
            if self._opening:
                _abort(context, grpc.StatusCode.FAILED_PRECONDITION, f"{name} is already configured")
            self._opening = True
        try:
            self._transformer.configure(request.settings)
        except SettingError as err:
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(err))
        self._open = True
        return wire.ConfigureResponse(name=name, version=self._transformer.version).SerializeToString()

    def transform(self, data: bytes, context: Context) -> bytes:
        """Transform a batch."""
        if not self._open:
            _abort(context, grpc.StatusCode.FAILED_PRECONDITION, f"{self._transformer.name} is not configured")
        if not data:
            return data
        call = Call(context.time_remaining())
        if not context.add_callback(call.end):
            call.end()
        try:
            return self._transformer.call(data, call)
        except BaseException as err:  # a transform that calls sys.exit must not leave the call without an answer
            code, says = self._explain(err)
        _abort(context, code, says)
        return None

    def _explain(self, err: BaseException) -> tuple[grpc.StatusCode, str]:
        """Put what a transform raised in words without any of the caller's, and log where it came from."""
        if isinstance(err, Canceled):
            return grpc.StatusCode.CANCELLED, str(err)
        if isinstance(err, Permanent):
            return grpc.StatusCode.INVALID_ARGUMENT, str(err)
        if isinstance(err, Retry):
            return grpc.StatusCode.INTERNAL, str(err)
        log.error("transform failed", exc_info=err)
        says = f"{self._transformer.name} raised {type(err).__name__} at {where(err)}"
        if isinstance(err, (OSError, MemoryError)):  # the machine or the network, not the batch
            return grpc.StatusCode.INTERNAL, says
        return grpc.StatusCode.INVALID_ARGUMENT, says

    def health(self, data: bytes, context: Context) -> bytes:
        """Say that the service plugin is serving: a HealthCheckResponse with status 1."""
        if data not in (b"", b"\n\x06plugin"):
            _abort(context, grpc.StatusCode.NOT_FOUND, "there is no such service")
        return b"\x08\x01"

    def shutdown(self, _data: bytes, _context: Context) -> bytes:
        """End the plugin, as go-plugin's hosts ask."""
        self._ended.set()
        return b""


def make_server(service: Service) -> grpc.Server:
    """Return the server, without an address."""
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
        ("grpc.http2.lookahead_bytes", _WINDOW),
        ("grpc.so_reuseport", 0),
    ]
    pool = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="postcall")
    return grpc.server(pool, handlers=service.handlers(), options=options)


def _service(name: str, **methods: Handler) -> grpc.GenericRpcHandler:
    calls: dict[str, Any] = {method: grpc.unary_unary_rpc_method_handler(handler) for method, handler in methods.items()}
    return grpc.method_handlers_generic_handler(name, calls)


def _abort(context: Context, code: grpc.StatusCode, says: str) -> NoReturn:
    context.abort(code, says)
    raise AssertionError  # abort raises
