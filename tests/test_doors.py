"""What comes in by keywords or TOML is an experiment, or is refused in one line that says what to write instead."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassgrad.doors import from_keywords, network_sizes, read_toml
from glassgrad.errors import DataError, ExperimentError, GlassgradError
from glassgrad.experiment import MAX_LAYERS, MAX_OUTPUTS, MAX_SAMPLES, MAX_STEPS, MAX_UNITS, Experiment
from glassgrad.exports import toml_text
from glassgrad.locale import LANGUAGES, Language, language, set_language
from glassgrad.tables.experiments import EXPERIMENTS, shipped


@pytest.fixture(autouse=True, params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> Iterator[Language]:
    """Every test in both languages."""
    before = language()
    set_language(request.param)
    yield request.param
    set_language(before)


texts = st.text(st.characters(codec="utf-8"), max_size=30)
formulas = st.one_of(texts.filter(lambda text: text.strip().lower() not in ("", "none")), st.just("-abs(a - t)"))


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    """Any experiment whose numbers are in their ranges; its formulas may be nonsense."""
    fresh = draw(st.booleans())
    batch = draw(st.booleans()) and not fresh
    group = 1 if batch else draw(st.integers(1, 20))
    samples = draw(st.integers(1, MAX_SAMPLES // group)) * group
    shares = st.floats(0, 0.9, allow_subnormal=False)
    dropout = draw(st.just(0.0) | shares)
    units = draw(st.lists(st.integers(1, MAX_UNITS), min_size=1, max_size=MAX_LAYERS - 1))
    outputs = draw(st.integers(1, MAX_OUTPUTS))
    return Experiment(
        name=draw(texts),
        truth=draw(st.none() | formulas),
        held_out=draw(shares),
        network=(*units, outputs),
        apart=outputs > 1 and len(units) > 1 and draw(st.booleans()),
        activation=draw(texts),
        init=draw(texts),
        policy=draw(texts),
        reward=draw(st.none() | formulas),
        objective=draw(texts),
        regulariser=draw(st.none() | formulas),
        dropout=dropout,
        clip=draw(st.none() | st.floats(1e-12, 1e12)),
        optimizer=draw(texts),
        schedule=draw(texts),
        samples=samples,
        fresh=fresh,
        batch=draw(st.integers(1, samples)) if batch else None,
        group=group,
        passes=1 if batch or dropout else draw(st.integers(1, MAX_STEPS)),
        steps=draw(st.integers(1, MAX_STEPS)),
        seed=draw(st.integers(0, 2**32 - 1)),
        precision=draw(st.sampled_from(["single", "double"])),
    )


@settings(deadline=None)
@given(experiments())
def test_what_is_written_out_is_read_back(experiment: Experiment) -> None:
    assert read_toml(toml_text(experiment)) == experiment


def outcome(read: Callable[[], Experiment]) -> Experiment | str:
    """What is read, or the line that refuses it."""
    try:
        return read()
    except GlassgradError as error:
        return str(error)


@settings(deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_text_makes_anything_but_an_experiment_or_a_refusal(source: str) -> None:
    found = outcome(lambda: read_toml(source))
    assert isinstance(found, Experiment) or "\n" not in found


KEYS = st.sampled_from([field.name for field in dataclasses.fields(Experiment)])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), st.just(object()),
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(KEYS.filter(lambda key: key != "data"), VALUES, max_size=4))
def test_no_keywords_make_anything_but_an_experiment_or_a_refusal(chosen: dict[str, Any]) -> None:
    found = outcome(lambda: from_keywords("add", **chosen))
    assert isinstance(found, Experiment) or "\n" not in found


REFUSED = {
    "lr = 0.1": ("lr", "optimizer"),
    "loss = 'mse'": ("loss", "objective"),
    "stepz = 3": ("stepz", "steps"),
    "regularizer = 'l2'": ("regularizer", "regulariser"),
    "scheduler = 'cosine'": ("scheduler", "schedule"),
    "warmup = 100": ("warmup", "schedule"),
    "schedule = 0.1": ("schedule", "0.1", "constant"),
    "steps = 'x'": ("steps", "'x'", "steps = 1000"),
    "steps = 1.5": ("steps", "1.5"),
    "steps = true": ("steps", "true"),
    "steps = 0": ("steps", "1000000"),
    "seed = -1": ("seed", "4294967295", "-1"),
    "seed = 99999999999999999999": ("seed", "4294967295"),
    "samples = [10]": ("samples", "[10]"),
    "dropout = 1": ("dropout", "0.99"),
    "dropout = nan": ("dropout", "nan"),
    "clip = '1'": ("clip", "'1'", "clip = 1.0"),
    "batch = 2000": ("batch", "1000", "2000"),
    "fresh = 1": ("fresh", "true"),
    "fresh = true\nbatch = 3": ("samples", "batch"),
    "network = '2-a'": ("2-5-1", "2-a"),
    "network = 5": ("2-5-1", "5"),
    "network = [2, 'a']": ("2-5-1",),
    "network = '2-5000-1'": ("1024", "5000"),
    "precision = 'quad'": ("single", "double", "quad"),
    "precision = 3": ("single", "double", "3"),
    "optimizer = {lr = 0.1}": ("optimizer", "adam(lr=0.1)"),
    "reward = ['-abs(a - t)']": ("reward", "-abs(a - t)"),
    "task = 'ad'": ("task", "add"),
    "base = 'ad'": ("ad", "add"),
    "base = 3": ("base", "3"),
    "task = add": ("task = add", "1"),
    "seed = 1\nsteps = 5 5": ("2", "steps = 5 5"),
    "seed = 1\n\nseed = 2": ("3", "seed = 2"),
    "name = '''": ("1",),
    "[experiment]\nname = 'x'": ("experiment",),
    "data = 'nowhere.csv'": ("nowhere.csv",),
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_will_not_do_is_refused_in_one_line(source: str, lang: Language) -> None:
    with pytest.raises(GlassgradError) as caught:
        read_toml(source)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in REFUSED[source]), message
    assert any("\u4e00" <= character <= "\u9fff" for character in message) == (lang == "zh"), message


def test_keywords() -> None:
    assert from_keywords("add") == shipped("add")
    found = from_keywords("add", network="2x8x1", seed=np.int64(3), dropout=0, clip=np.float32(2), reward="none")
    assert (found.network, found.seed, found.dropout, found.clip, found.reward) == ((2, 8, 1), 3, 0.0, 2.0, None)
    assert type(found.seed) is int
    assert from_keywords("add-through-reward", reward=None, objective="mse").reward is None
    assert from_keywords("add", network=[2, 3, 1]).network == (2, 3, 1)
    assert from_keywords("add", name="mine").name == "mine"
    with pytest.raises(ExperimentError, match="add"):
        from_keywords("ad")


def test_the_first_layer_fits_the_questions(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("a,b,c,d,t\n1,2,3,4,5\n2,3,4,5,6\n", encoding="utf-8")
    assert from_keywords("add", task="both").network == (3, 5, 1)
    assert from_keywords("add", data=str(file)).network == (4, 5, 1)
    assert from_keywords("add", data=str(file), network="2-5-1").network == (2, 5, 1)  # refused later, with the fix
    assert from_keywords("knob", steps=3).network == (1, 1)


@pytest.mark.parametrize(
    ("written", "sizes"),
    [("2-5-1", (2, 5, 1)), ("2, 5, 1", (2, 5, 1)), ("(2,5,1)", (2, 5, 1)), ("2 5 1", (2, 5, 1)), ("1-1", (1, 1))],
)
def test_networks_as_text(written: str, sizes: tuple[int, ...]) -> None:
    assert network_sizes(written) == sizes


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b"\xef\xbb\xbf" + "base = 'sub'\r\nsteps = 7 # 步\r\n".encode())
    assert read_toml(file) == from_keywords(str(file)) == shipped("sub").change(name="mine", steps=7)
    assert from_keywords(str(file), steps=9).steps == 9
    file.write_text("name = 'other'\nreward = 'none'\n", encoding="utf-8")
    assert read_toml(str(file)).name == "other"


@pytest.mark.parametrize("wrong", ["steps = 'x'", "base = 'ad'", "base = 3", "lr = 1", "task = 'add'\ntruth = 'x1 +'"])
def test_a_wrong_setting_is_said_with_its_file(tmp_path: Path, wrong: str, lang: Language) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(wrong, encoding="utf-8")
    with pytest.raises(GlassgradError) as caught:
        from_keywords(str(file))
    assert str(caught.value).startswith("mine.toml: " if lang == "en" else "mine.toml：")
    file.write_text("steps = 3", encoding="utf-8")
    with pytest.raises(GlassgradError) as caught:
        from_keywords(str(file), steps="x")
    assert "mine.toml" not in str(caught.value)


def test_data_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a,b,c,t\n1,2,3,4\n", encoding="utf-8")
    file = tmp_path / "mine.toml"
    file.write_text("data = 'mine.csv'", encoding="utf-8")
    found = read_toml(file)
    assert found.data == str(tmp_path / "mine.csv")
    assert found.network == (3, 5, 1)


@pytest.mark.parametrize(
    ("content", "parts"),
    [("name = '加法'".encode("gbk"), ("UTF-8", "1")), (b"\xff\xfes\x00", ("UTF-8", "1")), (b"seed = 1\n\xff", ("2",)),
     (b"#" * 1_000_001, ("1000000",)), (b"seed = ", ("mine.toml", "1")), (None, ("mine.toml",))],
)  # fmt: skip
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, parts: tuple[str, ...]) -> None:
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_toml(file)
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in parts)


def test_every_setting_has_its_comment() -> None:
    written = toml_text(Experiment("mine"))
    for field in dataclasses.fields(Experiment):
        assert f"\n{field.name} = " in written or f"\n# {field.name}: " in written


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_base_alone_is_that_experiment(name: str) -> None:
    assert read_toml(f'base = "{name}"') == shipped(name)
