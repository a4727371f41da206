"""A CSV file as data: what is read, in which encodings; what is refused, by row and column, in one line."""

from pathlib import Path

import numpy as np
import pytest

from glassgrad import table_file
from glassgrad.errors import DataError
from glassgrad.experiment import Experiment
from glassgrad.locale import text
from glassgrad.method import method
from glassgrad.table_file import read_table
from glassgrad.task import Table

LABEL = text("data.label").zh
AREA, AGE = "面积", "房龄"


def written(folder: Path, content: str | bytes) -> str:
    file = folder / "data.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


def read(folder: Path, content: str | bytes, held_out: float = 0.0, labelled: bool = True) -> Table:
    return read_table(written(folder, content), held_out, labelled=labelled)


def refused(folder: Path, content: str | bytes, labelled: bool = True) -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, content, labelled=labelled)
    assert "\n" not in str(caught.value)
    assert "data.csv" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("separator", [",", ";", "\t", ", ", " ; "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_is_read(tmp_path: Path, separator: str, end: str) -> None:
    rows = [["rooms", "age", "price"], ["2", "-1.5", "3e2"], ["4", ".5", "+7"]]
    table = read(tmp_path, end.join(separator.join(row) for row in rows) + end)
    assert (table.columns, table.label, table.held_out) == (("rooms", "age"), "price", 0)
    np.testing.assert_array_equal(table.inputs, [[2, -1.5], [4, 0.5]])
    np.testing.assert_array_equal(table.truth, [300, 7])
    assert table.inputs.dtype == table.truth.dtype == np.float64


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    table = read(tmp_path, f"{AREA},{LABEL},{AGE}\n80,1,5\n90,2,6\n".encode(encoding))
    assert (table.columns, table.label) == ((AREA, AGE), LABEL)
    np.testing.assert_array_equal(table.inputs, [[80, 5], [90, 6]])
    np.testing.assert_array_equal(table.truth, [1, 2])


def test_gb18030_beyond_gbk(tmp_path: Path) -> None:
    assert read(tmp_path, "𠮷,y\n1,2\n".encode("gb18030")).columns == ("𠮷",)


def test_quotes_and_blank_lines(tmp_path: Path) -> None:
    table = read(tmp_path, '\n"size, in m²","a ""b""",t\n\n"1",2,"3"\n   \n4,5,6\n\n\n')
    assert table.columns == ("size, in m²", 'a "b"')
    np.testing.assert_array_equal(table.inputs, [[1, 2], [4, 5]])


def test_the_separator_is_the_one_between_the_names(tmp_path: Path) -> None:
    assert read(tmp_path, '"a,b,c,d";e;t\n1;2;3\n').columns == ("a,b,c,d", "e")
    assert read(tmp_path, "a;b,c\n1,2\n").columns == ("a;b",)


@pytest.mark.parametrize(
    ("names", "columns", "label"),
    [
        ("a,b,c", ("a", "b"), "c"),
        ("a,t,c", ("a", "c"), "t"),
        ("T,b,c", ("b", "c"), "T"),
        ("a,Target,c", ("a", "c"), "Target"),
        ("x,y,z", ("x", "z"), "y"),
        ("y,t,a", ("y", "a"), "t"),
        ("label,truth,a", ("label", "a"), "truth"),
        (f"a,{LABEL},c", ("a", "c"), LABEL),
        ("x2,x1,c", ("x1", "x2"), "c"),
        ("x3,t,x1,x2", ("x1", "x2", "x3"), "t"),
        ("x2,x3,c", ("x2", "x3"), "c"),
        (" a , big  house ,c", ("a", "big house"), "c"),
    ],
)
def test_which_column_is_the_label(tmp_path: Path, names: str, columns: tuple[str, ...], label: str) -> None:
    table = read(tmp_path, f"{names}\n" + ",".join(map(str, range(names.count(",") + 1))))
    assert (table.columns, table.label) == (columns, label)
    places = [[name.strip() for name in " ".join(names.split()).split(",")].index(name) for name in columns]
    np.testing.assert_array_equal(table.inputs, [places])


@pytest.mark.parametrize(
    ("names", "columns"),
    [("a,b", ("a", "b")), ("a,t", ("a",)), ("a", ("a",)), ("y,x2,x1", ("x1", "x2")), ("t,y", ("y",))],
)
def test_where_a_formula_is_true_all_columns_are_inputs(tmp_path: Path, names: str, columns: tuple[str, ...]) -> None:
    table = read(tmp_path, f"{names}\n" + ",".join("1" for _ in names.split(",")), labelled=False)
    assert (table.columns, table.label) == (columns, "")
    assert table.truth.shape == (1,)
    assert np.isnan(table.truth).all()


@pytest.mark.parametrize(
    ("rows", "share", "count"),
    [
        (10, 0, 0),
        (10, 0.3, 3),
        (30, 0.1, 3),
        (100, 0.29, 29),
        (10, 0.9, 9),
        (1, 0.9, 0),
        (2, 0.9, 1),
        (3, 0.1, 0),
    ],
)
def test_a_share_is_held_out_but_never_all(tmp_path: Path, rows: int, share: float, count: int) -> None:
    table = read(tmp_path, "x,t\n" + "1,2\n" * rows, held_out=share)
    assert (len(table.inputs), table.held_out, table.trained) == (rows, count, rows - count)


@pytest.mark.parametrize("share", [-0.1, 0.95, float("nan")])
def test_a_wrong_share_is_refused(tmp_path: Path, share: float) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, "x,t\n1,2\n", held_out=share)
    assert caught.value.key == "data.held_out"


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        ("", "empty", {}),
        ("\n \n", "empty", {}),
        (b"\xef\xbb\xbf", "empty", {}),
        ("a,t", "no_rows", {}),
        ("a,t\n\n \n", "no_rows", {}),
        ("1,2\n3,4\n", "no_header", {}),
        ("1.5;-2e3\n3;4\n", "no_header", {}),
        ("a,a\n1,2\n", "same_name", {"name": "a"}),
        ("a,b, A \n1,2,3\n", "same_name", {"name": "A"}),
        ("a,,t\n1,2,3\n", "no_name", {"column": 2}),
        ("a\n1\n", "one_column", {"name": "a"}),
        ("a b\n1 2\n", "one_column", {"name": "a b"}),
        ("a,t\n1,2,3\n", "ragged", {"row": 2, "came": 3, "expected": 2}),
        ("a,t\n1,2\n\n1\n", "ragged", {"row": 4, "came": 1}),
        ("a,t\n1,2\n3,\n", "missing_value", {"row": 3, "column": "t"}),
        ("a,t\n ,2\n", "missing_value", {"row": 2, "column": "a"}),
        ("a,t\n,\n", "missing_value", {"row": 2, "column": "a"}),
        ("a,t\n1,2\n\nx,4\n", "not_a_number", {"row": 4, "column": "a", "came": "x"}),
        ("a;t\n1,5;2\n", "not_a_number", {"row": 2, "column": "a", "came": "1,5"}),
        ("a,t\n1,0x10\n", "not_a_number", {"came": "0x10"}),
        ('a,t\n1,"1,000"\n', "not_a_number", {"came": "1,000"}),
        ("a,t\n1,12%\n", "not_a_number", {"came": "12%"}),
        ("a,t\n1,NaN\n", "not_finite", {"row": 2, "column": "t", "came": "NaN"}),
        ("a,t\n-inf,1\n", "not_finite", {"row": 2, "column": "a"}),
        ("a,t\n1,1e999\n", "not_finite", {"came": "1e999"}),
        ('a,t\n1,"2\n3,4\n', "quotes", {"row": 2}),
        ('a,t\n1,"2"3\n', "quotes", {"row": 2}),
        (b"PK\x03\x04\x00\x00", "binary", {}),
        (b"a,t\n1,2\n\xff\xff,3\n", "encoding", {"line": 3}),
        ("".join(f"c{i}," for i in range(1000)) + "t\n", "too_many_columns", {"came": 1001}),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, content: str | bytes, key: str, expected: dict[str, object]) -> None:
    error = refused(tmp_path, content)
    assert error.key == f"data.{key}"
    assert {name: error.values[name] for name in expected} == expected


