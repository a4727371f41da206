"""Tasks: questions are drawn as in a plain script, written and read back; truth, domain."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from glassgrad.draws import numpy_stream
from glassgrad.errors import ExperimentError
from glassgrad.tables.tasks import TASKS
from glassgrad.task import MAX_DOMAIN, Draw, Table, Task
from tied import Floats


def script(seed: int, draw: Callable[[], Floats]) -> Floats:
    """What a plain script draws after `numpy.random.seed`."""
    before = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(seed)  # noqa: NPY002
        return draw()
    finally:
        np.random.set_state(before)  # noqa: NPY002


def pairs(n: int = 50) -> Floats:
    return np.random.randint(0, 10, (n, 2)).astype(np.float64)  # noqa: NPY002


def pairs_and_signs() -> Floats:
    return np.column_stack([pairs(), np.random.choice([1, -1], 50)])  # noqa: NPY002


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
@pytest.mark.parametrize(("name", "draw"), [("add", pairs), ("sub", pairs), ("both", pairs_and_signs)])
def test_questions_are_those_of_a_plain_script(name: str, draw: Callable[[], Floats], seed: int) -> None:
    ours = TASKS[name].sample(numpy_stream(seed), 50)
    assert ours.dtype == np.float64
    np.testing.assert_array_equal(ours, script(seed, draw))


def test_a_fresh_pair_a_step_is_one_draw_of_all_steps() -> None:
    stream = numpy_stream(9)
    one_by_one = np.concatenate([TASKS["add"].sample(stream, 1) for _ in range(50)])
    np.testing.assert_array_equal(one_by_one, script(9, pairs))


def test_real_numbers_are_those_of_a_plain_script() -> None:
    draw = Draw(("x1", "x2"), "real", -1, 2)
    ours = np.column_stack(list(draw.sample(numpy_stream(3), 5).values()))
    np.testing.assert_array_equal(ours, script(3, lambda: np.random.uniform(-1, 2, (5, 2))))  # noqa: NPY002


@pytest.mark.parametrize(
    ("name", "inputs", "truth"),
    [
        ("add", [(5, 3), (0, 0)], [8, 0]),
        ("sub", [(5, 3), (3, 5)], [2, -2]),
        ("both", [(5, 3, 1), (5, 3, -1)], [8, 2]),
        ("choose", [(5, 3, 8), (5, 3, 2)], [1, 0]),
        ("knob", [(1,), (1,)], [0.8, 0.8]),
    ],
)
def test_the_truth(name: str, inputs: list[tuple[float, ...]], truth: list[float]) -> None:
    np.testing.assert_allclose(TASKS[name].true(np.array(inputs, dtype=np.float64)), truth, rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "questions"), [("add", 100), ("sub", 100), ("both", 200), ("choose", 180), ("knob", 1)]
)
def test_the_domain_is_every_question_once(name: str, questions: int) -> None:
    task = TASKS[name]
    domain = task.domain()
    assert domain.shape == (questions, len(task.inputs))
    assert len(np.unique(domain, axis=0)) == questions
    asked = {tuple(row) for row in task.sample(numpy_stream(0), 5000)}
    assert asked == {tuple(row) for row in domain}  # 5,000 draws leave none of 200 questions out


def test_every_question_of_choose_has_one_answer() -> None:
    """x2 is never 0: then both operations would give the same."""
    x1, x2, x3 = TASKS["choose"].domain().T
    assert not np.any((x1 + x2 == x3) & (x1 - x2 == x3))
    assert np.all((x1 + x2 == x3) | (x1 - x2 == x3))
    assert TASKS["choose"].true(TASKS["choose"].domain()).mean() == 0.5


def test_a_large_domain_is_bounded() -> None:
    names = tuple(f"x{i + 1}" for i in range(12))
    task = Task("wide", (Draw(names, "real", 0, 1),), names, "x1", "{x1}")
    assert task.domain().shape == (MAX_DOMAIN, 12)


@pytest.mark.parametrize("name", ["add", "sub", "both"])
def test_questions_outside_of_training_are_outside(name: str) -> None:
    task = TASKS[name]
    outside = task.extrapolation(seed=4, n=2000)
    assert outside is not None
    assert outside.shape == (2000, len(task.inputs))
    assert task.domain()[:, :2].max() == 9
    assert outside[:, :2].min() == 10
    assert outside[:, :2].max() == 1000
    assert np.array_equal(outside, np.round(outside))
    np.testing.assert_array_equal(outside, task.extrapolation(seed=4, n=2000))
    other = task.extrapolation(seed=5, n=2000)
    assert other is not None
    assert not np.array_equal(outside, other)


def test_the_sign_outside_of_training_is_independent_of_the_numbers() -> None:
    outside = TASKS["both"].extrapolation(n=4000)
    assert outside is not None
    assert set(outside[:, 2]) == {1.0, -1.0}
    assert np.abs(np.corrcoef(outside.T) - np.eye(3)).max() < 5 / np.sqrt(4000)


def test_there_is_no_outside_for_a_choice_or_a_constant() -> None:
    assert TASKS["choose"].extrapolation() is None
    assert TASKS["knob"].extrapolation() is None


@pytest.mark.parametrize(
    ("name", "question", "inputs"),
    [
        ("add", "5 + 3", (5, 3)),
        ("add", "12+30", (12, 30)),
        ("add", "  12 +30 = ", (12, 30)),
        ("add", "12 + 30 = ?", (12, 30)),
        ("add", "１２＋３０＝？", (12, 30)),
        ("add", "-5 + 3.25", (-5, 3.25)),
        ("add", "1e3 + .5", (1000, 0.5)),
        ("sub", "5 - 3", (5, 3)),
        ("sub", "5 - -3", (5, -3)),
        ("sub", "5 − 3", (5, 3)),
        ("both", "5 + 3", (5, 3, 1)),
        ("both", "5 - 3", (5, 3, -1)),
        ("both", "5 - -3", (5, -3, -1)),
        ("choose", "plus(5, 3, 8)", (5, 3, 8)),
        ("knob", "knob(1)", (1,)),
    ],
)
def test_a_question_is_read(name: str, question: str, inputs: tuple[float, ...]) -> None:
    assert TASKS[name].parse_question(question) == inputs


@pytest.mark.parametrize(
    ("name", "question"),
    [("add", "5 - 3"), ("add", "5"), ("add", ""), ("add", "5 + three"), ("add", "5 + 3 + 1"),
     ("sub", "5 + 3"), ("both", "5 * 3"), ("choose", "5 + 3 = 8"), ("add", "1e + 2"), ("add", "9" * 60)],
)  # fmt: skip
def test_what_is_no_question_is_refused_with_an_example(name: str, question: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        TASKS[name].parse_question(question)
    assert caught.value.key == "task.question"
    example = str(caught.value.values["example"])
    assert TASKS[name].parse_question(example) == TASKS[name].asked[0]
    assert len(str(caught.value.values["came"])) <= 40


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_question_of_the_domain_is_read_back(task: Task) -> None:
    for inputs in (*task.asked, *map(tuple, task.domain())):
        assert task.parse_question(task.question(inputs)) == inputs


def test_a_question_shows_whole_numbers_without_a_point() -> None:
    assert TASKS["add"].question((5.0, 0.1)) == "5 + 0.1"
    assert TASKS["both"].question((5.0, 3.0, -1.0)) == "5 - 3"


def test_what_a_report_asks_is_of_the_right_size() -> None:
    for task in TASKS.values():
        assert task.asked
        assert {len(inputs) for inputs in task.asked} == {len(task.names)} == {len(task.inputs)}
        assert np.isfinite(task.true(np.array(task.asked, dtype=np.float64))).all()


# The user's own data.

ROWS = Table(
    columns=("size", "age"),
    label="price",
    inputs=np.array([[2.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 0.0]]),
    truth=np.array([10.0, 5.0, 20.0, 7.0]),
    held_out=1,
)
DATA = Task("data", (), ("x1", "x2"), "", "{x1}, {x2}", ((2.0, 1.0),), data=ROWS)


def test_data_is_trained_on_row_by_row_but_for_what_is_held_out() -> None:
    inputs = DATA.sample(numpy_stream(0), 1000)
    np.testing.assert_array_equal(inputs, [[2, 1], [1, 1], [2, 1]])
    np.testing.assert_array_equal(DATA.true(inputs), [10, 5, 20])
    held_out = DATA.held_out()
    assert held_out is not None
    np.testing.assert_array_equal(held_out[0], [[3, 0]])
    np.testing.assert_array_equal(held_out[1], [7])
    assert dataclasses.replace(DATA, data=dataclasses.replace(ROWS, held_out=0)).held_out() is None
    assert TASKS["add"].held_out() is None


def test_the_domain_of_data_is_its_different_questions() -> None:
    np.testing.assert_array_equal(DATA.domain(), [[1, 1], [2, 1], [3, 0]])
    np.testing.assert_array_equal(DATA.true(DATA.domain()), [5, 15, 7])  # the mean where a question stands twice
    assert DATA.extrapolation() is None


def test_data_does_not_know_what_is_not_in_it() -> None:
    found = DATA.true(np.array([[2.0, 1.0], [9.0, 9.0]]))
    assert found[0] == 15
    assert np.isnan(found[1])


def test_a_formula_may_say_what_is_true_of_data() -> None:
    unlabelled = dataclasses.replace(ROWS, label="", truth=np.full(4, np.nan))
    task = dataclasses.replace(DATA, truth="x1*x2", data=unlabelled)
    np.testing.assert_array_equal(task.true(task.sample(numpy_stream(0), 1)), [2, 1, 2])
    held_out = task.held_out()
    assert held_out is not None
    np.testing.assert_array_equal(held_out[1], [0])


def test_questions_of_data_are_written_and_read() -> None:
    assert DATA.question((2.0, 0.25)) == "2, 0.25"
    assert DATA.parse_question("2, 0.25") == (2, 0.25)
    assert DATA.parse_question("1e-05,-3") == (1e-5, -3)
    assert DATA.parse_question(DATA.question((1e-7, -1e20))) == (1e-7, -1e20)
