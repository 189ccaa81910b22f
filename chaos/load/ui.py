"""Locust's own web UI on loopback, with a tab that shows the faults and a switch for them.

The tab is Locust's extension point (`extended_tabs`, fed by `extended_stats`); the switch is our own script, added to
its page. There is no login, so it listens on loopback only and takes commands only from its own pages."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import gevent
from flask import Response, jsonify, request
from locust.stats import stats_history
from locust.web import WebUI

from chaos.load.address import free_address, own_hosts
from chaos.load.distributed import DistributedLoad
from chaos.load.faults import Faults, Gateway
from chaos.load.local import LocalLoad
from chaos.load.session import Session
from chaos.load.ui_guard import may_pass
from chaos.protocol.load_plan import Plan

COLUMNS = {
    "name": "Rule · fault",
    "configured": "Configured",
    "drawn": "Drawn by the gateway",
    "observed": "Seen by users",
}
TAB = "faults"
SWITCHED = "faults switched {} in the web UI; no verdict counts requests while they are not as the phase has them"
START = 10.0  # seconds


def serve(plan: Plan, load: LocalLoad | DistributedLoad, session: Session) -> str:
    """Start the web UI for a load. Returns its address. Raises BadPlan or OSError when it cannot listen there."""
    host, port = free_address(plan.ui or "")
    configured = {(each["name"], each["kind"]): float(each["configured"]) for each in plan.faults}
    faults = Faults(Gateway(plan.admin) if plan.admin else None, configured)
    session.watch_digests(faults.observe)
    environment = load.environment
    ui = environment.create_web_ui(host, port, delayed_start=True)
    ui.template_args["extended_tabs"] = [{"title": "Faults", "key": TAB}]
    ui.template_args["extended_tables"] = [
        {"key": TAB, "structure": [{"key": key, "title": title} for key, title in COLUMNS.items()]}
    ]
    add_faults(ui.app, faults, session, own_hosts(host, port))
    gevent.spawn(stats_history, load.runner)
    ui.start()
    wait_until_listening(ui)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def wait_until_listening(ui: WebUI) -> None:
    """Wait until Locust's server listens: it starts in a greenlet and sends no signal. Raises OSError when it
    cannot."""
    with gevent.Timeout(START, OSError("the web UI did not start")):
        while ui.server is None or not ui.server.started:
            if ui.greenlet is not None and ui.greenlet.dead:
                raise OSError(f"the web UI did not start: {ui.greenlet.exception}")
            gevent.sleep(0.002)


def add_faults(app: Any, faults: Faults, session: Session, hosts: set[str]) -> None:
    """Add our routes, and our additions to Locust's responses."""
    script = (files("chaos.load") / "faults.js").read_text("utf-8")

    @app.before_request  # type: ignore[untyped-decorator]
    def only_from_here() -> Response | None:
        """Keep other sites' pages from starting, stopping or changing a load, whatever name they give this address."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if may_pass(request.method, request.path, headers.get("host", ""), headers, hosts):
            return None
        return Response("not from here\n", 403, mimetype="text/plain")

    @app.get("/chaos/faults.js")  # type: ignore[untyped-decorator]
    def faults_script() -> Response:
        return Response(script, mimetype="text/javascript")

    @app.get("/chaos/faults")  # type: ignore[untyped-decorator]
    def faults_state() -> Response:
        return state()

    @app.post("/chaos/faults")  # type: ignore[untyped-decorator]
    def switch_faults() -> Response:
        enabled = (request.get_json(silent=True) or {}).get("enabled")
        if not isinstance(enabled, bool):
            return state("enabled must be true or false", 400)
        try:
            faults.switch(enabled)
        except OSError as error:
            return state(str(error), 502)
        session.tell_event("info", SWITCHED.format("on" if enabled else "off"))
        return state()

    def state(error: str = "", status: int = 200) -> Response:
        answer: Response = jsonify(
            enabled=faults.enabled, switchable=faults.gateway is not None, error=error, rules=faults.rows()
        )
        answer.status_code = status
        return answer

    @app.after_request  # type: ignore[untyped-decorator]
    def add_ours(response: Response) -> Response:
        response.headers["x-frame-options"] = "DENY"  # a page around ours could steer clicks
        if request.path == "/stats/requests" and response.is_json and isinstance(response.json, dict):
            extended = [{"key": TAB, "data": faults.rows()}]
            response.set_data(json.dumps({**response.json, "extended_stats": extended}))
        elif request.path == "/" and response.mimetype == "text/html" and not response.is_streamed:
            page = response.get_data(as_text=True)
            response.set_data(page.replace("</body>", '<script src="./chaos/faults.js" defer></script></body>'))
        return response
