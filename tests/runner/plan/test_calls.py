"""gRPC tasks in an experiment file: what is wrong is told at its line, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.grpc_needed import needs_grpc

from chaos.errors import InvalidInput
from chaos.experiment.read import read_experiment
from chaos.runner.plan import calls
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.engines import Engine, EngineName
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run

ENVOY = RunOptions(engine=Engine(EngineName.ENVOY, "Envoy 1.40.0", seeded=False))
PROTO = 'syntax = "proto3";\npackage shop;\nmessage Line { string text = 1; }\n'
SERVICE = "service Echo { rpc Say(Line) returns (Line); rpc Listen(Line) returns (stream Line); }\n"


def written(folder: Path, task: str, proto: str = PROTO + SERVICE) -> str:
    """The file with a task at line 10."""
    (folder / "echo.proto").write_text(proto)
    file = folder / "e.yaml"
    file.write_text(
        "apiVersion: chaos/v1alpha1\nkind: Experiment\nmetadata: {name: e}\nspec:\n"
        "  services:\n    'echo:50051': {protocol: GRPC, endpoints: [{address: '127.0.0.1:9'}]}\n"
        f"  load:\n    requests: 10\n    tasks:\n    - {{{task}}}\n---\n"
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: echo}\nspec:\n  hosts: [echo]\n"
        "  http:\n  - fault: {abort: {percentage: {value: 50}, grpcStatus: UNAVAILABLE}}\n"
        "    route: [{destination: {host: echo}}]\n"
    )
    return str(file)


def call(**fields: str) -> str:
    """A task that is right, but for the given fields."""
    right = {
        "kind": "grpc",
        "url": "'http://echo:50051'",
        "service": "shop.Echo",
        "method": "Say",
        "proto": "echo.proto",
        "json": "{text: hi}",
    }
    return ", ".join(f"{name}: {value}" for name, value in (right | fields).items() if value)


def told(file: str) -> list[str]:
    return [str(each).removeprefix(str(Path(file).parent) + "/") for each in prepare([file]).errors]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"method": ""}, "e.yaml:10:7: spec.load.tasks[0]: a gRPC call needs url, service and method"),
        ({"url": "'http://echo:50051/shop.Echo/Say'"}, "e.yaml:10:7: spec.load.tasks[0]: 'http://echo:50051/shop.Ec"),
        ({"body": "x"}, "e.yaml:10:7: spec.load.tasks[0]: body and json exclude each other"),
        (
            {"headers": "{grpc-timeout: 1S}"},
            "e.yaml:10:7: spec.load.tasks[0]: grpc-timeout is set by every gRPC",
        ),
        ({"expect": "{status: 200}"}, "e.yaml:10:7: spec.load.tasks[0]: the status of a gRPC call is a name like OK"),
        ({"expect": "{body: hi}"}, "e.yaml:10:7: spec.load.tasks[0]: the response of a gRPC call is a message"),
        ({"kind": "http", "method": "GET"}, "e.yaml:10:7: spec.load.tasks[0]: service is of a gRPC call"),
    ],
)
def test_what_a_call_lacks_or_cannot_have_is_told(tmp_path: Path, fields: dict[str, str], problem: str) -> None:
    found = told(written(tmp_path, call(**fields)))
    assert any(each.startswith(problem) for each in found), found


def place(file: str, field: str) -> str:
    """Where a field of the task is, as problems say it: at its value, or at its name if that is a mapping."""
    lines = Path(file).read_text().splitlines()
    number, line = next((number, each) for number, each in enumerate(lines, 1) if "kind: grpc" in each)
    column = line.index(f"{field}: ") + (1 if f"{field}: {{" in line else len(field) + 3)
    return f"e.yaml:{number}:{column}: spec.load.tasks[0].{field}: "


@needs_grpc
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("service", "shop.Ecko", "there is no service called shop.Ecko; did you mean shop.Echo?"),
        ("method", "Tell", "there is no method of shop.Echo called Tell"),
        ("method", "Listen", "Listen streams; only methods with one request and one response can be called"),
        ("json", "{txt: hi}", "does not fit shop.Line: "),
        ("headers", "{x-who: 'Zoë'}", "x-who: metadata is printable ASCII"),
        ("headers", "{x-key-bin: '!'}", "x-key-bin: '!' is not base64"),
        ("proto", "none.proto", ""),
    ],
)
def test_what_the_proto_file_does_not_have_is_told_at_its_field(
    tmp_path: Path, field: str, value: str, said: str
) -> None:
    file = written(tmp_path, call(**{field: value}))
    (found,) = told(file)
    assert found.startswith(place(file, field) + said)


@needs_grpc
def test_a_proto_file_that_does_not_compile_is_told_with_the_compilers_words(tmp_path: Path) -> None:
    file = written(tmp_path, call(), PROTO + "service Echo { rpc Say(Lin) returns (Line); }\n")
    (found,) = told(file)
    assert found.startswith(place(file, "proto") + "does not compile: ") and '"Lin" is not' in found


@needs_grpc
def test_a_call_is_sound_and_takes_the_rule_as_grpc_does(tmp_path: Path) -> None:
    plan = plan_run(written(tmp_path, call()), ENVOY)
    assert [each.title for each in plan.expected if each.kind == "abort"] == ["abort gRPC UNAVAILABLE"]
    assert [task.name for task in plan.tasks] == ["shop.Echo/Say"]
    assert "descriptors" in plan.plan_record("r").load["tasks"][0]["call"]


def test_our_own_gateway_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"e.yaml:10:14: spec.load.tasks\[0\].kind: HTTP/2: use --engine envoy"):
        plan_run(written(tmp_path, call(proto="")), RunOptions())


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`validate` warns that nobody has looked; a run is refused."""
    monkeypatch.setattr(calls, "PACKAGES", ("grpc_that_nobody_has",))
    file = written(tmp_path, call())
    (warning,) = (each for each in prepare([file]).problems if each.severity == "warning")
    assert "pip install 'chaos-harness[grpc]'" in warning.message
    with pytest.raises(InvalidInput, match=r"e.yaml:10:14: spec.load.tasks\[0\].kind: gRPC calls need packages"):
        plan_run(file, ENVOY)


@needs_grpc
def test_rows_of_a_feeder_that_do_not_fit_are_told(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("at\nada\nbo\n")
    proto = PROTO.replace("string text", "int32 text") + SERVICE
    file = written(tmp_path, call(json="{text: '${at}'}"), proto)
    text = Path(file).read_text().replace("    requests: 10\n", "    requests: 10\n    feeder: rows.csv\n")
    Path(file).write_text(text)
    (found,) = told(file)
    assert found.startswith(place(file, "json") + "does not fit shop.Line: ")


def test_a_task_is_read_without_the_extra() -> None:
    """Whoever only looks at rules needs no gRPC."""
    reading = read_experiment([("e.yaml", "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {load: {tasks: "
                                "[{kind: grpc, url: 'http://echo', service: s.E, method: M}]}}\n")])  # fmt: skip
    assert not reading.errors
