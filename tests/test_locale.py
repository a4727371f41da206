"""Every text stands in both languages, with the same values, is used, and has the marks of its language.

Chinese has full-width marks in prose and half-width ones in formulas: `损失：L = (o - t)**2`.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "glassgrad"
CATALOGUES = sorted((PACKAGE / "locale").glob("*.toml"))
PYTHON = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(file for file in (PACKAGE / "view").glob("*.js") if not file.name.endswith(".min.js"))

HAN = r"[\u4e00-\u9fa5]"
CHINESE = re.compile(HAN)
HALF_WIDTH = re.compile(rf"{HAN}\s*[,;:!?]|{HAN}\.(?!\w)|(?:^|[}}”])[,;:!?]\s*{HAN}")
IN_CHINESE_ONLY = {"report.after"}  # what a line of the command line's contract, which is English, says
EMOJI = re.compile(r"[\U0001f000-\U0001faff\u2600-\u26ff\u2705\u2728\u274c\u2753-\u2757\ufe0f]")


def entries(table: dict[str, object], prefix: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    """The keys of a catalogue, nested tables joined by dots, each with its table of languages."""
    for name, value in table.items():
        assert isinstance(value, dict), f"{prefix}{name}: not a table with `en` and `zh`"
        if all(isinstance(text, dict) for text in value.values()):
            yield from entries(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@cache
def texts() -> dict[str, dict[str, str]]:
    """All texts by key, as the files have them."""
    found: dict[str, dict[str, str]] = {}
    for file in CATALOGUES:
        for key, pair in entries(tomllib.loads(file.read_text(encoding="utf-8"))):
            assert key not in found, f"{key} stands twice"
            found[key] = {language: str(text) for language, text in pair.items()}
    return found


@cache
def parsed(file: Path) -> ast.Module:
    """The tree of a Python file."""
    return ast.parse(file.read_text(encoding="utf-8"))


def placeholders(text: str) -> set[str]:
    """The names in braces: {"name"} for "no task '{name}'"."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def mistakes(pair: dict[str, str]) -> list[str]:
    """What is wrong with one text, as words."""
    if set(pair) != {"en", "zh"} or not all(text.strip() for text in pair.values()):
        return ["needs `en` and `zh`, neither empty"]
    en, zh = pair["en"], pair["zh"]
    wrong = {
        "other values in `en` than in `zh`": placeholders(en) != placeholders(zh),
        "half-width mark in Chinese": HALF_WIDTH.search(zh),
        "Chinese in `en`": CHINESE.search(en),
        "emoji": EMOJI.search(en + zh),
    }
    return [words for words, found in wrong.items() if found]


def written_in_tables() -> Iterator[tuple[str, dict[str, str]]]:
    """Every `Text("…", "…")` of the Python files, with its place."""
    for file in PYTHON:
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Text":
                pair = [part.value for part in node.args if isinstance(part, ast.Constant)]
                if len(pair) == 2 and any(pair):  # Text("", "") says nothing, on purpose
                    place = f"{file.relative_to(PACKAGE)}, line {node.lineno}"
                    yield place, dict(zip(("en", "zh"), map(str, pair), strict=True))


def test_every_text_is_right_in_both_languages() -> None:
    glosses = {key: {**texts()[key], "en": "gloss"} for key in IN_CHINESE_ONLY}
    pairs = [*(texts() | glosses).items(), *written_in_tables()]
    wrong = [f"{place}: {', '.join(found)}" for place, pair in pairs if (found := mistakes(pair))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "pair",
    [
        {"en": "a loss"},
        {"en": "a loss", "zh": " "},
        {"en": "{n} steps", "zh": "{m} 步"},
        {"en": "a loss", "zh": "损失,梯度"},
        {"en": "a loss", "zh": "损失."},
        {"en": "the loss is {x}", "zh": "损失:{x}"},
        {"en": "; a loss", "zh": ";损失"},
        {"en": "{x}; a loss", "zh": "{x}; 损失"},
        {"en": "a 损失", "zh": "损失"},
        {"en": "a loss", "zh": "损失\N{PARTY POPPER}"},
    ],
)
def test_a_wrong_text_is_seen(pair: dict[str, str]) -> None:
    assert len(mistakes(pair)) == 1


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string in a Python file that is not a docstring, with its line."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def composed(tree: ast.AST) -> Iterator[str]:
    """Each text that could be a key in the making (`f"unit.{name}"`, `"unit." + name`), as a pattern of keys."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and re.match(r"'\w+\.", ast.unparse(node.left)):
            yield re.escape(ast.literal_eval(node.left)) + r"[\w.-]+"
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            pattern = "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[\w.-]+" for part in node.values
            )
            if re.match(r"\w+\\\.", pattern):
                yield pattern


def used(key: str, names: set[str], patterns: set[str]) -> bool:
    """Whether a key is written out somewhere, or can be made by an f-string."""
    return key in names or any(re.fullmatch(pattern, key) for pattern in patterns)


def test_every_text_is_used() -> None:
    names = {text for file in PYTHON for _, text in literals(parsed(file))}
    patterns = {pattern for file in PYTHON for pattern in composed(parsed(file))}
    for file in SCRIPTS:
        source = file.read_text(encoding="utf-8")
        names |= set(re.findall(r"""["'`]([\w.-]+)["'`]""", source))
        parts = re.findall(r"`(\w+\.)\$\{[^}]+\}([\w.-]*)`", source)
        patterns |= {re.escape(before) + r"[\w-]+" + re.escape(after) for before, after in parts}
    unused = [key for key in texts() if not used(key, names, patterns)]
    assert not unused, "\n".join(unused)


@cache
def speakers() -> set[str]:
    """The functions and exceptions that take a key: `say`, `text`, and the tree of errors."""
    errors = parsed(PACKAGE / "errors.py").body
    return {"say", "text", *(node.name for node in errors if isinstance(node, ast.ClassDef))}


def asked(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every key that is written out as the first argument of a speaker that was imported, with its line."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(("locale", "errors"))
        for alias in node.names
        if alias.name in speakers()
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        key = node.args[0]
        if node.func.id in imported and isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield node.lineno, key.value


def test_every_key_that_is_asked_for_exists() -> None:
    missing = [
        f"{file.relative_to(PACKAGE)}, line {line}: {key}"
        for file in PYTHON
        for line, key in asked(parsed(file))
        if key not in texts()
    ]
    assert not missing, "\n".join(missing)


def test_a_key_that_is_asked_for_is_seen() -> None:
    source = "from glassgrad.locale import say as s, text\ns('a.b', n=1), text('c'), text(d), other('e')"
    assert [key for _, key in asked(ast.parse(source))] == ["a.b", "c"]


def test_chinese_stands_in_catalogues_and_tables_only() -> None:
    found = [
        f"{file.relative_to(PACKAGE)}, line {line}: {text}"
        for file in PYTHON
        if file.relative_to(PACKAGE).parts[0] not in ("locale", "tables")
        and file.name != "functions.py"  # the table of functions
        for line, literal in literals(parsed(file))
        for text in literal.splitlines()
        if CHINESE.search(text)
    ]
    found += [
        f"{file.relative_to(PACKAGE)}, line {number}: {line.strip()}"
        for file in SCRIPTS
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if CHINESE.search(line.replace("中文", ""))  # the name of the language, on its switch
    ]
    assert not found, "\n".join(found)
