"""Metrics, log events, alerts and their documentation agree, in both directions."""

import ast
import re
from collections.abc import Iterator
from typing import get_args

from rpc_server.backends.claims import Fault
from rpc_server.calls.measures import METRICS
from rpc_server.settings import ROOT
from rpc_server.transport.answers import STATUS

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def logged() -> Iterator[tuple[str, str]]:
    """Yield each event that the server's code logs, with its level."""
    for package in ("rpc_server", "handlers"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name("logger" | "_log") | ast.Attribute(attr="_log"), attr=level),
                        args=[ast.Constant(str(event)), *_],
                    ) if level in _LEVELS:
                        yield event, "error" if level == "exception" else level


def test_each_metric_is_documented_as_it_is_declared() -> None:
    documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", section("Metrics"), re.MULTILINE)

    assert documented == [
        (metric.name, metric.kind, ", ".join(f"`{label}`" for label in metric.labels) or "–", metric.meaning)
        for metric in METRICS
    ]


def test_each_log_event_is_documented_with_its_level() -> None:
    documented = re.findall(r"^\| `(.*?)` \| (\w+) \| ", section("Logs"), re.MULTILINE)

    assert sorted(documented) == sorted(set(logged()))


def test_alerts_ask_for_metrics_that_there_are() -> None:
    alerts = section("Alerts worth having")
    asked = set(re.findall(r"\b(?:crm_mcp|process)_\w+", alerts))
    known = {metric.name for metric in METRICS}

    assert {name.removesuffix("_bucket") for name in asked} <= known
    assert len(asked) > 10


def test_alerts_ask_for_outcomes_that_there_are() -> None:
    asked = {
        word
        for words in re.findall(r'outcome!?=~?"(.*?)"', section("Alerts worth having"))
        for word in words.split("|")
    }

    assert asked <= {"ok", *STATUS}


def test_each_alert_says_what_to_do() -> None:
    alerts = section("Alerts worth having")

    assert re.findall(r"alert: (\w+)", alerts) == re.findall(r"^\| (CrmMcp\w+) \| .+ \|$", alerts, re.MULTILINE)


def test_the_faults_of_tokens_are_named() -> None:
    assert [fault for fault in get_args(Fault) if f"`{fault}`" not in section("Metrics")] == []


def test_no_two_metrics_share_a_name_and_each_follows_the_conventions() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.name.startswith(("crm_mcp_", "process_"))
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert not {"job", "instance", "le", "worker", "tenant", "user"} & set(metric.labels)
