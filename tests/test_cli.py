"""The command line: what it prints where, its exit status, and one line for every mistake."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import glassgrad as gg
from glassgrad.cli import main
from glassgrad.locale import set_language


class Output(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Output]


@pytest.fixture
def glassgrad(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command, in this process; English unless it is told otherwise."""
    monkeypatch.delenv("GLASSGRAD_LANG", raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def run(*arguments: str) -> Output:
        monkeypatch.setattr(sys, "argv", ["glassgrad", *arguments])
        set_language("en")
        status: int | str | None = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        return Output(int(status or 0), captured.out, captured.err)

    yield run
    set_language("en")


def process(*arguments: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "error", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "glassgrad", *arguments],
        capture_output=True, text=True, encoding="utf-8", env=environment, timeout=120, check=False, **keywords,
    )  # fmt: skip


# Mistakes: exit status 2, one line on standard error, nothing on standard output.

HOSTILE = {
    "--objective": [
        "__import__('os').system('ls')", "open('/etc/passwd')", "print(o)", "o.__class__.__mro__", "(lambda: o)()",
        "[o for o in t]", "o if o > t else t", "o := 3", "f'{o}'", "1e999", "(" * 200 + "o" + ")" * 200,
        "o" + "+o" * 2000, "-" * 500 + "o", "exec", "eval(o)", "globals()", "o\u0000", "o\n\n; import os",
        "\u202eo", "😀*o", "（o - t）**2", "w", "reward", "logp", "log(o)", "z1_1 = o; objective = z1_1**2",
        "dz2 = o; objective = (dz2 - t)**2", "L = o; objective = L", "da = o; objective = da*o", "state m = 0",
        "state m = o; m = m; objective = o", "state m = 0; m = o; objective = o*m", "", "  ;  ; ", "o == t", "o t",
        "2o", "o ^ 2", "abs(o, t)", "max(o, t, 1)", "mean(step)", "log = 3; o*log", "1x = 3; o", "msee",
        ";".join(f"b{i} = o" for i in range(400)) + "; objective = o",
    ],
    "--activation": ["o", "z + ", "rleu", "relu(slope=1)", "leaky_relu(slope=x)", "mean(z) = 3", "param z = 1; z"],
    "--output-activation": ["sin(z"],
    "--policy": ["a", "gaussian(sigma=0)", "bernoulli", "gauss"],
    "--reward": ["o - reward", "r"],
    "--regulariser": ["o", "l3"],
    "--optimizer": [
        "adam(lr=-1)", "adam(lr=a)", "adam(lr=1e400)", "adam(1, 2, 3, 4, 5, 6, 7)", "adam(lr=0.1, lr=0.2)", "sdg",
        "m = 1", "w = w - x1", "L = 1; w = w - L*g", "adam(",
    ],
    "--schedule": ["cos", "cosine(to=-1)", "warmup(0)", "g", "mean(lr)", "lr; step", "lr =", "exponential(gamma=x)"],
    "--truth": ["y + 1", "x1 +", "1/0", "log(x1)", "o"],
    "--network": ["5", "2-5-2", "3-5-1", "2-0-1", "2-9999999999-1", "", "two-five-one"],
    "--init": ["W1=[[1]]", "nonsense", "W1=[[1, 2]", "W1=" + "[" * 3000],
    "--steps": ["0", "1e3", "99999999999999999999"],
    "--samples": ["0", "-5"],
    "--batch": ["0", "100000"],
    "--seed": ["-1", "4294967296", "x"],
    "--every": ["0", "-3"],
    "--sample": ["0", "100000"],
    "--dropout": ["1", "nan"],
    "--clip": ["0", "inf"],
    "--precision": ["half"],
    "--engine": ["jax"],
    "--format": ["xml"],
    "--task": ["mul"],
    "--data": ["nowhere.csv", "."],
    "--held-out": ["2"],
    "--ask": ["5 x 3", "", "1e999 + 1"],
    "--plant": ["nonsense"],
    "--lang": ["fr"],
    "--nonsense": ["1"],
    "--out": ["/proc/nowhere/file"],
}  # fmt: skip
MISTAKES = [(option, value) for option, values in HOSTILE.items() for value in values]


