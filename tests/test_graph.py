"""The computation graph: which edges carry a derivative, where it is cut, and that text and drawing are readable."""

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from glassgrad.experiment import Experiment
from glassgrad.formula.parser import parse
from glassgrad.graph import Graph, graph, graph_svg, graph_text, meaning
from glassgrad.graph.boxes import PAD_X, PAD_Y, rows
from glassgrad.graph.layout import STRIP, WIDEST, Layout
from glassgrad.graph.obstacle import obstacle
from glassgrad.graph.svg import APART, _mark_width, placed
from glassgrad.graph.words import columns, wrapped
from glassgrad.locale import LANGUAGES, Language, set_language
from glassgrad.tables.experiments import EXPERIMENTS, shipped

SVG = "{http://www.w3.org/2000/svg}"

# Every edge as `source>target`, and what comes back along it: a derivative (<), a cut (its reason), or nothing.
_HIDDEN = "x>z1 W1>z1< b1>z1< z1>a1< a1>z2< W2>z2< b2>z2<"
_ONE = "x>z1 W1>z1< b1>z1<"
_BASELINE = (
    "reward>objective:stop baseline>objective logp>objective< reward>mean_reward "
    "baseline>baseline_new mean_reward>baseline_new objective>L<"
)
_LABEL = f"{_HIDDEN} z2>objective< t>objective objective>L<"
_THROUGH = f"{_HIDDEN} z2>a< a>reward< t>reward reward>objective< objective>L<"
_REINFORCE = f"{_HIDDEN} z2>a:stop noise>a a>logp z2>logp< a>reward t>reward {_BASELINE}"
EDGES = {
    "add": _LABEL,
    "sub": _LABEL,
    "both": _LABEL,
    "add-linear": f"{_ONE} z1>objective< t>objective objective>L<",
    "add-through-reward": _THROUGH,
    "sub-through-reward": _THROUGH,
    "both-through-reward": _THROUGH,
    "add-reinforce": _REINFORCE,
    "sub-reinforce": _REINFORCE,
    "both-reinforce": _REINFORCE,
    "knob": f"{_ONE} z1>o< o>a a>reward t>reward reward>objective:stop o>objective< objective>L<",
    "knob-fixed": f"{_ONE} z1>o< o>a< a>reward< t>reward reward>objective< objective>L<",
    "choose": f"{_HIDDEN} z2>o< uniform>a o>a:stop a>logp:comparison o>logp< a>reward:comparison t>reward {_BASELINE}",
}
HANGING = dict.fromkeys(("add-reinforce", "sub-reinforce", "both-reinforce", "knob", "choose"), "a reward")
ARRIVES = {
    "add": "2*(z2 - t)",
    "add-linear": "2*(z1 - t)",
    "add-through-reward": "sign(z2 - t)",
    "add-reinforce": "-stop(reward - baseline)*(a - z2)/sigma**2",
    "knob": "-stop(reward)/o",
    "knob-fixed": "5*sign(o - t)",
}


def spelled(found: Graph) -> set[str]:
    """The edges of a graph, as the table above has them."""
    ends = {True: "<", False: ""}
    return {f"{edge.source}>{edge.target}{f':{edge.why}' if edge.cut else ends[edge.travels]}" for edge in found.edges}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_edges_and_cuts(name: str) -> None:
    found = graph(shipped(name))
    assert spelled(found) == set(EDGES[name].split())
    assert {node.name for node in found.nodes if node.hangs} == set(HANGING.get(name, "").split())
    assert name not in ARRIVES or found.arrives == ARRIVES[name]


def test_without_its_stop_the_knob_sees_the_reward() -> None:
    found = graph(shipped("knob").change(objective="-reward*log(o)"))
    assert spelled(found) ^ spelled(graph(shipped("knob"))) == {
        *("o>a", "a>reward", "reward>objective:stop"),
        *("o>a<", "a>reward<", "reward>objective<"),
    }
    assert not any(node.hangs for node in found.nodes)
    assert "passes through the reward" in meaning(found).en


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("a**2", None),
        ("relu(a)", None),
        ("abs(a) + sign(a)", None),
        ("mean(a)", None),
        ("stop(a)", "stop"),
        ("stop(sign(a))", "stop"),
        ("sign(a)", "sign"),
        ("round(2*a)", "round"),
        ("where(a < t, 1, 0)", "comparison"),
        ("[uniform < a]", "sampling"),
        ("a - a", "constant"),
        ("0*a", "constant"),
        ("count(a)", "constant"),
    ],
)
def test_what_stands_in_the_way(formula: str, why: str | None) -> None:
    assert obstacle(parse(formula), "a") == why


