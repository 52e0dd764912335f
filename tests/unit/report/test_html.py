"""The page of a run and of many: complete, alone in its file, and safe whatever a service wrote."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from capsize.core.verdict import Finding, Result, Verdict
from capsize.report import Summary, assemble, html
from capsize.report.files import write_index, write_page
from capsize.report.html.rendering import embedded
from capsize.report.html.run_page import FINDINGS_MAX
from capsize.report.logs import read_logs
from support.literal_runs import completion, experiment, finding, history, lost, result, retries, skipped

HOSTILE = "</script><script>window.owned=1</script><img src=x onerror=window.owned=1>\"'&\u2028{{7*7}}"


class Elements(HTMLParser):
    """Collects the elements of a page, and its text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._silent = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent = tag if tag in ("script", "style") else self._silent

    def handle_endtag(self, tag: str) -> None:
        self._silent = "" if tag == self._silent else self._silent

    def handle_data(self, data: str) -> None:
        self.text += "" if self._silent else data

    def ids(self) -> list[str]:
        """Return all ids."""
        return [str(attrs["id"]) for _, attrs in self.tags if "id" in attrs]


def page(*results: Result, whole: bool = True) -> str:
    """Return the page of the literal run, judged by these results."""
    report = assemble(result(*results), experiment(), history(whole=whole))
    return html.run(report, experiment(), history(whole=whole))


def test_the_verdict_and_its_reasons_come_first() -> None:
    """Before anything else: the scenario, the verdict, each claim that decided it, and the key figures."""
    text = Elements(page(completion(0.9), lost(finding()), retries(2))).text
    head = text[: text.index("What to do")]
    assert re.search(r"multi-worker-chaos\s+FAIL", head)
    assert "lost: 1 of 10 acknowledged tasks were lost" in " ".join(head.split())
    assert "90.0%" in head


def test_a_run_that_passed_says_what_it_proved() -> None:
    """No finding, no advice, and still a reason."""
    text = " ".join(Elements(page(completion())).text.split())
    assert "All 1 claim held: 100% of 10 tasks completed in time." in text
    assert "What to do" not in text


def test_every_finding_opens_its_story_with_the_logs_of_that_moment() -> None:
    """Evidence lines and log lines stand in the finding itself."""
    logs = read_logs({"worker-1": "2001-09-09T01:46:42.010Z claimed t1"}, 1e9, 8.0)
    report = assemble(result(lost(finding())), experiment(), history())
    made = html.run(report, experiment(), history(), logs)
    opened = made[
        made.index('id="finding-lost-1"') : made.index("</details>", made.index('id="finding-lost-1"'))
    ]
    assert "2.000 worker-1 started attempt 1" in opened
    assert "claimed t1" in opened


def test_all_parts_are_there() -> None:
    """Timeline, strikes planned and landed, recovery, load, claims, environment and the commands."""
    made = Elements(page(lost(finding())))
    wanted = {"timeline", "findings", "recovery", "load", "strikes", "claims", "again", "environment"}
    assert wanted <= set(made.ids())
    assert "capsize replay runs/one" in made.text
    assert "capsize judge runs/one" in made.text


def test_a_run_that_was_cut_off_is_told_up_to_its_last_line() -> None:
    """No end, no verdict of its own, and the charts up to there."""
    text = " ".join(Elements(page(whole=False)).text.split())
    assert "The record ends at 3.50 s in phase chaos (cut off)" in text
    assert "1 of 1 planned strike landed" in text


def test_a_run_that_never_began_has_a_page_too() -> None:
    """Nothing was recorded: the reason is all there is to tell."""
    text = Elements(html.run(assemble(skipped(reason="no docker here")))).text
    assert "no docker here" in text
    assert "Nothing was recorded." in text


