"""The README and docs/*.md, in both languages: each command runs and prints what is quoted, each link leads somewhere.

In a block marked `console`, a line that begins with `$ glassgrad` is run, and the lines below it have to be printed, in
that order; a line that is just … stands for any number of lines. Files that the reader is to save are saved. Numbers
may be 2 % off, because their last digits depend on the machine.
"""

import doctest
import importlib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import glassgrad
import glassgrad.engines.torch as engine
from glassgrad.cli.main import main
from glassgrad.engines.compiled import kernel
from glassgrad.experiment import MAX_LAYERS, MAX_OUTPUTS, MAX_UNITS, Experiment
from glassgrad.locale import LANGUAGES, Language, Text, say, set_language
from glassgrad.record import Record
from glassgrad.report import labels_and_reward as against
from glassgrad.report.claims import knob_reaches, weights_approach_one
from glassgrad.report.demo import RUNS
from glassgrad.report.feedback import feedback
from glassgrad.report.labels_text import cells
from glassgrad.report.shelf import shelf
from glassgrad.tables.experiments import EXPERIMENTS

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README",
    "docs/language",
    "docs/experiments",
    "docs/environments",
    "docs/estimators",
    "docs/judge",
    "docs/slips",
    "docs/methods",
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED = re.compile(r"`(\w+\.\w+)`(?:(?!\n\n).)*\n\n```(?:csv|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")


def source(page: str, language: Language) -> str:
    """The text of a page."""
    suffix = ".md" if language == "en" else ".zh.md"
    return (ROOT / f"{page}{suffix}").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Command:
    """A command of a page, and the lines that are quoted below it."""

    line: str
    quoted: tuple[str, ...]

    @property
    def status(self) -> int:
        """The exit status that its output speaks of: 2 for a mistake, 1 for a check that failed."""
        if any(line.startswith("glassgrad: ") for line in self.quoted):
            return 2
        return 1 if any(line.startswith(("CHECK FAILED", "核对不通过")) for line in self.quoted) else 0


def commands(text: str) -> list[Command]:
    """The commands of a page, in order."""
    found = []
    for kind, block in BLOCK.findall(text):
        if kind == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, *quoted = part.splitlines()
                found.append(Command(line, tuple(quoted)))
    return found


def pairs() -> list[tuple[str, Command, Command]]:
    """Each command with its page, as the English and as the Chinese page have it."""
    nothing = Command("", ())
    return [
        (page, en, zh)
        for page in PAGES
        for en, zh in zip_longest(commands(source(page, "en")), commands(source(page, "zh")), fillvalue=nothing)
    ]


def same(quoted: str, printed: str) -> bool:
    """Whether two lines are equal but for small differences of their numbers."""
    if NUMBER.sub("#", quoted) != NUMBER.sub("#", printed):
        return False
    return all(map(near, NUMBER.findall(quoted), NUMBER.findall(printed)))


def near(quoted: str, printed: str) -> bool:
    """Whether two numbers differ by at most 2 %, or 2 in the last digit, or are both as small as a rounding error."""
    one, other = (float(text.replace(",", "")) for text in (quoted, printed))
    digits = len(quoted.partition(".")[2]) if "e" not in quoted else 15
    return abs(one - other) <= max(0.02 * abs(one), 2.01 * 10**-digits if digits else 0) or max(one, other) < 1e-5


@pytest.mark.parametrize(
    ("quoted", "printed", "equal"),
    [
        ("5 + 3 = 8.00", "5 + 3 = 8.01", True),
        ("5 + 3 = 8.00", "5 + 3 = 7.50", False),
        ("a1_2 = 1", "a1_3 = 1", False),
        ("difference 4.6e-07 (z1 at step 1)", "difference 1.2e-07 (z1 at step 1)", True),
        ("1,500 numbers", "1,505 numbers", True),
        ("100 questions", "90 questions", False),
    ],
)
def test_lines_are_compared_as_said(quoted: str, printed: str, equal: bool) -> None:
    assert same(quoted, printed) is equal


