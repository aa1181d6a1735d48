"""Every problem of the Kubernetes objects on standard input, a JSON list, against each version that is named; one a line."""

import json
import sys

import kubernetes_validate

problems = 0
for manifest in json.load(sys.stdin):
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    for version in sys.argv[1:]:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            problems += 1
            print(f"{name}, Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}")
sys.exit(1 if problems else 0)
