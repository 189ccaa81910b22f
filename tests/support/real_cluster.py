"""A real Istio control plane, as a program starts it that `CHAOS_CLUSTER_TOOL` names: `TOOL up DIR` leaves
DIR/kubeconfig with the context `admin` and a namespace `shop`, `TOOL sidecar DIR NAME` prints the port of a proxy,
DIR/pids has the processes (`PID NAME` a line), and `TOOL down DIR` ends them."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from support.envoy_binary import envoy_binary
from support.in_mesh import HOST, rules
from support.processes import wait_for

Json = dict[str, Any]

TOOL = os.environ.get("CHAOS_CLUSTER_TOOL", "")
CONTEXT = "admin"
ELSEWHERE = "elsewhere"


class _Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "6")
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A proxy may reset its connections."""


class RealCluster:
    """One control plane, two proxies (`url`, `other`), and an application behind the host of `in_mesh`."""

    def __init__(self, folder: Path):
        self.folder = folder / "mesh"
        self.kubeconfig = self.folder / "kubeconfig"
        self._application = _Server(("127.0.0.1", 0), _Hello)

    def __enter__(self) -> RealCluster:
        threading.Thread(target=self._application.serve_forever, daemon=True).start()
        self._tool("up")
        self.apply(self.service(HOST), rules())
        self.url, self.other = (f"http://127.0.0.1:{self._tool('sidecar', name)}" for name in ("client-a", "client-b"))
        for url in (self.url, self.other):
            wait_for(lambda url=url: status(url) == 200, 60, "the mesh")  # type: ignore[misc]
        return self

    def __exit__(self, *_: object) -> None:
        self._tool("down")
        self._application.shutdown()
        self._application.server_close()

    def _tool(self, command: str, *arguments: str) -> str:
        env = {**os.environ, "ENVOY": str(envoy_binary())}
        argv = [sys.executable, TOOL, command, str(self.folder), *arguments]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    # ---------------------------------------------------------------- objects
    def service(self, host: str, protocol: str = "HTTP", port: int = 0) -> Json:
        """A ServiceEntry by which the application, or what listens on this port, is behind a host; a wildcard leads
        nowhere by itself."""
        where = {"address": "127.0.0.1", "ports": {"http": port or self._application.server_port}}
        leading = {"resolution": "NONE"} if "*" in host else {"resolution": "STATIC", "endpoints": [where]}
        ports = [{"number": 80, "name": "http", "protocol": protocol}]
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": host.replace("*", "wild")},
            "spec": {"hosts": [host], "ports": ports, "location": "MESH_INTERNAL", **leading},
        }

    def kubectl(self, *arguments: str, given: Json | None = None) -> str:
        argv = ["kubectl", "--kubeconfig", str(self.kubeconfig), "-n", "shop", *arguments]
        text = None if given is None else json.dumps(given)
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *documents: Json, manager: str = "kubectl") -> None:
        for each in documents:
            options = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
            self.kubectl("apply", *options, "-f", "-", given=each)

    def all(self, kind: str) -> list[Json]:
        found: list[Json] = json.loads(self.kubectl("get", kind.lower(), "-o", "json"))["items"]
        return found

    def left(self) -> list[str]:
        """What of runs is there."""
        return [each["metadata"]["name"] for kind in ("envoyfilter", "job") for each in self.all(kind)]

    def access(self) -> tuple[str, str]:
        """The API server's URL, and a token that may do everything."""
        config = json.loads(self.kubeconfig.read_text())
        return config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]

    def context(self, account: str) -> str:
        """A context of the kubeconfig for a ServiceAccount, with a new token of its."""
        config = json.loads(self.kubeconfig.read_text())
        token = self.kubectl("create", "token", account).strip()
        for kind in ("users", "contexts"):
            config[kind] = [each for each in config[kind] if each["name"] != account]
        config["users"].append({"name": account, "user": {"token": token}})
        config["contexts"].append({"name": account, "context": {**config["contexts"][0]["context"], "user": account}})
        self.kubeconfig.write_text(json.dumps(config))
        return account

    # ---------------------------------------------------------------- processes
    @contextlib.contextmanager
    def down(self, name: str) -> Iterator[None]:
        """Kill one of the control plane's processes, and start it again after the block."""
        pid = self._pid(name)
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        env = dict(
            each.split("=", 1) for each in Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0") if "=" in each
        )
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self._pid(name) != pid, 10, f"the end of {name}")
        try:
            yield
        finally:
            with (self.folder / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    argv, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
            with (self.folder / "pids").open("a") as pids:
                pids.write(f"{process.pid} {name}\n")
            threading.Thread(target=process.wait, daemon=True).start()

    def _pid(self, name: str) -> int:
        """The living process of this name; 0 if there is none."""
        for line in reversed((self.folder / "pids").read_text().splitlines()):
            pid, _, of = line.partition(" ")
            with contextlib.suppress(OSError):
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                if of == name and state != "Z":
                    return int(pid)
        return 0


def status(url: str, headers: Mapping[str, str] | None = None) -> int:
    """The status of one response to a request for the host; 0 without one."""
    request = urllib.request.Request(f"{url}/", headers={"host": HOST, **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class Others:
    """Somebody else's requests, all the time that the block lasts: how many there were, and those that were not
    answered as always."""

    def __init__(self, *urls: str):
        self._urls, self.count, self.wrong = urls, 0, list[tuple[float, str, int]]()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url,), daemon=True) for url in urls]

    def __enter__(self) -> Others:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    def _ask(self, url: str) -> None:
        while not self._over.wait(0.02):
            found = status(url)
            self.count += 1
            if found != 200:
                self.wrong.append((time.time(), url, found))


class Writers:
    """Two others who write all the time that the block lasts: one an annotation of the run's own VirtualService, one
    the rules of another host. `count` is how often they have."""

    def __init__(self, cluster: RealCluster):
        self._cluster, self.count = cluster, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writers:
        self._cluster.apply(rules(name=ELSEWHERE, host=f"{ELSEWHERE}.shop.svc.cluster.local"))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._cluster.kubectl("delete", "virtualservice", ELSEWHERE)

    def _write(self) -> None:
        number = 0
        while not self._over.wait(0.5):
            number += 1
            routes = rules(timeout=f"{1 + number % 9}s")["spec"]["http"]
            for name, change in (
                ("web", {"metadata": {"annotations": {"example.com/seen": str(number)}}}),
                (ELSEWHERE, {"spec": {"http": routes}}),
            ):
                with contextlib.suppress(OSError):  # the API server is restarted
                    self._patch(name, change)
                    self.count += 1

    def _patch(self, name: str, change: Json) -> None:
        server, token = self._cluster.access()
        url = f"{server}/apis/networking.istio.io/v1/namespaces/shop/virtualservices/{name}?fieldManager=somebody"
        headers = {"authorization": f"Bearer {token}", "content-type": "application/merge-patch+json"}
        request = urllib.request.Request(url, json.dumps(change).encode(), headers, method="PATCH")
        with urllib.request.urlopen(request, timeout=5, context=ssl._create_unverified_context()) as response:
            response.read()