def test_a_file_of_labels_alone_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "t\n1\n", labelled=False).key == "data.no_inputs"


def test_a_fault_far_down_has_its_row(tmp_path: Path) -> None:
    rows = ["a,t"] + ["1,2"] * 25_000
    rows[23_456] = "1,two"
    assert refused(tmp_path, "\n".join(rows)).values["row"] == 23_457


@pytest.mark.parametrize("path", ["nowhere.csv", "nowhere/data.csv", "", "a\0b"])
def test_a_file_that_is_not_there(path: str) -> None:
    with pytest.raises(DataError) as caught:
        read_table(path, 0, labelled=True)
    assert caught.value.key == "data.missing_file"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_table(str(tmp_path), 0, labelled=True)
    assert caught.value.key == "data.not_a_file"


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, "a,t\n1,2\n")
    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(DataError) as caught:
        read_table(path, 0, labelled=True)
    assert (caught.value.key, caught.value.values["reason"]) == ("data.unreadable", "Permission denied")


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (table_file.MAX_ROWS, table_file.MAX_BYTES) == (1_000_000, 64 * 2**20)
    monkeypatch.setattr(table_file, "MAX_ROWS", 20_000)
    assert len(read(tmp_path, "a,t\n" + "1,2\n" * 20_000).inputs) == 20_000
    error = refused(tmp_path, "a,t\n" + "1,2\n" * 20_001)
    assert (error.key, error.values["most"]) == ("data.too_many_rows", 20_000)
    monkeypatch.setattr(table_file, "MAX_BYTES", 2**20)
    assert refused(tmp_path, b"a,t\n" + b" " * 2**20).key == "data.too_large"


