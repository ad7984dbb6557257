#!/bin/sh
# Puts validators of documents into a directory, in a Python environment of their own: pyspdxtools for SPDX, and
# cyclonedx-validate and in-toto-validate, which ask the libraries of CycloneDX and in-toto.
#
#   tests/tools/documents.sh DIR
set -eu
cd "$(dirname "$0")/../.."

PACKAGES="spdx-tools==0.8.5 cyclonedx-python-lib[json-validation]==11.11.0 in-toto-attestation==0.9.3"

into=$1
stamp=$into/.documents
digest=$(cat "$0" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then exit 0; fi

echo "fetching validators of SPDX, CycloneDX and in-toto from PyPI" >&2
mkdir -p "$into"
rm -rf "$stamp" "$into/documents"
python3 -m venv "$into/documents"
# shellcheck disable=SC2086
"$into/documents/bin/pip" install --quiet --disable-pip-version-check $PACKAGES >&2
ln -sf documents/bin/pyspdxtools "$into/pyspdxtools"

# program NAME < what it does; it fails with the reason when the file it is given is not valid.
program() {
  { echo "#!$(cd "$into" && pwd)/documents/bin/python"; cat; } > "$into/$1"
  chmod 755 "$into/$1"
}

program cyclonedx-validate <<'PYTHON'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = open(sys.argv[1], encoding="utf-8").read()
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
sys.exit(f"not valid: {problem}" if problem else 0)
PYTHON

# What the library has of provenance is its message, which knows all fields; that some are required only the text of the
# specification says.
program in-toto-validate <<'PYTHON'
import sys
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

text = open(sys.argv[1], encoding="utf-8").read()
message = json_format.Parse(text, statement_pb2.Statement())
Statement.copy_from_pb(message).validate()
if message.predicate_type == "https://slsa.dev/provenance/v1":
    told = json_format.ParseDict(json_format.MessageToDict(message.predicate), provenance_pb2.Provenance())
    required = {
        "buildType": told.build_definition.build_type,
        "externalParameters": told.build_definition.external_parameters.fields,
        "builder.id": told.run_details.builder.id,
    }
    missing = [name for name, value in required.items() if not value]
    if missing:
        sys.exit(f"not valid: the provenance has no {', '.join(missing)}")
    for dependency in told.build_definition.resolved_dependencies:
        ResourceDescriptor.copy_from_pb(dependency).validate()
PYTHON

echo "$digest" > "$stamp"
