"""A fake of Google Cloud KMS and its token endpoints: the emulators that can be had encrypt and do not sign. It checks
what Google's REST reference says of requests (asymmetricSign, getPublicKey, OAuth 2.0 for service accounts, the metadata
server), and signs for real.
"""

import base64
import json
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from fake import Refusal, new_key, private_pem, public_pem, serve, sign, unb64url

RING = "projects/p/locations/global/keyRings/r/cryptoKeys"
KEYS = {
    f"{RING}/sb/cryptoKeyVersions/1": ("RSA_SIGN_PKCS1_2048_SHA256", new_key()),
    f"{RING}/pcr/cryptoKeyVersions/1": ("RSA_SIGN_PKCS1_4096_SHA512", new_key(4096)),
    f"{RING}/pss/cryptoKeyVersions/1": ("RSA_SIGN_PSS_2048_SHA256", new_key()),
}
ACCOUNT, EMAIL, TOKEN = new_key(), "signer@p.iam.gserviceaccount.com", "the-access-token"
SCOPES = {"https://www.googleapis.com/auth/cloudkms", "https://www.googleapis.com/auth/cloud-platform"}


def failure(status, code, message):
    return Refusal(status, {"error": {"code": status, "message": message, "status": code}})


def token(headers, body):
    form = dict(urllib.parse.parse_qsl(body.decode()))
    denied = Refusal(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        raise denied
    signed, signature = form["assertion"].rsplit(".", 1)
    head, claims = (json.loads(unb64url(part)) for part in signed.split("."))
    try:
        ACCOUNT.public_key().verify(unb64url(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise denied from None
    now = time.time()
    good = head["alg"] == "RS256" and claims["iss"] == EMAIL and set(claims["scope"].split()) <= SCOPES
    good = good and claims["aud"] == f"http://{headers['Host']}/token"
    if not good or not now - 60 <= claims["iat"] <= now + 60 < claims["exp"] <= claims["iat"] + 3600:
        raise denied
    return {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}


def kms(method, path, headers, body):
    if headers.get("Authorization") != f"Bearer {TOKEN}":
        raise failure(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    name, _, operation = path.removeprefix("/v1/").partition(":")
    public = name.endswith("/publicKey")
    name = name.removesuffix("/publicKey")
    if name not in KEYS:
        raise failure(403, "PERMISSION_DENIED", f"Permission denied on resource '{name}' (or it may not exist).")
    algorithm, key = KEYS[name]
    if method == "GET" and public:
        return {"pem": public_pem(key), "algorithm": algorithm, "name": name, "protectionLevel": "SOFTWARE"}
    if method == "POST" and operation == "asymmetricSign":
        [(kind, digest)] = json.loads(body)["digest"].items()
        if not algorithm.endswith(kind.upper()):
            raise failure(400, "INVALID_ARGUMENT", "The digest does not match the algorithm of the key.")
        signature = sign(key, kind.removeprefix("sha"), base64.b64decode(digest))
        return {"signature": base64.b64encode(signature).decode(), "name": name}
    raise failure(404, "NOT_FOUND", "no such operation")


def handle(method, path, _query, headers, body):
    if path == "/token" and method == "POST":
        return token(headers, body)
    if path == "/computeMetadata/v1/instance/service-accounts/default/token":
        if headers.get("Metadata-Flavor") != "Google":
            raise failure(403, "FORBIDDEN", "Missing Metadata-Flavor:Google header.")
        return {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}
    return kms(method, path, headers, body)


def facts(address):
    account = {"type": "service_account", "client_email": EMAIL, "private_key_id": "1", "private_key": private_pem(ACCOUNT)}
    stranger = {**account, "private_key": private_pem(new_key())}
    uri = {"token_uri": f"http://{address}/token"}
    return {"ring": RING, "account": {**account, **uri}, "stranger": {**stranger, **uri}}


serve(handle, facts)
