"""The same documents at another fault level."""

from __future__ import annotations

import copy

import pytest
import yaml

from chaos.claims.hypotheses.fault_levels import as_text, at_level, istio_values
from chaos.claims.hypotheses.search import Quantity

DOCUMENT = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "web"},
    "spec": {
        "hosts": ["web"],
        "http": [
            {
                "fault": {
                    "abort": {"httpStatus": 503, "percentage": {"value": 10}},
                    "delay": {"fixedDelay": "2s", "percent": 5},
                },
                "route": [{"destination": {"host": "web"}}],
            },
            {"route": [{"destination": {"host": "web"}}]},
        ],
    },
}


@pytest.mark.parametrize(
    ("what", "level", "abort", "delay"),
    [
        ("abort", 37.5, {"httpStatus": 503, "percentage": {"value": 37.5}}, {"fixedDelay": "2s", "percent": 5}),
        (
            "delay",
            20,
            {"httpStatus": 503, "percentage": {"value": 10}},
            {"fixedDelay": "2s", "percentage": {"value": 20}},
        ),
        ("fixedDelay", 0.25, {"httpStatus": 503, "percentage": {"value": 10}}, {"fixedDelay": "250ms", "percent": 5}),
    ],
)
@pytest.mark.parametrize("host", ["web", "web.default.svc.cluster.local"])
def test_only_what_varies_is_changed(host, what, level, abort, delay):
    before = copy.deepcopy(DOCUMENT)
    (changed,) = at_level([DOCUMENT], Quantity(host, what), level)
    first, second = changed["spec"]["http"]
    assert first["fault"] == {"abort": abort, "delay": delay}
    assert second == DOCUMENT["spec"]["http"][1]
    assert before == DOCUMENT


def test_a_host_without_such_a_fault_has_nothing_that_varies():
    with pytest.raises(ValueError, match=r"no rule of shop has a fault\.abort that could vary; .* speak of web"):
        at_level([DOCUMENT], Quantity("shop", "abort"), 5)


def test_istio_documents_alone_are_kept_and_come_back_from_their_text():
    values = istio_values([{"apiVersion": "chaos/v1alpha1", "kind": "Experiment"}, DOCUMENT, None])
    assert values == [DOCUMENT] and values[0] is not DOCUMENT
    assert list(yaml.safe_load_all(as_text(values))) == [DOCUMENT]
