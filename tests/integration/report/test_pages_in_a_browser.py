"""The pages in a real browser: they draw, say nothing in the console, ask for nothing, and can be used by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsize.checkers import judge
from capsize.core.verdict import Finding, Judgement, Result, ScenarioResult, Verdict
from capsize.report import RunReport, Summary, assemble, html
from capsize.report.logs import read_logs
from support.browser import Browser, chromium
from support.histories import Past, experiment
from support.literal_runs import completion, lost, result, skipped
from support.literal_runs import finding as literal_finding
from support.many_tasks import many_tasks

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>window.owned=1</script><img src=x onerror=window.owned=1>"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
CHARTS = ("lanes", "success", "latency", "queue", "work", "tasks")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests."""
    with chromium() as driven:
        yield driven


def past(task: str = "t1") -> Past:
    """Return a run in which two workers were inside one task at once, and a frozen database."""
    made = Past("postgres-1", "api-1", "worker-1", "worker-2").began()
    made.phase("steady", 0.5, 2.0).phase("chaos", 2.0, 12.0).phase("recovery", 12.0, 14.0)
    made.api(0.5, 8.0).api(8.0, 8.5, False).api(8.5, 14.0).ready(0.5, 14.0)
    made.submit(2.5, task, "t2").starts(3.0, "worker-1", task).runs(3.5, 5.0, "worker-2", task, attempt=2)
    made.runs(5.5, 6.0, "worker-1", "t2").kill(7.0, "worker-1", 8.0).pause(9.0, 10.0, "worker-2", id="s2")
    for second in range(1, 14):
        made.stats(float(second), pending=second % 3, running=1)
        made.sample(float(second), "resources", subject="api-1", private_bytes=2**25 + second * 2**18)
    return made.reported(14.5, "completed", task, "t2").ends(15.0)


def judgement(task: str) -> Judgement:
    """Return what the checkers would say, with a finding about the task."""
    found = Finding(
        anomaly="overlap",
        message=f"worker-1 and worker-2 were inside {task} at once",
        task=task,
        story=("   3.000 worker-1 started attempt 1", "   3.500 worker-2 started attempt 2"),
    )
    bad = Result(
        checker="overlap", verdict=Verdict.FAIL, summary="1 pair of runs overlapped", findings=(found,)
    )
    slow = Result(
        checker="recovery", verdict=Verdict.PARTIAL, summary="slow", measures={"recovery_max_s": 21.0}
    )
    results = (bad, slow, completion(0.5))
    return Judgement(scenario="test", level=1, seed=1, verdict=Verdict.FAIL, results=results)


def run_page(directory: Path, task: str = "t1") -> Path:
    """Write the page of that run."""
    history, judged = past(task).history(), judgement(task)
    outcome = ScenarioResult(
        scenario="worker-restart",
        level=1,
        seed=1,
        verdict=judged.verdict,
        duration_s=15.0,
        run_dir="runs/one",
        judgement=judged,
    )
    plan = experiment("recovery", recovery={"service": "worker"})
    logs = read_logs({"worker-1": f"1970-01-01T00:00:03.200Z claimed {task}"}, 0.0, 15.0)
    path = directory / "report.html"
    path.write_text(html.run(assemble(outcome, plan, history), plan, history, logs))
    return path


def suite_page(directory: Path) -> Path:
    """Write the page of several runs."""
    bad: RunReport = assemble(result(completion(0.9), lost(literal_finding())))
    other = msgspec.structs.replace(result(completion()), seed=43)
    runs = (bad, *(assemble(other) for _ in range(9)), assemble(skipped()))
    path = directory / "index.html"
    path.write_text(html.suite(Summary(runs=runs, duration_s=9.0), {"runs/one": "one/report.html"}))
    return path


