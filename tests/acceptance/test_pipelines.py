"""What people copy into their pipelines: whole YAML of the right form, shell that parses, flags that exist."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from capsize.cli.app import cli
from capsize.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs" / "ci"
WORKFLOWS = [
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    CI / "chaos.yml",
    CI / "chaos-action.yml",
]

STEP: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "id": {"type": "string"},
        "uses": {"type": "string", "pattern": r"^(\./|[\w.-]+/[\w./-]+@[\w.-]+$)"},
        "run": {"type": "string"},
        "with": {"type": "object"},
        "env": {"type": "object"},
        "if": {"type": "string"},
        "shell": {"type": "string"},
    },
    "additionalProperties": False,
    "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
}
WORKFLOW: dict[str, Any] = {
    "type": "object",
    "required": ["name", "on", "jobs"],
    "properties": {
        "name": {"type": "string"},
        "on": {"type": "object", "minProperties": 1},
        "permissions": {"type": "object"},
        "jobs": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "required": ["runs-on", "timeout-minutes", "steps"],
                "properties": {
                    "runs-on": {"type": "string"},
                    "timeout-minutes": {"type": "integer", "minimum": 1},
                    "steps": {"type": "array", "minItems": 1, "items": STEP},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
ACTION: dict[str, Any] = {
    "type": "object",
    "required": ["name", "description", "inputs", "runs"],
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string"},
        "branding": {"type": "object"},
        "inputs": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["description", "default"],
                "properties": {"description": {"type": "string"}, "default": {"type": "string"}},
                "additionalProperties": False,
            },
        },
        "outputs": {"type": "object"},
        "runs": {
            "type": "object",
            "required": ["using", "steps"],
            "properties": {
                "using": {"const": "composite"},
                "steps": {
                    "type": "array",
                    "items": STEP | {"if": {"required": ["run"]}, "then": {"required": ["shell"]}},
                },
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


class Loader(yaml.SafeLoader):
    """YAML in which ``on`` is a word and not a truth, as GitHub reads it; a key that comes twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys differ."""
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len({*keys}), f"a key comes twice: {keys}"
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [one for one in several if one[0] != "tag:yaml.org,2002:bool"]
    for first, several in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.load(path.read_text(), Loader)


def steps(document: Any) -> list[dict[str, Any]]:
    """Return the steps of a workflow or an action."""
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_the_form_of_workflows(path: Path) -> None:
    """Jobs with steps and a limit in time; every action of others at a version."""
    jsonschema.validate(load(path), WORKFLOW)


def test_the_action_has_the_form_of_an_action() -> None:
    """A composite action: described inputs with defaults, a shell for each script."""
    jsonschema.validate(load(ROOT / "action.yml"), ACTION)


def test_a_broken_workflow_would_be_found() -> None:
    """The form is not so wide that everything fits."""
    broken = load(WORKFLOWS[0])
    next(iter(broken["jobs"].values()))["steps"].append({"name": "neither run nor uses"})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, WORKFLOW)


@pytest.mark.parametrize("path", [ROOT / "action.yml", *WORKFLOWS], ids=lambda path: path.name)
def test_scripts_of_steps_parse_and_hold_no_expression(path: Path) -> None:
    """bash accepts them, and what a pull request may have written never becomes part of a script."""
    for step in steps(load(path)):
        if "run" in step:
            assert "${{" not in step["run"]
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True, capture_output=True)


def test_the_action_uses_inputs_that_it_has() -> None:
    """A misspelt input would silently be empty."""
    text = (ROOT / "action.yml").read_text()
    inputs = {*load(ROOT / "action.yml")["inputs"]}
    assert {*re.findall(r"inputs\.([\w-]+)", text)} == inputs


@pytest.mark.parametrize(
    "path", [CI / "chaos-action.yml", ROOT / ".github" / "workflows" / "ci.yml"], ids=lambda p: p.name
)
def test_whoever_uses_the_action_gives_it_inputs_that_it_has(path: Path) -> None:
    """Examples hold for the action as it is."""
    known = {*load(ROOT / "action.yml")["inputs"]}
    used = [step for step in steps(load(path)) if step.get("uses", "").startswith(("./", "OWNER/capsize"))]
    assert used
    for step in used:
        assert {*step["with"]} <= known
        assert {*step["with"]["scenarios"].split(",")} <= {*SCENARIOS}


def test_the_action_s_command_is_one_of_ours() -> None:
    """Every flag that it gives exists."""
    script = next(step["run"] for step in steps(load(ROOT / "action.yml")) if step.get("id") == "run")
    flags = {*re.findall(r"(--[a-z-]+) ", script)}
    assert {"--difficulty", "--platform", "--output", "--report", "--scenarios", "--seed"} == flags
    known = {name for parameter in cli.commands["run"].params for name in parameter.opts}
    assert flags <= known


def test_the_pre_commit_hook_is_valid() -> None:
    """The hook's command is one of ours, and it runs before a push."""
    (repo,) = load(CI / "pre-commit-config.yaml")["repos"]
    (hook,) = repo["hooks"]
    assert {"id", "name", "entry", "language"} <= {*hook}
    assert hook["stages"] == ["pre-push"]
    words = shlex.split(hook["entry"])
    assert words[:2] == ["capsize", "run"]
    with cli.commands["run"].make_context("run", words[2:]):
        pass


def validation(tmp_path: Path, code: int, *levels: str) -> subprocess.CompletedProcess[str]:
    """Run deploy-validation.sh with a chaos script that notes its arguments and ends level 2 with this code."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    fake = scripts / "test-chaos.sh"
    fake.write_text(f'#!/bin/sh\necho "$@" >>calls\ncase "$2" in 2) exit {code};; esac\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    return subprocess.run(
        [CI / "deploy-validation.sh", *levels],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "SEED": "7"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_deployment_is_allowed_when_every_level_holds(tmp_path: Path) -> None:
    """Levels 1 to 3, one after the other, with one seed."""
    ran = validation(tmp_path, 0)
    assert ran.returncode == 0
    assert "Ready for deployment" in ran.stdout
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[1] for call in calls] == ["1", "2", "3"]
    assert all("--seed 7" in call for call in calls)


@pytest.mark.parametrize("code", [1, 2, 70])
def test_a_deployment_is_stopped_by_the_first_level_that_does_not(tmp_path: Path, code: int) -> None:
    """Also when nothing was proved: that is no reason to deploy."""
    ran = validation(tmp_path, code)
    assert ran.returncode == code
    assert "Not ready" in ran.stderr
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


def test_the_flags_of_the_validation_exist() -> None:
    """What it hands to test-chaos.sh is taken by `capsize run`."""
    known = {name for parameter in cli.commands["run"].params for name in parameter.opts}
    assert {*re.findall(r" (--[a-z-]+)", (CI / "deploy-validation.sh").read_text())} <= known