def missing(quoted: tuple[str, ...], printed: list[str]) -> str | None:
    """The first quoted line that was not printed after the one before it."""
    at = 0
    for line in quoted:
        if line == "…":
            continue
        found = next((i for i in range(at, len(printed)) if same(line, printed[i].rstrip())), None)
        if found is None:
            return line
        at = found + 1
    return None


trained: dict[tuple[object, ...], Record] = {}


@pytest.fixture
def train_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same training is not repeated for the second language."""
    train = engine.train

    def once(experiment: Experiment, *, progress: object = None, **settings: Any) -> Record:
        key = (experiment, *settings.items())
        if key not in trained:
            trained.clear()
            trained[key] = train(experiment, **settings)
        return trained[key]

    monkeypatch.setattr(engine, "train", once)


COMPUTING = (
    ("glassgrad.cli.watch", "watched"),
    ("glassgrad.cli.judge", "judged"),
    ("glassgrad.cli.estimators", "estimated"),
    ("glassgrad.cli.compare", "compared"),
    ("glassgrad.report.slips", "slips"),
    ("glassgrad.report.labels_and_reward", "labels_and_reward"),
)
"""What knows no language: the same object is then said in both."""


@pytest.fixture
def compute_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a command computes is not computed again for the second language, unless its files differ."""
    found: dict[str, object] = {}

    def remembered(compute: Callable[..., object]) -> Callable[..., object]:
        def once(*names: object, progress: object = None, **settings: object) -> object:
            saved = [(file.name, file.read_bytes()) for file in sorted(tmp_path.iterdir())]
            key = repr((names, settings, [file for file in saved if file[0].endswith((".toml", ".csv"))]))
            if key not in found:
                found[key] = compute(*names, progress=progress, **settings)
            return found[key]

        return once

    for module, name in COMPUTING:
        place = importlib.import_module(module)
        monkeypatch.setattr(place, name, remembered(getattr(place, name)))


@pytest.mark.parametrize(("page", "en", "zh"), pairs(), ids=lambda value: getattr(value, "line", value))
@pytest.mark.usefixtures("train_once", "compute_once")
def test_every_command_prints_what_is_quoted(
    page: str,
    en: Command,
    zh: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert en.line == zh.line, "the two languages have different commands"
    monkeypatch.chdir(tmp_path)
    languages: tuple[tuple[Language, Command], ...] = (("en", en), ("zh", zh))
    for language, command in languages:
        for name, content in SAVED.findall(source(page, language)):
            Path(name).write_text(content, encoding="utf-8")
        set_language(language)
        monkeypatch.setattr("sys.argv", shlex.split(command.line))
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            set_language("en")
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == command.status, printed.err
        assert missing(command.quoted, (printed.out + printed.err).splitlines()) is None


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_headings_blocks_and_links(page: str) -> None:
    en, zh = (source(page, language) for language in LANGUAGES)
    outlines = [re.findall(r"^(#+) ", BLOCK.sub("", text), re.MULTILINE) for text in (en, zh)]
    assert outlines[0] == outlines[1]
    assert [kind for kind, _ in BLOCK.findall(en)] == [kind for kind, _ in BLOCK.findall(zh)]
    links = [[link.replace(".zh.", ".").replace(".en.", ".") for link in LINK.findall(text)] for text in (en, zh)]
    assert links[0] == links[1]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str, language: Language) -> None:
    folder = (ROOT / page).parent
    assert not [link for link in LINK.findall(source(page, language)) if not (folder / link).exists()]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "page", ["README", "docs/language", "docs/environments", "docs/estimators", "docs/judge", "docs/slips"]
)
def test_the_python_of_a_page_runs(page: str, language: Language) -> None:
    blocks = [block for kind, block in BLOCK.findall(source(page, language)) if kind == "python"]
    assert blocks
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, f"{page} ({language})", None, None)
    set_language(language)
    try:
        assert doctest.DocTestRunner().run(test).failed == 0
    finally:
        set_language("en")


