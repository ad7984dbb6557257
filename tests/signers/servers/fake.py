"""What the servers share: real RSA signatures, certificates, and an HTTP server of JSON answers.

A fake prints one line of JSON, and ends when its standard input is closed.
"""

import base64
import datetime
import json
import os
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.x509.oid import NameOID

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


def new_key(bits=2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def sign(key, bits, digest):
    """RSASSA-PKCS1-v1_5 over a digest; a digest of another length is an error."""
    algorithm = HASHES[bits]
    if len(digest) != algorithm.digest_size:
        raise Refusal(400, {"error": {"code": "BadParameter", "message": "Digest has the wrong length"}})
    return key.sign(digest, padding.PKCS1v15(), utils.Prehashed(algorithm))


def public_pem(key):
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def certificate(key, name, encoding=serialization.Encoding.PEM):
    """A certificate the key itself signs."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start.replace(year=2046))
    return builder.sign(key, hashes.SHA256()).public_bytes(encoding)


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def serve(handle, facts):
    """Serves `handle(method, path, query, headers, body) -> object` until standard input is closed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            url = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = dict(urllib.parse.parse_qsl(url.query))
            try:
                status, answer = 200, handle(self.command, url.path, query, self.headers, body)
            except Refusal as refusal:
                status, answer = refusal.status, refusal.body
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = "127.0.0.1:%d" % server.server_address[1]
    print(json.dumps({"address": address, **facts(address)}), flush=True)
    sys.stdin.read()
    os._exit(0)
