"""The experiment file that `chaos init` writes. It runs as it is; comments show the choices."""

from __future__ import annotations

from chaos.experiment.read import stem

_TEXT = """\
# yaml-language-server: $schema={schema}
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {{name: {name}}}
spec:
  description: Half of the calls to {host} fail with 503.
  services:                        # where the hosts of the mesh really are; leave it out and built-in services answer
    {host}: {{builtin: webserver}}   # or: endpoints: [{{address: 127.0.0.1:9001}}], or: command: [python, app.py]
  load:
    users: 20
    until: decided                 # or duration: 30s, or requests: 20000
    tasks: [{{get: http://{host}/}}]
  verify: {{confidence: 99, tolerance: 2}}
---
# yaml-language-server: $schema={schema}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {service}}}
spec:
  hosts: [{host}]
  http:
  - fault:
      abort:
        percentage: {{value: 50}}
        httpStatus: 503
    route:
    - destination: {{host: {host}}}
"""


def scaffold(name: str, host: str, schema: str) -> str:
    """Return the file's text. `schema` is the path of the JSON Schema, relative to the file."""
    return _TEXT.format(name=stem(name), host=host, service=host.split(".")[0].lower(), schema=schema)