@pytest.mark.parametrize(("option", "value"), MISTAKES, ids=[f"{o} {v!r}"[:50] for o, v in MISTAKES])
def test_a_mistake_is_one_line(glassgrad: Command, option: str, value: str) -> None:
    found = glassgrad("watch", "add", "--steps", "1" if option != "--steps" else value, option, value)
    assert found.status == 2
    assert found.out == ""
    assert found.err.startswith("glassgrad: ")
    assert found.err.count("\n") == 1
    assert found.err.isprintable() or found.err[:-1].isprintable()
    assert len(found.err) < 700
    assert "Traceback" not in found.err


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("command", "option", "value", "fix"),
    [
        ("compare", "--runs", "abc", "100"), ("compare", "--runs", "1e3", "1000"), ("judge", "--runs", "1,000", "1000"),
        ("watch", "--every", "x", "100"), ("watch", "--seed", "1.5", "100"), ("watch", "--dropout", "half", "0.1"),
        ("estimators", "--sigma", "one", "0.1"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_said_with_the_fix(
    glassgrad: Command, command: str, option: str, value: str, fix: str, lang: str
) -> None:
    found = glassgrad(command, "add", option, value, "--lang", lang)
    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)
    assert found.err.startswith(f"glassgrad: {option} ")
    assert f"{option} {fix}\n" in found.err
    assert value in found.err


@pytest.mark.parametrize("value", ["o - tt", "（o - t）**2", "sdg", "nowhere"])
def test_a_mistake_is_one_line_in_chinese(glassgrad: Command, value: str) -> None:
    found = glassgrad("watch", "add", "--objective", value, "--lang", "zh")
    assert found.status == 2
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert re.search(r"[\u4e00-\u9fff]", found.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("watch",), ("watch", "ad"), ("watch", ""), ("watch", "nowhere.toml"), ("watch", "/"), ("wacth", "add"),
        ("watch", "add", "sub"), ("watch", "add", "--steps"), ("export", "add", "--to", "word"), ("list", "nonsense"),
        ("list", "--format", "html"), ("watch", "choose", "--batch", "5"), ("--nonsense",),
        ("watch", "knob", "--network", "2-1"),
        ("watch", "add", "--lang"), ("watch", "\x1b[31m"),
        ("watch", "add", "--samples", "9", "--format", "json", "--every", "1"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_one_line(glassgrad: Command, arguments: tuple[str, ...]) -> None:
    found = glassgrad(*arguments)
    assert found.status == 2
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert found.err.startswith("glassgrad: ")


def test_the_refusal_of_too_much_says_what_would_do_and_that_works(glassgrad: Command) -> None:
    asked = ("watch", "add", "--samples", "20", "--steps", "300", "--format", "json")
    refused = glassgrad(*asked, "--every", "1")
    assert refused.status == 2
    every = re.search(r"--every (\d+)", refused.err)
    assert every is not None
    shown = glassgrad(*asked, "--every", every[1])
    assert shown.status == 0
    assert 8900 < sum(len(step["equations"]) for step in json.loads(shown.out)["steps"]) <= 10_000


BAD_TOML = [
    "steps = 'a'", "foo = 3", "base = 'nope'", "base = 3", "network = [2, 5.5, 1]", "network = [2, 'a', 1]",
    "network = 3",
    "seed = 1.5", "seed = true", "[a]\nb = 1", "x =", "steps = nan", "clip = nan", "dropout = '0.5'", "fresh = 1",
    "fresh = true\nbatch = 5", "steps = 10000000000000000000000", "objective = 5", "data = 'nope.csv'",
    "task = 'knob'\nnetwork = [2, 1]",
    "optimizer = ''", "precision = 'half'", "reward = 3", "steps = 1979-05-27", "network = []", "name = 3", "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_TOML, ids=[text[:30] for text in BAD_TOML])
def test_a_mistake_in_a_file_is_one_line(glassgrad: Command, tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    found = glassgrad("watch", str(file))
    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)


# Checks that fail: exit status 1.


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_wrong_formula_ends_with_status_1(glassgrad: Command, form: str) -> None:
    found = glassgrad("watch", "add", "--steps", "2", "--plant", "dz1", "--format", form)
    assert found.status == 1
    assert "CHECK FAILED" in (found.out if form == "text" else found.err)
    assert "dz1" in (found.out if form == "text" else found.err)
    assert glassgrad("watch", "add", "--steps", "2", "--format", form).status == 0


# Own formulas: they work like the shipped ones.

OWN = [
    ("add", "--objective", "mse", "(o - t)**2"),
    ("add", "--objective", "huber(delta=2)", "where(abs(o - t) <= 2, 0.5*(o - t)**2, 2*(abs(o - t) - 1))"),
    ("add-through-reward", "--reward", "distance", "-abs(a - t)"),
    ("knob", "--reward", "closeness", "1 - 5*abs(a - t)"),
    ("knob", "--objective", "log_output", "-stop(reward)*log(o)"),
    ("add", "--activation", "leaky_relu(slope=0.1)", "max(z, 0.1*z)"),
    ("add", "--activation", "silu", "z/(1 + exp(-z))"),
    ("add", "--output-activation", "linear", "1*z"),
    ("sub", "--truth", "x1 - x2", "-(x2 - x1)"),
    ("add", "--regulariser", "l2(strength=0.01)", "0.01*w**2"),
    ("add", "--regulariser", "l1(strength=0.01)", "0.01*abs(w)"),
    ("add", "--optimizer", "sgd(lr=0.001)", "w = w - 0.001*g"),
    ("add", "--schedule", "cosine", "lr*(1 + cos(pi*(step - 1)/steps))/2"),
    ("add", "--schedule", "warmup(5)", "lr = where(step < 5, step/5, 1)*lr"),
    ("add", "--optimizer", "momentum(lr=0.001)", "state m = 0; m = 0.9*m + g; w = w - 0.001*m"),
    (
        "add", "--optimizer", "adam(lr=0.1)",
        "state m = 0; state v = 0; m = 0.9*m + 0.1*g; v = 0.999*v + 0.001*g**2\n"
        "w = w - 0.1*m/(1 - 0.9**step)/(sqrt(v/(1 - 0.999**step)) + 1e-8)",
    ),
    (
        "add-reinforce", "--policy", "gaussian(sigma=0.5)",
        "sigma = 0.5; a = stop(o + sigma*noise); logp = -(a - o)**2/(2*sigma**2) - log(sigma*sqrt(2*pi))",
    ),
    ("choose", "--policy", "bernoulli", "a = stop([uniform < o]); logp = a*log(o) + (1 - a)*log(1 - o)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "option", "row", "own"), OWN, ids=[f"{o} {r}" for _, o, r, _ in OWN])
def test_a_formula_typed_in_full_is_the_named_row(
    glassgrad: Command, name: str, option: str, row: str, own: str
) -> None:
    asked = ("watch", name, "--steps", "12", "--format", "json", "--precision", "double", option)
    shipped, typed = glassgrad(*asked, row), glassgrad(*asked, own)
    assert (shipped.status, typed.status) == (0, 0)
    first, second = json.loads(shipped.out), json.loads(typed.out)
    assert [s["loss"] for s in second["steps"]] == pytest.approx([s["loss"] for s in first["steps"]], rel=1e-6)
    assert second["final"]["parameters"].keys() == first["final"]["parameters"].keys()
    assert second["check"]["passed"] is True
    assert second["check"]["largest_difference"] <= 1e-12
    assert second["check"]["numbers"] > 0


@pytest.mark.parametrize(
    ("option", "own"),
    [
        ("--objective", "log(1 + (o - t)**2)"), ("--activation", "where(z > 0, log(1 + z), -0.1*sin(z))"),
        ("--truth", "max(x1, x2)"), ("--truth", "x1*x2 - 3"),
        ("--optimizer", "lr = 0.1/sqrt(step); w = w - lr*sign(g)"),
        ("--schedule", "0.1/sqrt(step)"), ("--schedule", "lr = lr*(1 - step/steps)"),
        ("--regulariser", "0.01*log(1 + w**2)"), ("--policy", "a = o + 0.1*noise"), ("--dropout", "0.2"),
        ("--clip", "1"), ("--init", "he"),
    ],
)  # fmt: skip
def test_a_new_formula_runs_and_is_checked(glassgrad: Command, option: str, own: str) -> None:
    found = glassgrad("watch", "add", "--steps", "5", "--samples", "50", option, own)
    assert found.status == 0, found.out[-300:]
    assert found.err == ""
    assert "\nChecked: " in found.out


# What goes where.


def test_json_stands_alone_on_standard_output(glassgrad: Command) -> None:
    """Notes go to standard error."""
    found = glassgrad("watch", "add", "--steps", "2", "--output-activation", "sigmoid", "--format", "json")
    assert found.status == 0
    assert json.loads(found.out)["status"] == "finished"
    assert found.out.count("\n") == 1
    assert "sigmoid" in found.err


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_out_writes_a_file(glassgrad: Command, tmp_path: Path, form: str) -> None:
    file = tmp_path / "new" / "账.out"
    found = glassgrad("watch", "knob", "--steps", "3", "--format", form, "--out", str(file))
    assert found.status == 0
    assert found.out == ""
    assert str(file) in found.err
    text = file.read_text(encoding="utf-8")
    assert {"text": "glassgrad watch knob", "json": '{"experiment"', "html": "<!DOCTYPE html>"}[form] in text[:60]
    if form == "html":
        assert not re.search(r"""(src|href|url\()\s*=?\s*["']?\s*(https?:)?//""", text)
        assert "<script" in text


def test_ask_sample_and_full(glassgrad: Command) -> None:
    found = glassgrad("watch", "add", "--steps", "2", "--ask", "12 + 30", "--ask", "4+4", "--sample", "3", "--full")
    assert found.status == 0
    assert re.search(r"^12 \+ 30 = -?\d+\.\d\d$", found.out, re.MULTILINE)
    assert re.search(r"^4 \+ 4 = -?\d+\.\d\d$", found.out, re.MULTILINE)
    run = gg.watch("add", steps=2, sample=3)
    assert f"  z2 = {run.step(1).equation('z2').symbolic}" in found.out
    assert run.step(1).equation("z2").substituted in found.out


def test_a_toml_file_is_an_experiment(glassgrad: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "sub"\nsteps = 4\nobjective = "abs(o - t)"\n', encoding="utf-8")
    found = glassgrad("watch", str(file), "--seed", "3", "--format", "json")
    experiment = json.loads(found.out)["experiment"]
    assert (experiment["name"], experiment["steps"], experiment["seed"]) == ("mine", 4, 3)
    same = gg.watch("sub", steps=4, objective="abs(o - t)", seed=3)
    assert [step["loss"] for step in json.loads(found.out)["steps"]] == same.record.loss.tolist()


# Both languages, everywhere.


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",), ("watch", "--help"), ("export", "--help"), ("demo", "--help"), ("list", "--help"), ("list",),
        ("watch", "add", "--steps", "2"), ("watch", "knob", "--steps", "2", "--graph"),
        ("watch", "add", "--steps", "2", "--plant", "z2"), ("export", "knob", "--to", "torch"),
    ],
)  # fmt: skip
def test_chinese_everywhere(glassgrad: Command, arguments: tuple[str, ...]) -> None:
    english, chinese = glassgrad(*arguments), glassgrad(*arguments, "--lang", "zh")
    before = glassgrad("--lang=zh", *arguments)
    assert english.status == chinese.status == before.status
    assert chinese.out == before.out
    assert not re.search(r"[\u4e00-\u9fff]", english.out + english.err)
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese.out)) > 15


def test_the_locale_decides_without_lang(glassgrad: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from glassgrad import locale

    assert "sum" in glassgrad("list", "tasks").out
    locale._current.set(None)
    for name, value, expected in (("GLASSGRAD_LANG", "zh", "zh"), ("GLASSGRAD_LANG", "en_US.UTF-8", "en")):
        monkeypatch.setenv(name, value)
        assert locale.language() == expected
    monkeypatch.delenv("GLASSGRAD_LANG")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert locale.language() == "zh"


def test_a_language_that_there_is_not_is_refused(glassgrad: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSGRAD_LANG", "fr")
    found = glassgrad("list", "tasks")
    assert (found.status, found.out) == (2, "")
    assert found.err == "glassgrad: GLASSGRAD_LANG must be one of en, zh, got 'fr'\n"
    assert glassgrad("list", "tasks", "--lang", "zh").status == 0
    monkeypatch.setenv("GLASSGRAD_LANG", "")
    assert glassgrad("list", "tasks").status == 0


# Processes of its own: few, for each takes a second.


def test_help_is_quick_for_it_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; sys.argv = ['glassgrad', *sys.argv[1:]]\n"
        "from glassgrad.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'llvmlite', 'pydantic', 'rich.console'} & set(sys.modules)), file=sys.stderr)"
    )
    for arguments in (["--help"], ["watch", "--help"], ["--version"]):
        found = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, encoding="utf-8", check=True,
            env={**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert "torch" not in found.stderr
        assert "numpy" not in found.stderr
        assert found.stdout


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "command", [[], *([name] for name in ("watch", "compare", "judge", "estimators", "list", "export", "demo"))]
)
def test_help_is_readable_at_80_columns(
    glassgrad: Command, monkeypatch: pytest.MonkeyPatch, command: list[str], lang: str
) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    found = glassgrad(*command, "--help", "--lang", lang)
    assert found.status == 0
    assert found.err == ""
    assert max(cell_len(line) for line in found.out.splitlines()) <= 80


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`glassgrad watch add | head -1`."""
    command = [sys.executable, "-m", "glassgrad", "watch", "add", "--steps", "300", "--every", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        running.wait(60)


def test_a_process_of_its_own_prints_the_same(glassgrad: Command) -> None:
    asked = ("watch", "add", "--steps", "3", "--samples", "30", "--seed", "9")
    found = process(*asked)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == glassgrad(*asked).out
    assert "\x1b" not in found.stdout


def test_a_console_without_chinese_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp437")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "argv", ["glassgrad", "list", "tasks", "--lang", "zh"])
    with pytest.raises(SystemExit) as end:
        main()
    set_language("en")
    assert not end.value.code
    stream.flush()
    assert stream.buffer.tell() > 0
