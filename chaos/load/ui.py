"""Locust's own web UI on loopback, with a tab that shows the run: its claims, its load over time, its faults.

The tab is Locust's extension point (`extended_tabs`), filled by our own script, which is added to its page and shows
what the supervisor sends. There is no login, so it listens on loopback only and takes commands only from its own
pages."""

from __future__ import annotations

from typing import Any

import gevent
from flask import Response, jsonify, request
from locust.argument_parser import get_parser
from locust.stats import stats_history
from locust.web import WebUI

from chaos.load.address import free_address, own_hosts
from chaos.load.board import Board
from chaos.load.distributed import DistributedLoad
from chaos.load.gateway_admin import GatewayAdmin
from chaos.load.live_pages import LONGEST_BODY, PREFIX, LivePages
from chaos.load.local import LocalLoad
from chaos.load.session import Session
from chaos.load.ui_guard import COMMANDS, may_pass
from chaos.protocol.load_plan import Plan

TAB = {"title": "Faults", "key": "faults"}
OVER = "The run is over."
ADDED = '<link rel="stylesheet" href="./chaos/live.css">' + "".join(
    f'<script src="./chaos/{name}.js" defer></script>' for name in ("live_charts", "live", "live_locust")
)
START = 10.0  # seconds


def serve(plan: Plan, load: LocalLoad | DistributedLoad, session: Session, board: Board) -> str:
    """Start the web UI for a load. Returns its address. Raises BadPlan or OSError when it cannot listen there."""
    host, port = free_address(plan.ui or "")
    fill_forms(plan, load)
    ui = load.environment.create_web_ui(host, port, delayed_start=True)
    ui.template_args["extended_tabs"] = [TAB]
    ui.template_args["extended_tables"] = [{"key": TAB["key"], "structure": []}]
    pages = LivePages(board, GatewayAdmin(plan.admin) if plan.admin else None)
    add_ours(ui.app, pages, session, own_hosts(host, port))
    gevent.spawn(stats_history, load.runner)
    ui.start()
    wait_until_listening(ui)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def fill_forms(plan: Plan, load: LocalLoad | DistributedLoad) -> None:
    """Put the plan's numbers into Locust's forms. Users of ours have no host, of which Locust would warn; those of a
    locustfile have one of their own, which a host here would replace."""
    environment = load.environment
    if environment.parsed_options is None:
        environment.parsed_options = get_parser(default_config_files=[]).parse_args([])
    environment.parsed_options.num_users = plan.users
    environment.parsed_options.spawn_rate = plan.spawn_rate
    if not plan.locustfile:
        environment.host = plan.gateway


def wait_until_listening(ui: WebUI) -> None:
    """Wait until Locust's server listens: it starts in a greenlet and sends no signal. Raises OSError when it
    cannot."""
    with gevent.Timeout(START, OSError("the web UI did not start")):
        while ui.server is None or not ui.server.started:
            if ui.greenlet is not None and ui.greenlet.dead:
                raise OSError(f"the web UI did not start: {ui.greenlet.exception}")
            gevent.sleep(0.002)


def add_ours(app: Any, pages: LivePages, session: Session, hosts: set[str]) -> None:
    """Add our routes, and our additions to Locust's responses."""

    @app.before_request  # type: ignore[untyped-decorator]
    def only_from_here() -> Response | None:
        """Keep other sites' pages from starting, stopping or changing a load, whatever name they give this address; and
        everybody from starting one that has ended."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not may_pass(request.method, request.path, headers.get("host", ""), headers, hosts):
            return Response("not from here\n", 403, mimetype="text/plain")
        if session.reason and request.path in ("/swarm", *COMMANDS):
            refused: Response = jsonify(success=False, message=OVER)
            refused.status_code = 409
            return refused
        return None

    @app.route(f"{PREFIX}<path:rest>", methods=["GET", "POST"])  # type: ignore[untyped-decorator]
    def ours(rest: str) -> Response:
        body = request.get_data() if (request.content_length or 0) <= LONGEST_BODY else b""
        answer = pages.answer(request.method, request.path, request.args, body)
        return Response(answer.body, answer.status, content_type=answer.content_type)

    @app.after_request  # type: ignore[untyped-decorator]
    def add_script(response: Response) -> Response:
        response.headers["x-frame-options"] = "DENY"  # a page around ours could steer clicks
        if request.path == "/" and response.mimetype == "text/html" and not response.is_streamed:
            page = response.get_data(as_text=True)
            response.set_data(page.replace("</body>", f"{ADDED}</body>"))
        return response
