# Documents of what is inside, as releases and extensions bring them.

# sbom NAME VERSION INNER=VERSION… > NAME.spdx.json: something that contains other things.
sbom() {
  outer=$1
  printf '{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"%s"' "$outer"
  printf ',"documentNamespace":"https://reference.example/spdx/%s-%s"' "$outer" "$2"
  printf ',"creationInfo":{"created":"%s","creators":["Tool: reference"]}' "$(date -u -d "@$EPOCH" +%Y-%m-%dT%H:%M:%SZ)"
  printf ',"packages":['
  sbom_package "$outer" "$2"
  shift 2
  for inner; do
    printf ','
    sbom_package "${inner%%=*}" "${inner#*=}"
  done
  printf '],"relationships":['
  sbom_relationship DOCUMENT DESCRIBES "Package-$outer"
  for inner; do
    printf ','
    sbom_relationship "Package-$outer" CONTAINS "Package-${inner%%=*}"
  done
  printf ']}\n'
}

sbom_package() {
  printf '{"SPDXID":"SPDXRef-Package-%s","name":"%s","versionInfo":"%s","downloadLocation":"NOASSERTION"' "$1" "$1" "$2"
  printf ',"filesAnalyzed":false,"licenseConcluded":"NOASSERTION","licenseDeclared":"NOASSERTION","copyrightText":"NOASSERTION"'
  printf ',"externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl"'
  printf ',"referenceLocator":"pkg:generic/%s@%s"}]}' "$1" "$2"
}

sbom_relationship() {
  printf '{"spdxElementId":"SPDXRef-%s","relationshipType":"%s","relatedSpdxElement":"SPDXRef-%s"}' "$1" "$2" "$3"
}