def drawn(page: Any, chart: str) -> int:
    """Return how many different colours a chart's canvas has: one means that nothing was drawn."""
    script = """id => {
        const canvas = document.querySelector(`#chart-${id} canvas`);
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    return int(page.evaluate(script, chart))


@pytest.mark.parametrize("context", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_a_page_draws_and_is_silent(browser: Browser, tmp_path: Path, context: dict[str, Any]) -> None:
    """Every chart has ink; no error, no request; nothing is wider than the screen."""
    with browser.open(run_page(tmp_path), **context) as opened:
        for chart in CHARTS:
            assert drawn(opened.page, chart) > 3, chart
        assert opened.errors == []
        assert opened.requests == []
        assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_printed_page_is_light_and_has_its_evidence_open(browser: Browser, tmp_path: Path) -> None:
    """Also for somebody whose screen is dark; charts fit the paper."""
    with browser.open(run_page(tmp_path), color_scheme="dark") as opened:
        opened.page.emulate_media(media="print")
        assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert opened.page.evaluate("document.querySelector('.uplot').clientWidth") <= 700
        assert opened.page.pdf(format="A4").startswith(b"%PDF")
        assert opened.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [run_page, suite_page])
def test_axe_finds_no_fault(browser: Browser, tmp_path: Path, make: Any, scheme: str) -> None:
    """Contrast, names, structure, keyboard: by axe-core, with everything opened."""
    from axe_playwright_python.sync_playwright import Axe

    with browser.open(make(tmp_path), color_scheme=scheme, bypass_csp=True) as opened:
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        found = Axe().run(opened.page).response["violations"]
        assert [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in found] == []


def test_a_service_can_t_run_a_script_in_the_page(browser: Browser, tmp_path: Path) -> None:
    """A hostile task id stands in the message, the log, the data and the table that a script fills, as text."""
    with browser.open(run_page(tmp_path, HOSTILE)) as opened:
        assert opened.page.evaluate("window.owned") is None
        assert HOSTILE in opened.page.locator("#task-table").text_content()
        assert opened.page.locator("img").count() == 0
        assert opened.errors == []
        assert opened.requests == []


def test_a_finding_leads_to_its_moment_and_back(browser: Browser, tmp_path: Path) -> None:
    """Show in the charts zooms all of them; the whole run comes back; a click on the task's line opens the finding."""
    with browser.open(run_page(tmp_path)) as opened:
        page = opened.page
        page.get_by_role("button", name="Show in the charts").click()
        assert page.locator("#zoom-out").is_enabled()
        page.locator("#zoom-out").click()
        assert page.locator("#zoom-out").is_disabled()
        page.evaluate("document.querySelector('.finding').open = false")
        chart = page.locator("#chart-tasks .u-over")
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] * 0.25)
        assert "OVERLAP" in page.locator("#read-tasks").text_content()
        page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] * 0.25)
        assert page.evaluate("document.querySelector('.finding').open")


def test_a_drag_over_a_chart_zooms_all_of_them(browser: Browser, tmp_path: Path) -> None:
    """And a double click shows the whole run again."""
    with browser.open(run_page(tmp_path)) as opened:
        page = opened.page
        chart = page.locator("#chart-success .u-over")
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        before = drawn_bytes(page, "tasks")
        page.mouse.move(box["x"] + 50, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 30, steps=4)
        page.mouse.up()
        assert page.locator("#zoom-out").is_enabled()
        assert drawn_bytes(page, "tasks") != before
        page.mouse.dblclick(box["x"] + 100, box["y"] + 30)
        assert page.locator("#zoom-out").is_disabled()


def drawn_bytes(page: Any, chart: str) -> str:
    """Return the picture of a chart."""
    return str(page.evaluate(f"document.querySelector('#chart-{chart} canvas').toDataURL()"))


def test_without_scripts_everything_but_the_charts_can_be_read(browser: Browser, tmp_path: Path) -> None:
    """A mail client or a strict browser: verdict, evidence and tables are plain HTML."""
    with browser.open_plain(run_page(tmp_path)) as page:
        text = page.locator("body").inner_text()
        assert "The charts need JavaScript" in text
        assert "worker-2 started attempt 2" in text


def test_the_runs_can_be_sorted_and_filtered(browser: Browser, tmp_path: Path) -> None:
    """By any column, with the keyboard too; only rows that hold what was typed are left."""
    with browser.open(suite_page(tmp_path)) as opened:
        page = opened.page
        page.get_by_role("button", name="Verdict").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        assert "FAIL" in page.locator("[data-filtered] tbody tr").first.inner_text()
        page.locator("#filter").fill("skipped")
        assert page.locator("[data-filtered] tbody tr:visible").count() == 1
        assert opened.errors == []


def test_twenty_thousand_tasks_open(browser: Browser, tmp_path: Path) -> None:
    """The page stays below a megabyte and draws; how fast is measured in benchmarks/report_page.py."""
    history = many_tasks(20_000)
    plan = experiment("landed", "lost", "availability", "recovery", recovery={"service": "worker"})
    judged = judge(plan, history)
    outcome = ScenarioResult(
        scenario="flood", level=5, seed=1, verdict=judged.verdict, duration_s=1800.0, judgement=judged
    )
    path = tmp_path / "report.html"
    path.write_text(html.run(assemble(outcome, plan, history), plan, history))
    assert path.stat().st_size < 1_000_000
    with browser.open(path) as opened:
        assert drawn(opened.page, "tasks") > 3
        assert opened.errors == []
