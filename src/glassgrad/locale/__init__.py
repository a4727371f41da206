"""Every text that a reader sees, in English and Chinese, as pairs written together.

The catalogues are the TOML files in this folder: `[key]`, `en = "…"`, `zh = "…"`, with `{name}` for values.
"""

import locale as system_locale
import os
import tomllib
from contextvars import ContextVar
from functools import lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple, cast

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
VARIABLE = "GLASSGRAD_LANG"  # of the environment


class Text(NamedTuple):
    """One text in both languages.

    Example:
        >>> Text("loss", "损失").zh
        '损失'
    """

    en: str
    zh: str

    def format(self, **values: object) -> "Text":
        """Both texts with the values put in; a value that is itself a `Text` appears in its language."""
        return Text(*(_fill(text, language, values) for language, text in zip(LANGUAGES, self, strict=True)))


def _fill(text: str, language: Language, values: dict[str, object]) -> str:
    return text.format(**{key: getattr(v, language) if isinstance(v, Text) else v for key, v in values.items()})


def default_language() -> Language:
    """The reader's language: GLASSGRAD_LANG, else the locale's, else English."""
    names = [os.environ.get(key, "") for key in (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")]
    try:
        names.append(system_locale.getlocale()[0] or "")
    except ValueError:  # a locale that the C library does not know
        pass
    return named_language(next((name for name in names if name), "en")) or "en"


def named_language(name: str) -> Language | None:
    """The language that a locale or a variable names, None if it is not one of ours.

    Example:
        >>> named_language("zh_CN.UTF-8"), named_language("English_United States.1252"), named_language("fr")
        ('zh', 'en', None)
    """
    starts: dict[Language, tuple[str, ...]] = {"en": ("en",), "zh": ("zh", "chinese")}
    return next((one for one in LANGUAGES if name.lower().startswith(starts[one])), None)


_current: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """The language in force: the one that was set, else `default_language()`."""
    return _current.get() or default_language()


def set_language(chosen: Language) -> None:
    """Set the language of all texts from here on (in this context)."""
    _current.set(chosen)


@lru_cache
def catalogue() -> dict[str, Text]:
    """All texts by key, from every TOML file in this folder.

    Raises:
        ValueError: a key stands in two files, or lacks one of the languages.
    """
    texts: dict[str, Text] = {}
    for file in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        for key, pair in _flat(tomllib.loads(file.read_text(encoding="utf-8"))).items():
            if key in texts or set(pair) != set(LANGUAGES):
                raise ValueError(f"{file.name}: {key} stands twice, or lacks a language")
            texts[key] = Text(pair["en"], pair["zh"])
    return texts


def _flat(table: dict[str, object], prefix: str = "") -> dict[str, dict[str, str]]:
    """`{a: {b: {en, zh}}}` as `{"a.b": {en, zh}}`."""
    found: dict[str, dict[str, str]] = {}
    for name, value in table.items():
        inner = cast("dict[str, object]", value)
        if all(isinstance(text, str) for text in inner.values()):
            found[prefix + name] = cast("dict[str, str]", inner)
        else:
            found |= _flat(inner, f"{prefix}{name}.")
    return found


def text(key: str, **values: object) -> Text:
    """The text of a key in both languages, with its values put in."""
    return catalogue()[key].format(**values)


def say(key: str, **values: object) -> str:
    """The text of a key in the language in force.

    Example:
        >>> set_language("en"); say("formula.at", formula="2x", position=2, message="…")
        "in '2x', position 2: …"
    """
    return str(getattr(text(key, **values), language()))
