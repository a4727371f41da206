"""The report as one offline HTML file: the view's modules, style, fonts and the data, all inlined."""

import base64
import gzip
import hashlib
import json
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from glassgrad.locale import catalogue

VIEW: Traversable = files("glassgrad") / "view"

PLAIN_LIMIT = 1_000_000  # characters of JSON that are inlined as they are; more are compressed
PATH_LIMIT = 60_000  # numbers a watch may spend on the paths of its parameters between shown steps

IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
FONT_FACE = re.compile(r"@font-face\{[^}]*\}")
WOFF2 = re.compile(r"fonts/(KaTeX_[\w-]+\.woff2)")

PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="glassgrad {version}">
<title>Glassgrad</title>
<link rel="icon" href="data:,">
<style>{katex_style}</style>
<style>{style}</style>
</head>
<body>
<noscript>{noscript}</noscript>
<script type="application/json" id="report" data-form="{form}">{data}</script>
<script>{katex}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def html(report: dict[str, Any]) -> str:
    """The report's JSON as one self-contained HTML page that makes no request.

    report: {"version", "language", "watches", "feedback", "claims"}, and `texts` in place of the view's own.
    Raises ValueError if the JSON holds a number that is not finite (write null).
    Example: Path("report.html").write_text(html({"version": "0.1.0", "watches": [watch]}), encoding="utf-8")
    """
    whole = {"language": "en", "feedback": [], "claims": [], **report}
    whole["texts"] = {**texts(), **report.get("texts", {})}
    whole["watches"] = [slim(watch) for watch in report["watches"]]
    form, data = packed(json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    katex, script = inline_script(text("katex/katex.min.js")), inline_script(joined(modules()))
    return PAGE.format(
        language="zh" if whole["language"] == "zh" else "en",
        version=re.sub(r"[^\w.+-]", "", str(whole.get("version", ""))),
        policy=security_policy(katex, script),
        katex_style=katex_style(),
        style=text("view.css"),
        noscript=" ".join(catalogue()["view.needs-javascript"]),
        form=form,
        data=data,
        katex=katex,
        script=script,
    )


def text(name: str) -> str:
    """One of the view's files, as text."""
    return VIEW.joinpath(*name.split("/")).read_text(encoding="utf-8")


def texts() -> dict[str, dict[str, str]]:
    """The view's own texts, from locale/view.toml: {"view.network": {"en": …, "zh": …}}."""
    return {key: pair._asdict() for key, pair in catalogue().items() if key.startswith("view.")}


def modules() -> dict[str, str]:
    """The view's JavaScript modules by file name."""
    found = (item for item in VIEW.iterdir() if item.name.endswith(".js"))
    return {item.name: item.read_text(encoding="utf-8") for item in found}


def joined(sources: dict[str, str]) -> str:
    """ES modules as one script: each in a block of its own, in the order of their imports.

    Understands `import { a, b } from "./file.js";` and `export function|const|class name`.
    Raises graphlib.CycleError if modules import each other in a circle.
    """
    needs = {name: {match[2] for match in IMPORT.finditer(source)} for name, source in sources.items()}
    order = TopologicalSorter({name: sorted(needs[name]) for name in sorted(needs)}).static_order()
    return "const modules = {};\n" + "".join(block(name, sources[name]) for name in order)


def block(name: str, source: str) -> str:
    """One module as a block: imports read the table `modules`, exports fill it."""
    exports = ", ".join(EXPORT.findall(source))
    body = IMPORT.sub(lambda match: f'const {{{match[1]}}} = modules["{match[2]}"];\n', source)
    return f'{{ // {name}\n{EXPORT.sub("", body)}modules["{name}"] = {{ {exports} }};\n}}\n'


def inline_script(source: str) -> str:
    """JavaScript that cannot end its own <script> element."""
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def security_policy(*scripts: str) -> str:
    """A policy that allows these scripts by hash, inline style, data: fonts and images, and nothing else."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    rest = "font-src data:; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; {rest}"


def katex_style() -> str:
    """KaTeX's style sheet with the fonts that are vendored as data: URLs, and without the others."""
    return FONT_FACE.sub(lambda match: font_face(match[0]), text("katex/katex.min.css"))


def font_face(rule: str) -> str:
    """One @font-face rule with its woff2 font inlined; empty if the font is not vendored."""
    found = WOFF2.search(rule)
    font = VIEW / "katex" / "fonts" / found[1] if found else None
    if font is None or not font.is_file():
        return ""
    url = "data:font/woff2;base64," + base64.b64encode(font.read_bytes()).decode()
    return re.sub(r"src:[^;}]*", f'src:url({url}) format("woff2")', rule)


def packed(data: str) -> tuple[str, str]:
    """JSON for a <script> element: ("json", escaped) if short, else ("gzip", compressed, in base64)."""
    if len(data) > PLAIN_LIMIT:
        return "gzip", base64.b64encode(gzip.compress(data.encode(), mtime=0)).decode()
    return "json", re.sub(r"[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", data)


def slim(watch: dict[str, Any]) -> dict[str, Any]:
    """The watch as the page needs it: shown steps in full, the steps between them for the curves only."""
    shown, every = set(watch["shown"]), spacing(watch)
    steps = [step if step["step"] in shown else between(step, every) for step in watch["steps"]]
    return {**watch, "steps": steps}


def spacing(watch: dict[str, Any]) -> int:
    """Every how many steps the parameters are kept, so that their paths stay below PATH_LIMIT numbers."""
    size = count(watch["final"]["parameters"])
    return max(1, -(-size * len(watch["steps"]) // PATH_LIMIT))


def between(step: dict[str, Any], every: int) -> dict[str, Any]:
    """A step that is not shown: its loss, reward and output, at some steps its parameters to six digits."""
    kept = {key: step[key] for key in ("step", "loss", "reward", "output")}
    return {**kept, "parameters": rounded(step["parameters"])} if step["step"] % every == 0 else kept


def rounded(value: Any) -> Any:
    """Nested lists and dictionaries of numbers, to six significant digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value if value is None else float(f"{value:.6g}")


def count(value: Any) -> int:
    """How many numbers nested lists and dictionaries hold."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 1 if items is None else sum(count(item) for item in items)
