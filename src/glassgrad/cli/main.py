"""The commands, and what becomes of a mistake: one line on standard error, exit status 2."""

import os
import sys
from typing import Annotated, Any

import typer

from glassgrad import __version__
from glassgrad.cli.settings import narrow, reader, with_settings
from glassgrad.errors import GlassgradError
from glassgrad.locale import LANGUAGES, VARIABLE, Language, named_language, say, set_language


def main() -> None:
    """Run the command line; the exit status is 0, 1 (a check or claim failed) or 2 (wrong use)."""
    from glassgrad.cli.terminal import utf8

    utf8()
    _language_of(sys.argv)
    try:
        sys.exit(build()(standalone_mode=False))  # what Exit carries, else None: 0
    except GlassgradError as error:
        _refuse(str(error))
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:  # the reader, as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        shown = getattr(error, "format_message", None)  # typer's own: a missing argument, an unknown option
        if shown is None:
            raise
        _refuse(f"{shown()} ({say('cli.help_hint')})")


def _refuse(message: str) -> None:
    print(f"glassgrad: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


def _language_of(arguments: list[str]) -> None:
    """Take `--lang en|zh` out of the arguments, wherever it stands: it decides the help texts, too.

    Without it the environment decides, and a language that there is not is refused, just as that of --lang.
    """
    for i, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name != "--lang":
            continue
        if not value and i + 1 < len(arguments):
            value = arguments[i + 1]
            del arguments[i + 1]
        del arguments[i]
        chosen: dict[str, Language] = {language: language for language in LANGUAGES}
        if value not in chosen:
            _refuse(say("experiment.choice", setting="--lang", known="en, zh", came=value))
        set_language(chosen[value])
        return
    wanted = os.environ.get(VARIABLE, "")
    if wanted and named_language(wanted) is None:
        _refuse(say("experiment.choice", setting=VARIABLE, known="en, zh", came=wanted))


def build() -> typer.Typer:
    """The commands with their help, in the language in force."""
    app = typer.Typer(
        help=narrow(say("cli.about"), 76),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        epilog=say("cli.language"),
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def about(version: Annotated[bool, typer.Option("--version", help=say("cli.version"))] = False) -> None:
        if version:
            print(f"glassgrad {__version__}")
            raise typer.Exit

    app.command("demo", help=say("cli.demo"))(_described(demo))
    app.command("watch", help=say("cli.watch"))(with_settings(_described(watch)))
    app.command("compare", help=say("cli.compare"))(with_settings(_described(compare)))
    estimating = with_settings(_described(estimators), without=("samples",))
    app.command("estimators", help=say("cli.estimators"))(estimating)
    app.command("judge", help=say("cli.judge"))(with_settings(_described(judge)))
    app.command("list", help=say("cli.list"))(_described(list_))
    app.command("export", help=say("cli.export"))(with_settings(_described(export)))
    return app


def _described(command: Any) -> Any:
    """The options' help in the language in force: it stands in the catalogue under the option's name."""
    import inspect
    from typing import get_args

    signature = inspect.signature(command)
    for name, parameter in signature.parameters.items():
        for info in getattr(parameter.annotation, "__metadata__", ()):
            info.help = narrow(say(f"option.{name}"))
            kind, *_ = get_args(get_args(parameter.annotation)[0]) or get_args(parameter.annotation)
            info.parser = reader(str(info.default), kind)  # typer keeps an option's first name there
    return command


Name = Annotated[str, typer.Argument(metavar="NAME|FILE.toml")]
Format = Annotated[str, typer.Option("--format", metavar="text|json|html", show_default=True)]
Plot = Annotated[list[str] | None, typer.Option("--plot", metavar="FILE.png|.svg|.html", show_default=False)]
Out = Annotated[str | None, typer.Option("--out", metavar="FILE", show_default=False)]


def demo(
    folder: Annotated[str, typer.Option("--out", metavar="FOLDER")] = "demo",
) -> None:
    """Train the shipped experiments and show every number."""
    from glassgrad.cli.demo import run

    run(folder)


def watch(
    name: Name,
    every: Annotated[int, typer.Option("--every", metavar="N")] = 100,
    sample: Annotated[int, typer.Option("--sample", metavar="K")] = 1,
    ask: Annotated[list[str] | None, typer.Option("--ask", metavar="'12 + 30'", show_default=False)] = None,
    full: Annotated[bool, typer.Option("--full")] = False,
    graph: Annotated[bool, typer.Option("--graph")] = False,
    plant: Annotated[str | None, typer.Option("--plant", metavar="FORMULA", show_default=False)] = None,
    engine: Annotated[str, typer.Option("--engine", metavar="torch|compiled")] = "torch",
    format: Format = "text",
    out: Out = None,
    *,
    settings: dict[str, Any],
) -> None:
    """One run behind glass."""
    from glassgrad.cli.watch import run

    run(
        name,
        every=every,
        sample=sample,
        ask=tuple(ask or ()),
        full=full,
        graph=graph,
        plant=plant,
        engine=engine,
        form=format,
        out=out,
        settings=settings,
    )


def compare(
    names: Annotated[list[str], typer.Argument(metavar="NAME|FILE.toml …")],
    vary: Annotated[list[str] | None, typer.Option("--vary", metavar="SETTING=V,V", show_default=False)] = None,
    runs: Annotated[int | None, typer.Option("--runs", metavar="N", show_default="1000")] = None,
    why: Annotated[bool, typer.Option("--why")] = False,
    format: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    plot: Plot = None,
    csv: Annotated[list[str] | None, typer.Option("--csv", metavar="FILE", show_default=False)] = None,
    parquet: Annotated[list[str] | None, typer.Option("--parquet", metavar="FILE", show_default=False)] = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Many runs against each other."""
    from glassgrad.cli.compare import run

    run(
        names,
        vary=vary or (),
        runs=runs,
        why=why,
        form=format,
        plot=plot or (),
        csv=csv or (),
        parquet=parquet or (),
        settings=settings,
    )


def estimators(
    run: Annotated[str | None, typer.Argument(metavar="NAME|FILE.toml", show_default=False)] = None,
    step: Annotated[int | None, typer.Option("--step", metavar="K", show_default="100")] = None,
    mu: Annotated[float | None, typer.Option("--mu", metavar="M", show_default=False)] = None,
    sigma: Annotated[float | None, typer.Option("--sigma", metavar="S", show_default=False)] = None,
    logits: Annotated[str | None, typer.Option("--logits", metavar="Z[,Z…]", show_default=False)] = None,
    answers: Annotated[int, typer.Option("--samples", metavar="N")] = 200_000,
    format: Format = "text",
    plot: Plot = None,
    out: Out = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Estimators of the policy gradient beside the exact one."""
    from glassgrad.cli.estimators import run as show

    show(
        run,
        step=step,
        mu=mu,
        sigma=sigma,
        logits=logits,
        samples=answers,
        form=format,
        plot=plot or (),
        out=out,
        settings=settings,
    )


def judge(
    name: Name,
    judge_runs: Annotated[int | None, typer.Option("--runs", metavar="N", show_default=False)] = None,
    format: Format = "text",
    plot: Plot = None,
    out: Out = None,
    *,
    settings: dict[str, Any],
) -> None:
    """What a training learns from, and what will become of it."""
    from glassgrad.cli.judge import run

    run(name, runs=judge_runs, form=format, plot=plot or (), out=out, settings=settings)


def list_(
    what: Annotated[str | None, typer.Argument(metavar="KIND")] = None,
    format: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """What ships."""
    from glassgrad.cli.list import run

    run(what, format)


def export(
    name: Name,
    to: Annotated[str, typer.Option("--to", metavar="torch|toml|json|csv|latex|svg")] = "torch",
    out: Out = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Take an experiment along."""
    from glassgrad.cli.export import run

    run(name, to, out, settings)
