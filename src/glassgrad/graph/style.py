"""How the drawing looks: sizes of texts, and the style sheet with its colours for light and dark."""

FORMULA, SMALL, CAPTION, SENTENCE = 13.0, 12.0, 11.0, 13.0
MONO, SANS = 0.615, 0.6  # the width of a sign, in its size: an upper estimate over the fonts below
CHINESE = 1.02

_COLOURS = {  # light, dark
    "ink": ("#23272c", "#e8e5de"),
    "soft": ("#5d6570", "#a9afb7"),
    "edge": ("#b9b4a8", "#565d66"),
    "box": ("#ffffff", "#1f2429"),
    "given": ("#f1eee6", "#2a2f35"),
    "learned": ("#e8f0f8", "#1c2c3d"),
    "loose": ("#faf8f4", "#191d21"),
    "fore": ("#2b6cab", "#7fb2e6"),
    "back": ("#b8560f", "#f0a05c"),
    "cut": ("#b3261e", "#ff8a7a"),
}

_RULES = """
.gg-graph:root{color-scheme:light dark;color:var(--gg-ink)}
.gg-graph text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI","Noto Sans","PingFang SC",\
"Microsoft YaHei","Noto Sans CJK SC",sans-serif;white-space:pre}
.gg-graph .gg-formula,.gg-graph .gg-value,.gg-graph .gg-slope{font-family:ui-monospace,"SF Mono",Menlo,Consolas,\
"DejaVu Sans Mono","Liberation Mono",monospace}
.gg-graph .gg-formula{font-size:13px;fill:var(--gg-ink)}
.gg-graph .gg-name{font-weight:600}
.gg-graph .gg-value{font-size:13px;fill:var(--gg-soft)}
.gg-graph .gg-known{fill:var(--gg-soft)}
.gg-graph .gg-slope .gg-known{fill:var(--gg-back)}
.gg-graph .gg-slope{font-size:12px;fill:var(--gg-back)}
.gg-graph .gg-caption{font-size:11px;fill:var(--gg-soft)}
.gg-graph .gg-loose{font-size:11px;fill:var(--gg-cut)}
.gg-graph .gg-mark{font-size:12px;font-weight:600;fill:var(--gg-cut)}
.gg-graph .gg-legend{font-size:12px;fill:currentColor}
.gg-graph .gg-sentence{font-size:13px;fill:currentColor}
.gg-graph .gg-box{fill:var(--gg-box);stroke:var(--gg-edge);stroke-width:1}
.gg-graph .gg-input{fill:var(--gg-given)}
.gg-graph .gg-parameter{fill:var(--gg-learned);stroke:var(--gg-fore)}
.gg-graph .gg-loss{stroke:var(--gg-ink);stroke-width:1.6}
.gg-graph .gg-hangs{fill:var(--gg-loose);stroke:var(--gg-cut);stroke-dasharray:5 4}
.gg-graph .gg-fore{fill:none;stroke:var(--gg-fore);stroke-width:1.6}
.gg-graph .gg-back{fill:none;stroke:var(--gg-back);stroke-width:1.8}
.gg-graph .gg-lost{fill:none;stroke:var(--gg-back);stroke-width:1.6;stroke-dasharray:2 5;opacity:.75}
.gg-graph .gg-cross{fill:none;stroke:var(--gg-cut);stroke-width:2.4;stroke-linecap:round}
.gg-graph .gg-fore-tip{fill:var(--gg-fore)}
.gg-graph .gg-back-tip{fill:var(--gg-back)}
"""


def style_sheet() -> str:
    """The style sheet; its colours follow the page's `color-scheme` if the drawing stands in one, else the reader's."""
    light = "".join(f"--gg-{name}:{pair[0]};" for name, pair in _COLOURS.items())
    dark = "".join(f"--gg-{name}:{pair[1]};" for name, pair in _COLOURS.items())
    both = "".join(f"--gg-{name}:light-dark({pair[0]},{pair[1]});" for name, pair in _COLOURS.items())
    return (
        f".gg-graph{{{light}}}@media (prefers-color-scheme:dark){{.gg-graph:root{{{dark}}}}}"
        f"@supports (color:light-dark(red,red)){{.gg-graph,.gg-graph:root{{{both}}}}}{_RULES}"
    )
