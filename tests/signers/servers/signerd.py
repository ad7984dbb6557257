"""A signing daemon as Talos' imager expects it, written with Google's gRPC library and without generated code.

    signerd.py SOCKET [THROTTLED]

The first THROTTLED signatures are answered with RESOURCE_EXHAUSTED. Prints one line of JSON, and ends when its standard
input is closed.
"""

import json
import sys
from concurrent import futures

import grpc

from fake import certificate, new_key, public_pem, sign

KEY = new_key()
BITS = {1: "256", 2: "384", 3: "512"}


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def fields(data):
    """The fields of a protobuf message: numbers and byte strings."""
    found, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        found[tag >> 3] = value
    return found


def first(data):
    """A message whose field 1 is these bytes."""
    return b"\x0a" + varint(len(data)) + data


class Service(grpc.GenericRpcHandler):
    def __init__(self, throttled):
        self.throttled = throttled
        self.methods = {
            "GetCertificate": lambda _request, _context: first(certificate(KEY, "signerd")),
            "GetPublicKey": lambda _request, _context: first(public_pem(KEY).encode()),
            "Sign": self.sign,
        }

    def sign(self, request, context):
        if self.throttled > 0:
            self.throttled -= 1
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many signatures")
        request = fields(request)
        bits = BITS.get(request.get(2))
        if bits is None or request.get(3) != 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unknown hash or scheme")
        return first(sign(KEY, bits, request[1]))

    def service(self, details):
        prefix, _, name = details.method.rpartition("/")
        method = self.methods.get(name) if prefix == "/signerapi.SignerService" else None
        return method and grpc.unary_unary_rpc_method_handler(method)


def main():
    socket, throttled = sys.argv[1], int((sys.argv[2:] or ["0"])[0])
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Service(throttled)])
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print(json.dumps({"address": socket}), flush=True)
    sys.stdin.read()
    server.stop(0)


main()