def test_autograd_agrees() -> None:
    """A parameter has a derivative in the graph where torch finds one."""
    from glassgrad.engines.torch import train

    for name in ("knob", "add-reinforce", "add-through-reward"):
        moment = train(shipped(name).change(steps=1)).moment(1)
        edges = graph(shipped(name)).edges
        reached = {edge.source for edge in edges if edge.travels}
        assert {key for key, gradient in moment.gradients.items() if gradient.any()} <= reached


def test_a_number_that_an_activation_learns_is_a_parameter() -> None:
    found = graph(ALL["learned"])
    assert {"z1>a1<", "p1>a1<", "keep1>a1"} <= spelled(found)
    assert found.node("p1").derivative == "mean(sum(da1*keep1*where(z1 > 0, 0, z1)))"
    assert found.node("z1").derivative == "da1*keep1*where(z1 > 0, 1, p1)"


MEANINGS = {
    "add": "A label",
    "knob": "The reward hangs in the air",
    "knob-fixed": "The derivative passes through the reward",
    "add-reinforce": "To the gradient, reward and baseline are only numbers",
    "choose": "To the gradient, reward and baseline are only numbers",
}


@pytest.mark.parametrize("name", MEANINGS)
def test_meaning(name: str) -> None:
    said = meaning(graph(shipped(name)))
    assert said.en.startswith(MEANINGS[name])
    assert re.search("[\u4e00-\u9fff]", said.zh)
    assert graph(shipped(name)).arrives in said.zh


def test_nothing_is_learned_from_a_reward_that_only_compares() -> None:
    found = graph(shipped("knob").change(objective="reward", reward="right"))
    assert "nothing is learned" in meaning(found).en
    assert not any(edge.travels for edge in found.edges)


_PPO = (
    "state b = 0; adv = reward - b; good = adv - mean(adv); scaled = good/(std(adv) + 0.001); "
    "ratio = exp(logp - stop(logp)); clipped = min(max(ratio, 0.8), 1.2); one = ratio*stop(scaled); "
    "two = clipped*stop(scaled); surrogate = min(one, two); entropy = -0.01*logp; objective = -surrogate - entropy; "
    "b = 0.9*b + 0.1*mean(reward)"
)
_WIDE = (
    "aa = abs(o - t); bb = (o - t)**2; cc = log(1 + exp(o - t)) + log(1 + exp(t - o)); dd = sign(o - t)*o; "
    "ee = round(o)*t; ff = where(o > t, o*o*o, t*t*t - o*3); gg = o*0; hh = sin(o)*cos(o)*sin(o)*cos(t); "
    "ii = stop(o)*o; jj = max(o, t); objective = aa + bb + cc + dd + ee + ff + gg + hh + ii + jj"
)
_LONG = "n" * 90
OWN = {
    "deep": shipped("add").change(
        network=(2, 64, 64, 32, 16, 1), regulariser="l1", dropout=0.2, activation="gelu", optimizer="sgd"
    ),
    "learned": shipped("both").change(activation="param p = 0.25; where(z > 0, z, p*z)", dropout=0.1),
    "ppo": shipped("add-reinforce").change(objective=_PPO),
    "wide": Experiment("wide", objective=_WIDE),
    "long": Experiment("long", objective=f"{_LONG} = abs(o - t); objective = {_LONG}**2 + {_LONG}"),
    "same names": Experiment("same", objective="gap = o - t; gap = gap**2; objective = gap"),
    "pathwise": shipped("add").change(policy="pathwise", reward="distance", objective="reward"),
    "unused reward": shipped("add").change(reward="distance"),
}
ALL = {**{name: found.experiment for name, found in EXPERIMENTS.items()}, **OWN}