def test_messages_show_no_control_characters_and_stay_short(tmp_path: Path) -> None:
    error = refused(tmp_path, "a\x1b[31m,t\n1,\x1b[2J" + "x" * 5000 + "\n")
    assert "\x1b" not in str(error)
    assert len(str(error)) < 400


def test_minus_zero_is_zero(tmp_path: Path) -> None:
    table = read(tmp_path, "a,t\n-0,-0.0\n")
    assert not np.signbit(table.inputs).any()
    assert not np.signbit(table.truth).any()


def test_a_large_table_keeps_its_order(tmp_path: Path) -> None:
    rows = np.arange(70_000).reshape(-1, 2)
    table = read(tmp_path, "a,t\n" + "\n".join(f"{a},{t}" for a, t in rows))
    np.testing.assert_array_equal(np.column_stack([table.inputs, table.truth]), rows)


# As an experiment's task.


def test_a_file_is_a_task(tmp_path: Path) -> None:
    path = written(tmp_path, "size,age,price\n2,1,10\n1,1,5\n2,1,20\n3,0,7\n")
    task = method(Experiment("mine", data=path, held_out=0.25)).task
    assert (task.name, task.names, task.extrapolation()) == ("data", ("x1", "x2"), None)
    inputs = task.sample(np.random.RandomState(0), 1000)
    np.testing.assert_array_equal(inputs, [[2, 1], [1, 1], [2, 1]])
    np.testing.assert_array_equal(task.true(inputs), [10, 5, 20])
    np.testing.assert_array_equal(task.domain(), [[1, 1], [2, 1], [3, 0]])
    assert task.data is not None
    assert (task.data.columns, task.data.label, task.data.held_out) == (("size", "age"), "price", 1)
    assert task.parse_question(task.question(task.asked[0])) == (2, 1)


def test_a_truth_of_ones_own_takes_the_columns_as_inputs(tmp_path: Path) -> None:
    path = written(tmp_path, "x2,x1\n1,5\n3,4\n")
    task = method(Experiment("mine", data=path, truth="x1 - x2")).task
    np.testing.assert_array_equal(task.true(task.domain()), [1, 4])


def test_a_fault_in_the_file_is_a_fault_of_the_experiment(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        method(Experiment("mine", data=written(tmp_path, "a,t\n1,\n")))
