"""The report's page in a browser: no error, no request, both languages, slider, panel, both themes."""

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import glassgrad as gg
from glassgrad.insight import forward
from glassgrad.report.html import block, html, joined, modules, packed, slim
from glassgrad.report.html import texts as texts_of_the_view

REPORT = Path(__file__).parent / "fixtures" / "report.json"
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def address(report: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("view") / "report.html"
    file.write_text(html(report), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: looked for {', '.join(NAMES)} in PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not complain, and must not ask for anything but its own file."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    opened.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def visit(page: Page, address: str, place: str) -> None:
    page.goto("about:blank")
    page.goto(f"{address}#{place}")
    page.wait_for_selector("h1")


def test_all_chapters_can_be_read(page: Page, address: str, report: dict[str, Any]) -> None:
    visit(page, address, "lang=en")
    titles = list(chapters(page))
    assert len(set(titles)) == 1 + len(report["watches"]) + 4
    last = ["Kinds of feedback", "Labels against reward", "Learning by reward, for real", "Claims, measured"]
    assert titles[-4:] == last
    visit(page, address, "chapter=add&lang=en")
    sections = page.locator("main h2").evaluate_all("all => all.map(one => one.lastChild.textContent)")
    assert sections == [
        "The network", "The forward pass", "The loss", "The backward pass",
        "The update", "What was learned", "The check", "Symbols",
    ]  # fmt: skip


def test_the_language_switch_changes_every_text(page: Page, address: str) -> None:
    visit(page, address, "lang=en")
    for title in chapters(page):
        chinese = [text for text in texts(page) if re.search("[\u4e00-\u9fff]", text)]
        assert not chinese, title
    page.get_by_role("button", name="中文").click()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    for title in chapters(page):
        found = texts(page)
        english = [text for text in found if re.search("[a-z]{3,} [a-z]{3,} [a-z]{2,}", text)]
        keys = [text for text in found if re.fullmatch("[a-z]+(-[a-z]+)+", text)]
        assert (english, keys) == ([], []), title


def chapters(page: Page) -> Iterator[str]:
    """Opens one chapter after the other, and gives its title."""
    links = page.locator(".contents li [data-chapter]")
    for index in range(links.count()):
        links.nth(index).dispatch_event("click")
        yield page.locator("main h1").inner_text()


def texts(page: Page) -> list[str]:
    """Every text of the page outside of formulas, code and the switch; what screen readers say included."""
    script = """() => {
        const skip = "code, pre, script, style, noscript, .katex, .graph, .segmented, .wordmark, option";
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const found = [];
        while (walker.nextNode())
            if (!walker.currentNode.parentElement.closest(skip)) found.push(walker.currentNode.data.trim());
        for (const element of document.querySelectorAll("[aria-label]:not(.segmented)"))
            found.push(element.getAttribute("aria-label"));
        return found.filter(Boolean);
    }"""
    found: list[str] = page.evaluate(script)
    return found


def test_the_slider_moves_everything(page: Page, address: str, report: dict[str, Any]) -> None:
    visit(page, address, "chapter=add&lang=en")
    watch = report["watches"][0]
    before = (page.locator("#forward").inner_text(), page.locator("#update").inner_text())
    thickness = page.locator(".network").inner_html()
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    step = watch["steps"][watch["shown"][1] - 1]
    assert page.locator(".reading").inner_text() == f"Loss {step['loss']:.4f}"
    assert slider.get_attribute("aria-valuetext") == f"Step {step['step']}, Loss {step['loss']:.4f}"
    assert f"step={step['step']}" in page.url
    assert (page.locator("#forward").inner_text(), page.locator("#update").inner_text()) != before
    assert page.locator(".network").inner_html() != thickness
    output = next(one for one in step["equations"] if one["name"] == "z2")
    assert page.locator("#forward [data-open='equation:z2']").inner_text() == f"{output['value']:.4f}"


def test_a_number_opens_its_formula_and_the_trail_leads_back(page: Page, address: str, report: dict[str, Any]) -> None:
    visit(page, address, "chapter=add&lang=en")
    equation = next(one for one in report["watches"][0]["steps"][0]["equations"] if one["name"] == "dW1_1_x1")
    opener = page.locator("#backward [data-open='equation:dW1_1_x1']").first
    opener.click()
    panel = page.locator("#panel")
    assert panel.locator("h3").inner_text() == "dW1_1_x1"
    assert panel.locator(".katex").count() > 0
    assert panel.locator(".full").inner_text() == json.dumps(equation["value"])
    assert panel.locator(".samples tbody tr").count() > 0
    assert "Checked against PyTorch" in panel.inner_text()
    reads = panel.locator("[data-push]")
    assert reads.locator("code").all_inner_texts()[: len(equation["reads"])] == equation["reads"]
    reads.first.click()
    assert panel.locator("h3").inner_text() == equation["reads"][0]
    panel.get_by_role("button", name="dW1_1_x1", exact=True).first.click()
    assert panel.locator("h3").inner_text() == "dW1_1_x1"
    page.keyboard.press("Escape")
    assert panel.locator("h3").count() == 0
    assert opener.evaluate("element => element === document.activeElement")


def test_every_number_of_a_step_opens(page: Page, address: str) -> None:
    visit(page, address, "chapter=add&lang=en")
    targets = set(page.locator("main [data-open]").evaluate_all("all => all.map(one => one.dataset.open)"))
    assert len(targets) > 150
    opened = """targets => targets.filter(target => {
        const number = document.querySelector(`main [data-open="${target}"]`);
        number.dispatchEvent(new Event("click", { bubbles: true }));
        const panel = document.getElementById("panel");
        return !panel.querySelector("h3") || panel.innerText.includes("no equation");
    })"""
    assert page.evaluate(opened, sorted(targets)) == []


def test_a_schedule_is_told_and_its_learning_rate_opens(page: Page, tmp_path: Path) -> None:
    run = gg.watch("add", schedule="warmup_cosine(warmup=3, to=0.01)", steps=9, every=4, samples=20)
    file = tmp_path / "scheduled.html"
    file.write_text(run.to_html(), encoding="utf-8")
    for width, lang, said in ((1280, "en", "learning rate"), (360, "zh", "学习率")):
        page.set_viewport_size({"width": width, "height": 740})
        visit(page, file.as_uri(), f"chapter=add&lang={lang}")
        assert said in page.locator("#update").inner_text()
        assert "warmup_cosine(warmup=3, to=0.01)" in page.locator("#update").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    visit(page, file.as_uri(), "chapter=add&step=5&lang=en")
    page.locator("#update [data-open='equation:lr_new']").click()
    panel = page.locator("#panel")
    rate = next(equation.value for equation in run.step(5).equations if equation.name == "lr_new")
    assert panel.locator(".full").inner_text() == json.dumps(rate)
    assert "One number for all parameters, at step 5." in panel.inner_text()
    assert "optimizer.param_groups[0]['lr']" in panel.inner_text()
    assert "Checked against PyTorch" in panel.inner_text()
    assert {"warmup\n3", "steps\n9", "step\n5"} <= set(panel.locator(".given-number").all_inner_texts())


def test_a_weight_of_the_drawing_opens_by_keyboard(page: Page, address: str) -> None:
    visit(page, address, "chapter=add&lang=en")
    weight = page.locator(".network [data-open='parameter:W1_1_x1']")
    weight.focus()
    assert "W1_1_x1 = " in page.locator("#network .readout").inner_text()
    weight.press("Enter")
    assert page.locator("#panel h3").inner_text() == "W1_1_x1"
    assert page.locator("#panel .plot").count() == 1


def test_an_answer_of_the_map_is_worked_out(page: Page, address: str, report: dict[str, Any]) -> None:
    visit(page, address, "chapter=add&lang=en")
    page.locator(".map td").nth(53).locator("button").click()
    panel = page.locator("#panel")
    assert panel.locator("h3").inner_text() == "5 + 3"
    answer = report["watches"][0]["map"]["answers"][5][3]
    worked = panel.locator(".units li").last.inner_text()
    assert float(worked.split("=")[-1]) == pytest.approx(answer, abs=6e-5)


def test_what_is_not_finite_is_said(page: Page, address: str, report: dict[str, Any]) -> None:
    visit(page, address, "chapter=knob&lang=en")
    step = report["watches"][1]["status"].split(":")[0].removeprefix("diverged at step ")
    assert f"This training diverged at step {step}." in page.locator(".note").inner_text()
    assert page.locator(".answers .value").get_attribute("aria-label") == "knob(1): not a finite number"


def two_digits(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,.0f}" if value >= 10 else f"{value:#.2g}".rstrip(".")


def rows_of_the_page(page: Page) -> dict[str, list[str]]:
    """What the table of labels against reward says of each experiment."""
    rows = page.locator(".compared tr[data-name]")
    return {
        str(row.get_attribute("data-name")): row.locator("td").all_inner_texts()
        for row in (rows.nth(i) for i in range(9))
    }


def wrong_rows(page: Page, rows: list[dict[str, Any]]) -> list[str]:
    """The rows of the table that do not say what the data says."""
    expected = {
        row["name"]: [
            f"{100 * row['rate']:.1f} % {100 * row['low']:.1f}–{100 * row['high']:.1f}",
            two_digits(row["median_error"]),
            two_digits(row["error_outside"]),
            f"{row['samples']:,}",
            f"{row['steps']:,}",
            two_digits(row["seconds"]),
        ]
        for row in rows
    }
    shown = rows_of_the_page(page)
    assert shown.keys() == expected.keys()
    return [name for name, cells in expected.items() if shown[name] != cells]


def test_every_number_of_labels_against_reward_is_on_the_page(page: Page, address: str, report: dict[str, Any]) -> None:
    visit(page, address, "chapter=labels&lang=en")
    rows = report["labels"]["rows"]
    assert wrong_rows(page, rows) == []
    for key in ("rate", "high", "median_error", "error_outside", "samples", "steps", "seconds"):
        planted = [{**row, key: 1.1 * row[key]} if row["name"] == "both" else row for row in rows]
        if key in ("samples", "steps"):
            planted = [{**row, key: row[key] + 1} if row["name"] == "both" else row for row in rows]
        assert wrong_rows(page, planted) == ["both"], key
    lead = page.locator(".lead").inner_text()
    assert "1,000 runs of each: 9,000 networks" in lead
    assert report["labels"]["reading"]["en"].replace("`", "") in page.locator("main").inner_text()
    assert page.locator(".needs section").count() == 3


def test_the_picture_of_labels_against_reward_is_to_scale(page: Page, address: str, report: dict[str, Any]) -> None:
    """Where a dot stands, by the ticks above it, on a desk and on a phone; what is not finite has none."""
    script = """() => {
        const number = (element, name) => Number(element.getAttribute(name));
        const grid = [...document.querySelectorAll(".dumbbell-plot .grid")].map(line => number(line, "x1"));
        const ticks = [...document.querySelectorAll(".dumbbell-plot .tick")].filter(one => Number(one.textContent) > 0);
        const pairs = [...document.querySelectorAll(".dumbbell-plot .pair")].map(pair => Object.fromEntries(
            ["inside", "outside"].map(kind => [kind, pair.querySelector(`.dot.${kind}`)])
                .filter(([, dot]) => dot).map(([kind, dot]) => [kind, number(dot, "cx")])));
        return { grid, last: Number(ticks.at(-1).textContent), pairs };
    }"""
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        visit(page, address, "chapter=labels&lang=zh")
        found = page.evaluate(script)
        *_, before, end = found["grid"]
        for pair, row in zip(found["pairs"], report["labels"]["rows"], strict=True):
            values = {"inside": row["median_error"], "outside": row["error_outside"]}
            places = {
                kind: end + (end - before) * (math.log10(value) - math.log10(found["last"]))
                for kind, value in values.items()
                if value is not None
            }
            assert pair == pytest.approx(places, abs=0.01), (row["name"], width)


def test_every_number_of_learning_by_reward_is_on_the_page(page: Page, address: str, report: dict[str, Any]) -> None:
    reward = report["reward"]
    for language in ("en", "zh"):
        visit(page, address, f"chapter=reward&lang={language}")
        shown = page.locator(".told .big").all_inner_texts()
        assert [text.split("= ")[-1] for text in shown] == [f"{one['value']:.4f}" for one in reward["told"]]
        assert page.locator(".told .katex").count() >= sum(bool(one["symbolic"]) for one in reward["told"])
        estimates = page.locator(".estimated .amount").all_inner_texts()
        columns = [one for row in reward["estimators"] for one in row["columns"]]
        numbers = [f"{one['mean']:.4f} ± {one['standard_error']:.4f}" for one in columns]
        assert estimates == [f"{one:.4f}" for one in reward["exact"]] + numbers
        everything = page.locator("main").inner_text()
        rows = [*reward["seen"], *reward["told"], *reward["verdicts"], *reward["tools"]]
        said = [text[language] for row in rows for text in row.values() if isinstance(text, dict)]
        said += [reward[key][language] for key in ("moves", "ways", "about", "reading", "asked", "settings")]
        assert [text for text in said if text.replace("`", "") not in everything] == []


def test_the_policy_is_drawn_to_scale(page: Page, address: str, report: dict[str, Any]) -> None:
    """Output, answer and truth, and sigma, as far apart as their numbers; no name leaves the picture."""
    script = """() => {
        const at = name => Number(document.querySelector(`.policy-plot line.${name}`).getAttribute("x1"));
        const plot = document.querySelector(".policy-plot").getBoundingClientRect();
        const out = [...document.querySelectorAll(".policy-plot text")].map(one => one.getBoundingClientRect())
            .filter(box => box.left < plot.left || box.right > plot.right || box.bottom > plot.bottom + 1);
        const sigma = document.querySelector(".policy-plot line.sigma");
        const wide = Number(sigma.getAttribute("x2")) - Number(sigma.getAttribute("x1"));
        return { o: at("output"), a: at("answer"), t: at("truth"), wide, out: out.length };
    }"""
    policy = report["reward"]["policy"]
    for width, language in ((1280, "en"), (1280, "zh"), (360, "en"), (360, "zh")):
        page.set_viewport_size({"width": width, "height": 740})
        visit(page, address, f"chapter=reward&lang={language}")
        found = page.evaluate(script)
        assert found["out"] == 0, (width, language)
        for name in ("a", "t"):
            expected = (policy[name] - policy["o"]) / policy["sigma"] * found["wide"]
            assert found[name] - found["o"] == pytest.approx(expected, abs=0.01)


def test_a_verdict_leads_to_its_chapter(page: Page, address: str) -> None:
    visit(page, address, "chapter=reward&lang=en")
    page.get_by_role("button", name="Read knob").click()
    assert "knob" in page.locator("h1").inner_text()


def test_data_cannot_leave_its_place(page: Page, address: str) -> None:
    visit(page, address, "chapter=add&lang=en")
    title = page.locator("h1").inner_text()
    assert "</script><script>window.broken = true</script>" in title
    assert page.evaluate("window.broken === undefined")


def test_light_and_dark(page: Page, address: str) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    visit(page, address, "chapter=add&lang=en")
    dark = page.evaluate(colour)
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(colour) != dark
    page.reload()
    page.wait_for_selector("h1")
    assert page.evaluate(colour) != dark, "the choice is remembered"
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(colour) == dark


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_page(page: Page, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    for language in ("en", "zh"):
        visit(page, address, f"lang={language}")
        for title in chapters(page):
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (title, language)


def test_a_large_report_is_compressed(page: Page, report: dict[str, Any], tmp_path: Path) -> None:
    long = {"en": "x" * 1_000_001, "zh": ""}
    file = tmp_path / "large.html"
    file.write_text(html({**report, "texts": {"padding": long}}), encoding="utf-8")
    assert file.stat().st_size < 1_000_000
    visit(page, file.as_uri(), "chapter=add&lang=en")
    assert page.locator(".stepbar").count() == 1


def test_one_watch_needs_no_start(page: Page, report: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "one.html"
    file.write_text(html({"version": "0", "watches": report["watches"][:1]}), encoding="utf-8")
    visit(page, file.as_uri(), "")
    assert "Addition" in page.locator("h1").inner_text()
    assert page.locator(".chooser").count() == 0


def test_texts_and_scripts_have_the_same_keys() -> None:
    source = "\n".join(modules().values())
    keys = {key.removeprefix("view.") for key in texts_of_the_view()}
    asked = set(re.findall(r"""\b(?:say|prose)\(\s*["']([\w-]+)["']""", source))
    assert asked <= keys
    written = {"needs-javascript"} | set(re.findall(r"""["'`]([\w-]+)["'`]""", source))
    made = [f"{re.escape(a)}.+{re.escape(b)}" for a, b in re.findall(r"`([\w-]*)\$\{[^}]+\}([\w-]*)`", source)]
    patterns = [pattern for pattern in made if pattern != ".+"]
    assert [key for key in keys - written if not any(re.fullmatch(one, key) for one in patterns)] == []


def test_modules_are_joined_in_the_order_of_their_imports() -> None:
    sources = {
        "a.js": 'import { one } from "./b.js";\nexport function two() {\n  return one + 1;\n}\n',
        "b.js": "export const one = 1;\n",
    }
    script = joined(sources)
    assert script.index("// b.js") < script.index("// a.js")
    assert 'const { one } = modules["b.js"];' in script
    assert 'modules["a.js"] = { two };' in block("a.js", sources["a.js"])


def test_json_is_escaped_or_compressed() -> None:
    assert packed('"</script>\u2028"') == ("json", '"\\u003c/script\\u003e\\u2028"')
    assert packed(" " * 1_000_001)[0] == "gzip"


def test_steps_between_keep_the_curves_only(report: dict[str, Any]) -> None:
    first, second = slim(report["watches"][0])["steps"][:2]
    assert first == report["watches"][0]["steps"][0]
    assert set(second) == {"step", "loss", "reward", "output", "parameters"}


def test_networks_that_are_apart_are_drawn(page: Page, tmp_path: Path) -> None:
    """Each output reads its own hidden units only, in the drawing and where a question is worked out."""
    settings: dict[str, Any] = {
        "policy": "a = o1",
        "objective": "(o1 - t)**2 + (o2 - x1)**2",
        "samples": 20,
        "steps": 5,
    }
    run = gg.watch("add", network="2-3-2", apart=True, every=5, **settings)
    file = tmp_path / "apart.html"
    file.write_text(run.to_html(), encoding="utf-8")
    visit(page, file.as_uri(), "chapter=add&lang=en")
    found = page.locator('svg.network [data-open^="parameter:W2_2"]').evaluate_all(
        "all => all.map(one => one.dataset.open)"
    )
    assert found == [f"parameter:W2_2_a1_{unit}" for unit in (4, 5, 6)]
    page.locator('[data-open="question:9,9"]').first.dispatch_event("click")
    seen = forward(run.experiment, run.record.final, np.array([[9.0, 9.0]]))
    panel = page.locator(".panel, dialog, aside").first.inner_text()
    for name in ("z2_1", "z2_2"):
        line = next(line for line in panel.splitlines() if line.startswith(f"{name} ="))
        assert float(line.split("=")[-1].replace("−", "-")) == pytest.approx(seen[name][0], abs=2e-3)
