"""A fake of Azure Key Vault and of Microsoft Entra, since no emulator can be had here: it checks what Azure's REST
reference says of requests (Keys "Sign" and "Get Key", "Get Certificate", OAuth 2.0 client credentials, managed
identities), and signs for real.
"""

import base64
import json
import urllib.parse

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from fake import Refusal, b64url, certificate, new_key, serve, sign, unb64url

VERSIONS = {"v1": new_key(), "v2": new_key()}
SECRET, FEDERATED, TOKEN = "the secret", "the.federated.token", "the-access-token"
RESOURCE = "https://vault.azure.net"


CERTIFICATE = certificate(VERSIONS["v2"], "secureboot", Encoding.DER)


def granted():
    return {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN}


def entra(body):
    form = dict(urllib.parse.parse_qsl(body.decode()))
    if form.get("grant_type") != "client_credentials" or form.get("scope") != RESOURCE + "/.default":
        raise Refusal(400, {"error": "invalid_scope", "error_description": "AADSTS70011: invalid scope"})
    if form.get("client_id") != "app":
        raise Refusal(400, {"error": "unauthorized_client", "error_description": "AADSTS700016: no such application"})
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    federated = form.get("client_assertion_type") == kind and form.get("client_assertion") == FEDERATED
    if form.get("client_secret") != SECRET and not federated:
        raise Refusal(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
    return granted()


def instance(query, headers):
    known = headers.get("Metadata") == "true" and query.get("api-version") == "2018-02-01"
    if not known or query.get("resource") != RESOURCE:
        raise Refusal(400, {"error": "invalid_request"})
    # As a text, as managed identities do.
    return {**granted(), "expires_in": "3599"}


def failure(status, code, message):
    return Refusal(status, {"error": {"code": code, "message": message}})


def vault(method, path, query, headers, body, address):
    if query.get("api-version") != "7.4":
        raise failure(400, "BadParameter", "The request must contain api-version")
    if headers.get("Authorization") != f"Bearer {TOKEN}":
        raise failure(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
    parts = path.strip("/").split("/")
    kind, name, rest = parts[0], parts[1], parts[2:]
    version = rest[0] if rest and rest[0] != "sign" else "v2"
    if name == "elliptic" and kind == "keys":
        public = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
        point = {"crv": "P-256", "x": b64url(public.x.to_bytes(32, "big")), "y": b64url(public.y.to_bytes(32, "big"))}
        return {"key": {"kid": f"http://{address}/keys/elliptic/v1", "kty": "EC", **point}}
    if name == "forbidden":
        raise failure(403, "Forbidden", "Caller is not authorized to perform action on resource.")
    if name != "secureboot" or version not in VERSIONS:
        raise failure(404, "KeyNotFound", f"A key with (name/id) {name} was not found in this key vault.")
    key = VERSIONS[version]
    if method == "GET" and kind == "keys":
        public = key.public_key().public_numbers()
        modulus = public.n.to_bytes(key.key_size // 8, "big")
        jwk = {"kty": "RSA", "key_ops": ["sign", "verify"], "n": b64url(modulus), "e": "AQAB"}
        return {"key": {"kid": f"https://{address}/keys/{name}/{version}", **jwk}, "attributes": {"enabled": True}}
    if method == "GET" and kind == "certificates":
        return {"id": f"https://{address}/certificates/{name}/{version}", "cer": base64.b64encode(CERTIFICATE).decode()}
    if method == "POST" and kind == "keys" and rest[-1] == "sign":
        if headers.get("Content-Type") != "application/json" or len(rest) != 2:
            raise failure(400, "BadParameter", "the request has no body in JSON, or names no version")
        request = json.loads(body)
        algorithm, digest = request["alg"], unb64url(request["value"])
        if not algorithm.startswith("RS"):
            raise failure(400, "BadParameter", "Key and signing algorithm are incompatible")
        return {"kid": f"https://{address}/keys/{name}/{version}", "value": b64url(sign(key, algorithm[2:], digest))}
    raise failure(405, "MethodNotAllowed", "no such operation")


def handle(method, path, query, headers, body):
    if path == "/tenant/oauth2/v2.0/token" and method == "POST":
        return entra(body)
    if path == "/metadata/identity/oauth2/token" and method == "GET":
        return instance(query, headers)
    return vault(method, path, query, headers, body, headers.get("Host"))


serve(handle, lambda address: {"secret": SECRET, "federated": FEDERATED})