def test_importing_a_module_does_not_hide_the_function_of_its_name() -> None:
    for module in ("watched", "exports", "comparison"):
        assert isinstance(importlib.import_module(f"glassgrad.{module}"), ModuleType)
    for name in ("watch", "export", "compare", "demo", "list"):
        assert not isinstance(getattr(glassgrad, name), ModuleType)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_feedbacks_is_that_of_the_demo(language: Language) -> None:
    text = source("README", language)
    for row in feedback():
        name, knows = (getattr(each, language) for each in (row.name, row.knows))
        number = f"{row.value:.4f}".rstrip("0").rstrip(".")
        line = f"| {name} | `{row.arrives}` = `{row.substituted}` = {number} | {knows} |"
        assert missing((line,), text.splitlines()) is None, line


@pytest.mark.slow
def test_the_quoted_verdicts_are_those_of_the_demo() -> None:
    for claim in (weights_approach_one(), knob_reaches()):
        verdict = Text(*(_said(language, f"claims.verdict_{claim.verdict}") for language in LANGUAGES))
        for language in LANGUAGES:
            lines = [line.strip() for line in source("README", language).splitlines()]
            assert missing((getattr(claim.measured, language),), lines) is None
            sentence = next(line for line in lines if line.startswith(f"“{getattr(claim.claim, language)}”"))
            assert sentence.endswith(getattr(verdict, language))


@pytest.mark.slow
def test_the_table_of_labels_against_reward_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against, "KINDS", {end: kind for end, kind in against.KINDS.items() if end != "-reinforce"})
    found = against.labels_and_reward(1000)
    for entry in found.entries:
        (rate, low, high), *errors, steps, samples = map(numbers, cells(entry)[:-1])
        for language in LANGUAGES:
            lines = source("docs/experiments", language).splitlines()
            row = next(line for line in lines if line.startswith(f"| `{entry.experiment.name}` |"))
            (said, least, most), *quoted, said_steps, said_samples = map(numbers, row.split("|")[2:-1])
            assert (said_steps, said_samples) == (steps, samples)
            assert low <= said <= high
            assert least <= rate <= most
            # what is left at the end of a training hangs on the last digits of its sums
            assert all(0.5 < one[0] / other[0] < 2 for one, other in zip(quoted, errors, strict=True)), row


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_price_of_reward_is_that_of_the_page_on_the_experiments(language: Language) -> None:
    lines = source("docs/experiments", language).splitlines()
    table = {cells[1].strip(" `"): list(map(numbers, cells[2:])) for line in lines if len(cells := line.split("|")) > 6}
    rows = re.findall(r"\|([^|]*)\|([^|]*%[^|]*)\|$", source("README", language), re.MULTILINE)
    for ending, (asked, solved) in zip(("", "-through-reward", "-reinforce"), rows, strict=True):
        add, sub = table["add" + ending], table["sub" + ending]
        assert (numbers(asked), numbers(solved)) == (add[4], [add[0][0], sub[0][0]])


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def _said(language: Language, key: str) -> str:
    set_language(language)
    try:
        return say(key)
    finally:
        set_language("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_on_the_language_has_every_function(language: Language) -> None:
    text = source("docs/language", language)
    for item in shelf("functions")["functions"]:
        formula = f"`{item.formula}`" if item.formula else ""
        line = " | ".join((f"| `{item.name}`", formula, f"{getattr(item.reading, language)} |")).replace("  ", " ")
        assert line in text.replace("  ", " "), line


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_on_the_experiments_has_all_of_them(language: Language) -> None:
    headings = re.findall(r"^## (.*)$", source("docs/experiments", language), re.MULTILINE)
    named = [name for heading in headings for name in re.findall(r"`([\w-]+)`", heading)]
    assert named == list(EXPERIMENTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_limits_are_those_of_the_program(language: Language) -> None:
    heading = {"en": "## Limits", "zh": "## 局限"}[language]
    section = source("README", language).partition(f"{heading}\n")[2].partition("\n## ")[0]
    found = numbers(re.sub(r"(?<=\d) ?(?=[\u4e00-\u9fff])|(?<=[\u4e00-\u9fff])(?=\d)", " ", section))
    limits = [MAX_LAYERS, MAX_UNITS, MAX_OUTPUTS, kernel.MOST, RUNS, against.OUTSIDE_OBSERVED]
    assert [number for number in found if number in limits] == limits
