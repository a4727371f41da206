"""What tests of several files share."""

from collections.abc import Callable, Iterator

import pytest

from glassgrad.cli.main import main
from glassgrad.locale import set_language

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command with some arguments, in English unless they say otherwise: its status, and what it printed."""
    monkeypatch.delenv("GLASSGRAD_LANG", raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["glassgrad", *arguments])
        set_language("en")
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    yield run
    set_language("en")
