"""AWS KMS, as moto has it, with keys made by Amazon's own library; moto signs for real.

Prints one line of JSON, and ends when its standard input is closed. Requests must carry valid signatures of an IAM user
who may use KMS; those of another user are refused. One thing moto lacks is added: it takes every message for a whole one
and hashes it, whatever `MessageType` says.
"""

import json
import os
import sys
import urllib.request

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "false"

import boto3
from cryptography.hazmat.primitives.asymmetric import padding, utils
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse
from moto.kms.utils import RSAPrivateKey
from moto.server import ThreadedMotoServer

from fake import HASHES, certificate, new_key, private_pem

REGION = "eu-central-1"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:*", "acm:*"], "Resource": "*"}]}
)


def digests_only(sign):
    """`Sign` for requests that say their message is a digest; others are refused."""

    def signed(self):
        if self._get_param("MessageType") != "DIGEST":
            raise ValidationException("expected MessageType DIGEST")
        return sign(self)

    return signed


def sign_digest(self, digest, algorithm):
    bits = algorithm.removeprefix("RSASSA_PKCS1_V1_5_SHA_")
    if bits not in HASHES or len(digest) != HASHES[bits].digest_size:
        raise ValidationException("Digest is invalid length for algorithm " + algorithm)
    return self.private_key.sign(digest, padding.PKCS1v15(), utils.Prehashed(HASHES[bits]))


KmsResponse.sign = digests_only(KmsResponse.sign)
RSAPrivateKey.sign = sign_digest


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    common = dict(endpoint_url=url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    iam, kms = boto3.client("iam", **common), boto3.client("kms", **common)
    users = {}
    for name in ("signer", "stranger"):
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        users[name] = {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    iam.put_user_policy(UserName="signer", PolicyName="kms", PolicyDocument=POLICY)
    keys = {}
    for name, spec in (("rsa", "RSA_2048"), ("big", "RSA_4096"), ("next", "RSA_2048"), ("ecc", "ECC_NIST_P256")):
        keys[name] = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec=spec)["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/secureboot", TargetKeyId=keys["rsa"].rsplit("/", 1)[1])
    key = new_key()
    acm = boto3.client("acm", **common)
    certified = acm.import_certificate(Certificate=certificate(key, "acm"), PrivateKey=private_pem(key).encode())
    # From now on every request is checked.
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", data=b"0", method="POST", headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(request).read()
    facts = {"region": REGION, "users": users, "keys": keys, "certificate": certified["CertificateArn"]}
    print(json.dumps({"address": f"{host}:{port}", **facts}), flush=True)
    sys.stdin.read()
    server.stop()


main()