def test_nothing_is_asked_of_the_network() -> None:
    """No element names another file, and the page's own policy forbids every request."""
    made = Elements(page(lost(finding())))
    for tag, attrs in made.tags:
        link = attrs.get("src") or attrs.get("href")
        assert link is None or link.startswith(("#", "data:")), (tag, link)
    policy = next(attrs["content"] for tag, attrs in made.tags if attrs.get("http-equiv"))
    assert str(policy).startswith("default-src 'none'")
    assert "unsafe-inline" not in str(policy).split("script-src")[1]


def test_no_id_is_given_twice() -> None:
    """A link to a finding must lead to that finding."""
    ids = Elements(page(lost(finding("a"), finding("b")), retries(1))).ids()
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", [HOSTILE, "<!--<script>", "]]>", "\x00\x1b[2J"])
def test_a_service_can_t_put_markup_into_the_page(text: str) -> None:
    """Task ids, messages, stories, claims and log lines are text, in the page and in its data."""
    hostile = Finding(anomaly=text, message=text, task=text, story=(f"1.0 {text}",))
    bad = Result(checker=text, verdict=Verdict.FAIL, summary=text, measures={text: text}, findings=(hostile,))
    logs = read_logs({text: f"2001-09-09T01:46:41Z {text}"}, 1e9, 8.0)
    worse = msgspec.structs.replace(result(bad), scenario=text, reason=text, run_dir=text)
    report = assemble(worse, experiment(purpose=text, settings={text: text}), history())
    made = html.run(report, experiment(purpose=text), history(), logs)
    clean = html.run(assemble(result(lost(finding())), experiment(), history()), experiment(), history())
    tags = [tag for tag, _ in Elements(made).tags]
    assert tags.count("script") == [tag for tag, _ in Elements(clean).tags].count("script") == 4
    assert "img" not in tags
    assert "49" not in "".join(re.findall(r"\{\{.*?\}\}|onerror.{0,40}49", made))


def test_embedded_data_can_t_end_its_element() -> None:
    """Whatever a string holds; and it reads back as it was."""
    made = str(embedded({"id": HOSTILE}))
    assert "<" not in made
    assert msgspec.json.decode(made) == {"id": HOSTILE}


def test_of_very_many_findings_some_are_told_and_all_are_counted() -> None:
    """A page with twenty thousand stories would open for nobody."""
    made = page(lost(*(finding(f"t{number}") for number in range(5000))))
    assert made.count('class="finding"') == FINDINGS_MAX
    assert "4,800 more; verdict.json has all of them" in made
    assert len(made) < 1_000_000


def test_the_page_of_many_runs_has_a_line_for_each() -> None:
    """Verdicts, what did not hold, levels, and advice once for all of them."""
    failed = assemble(result(completion(0.9), lost(finding())))
    whole = Summary(
        runs=(failed, failed, assemble(result(completion())), assemble(skipped())),
        duration_s=9.0,
        command="capsize run --seed 42",
    )
    made = Elements(html.suite(whole, {"runs/one": "one/report.html"}))
    text = " ".join(made.text.split())
    assert "1 of 3 runs passed (33.3%)" in text
    assert text.count("Accepted tasks were lost") == 1
    assert "SKIPPED" in text
    assert "capsize run --seed 42" in text
    assert {"href": "one/report.html"} in [attrs for tag, attrs in made.tags if tag == "a"]


def test_links_lead_from_the_folder_to_the_pages_that_are_there(tmp_path: Path) -> None:
    """Relative, so that the folder can be sent elsewhere; a run without a page has no link."""
    runs = []
    for name in ("a run", "b"):
        (tmp_path / name).mkdir()
        runs.append(assemble(result(completion(), run_dir=str(tmp_path / name))))
    write_page(runs[0], tmp_path / "a run", None, None)
    index = write_index(Summary(runs=tuple(runs), duration_s=1.0), tmp_path)
    links = [attrs.get("href") for tag, attrs in Elements(index.read_text()).tags if tag == "a"]
    assert "a%20run/report.html" in links
    assert not [link for link in links if link and link.startswith("b/")]
