"""The experiment file of `chaos demo`: a proxy that calls a webserver, which has two versions."""

from __future__ import annotations

_SERVICES = """\
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {name: demo}
spec:
  description: The sample applications; half of the calls to webserver fail with 400.
  services:
    proxy: {builtin: proxy, url: http://webserver/}
    webserver: {builtin: webserver, versions: [v1, v2], instances: 3}
    webserverv1: {builtin: webserver, version: v1, instances: 3}
    webserverv2: {builtin: webserver, version: v2, instances: 3}
"""

_RULES = """\
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: webserver
spec:
  hosts:
  - webserver
  http:
  - fault:
      abort:
        httpStatus: 400
        percentage:
          value: 50
    route:
    - destination:
        host: webserverv1.default.svc.cluster.local
"""


def demo_experiment(*, with_rules: bool = True) -> str:
    """Return the text of the demo's experiment file, without rules if others are applied."""
    return _SERVICES + (_RULES if with_rules else "")