def made_up(found: Graph) -> dict[str, float]:
    """A long number for everything."""
    names = (name for node in found.nodes for name in (*node.numbers, *node.slopes))
    return {name: -12345.678901 * (-1) ** at for at, name in enumerate(names)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_text_fits_a_terminal(name: str, ascii_only: bool, language: Language) -> None:
    set_language(language)
    try:
        found = graph(ALL[name])
        for values in (None, made_up(found)):
            text = graph_text(found, values, ascii_only=ascii_only)
            assert max(map(columns, text.splitlines())) <= 80
            assert not ascii_only or not re.search("[─-╿►◄·ᵀ×]", text)
            sides = {columns(row) for row in text.splitlines() if row.endswith(("│", "|", "┐", "┘", "+"))}
            assert sides == {80}
    finally:
        set_language("en")


def test_text_says_what_it_draws() -> None:
    text = graph_text(graph(shipped("knob")), {"reward": -0.5, "o": 0.25})
    assert re.search(r"reward  ─╳─ stop  ──►│ objective = -stop\(reward\)\*log\(o\)", text)
    assert re.search(r"o  ◄──       ──►│", text)
    assert re.search(r"◄── do = -stop\(reward\)/o", text)
    assert "= -0.5" in text
    assert "= 0.25" in text


def drawn(name: str, language: Language) -> tuple[Graph, Layout]:
    found = graph(ALL[name])
    values = made_up(found)
    return found, placed(found, {node.name: rows(node, language, values) for node in found.nodes}, language)


Rectangle = tuple[float, float, float, float]


def meet(one: Rectangle, other: Rectangle) -> bool:
    """Whether two rectangles (left, top, right, bottom) have a spot in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def boxes(layout: Layout) -> dict[str, Rectangle]:
    return {box.name: (box.x, box.y, box.x + box.width, box.y + box.height) for box in layout.boxes}


def marks(found: Graph, layout: Layout, language: Language) -> Iterator[Rectangle]:
    """The crosses with their reasons."""
    cut = {(edge.source, edge.target): edge for edge in found.edges if edge.cut}
    for way in layout.ways:
        if way.last and way.edges[0] in cut:
            x, y = way.x1 + APART, way.y3 - STRIP * 0.55
            yield x - 5, y - 6, x + 6 + _mark_width(cut[way.edges[0]], language), y + 6


def straight(layout: Layout) -> Iterator[Rectangle]:
    """The upright pieces of all ways."""
    for way in layout.ways:
        yield way.x0 - APART, way.y0, way.x0 + APART, way.y1
        yield way.x1 - APART, way.y2, way.x1 + APART, way.y3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ALL)
def test_nothing_overlaps(name: str, language: Language) -> None:
    found, layout = drawn(name, language)
    placed_boxes, placed_marks = boxes(layout), list(marks(found, layout, language))
    for one, other in itertools.combinations([*placed_boxes.values(), *placed_marks], 2):
        assert not meet(one, other)
    for (box, place), line in itertools.product(placed_boxes.items(), straight(layout)):
        assert not meet(place, line), box
    for mark in placed_marks:  # a mark stands on its own way, and on no other
        assert sum(meet(mark, line) for line in straight(layout)) == 1
    assert layout.width <= WIDEST + 32
    assert all(x0 >= 0 and x1 <= layout.width and y0 >= 0 and y1 <= layout.height
               for x0, y0, x1, y1 in placed_boxes.values())  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_ways_lead_from_box_to_box(name: str) -> None:
    _, layout = drawn(name, "en")
    placed_boxes = boxes(layout)
    for way in layout.ways:
        assert way.y0 <= way.y1 < way.y2 <= way.y3
        if way.first:
            left, _, right, bottom = placed_boxes[way.edges[0][0]]
            assert left < way.x0 < right
            assert way.y0 == pytest.approx(bottom)
        if way.last:
            left, top, right, _ = placed_boxes[way.edges[0][1]]
            assert left < way.x1 < right
            assert way.y3 == pytest.approx(top)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ALL)
def test_texts_fit_their_boxes(name: str, language: Language) -> None:
    found, layout = drawn(name, language)
    values = made_up(found)
    for box in layout.boxes:
        content = rows(found.node(box.name), language, values)
        assert max(row.width for row in content) <= box.width - 2 * PAD_X + 0.01
        assert sum(row.height for row in content) <= box.height - 2 * PAD_Y + 0.11


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ALL)
def test_the_drawing_stands_alone(name: str, language: Language) -> None:
    found = graph(ALL[name])
    source = graph_svg(found, language, made_up(found))
    root = ET.fromstring(source)
    assert root.tag == f"{SVG}svg"
    assert float(root.attrib["viewBox"].split()[2]) <= 860
    assert not re.search(r"href|url\(|@import|<script|\bid=", source)
    classes = {name for part in root.iter() for name in part.attrib.get("class", "").split()}
    assert classes
    assert all(name.startswith("gg-") for name in classes)
    rules = re.sub(r"@[^{]*\{", "", root.findtext(f"{SVG}style") or "")
    assert all(".gg-graph" in selector for selector in re.findall(r"([^{}]+)\{", rules))


def test_the_cut_is_drawn_where_the_reward_is_stopped() -> None:
    def count(name: str, style: str) -> int:
        parts = ET.fromstring(graph_svg(graph(shipped(name)), "en")).iter()
        return sum(part.attrib.get("class") == style for part in parts)

    assert count("knob", "gg-mark") == 1
    assert count("knob-fixed", "gg-mark") == 0
    assert count("knob", "gg-box gg-hangs") == 3  # answer, reward, and the legend's sample
    assert count("knob-fixed", "gg-box gg-hangs") == 0


@pytest.mark.parametrize("line", ["a*b*c*d*e*f*g*h", "标签：目标函数直接读取 t，导数看得到这个公式。", "x" * 50, ""])
def test_wrapping_keeps_every_sign(line: str) -> None:
    found = wrapped(line, 12)
    assert "".join(found).replace(" ", "") == line.replace(" ", "")
    assert max(map(columns, found)) <= 12
    assert not any(row.startswith(tuple("，。：)")) for row in found)
