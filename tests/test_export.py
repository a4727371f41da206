"""What an experiment is exported to says the same as the engine computes: an exported script, to the last digit."""

import ast
import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassgrad.doors import from_keywords, read_toml
from glassgrad.engines.torch import train
from glassgrad.errors import ExperimentError
from glassgrad.experiment import Experiment
from glassgrad.exports import csv_text, export, json_text, latex_text, toml_text, torch_script
from glassgrad.exports.chain import Chain
from glassgrad.exports.latex import escaped
from glassgrad.exports.outputs import for_all_outputs, over_outputs
from glassgrad.exports.script.expression import Printer, Source
from glassgrad.formula.evaluate import evaluate, evaluate_torch
from glassgrad.formula.parser import parse
from glassgrad.formula.simplify import ZERO
from glassgrad.insight import answers
from glassgrad.method import method
from glassgrad.network import gradient_name
from glassgrad.tables.experiments import EXPERIMENTS, METHODS, shipped
from glassgrad.tables.optimizers import OPTIMIZERS

ADD = shipped("add").change(steps=20, samples=50)
REINFORCE = shipped("add-reinforce").change(steps=20, samples=20)
THROUGH = shipped("add-through-reward").change(steps=20)
KNOB = shipped("knob")
CHOOSE = shipped("choose").change(steps=20, samples=20)
THREE = Experiment("three", network=(2, 5, 3), samples=20, steps=20, policy="a = o1")
NINETEEN = shipped("add-categorical").change(
    network=(2, 4, 19), steps=9, samples=20, objective="-stop(reward)*logp", schedule="constant"
)
EVOLUTION = shipped("add-evolution").change(
    steps=12, samples=20, group=1, objective="reinforce_leave_one_out", schedule="constant"
)

_CLIPPED = (
    "ratio = exp(logp - old(logp)); adv = stop(reward - group_mean(reward)); "
    "clipped = max(min(ratio, 1 + 0.2), 1 - 0.2)*adv; objective = -min(ratio*adv, clipped)"
)

SETTINGS: dict[str, tuple[Experiment, list[dict[str, Any]]]] = {
    "optimizer": (ADD, [{"optimizer": row} for row in OPTIMIZERS]),
    "optimizer's settings": (ADD, [
        {"optimizer": "adam(lr=0.1, beta1=0.5)"},
        {"optimizer": "adam(lr=0.1, weight_decay=0.01)"},
        {"optimizer": "sgd(lr=0.001, weight_decay=0.1)"},
        {"optimizer": "adamw(lr=0.1, weight_decay=0.1)"},
        {"optimizer": "rmsprop(alpha=0.9)"},
    ]),
    "own optimizer": (ADD, [
        {"optimizer": "w = w - 0.001*g"},
        {"optimizer": "lr = 0.01*0.99**step; w = w - lr*sign(g)"},
        {"optimizer": "state m = 0; m = 0.9*m + g; w = w - lr*m"},
        {"optimizer": "state s = 1; s = 0.9*s + 0.1*g**2; w = w - 0.01*g/sqrt(s)"},
        {"optimizer": "w = w - 0.1*g/max(norm(g), 1)"},
    ]),
    "schedule": (ADD, [{"schedule": name} for name in (
        "exponential", "cosine(to=0.01)", "warmup(7)", "lr/sqrt(step)", "0.1*(1 - step/steps)",
        "where(step < 9, lr, 0)")] + [
        {"schedule": "cosine", "optimizer": f"{row}(lr=0.01, weight_decay=0.1)"} for row in OPTIMIZERS
    ] + [
        {"schedule": "warmup(9)", "optimizer": "state m = 0; m = 0.9*m + g; w = w - lr*m"},
        {"schedule": "exponential(0.9)", "optimizer": "lr = 0.02; w = w - lr*g/max(norm(g), 1)"},
        {"schedule": "-lr/step**2", "clip": 1.0},
    ]),
    "activation": (ADD, [{"activation": name} for name in (
        "linear", "leaky_relu", "leaky_relu(slope=0.2)", "elu", "elu(alpha=0.5)", "gelu", "silu", "softplus", "sigmoid",
        "tanh", "sin")]),
    "own activation": (ADD, [{"activation": formula} for formula in (
        "z*sigmoid(2*z)", "where(z > 0, z, exp(z) - 1)", "max(z, 0.1*z)", "max(0, z)", "max(z, 0)",
        "min(max(z, -1), 1)", "log(1 + exp(z))", "z**2/10", "abs(z)", "where(z > 0, 2*z, -z)")]),
    "activation that learns": (ADD, [
        {"activation": "param p = 0.25; where(z > 0, z, p*z)"},
        {"activation": "param p = 0.25; where(z > 0, z, p*z)", "clip": 1.0, "network": (2, 4, 3, 1)},
        {"activation": "param training = 1; z*sigmoid(training*z)", "optimizer": "w = w - 0.1*g/max(norm(g), 1)"},
        {"output_activation": "param s = 2; param c = 0.5; s*z + c*log(1 + exp(z))"}]),
    "output activation": (ADD, [{"output_activation": name} for name in ("softplus", "18*sigmoid(z)", "elu")]),
    "network": (ADD, [{"network": sizes} for sizes in ((2, 1), (2, 7, 4, 1), (2, 5, 4, 3, 2, 1), (2, 64, 1))]),
    "init": (ADD, [{"init": name} for name in ("xavier", "he", "zeros")]),
    "own values": (ADD.change(network=(2, 2, 1)), [
        {"init": "W1=[[0.1, 0.2], [0.3, -0.4]]; b1=[0, 0.5]; W2=[[1, 2]]; b2=[0.25]"},
        {"init": "W1=[[1, 2], [3, -4]]; b1=[0, 1]; W2=[[1, 2]]; b2=[0]; p1=0.3",
         "activation": "param p = 0.25; max(z, p*z)"}]),
    "regulariser": (ADD, [{"regulariser": name} for name in (
        "l1", "l2", "l2(strength=0.1)", "0.01*w**4", "where(abs(w) > 0.1, 0.01*abs(w), w**2)")]),
    "dropout": (ADD, [{"dropout": 0.2}, {"dropout": 0.5, "network": (2, 6, 5, 1)}]),
    "clip": (ADD, [{"clip": 1.0}, {"clip": 0.5, "optimizer": "sgd(lr=0.1)"}, {"clip": 1.0, "optimizer": "w = w - g"}]),
    "batch": (ADD, [{"batch": 7}, {"batch": 50}, {"batch": 16, "dropout": 0.1, "regulariser": "l1", "clip": 1.0}]),
    "objective": (ADD, [{"objective": name} for name in (
        "mae", "huber", "huber(delta=2)", "(o - t)**2", "log(1 + (o - t)**2)", "abs(o - t) + 0.1*x1*o",
        "where(abs(o - t) < 1, (o - t)**2, 2*abs(o - t) - 1)", "max(o - t, 0) + 0.5*abs(o - t)", "(o - mean(t))**2",
        "sqrt(mean((o - t)**2))", "3*(o - t)**2/step",
        "state c = 1; d = c*(o - t)**2; c = 0.9*c + 0.1*mean(d); objective = d")]),
    "policy": (REINFORCE, [
        {"policy": "gaussian(sigma=1.5)"},
        {"policy": "pathwise", "objective": "reward"},
        {"policy": "a = stop(o + noise); logp = -(a - o)**2/2"},
        {"policy": "state s = 1; a = stop(o + s*noise); logp = -(a - o)**2/(2*s**2) - log(s); s = 0.99*s"},
        {"samples": 1},
        {"samples": 1, "objective": "reinforce"},
        {"fresh": False, "samples": 60, "batch": 20},
    ]),
    "observed reward": (REINFORCE, [{"reward": formula} for formula in (
        "-(a - t)**2 + x1", "where(abs(a - t) < 1, 1, -1)", "exp(-abs(a - t))", "tanh(a - t)", "round(a) - t",
        "-abs(a - t)*(1 + noise)", "-abs(a - t) + 0.1*sin(x1) + max(x2, 3)")]),
    "baseline": (REINFORCE, [{"objective": formula} for formula in (
        "reinforce", "-stop(reward - mean(reward))*logp", "-stop((reward - mean(reward))/std(reward))*logp",
        "-stop(reward - others(reward))*logp")]),
    "groups": (REINFORCE.change(samples=24, group=8), [
        {"objective": "-stop(reward - group_others(reward))*logp"},
        {"objective": "-stop((reward - group_mean(reward))/(group_std(reward) + 1e-4))*logp", "fresh": False},
        {"objective": "-(reward - group_std(reward))*group_mean(logp)", "group": 3, "truth": "7"},
        {"objective": "-stop(reward - group_mean(reward))*logp", "task": "both", "network": (3, 4, 1)},
    ]),
    "passes": (REINFORCE.change(samples=24, group=8, passes=4), [
        {"objective": _CLIPPED},
        {"objective": _CLIPPED, "fresh": False, "passes": 3},
        {"objective": "-exp(logp - old(logp))*stop(reward)", "group": 1, "samples": 1},
        {"objective": "(o - t)**2 + 0.1*(o - old(o*x1))**2", "reward": None, "policy": "output", "passes": 2},
        {"objective": "mse", "reward": None, "policy": "output"},
        {"policy": "pathwise", "objective": "-reward + 0.1*o*old(a)"},
        {"objective": "state b = 0; objective = -stop(reward - b)*logp; b = 0.9*b + 0.1*mean(reward)"},
    ]),
    "choice": (CHOOSE, [{}, {"fresh": False, "batch": 6}, {"reward": "where(a == t, 1, -1)"}]),
    "differentiated reward": (THROUGH, [{"reward": formula} for formula in (
        "square", "1 - 5*abs(a - t)", "where(abs(a - t) < 0.5, 1, -abs(a - t))", "max(-abs(a - t), -3)",
        "min(1, 2 - abs(a - t))")]),
    "no path": (THROUGH, [{"policy": "a = stop(o)"}, {"policy": "a = round(o)", "regulariser": "l2"}]),
    "reward beside a label": (THROUGH, [{"objective": "mse"}, {"objective": "mse", "samples": 10}]),
    "knob": (KNOB, [
        {"steps": 460}, {"seed": 1, "steps": 460}, {"samples": 5}, {"objective": "-stop(2*reward)*log(o)"},
        {"objective": "-stop(reward - 0.3)*log(o)"}, {"objective": "-reward*log(o)"}, {"reward": "1 - 5*(a - t)**2"},
        {"reward": "exp(-abs(a - t))"}, {"reward": "where(abs(a - t) < 0.1, 1, 0)"},
        {"objective": "state b = 0; objective = -stop(reward)*log(o); b = 0.9*b + 0.1*mean(reward)"},
    ]),
    "truth": (ADD, [{"truth": formula} for formula in (
        "x1*x2", "0.3*x1 + sqrt(x2)", "7", "where(x1 > x2, x1, x2)", "max(x1, x2)", "x1**1.5",
        "erf(x2)", "sigmoid(x1) + 2", "softplus(x1)")]),
    "both": (shipped("both").change(steps=20, samples=4, fresh=True), [{}]),
    "several outputs": (THREE, [{"objective": formula} for formula in (
        "norm(o - t)", "std(o) + (o1 - t)**2", "mean(abs(o - t))", "max((o - t)**2)",
        "min((o - t)**2) + sum(others(o)**2)/9", "d = where(o > 2, o, sqrt(2 - o)); sum(d*t)",
        "sum(below(exp(o/9) + 0.1)*log(below(index) + 1)) + (o3 - t)**2",
        "count(o)*(o1 - t)**2 + norm(index - 0.3)*sum(o**2)",
        "e = exp(o - max(o)); p = e/sum(e); -sum(p*log(p)) + (sum(index*p) - t)**2",
        "state b = 0; d = sum((o - t)**2); b = 0.9*b + 0.1*mean(d); objective = d - b",
        "k = exp(o/9); accumulate = below(k); Part = sum(k); Part + max(accumulate)")] + [
        {"objective": "sum((o - old(o*index))**2) + (o1 - t)**2 + old(step)/100 + old(mean(o1))", "passes": 3},
        {"objective": "t = t + 1; max(min(o, 5) - t)**2 + max(stop(o) - o) - (min(abs(o - o1)) - mean(o))**2/9"},
        {"objective": "(o1 - t)**2 + o3**2", "network": (2, 4, 8), "output_activation": "param s = 2; s*z"},
    ]),
    "networks apart": (THREE.change(apart=True, objective="(o1 - t)**2"), [
        {"objective": "sum((o - t)**2)", "dropout": 0.2, "network": (2, 4, 3, 2)},
        {"optimizer": "adam(lr=0.1, weight_decay=0.1)", "activation": "z*sigmoid(2*z)"},
        {"optimizer": "w = w - 0.1*g/max(norm(g), 1)", "regulariser": "l2"},
        {"objective": "(o1 - t)**2 + o2**2", "init": "xavier", "clip": 1.0, "regulariser": "l1", "batch": 7},
        {"network": (2, 1, 2), "init": "W1=[[0.1, 0.2], [0.3, -0.4]]; b1=[0, 0.5]; W2=[[1], [2]]; b2=[0.25, 0.5]"},
        {"policy": "gaussian_first", "reward": "distance", "samples": 1, "fresh": True, "objective": "actor_critic"},
        {"policy": "gaussian_first", "reward": "distance", "fresh": True, "passes": 2, "objective": "state b = 0; "
         "v = o2; objective = -old(reward - b - mean(v))*logp + (v - old(reward))**2; b = 0.9*b + 0.1*mean(reward)"},
    ]),
    "categorical": (NINETEEN, [
        {"samples": 1}, {"objective": "ppo", "passes": 2},
        {"reward": "-abs(a - t)", "objective": "-stop(reward - group_mean(reward))*logp - 0.1*entropy", "group": 10},
        {"objective": "q = old(p); -stop(reward)*logp + sum(q*log(q/p))", "passes": 2},
        {"reward": "-max((o - t)**2)", "objective": "-reward"},
        {"reward": "-sum(abs(a - index))*norm(o)"},
        {"reward": "norm(o - t)"},
    ]),
    "perturbed weights": (EVOLUTION, [
        {"network": (2, 1), "samples": 1, "objective": "-stop(reward)*logp"},
        {"network": (2, 7, 4, 1), "dropout": 0.2, "clip": 1.0, "output_activation": "18*sigmoid(z)"},
        {"activation": "tanh", "regulariser": "l2", "optimizer": "w = w - 0.001*g/max(norm(g), 1)", "fresh": False,
         "batch": 7, "init": "he"},
        {"objective": "mse"}, {"objective": "(o - t)**2 + 0.01*sum(w**2) + norm(tried - w)*max(abs(w))"},
        {"policy": "s = 0.3*0.99**step; q = s*(1 + abs(w)); tried = stop(w + q*noise_w); a = stop(o + 0.1*noise); "
         "logp = -sum((tried - w)**2)/(2*s**2)", "reward": "-abs(a - t) - s", "group": 5},
    ]),
}  # fmt: skip
"""What is tried, in single and in double precision, on a base."""

CASES: dict[str, Experiment] = {
    "a long schedule": ADD.change(schedule="warmup_cosine(warmup=7)", optimizer="nadam"),
    "a long schedule, own optimizer": ADD.change(schedule="warmup_cosine(warmup=7)", optimizer="w = w - lr*g"),
    **{f"{name}, seed {seed}": shipped(name).change(seed=seed, steps=60) for name in EXPERIMENTS for seed in (3, 71)},
    **{f"{name}, {precision}": shipped(name).change(steps=16, precision=precision)
       for name in METHODS for precision in ("single", "double")},
    **{
        f"{kind}: {', '.join(map(str, settings.values()))}, {precision}": base.change(precision=precision).change(
            **settings)
        for kind, (base, rows) in SETTINGS.items() for settings in rows for precision in ("single", "double")
    },
}  # fmt: skip

PLAIN = {
    "add": """
import numpy, torch
import torch.nn as nn, torch.optim as optim
torch.set_num_threads(1)
torch.manual_seed(SEED)
numpy.random.seed(SEED)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 5)
        self.output = nn.Linear(5, 1)
    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))
net = Net()
x = torch.tensor(numpy.random.randint(0, 10, (1000, 2)), dtype=torch.float32)
t = x.sum(dim=1, keepdim=True)
criterion, optimizer = nn.MSELoss(), optim.Adam(net.parameters(), lr=0.1)
for _ in range(60):
    loss = criterion(net(x), t)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
""",
    "sub-through-reward": """
import numpy, torch
import torch.nn as nn, torch.optim as optim
torch.set_num_threads(1)
torch.manual_seed(SEED)
numpy.random.seed(SEED)
net = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1))
optimizer = optim.Adam(net.parameters(), lr=0.01)
for _ in range(60):
    x1, x2 = numpy.random.randint(0, 10, 2)
    answer = net(torch.tensor([[x1, x2]], dtype=torch.float32))
    reward = -torch.abs(answer - (x1 - x2))
    loss = -reward
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item(), reward.item())
""",
    "knob": """
import torch
import torch.nn as nn, torch.optim as optim
torch.set_num_threads(1)
torch.manual_seed(SEED)
net = nn.Linear(1, 1)
optimizer = optim.Adam(net.parameters(), lr=0.1)
x = torch.tensor([[1.0]])
for _ in range(60):
    o = torch.sigmoid(net(x))
    reward = 1 - 5 * abs(o.item() - 0.8)
    loss = -reward * torch.log(o)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item(), reward)
""",
}
"""Scripts written by hand."""

RUNNER = """
import contextlib, io, json, runpy, sys, traceback
import torch
printed = {}
for path in json.load(sys.stdin):
    sys.argv = [path, "--losses"]
    torch.set_default_dtype(torch.float32)
    stream = io.StringIO()
    try:
        with contextlib.redirect_stdout(stream):
            runpy.run_path(path)
    except Exception:
        stream.write(traceback.format_exc())
    printed[path] = stream.getvalue()
print(json.dumps(printed))
"""


def run(scripts: dict[str, str], folder: Path) -> dict[str, str]:
    """What each script prints when called with --losses; all in one process, one after the other."""
    paths = {name: folder / f"script{i}.py" for i, name in enumerate(scripts)}
    for name, path in paths.items():
        path.write_text(scripts[name], encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", RUNNER], input=json.dumps([*map(str, paths.values())]),
                          capture_output=True, text=True, check=True)  # fmt: skip
    printed = json.loads(done.stdout)
    return {name: printed[str(path)] for name, path in paths.items()}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the script of each case prints."""
    return run({name: torch_script(case) for name, case in CASES.items()}, tmp_path_factory.mktemp("scripts"))


def expected(experiment: Experiment) -> list[str]:
    """The lines that a script has to print, from the engine."""
    record = train(experiment)
    rewards: list[float | None] = [None] * record.steps if record.reward is None else record.reward.tolist()
    pairs = zip(record.loss.tolist(), rewards, strict=True)
    return [repr(loss) if reward is None else f"{loss!r} {reward!r}" for loss, reward in pairs]


@pytest.mark.parametrize("name", CASES)
def test_a_script_prints_the_losses_of_the_engine(name: str, printed: dict[str, str]) -> None:
    assert "Traceback" not in printed[name], printed[name][-600:]
    wanted = expected(CASES[name])
    assert wanted
    assert printed[name].splitlines()[: len(wanted)] == wanted


@pytest.mark.parametrize("name", PLAIN)
def test_a_script_prints_the_losses_of_one_that_is_written_by_hand(name: str, tmp_path: Path) -> None:
    scripts = {f"plain {seed}": PLAIN[name].replace("SEED", str(seed)) for seed in (0, 5)}
    scripts |= {f"ours {seed}": torch_script(shipped(name).change(seed=seed, steps=60)) for seed in (0, 5)}
    found = run(scripts, tmp_path)
    for seed in (0, 5):
        assert found[f"ours {seed}"].splitlines() == found[f"plain {seed}"].splitlines()
        assert len(found[f"ours {seed}"].splitlines()) == 60


TABLES = {
    "comma": ("x1,x2,t\n1,2,3\n4,5,9\n0,0,0.25\n7,1,8\n", "utf-8", 0.0),
    "semicolon, byte order mark": ("rooms;price;age\n1;2;3\n4;5;9.5\n0;0;0\n7;1;8\n", "utf-8-sig", 0.25),
    "Chinese, label in between": ("甲,标签,乙\n1,2,3\n4,5,9\n\n0,0,0\n7,1,8\n", "gbk", 0.5),
    "one column and a label": ("x\tt\n1\t2\n2\t3.5\n", "utf-8", 0.0),
}


def test_scripts_read_a_file_of_the_users(tmp_path: Path) -> None:
    cases = {}
    for i, (name, (content, encoding, held_out)) in enumerate(TABLES.items()):
        file = tmp_path / f'data "{i}".csv'
        file.write_text(content, encoding=encoding)
        settings: dict[str, Any] = {"data": str(file), "held_out": held_out, "name": 'my "data"', "steps": 20}
        cases[name] = from_keywords("add", **settings)
        cases[f"{name}, own truth"] = from_keywords("add", **settings, truth="x1**2")
        cases[f"{name}, batch"] = from_keywords("add", **settings, batch=1)
    found = run({name: torch_script(case) for name, case in cases.items()}, tmp_path)
    for name, case in cases.items():
        assert found[name].splitlines() == expected(case), name


def test_a_script_run_by_itself_prints_the_lines_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(torch_script(THROUGH.change(steps=25), every=10), encoding="utf-8")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    record = train(THROUGH.change(steps=25))
    assert record.reward is not None
    wanted = [line for step in (1, 11, 21) for line in (
        f"Epoch {step}: Loss = {record.loss[step - 1]:.4f}", f"Reward = {record.reward[step - 1]:.4f}")]  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[:7] == [*wanted, "After 25 steps:"]
    assert re.fullmatch(r"5 \+ 3 = -?\d+\.\d\d", lines[7])


@pytest.mark.parametrize("name", ["add-a2c", "add-categorical"])
def test_a_script_of_several_outputs_ends_with_the_answers(name: str, tmp_path: Path) -> None:
    path, case = tmp_path / "script.py", shipped(name).change(steps=30, samples=20)
    path.write_text(torch_script(case), encoding="utf-8")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    found = re.findall(r"^\d+ \+ \d+ = (-?\d+\.\d\d)$", done.stdout, re.MULTILINE)
    asked = np.array(case_questions := [[5.0, 3.0], [12.0, 30.0], [0.0, 0.0], [9.0, 9.0]])
    wanted = answers(case, train(case).final, asked)
    assert len(found) == len(case_questions)
    assert [float(answer) for answer in found] == pytest.approx(wanted.tolist(), abs=0.0051)


def tidy(folder: Path, *arguments: str) -> str:
    """What ruff has to say about all files of a folder."""
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length=110", "--no-cache", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_scripts_are_as_tidy_as_ruff_wants_them(tmp_path: Path) -> None:
    shipping = [*EXPERIMENTS, *METHODS]
    for i, name in enumerate([*shipping, *(name for name in CASES if name.endswith("double"))]):
        case = shipped(name) if name in shipping else CASES[name]
        for lang in ("en", "zh"):
            (tmp_path / f"{lang}{i}.py").write_text(torch_script(case, lang=lang), encoding="utf-8")
    assert tidy(tmp_path, "check", "--select=E4,E7,E9,F,I,B", "--output-format=concise") == ""
    assert tidy(tmp_path, "format", "--diff") == ""


@pytest.mark.parametrize("name", [*EXPERIMENTS, *METHODS])
def test_a_script_is_plain(name: str) -> None:
    english, chinese = (torch_script(shipped(name), lang=lang) for lang in ("en", "zh"))
    trees = [ast.parse(source) for source in (english, chinese)]
    imported = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in ast.walk(trees[0])
                if isinstance(node, ast.Import | ast.ImportFrom)}  # fmt: skip
    assert imported == {"sys", "numpy", "torch"}
    assert not re.search(r"[\u4e00-\u9fff]", english)
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert without_docstrings(trees[0]) == without_docstrings(trees[1])
    assert len(english.splitlines()) < 160


def without_docstrings(tree: ast.Module) -> str:
    """The code alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    return ast.dump(tree)


def test_a_script_says_which_line_makes_which_symbol() -> None:
    source = torch_script(shipped("add"), lang="en")
    for line in (
        "        self.hidden = nn.Linear(2, 5)  # W1[i][j], b1[i]",
        "        z1 = self.hidden(x)  # z1_i = Σ_j W1[i][j]*x_j + b1[i]",
        "        a1 = torch.relu(z1)  # a1_i = relu(z1_i)",
        "        z2 = self.output(a1)  # z2 = Σ_j W2[1][j]*a1_j + b2[1]",
        "    loss = criterion(o, t)  # L = mean((o - t)**2)",
        "optimizer = optim.Adam(net.parameters(), lr=0.1)",
    ):
        assert line in source.splitlines()
    knob = torch_script(KNOB, lang="en")
    assert "    loss = -reward * torch.log(o)  # L = -stop(reward)*log(o)" in knob.splitlines()


def test_networks_apart_read_as_such() -> None:
    source = torch_script(shipped("add-actor-critic"), lang="en").splitlines()
    for line in (
        "        self.actor = Part()  # o1",
        "        self.critic = Part()  # o2",
        "        o = [self.actor(x), self.critic(x)]",
        "    o1, o2 = net(x).split(1, dim=1)  # forward pass: the output for each question",
        "    value = o2",
    ):
        assert line in source
    assert "        self.net1 = Part()  # o1" in torch_script(shipped("add-a2c")).splitlines()


def test_one_line_for_all_outputs() -> None:
    source = torch_script(shipped("add-categorical"), lang="en")
    for line in (
        "    o = net(x)  # forward pass: the output for each question",
        "    max_o = o.max(dim=1, keepdim=True).values  # max_o = max(o)",
        "    m = max_o.detach()  # m = stop(max_o)",
        "    e = torch.exp(o - m)  # e = exp(o - m)",
        "    sum_e = e.sum(dim=1, keepdim=True)  # sum_e = sum(e)",
        "    p = e / sum_e  # p = e/sum_e",
        "    below_p = nn.functional.pad(p.cumsum(dim=1)[:, :-1], (1, 0))  # below_p = below(p)",
    ):
        assert line in source.splitlines()
    assert "p_1" not in source


def test_perturbed_weights_read_as_such() -> None:
    source = torch_script(shipped("add-evolution"), lang="en")
    for line in (
        "    W1, b1 = tried[:, 0:15].reshape(-1, 5, 3).split([2, 1], dim=2)  # W1[i][j], b1[i]",
        "    z1 = (W1 @ x.unsqueeze(2) + b1).squeeze(2)  # z1_i = Σ_j W1[i][j]*x_j + b1[i]",
        "    w = all_weights(net)",
        "    tried = (w + sigma * noise_w).detach()  # tried = stop(w + sigma*noise_w)",
        "    o = perturbed(x, tried)  # forward pass: the output for each question",
        "    logp = logp_w.sum(dim=1, keepdim=True)  # logp = sum(logp_w)",
    ):
        assert line in source.splitlines()


NAMES = {"o": Source("o", "tensor", live=True), "t": Source("t", "tensor"), "r": Source("r", "array"), "s": Source("s")}


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        ("-(t - o)**2/(2*s**2) - log(s)", "-((t - o) ** 2) / (2 * s**2) - np.log(s)"),
        ("1 - (o - t) - -2", "1 - (o - t) + 2"),
        ("-(-o)", "-(-o)"),
        ("o/(t/2)*3", "o / (t / 2) * 3"),
        ("max(o, 0) + max(0, o)", "o.clamp(min=0) + torch.where(0 < o, o, 0.0)"),
        ("max(o, t)", "torch.where(o < t, t, o)"),
        ("max(o**2, o/t)", "lazy_where(o**2 < o / t, lambda o, t: o / t, lambda o, t: o**2, o, t)"),
        ("where(o > 0, log(o), o)", "lazy_where(o > 0, lambda o: torch.log(o), lambda o: o, o)"),
        ("where(o > 0, o, 0.1*o)", "torch.where(o > 0, o, 0.1 * o)"),
        ("[t < o]", "(t < o).float()"),
        ("stop(o - 1)*stop(t)", "(o - 1).detach() * t"),
        ("2**o + s**3", "torch.pow(2.0, o) + np.power(s, 3.0)"),
        ("mean(o - t)", "(o - t).mean()"),
        (
            "2*others(o)*sigmoid(r)*sigmoid(o)",
            "2 * ((o.sum() - o) / (o.numel() - 1)) * (np.where(r >= 0, 1.0, "
            "np.exp(-np.abs(r))) / (1.0 + np.exp(-np.abs(r)))) * torch.sigmoid(o)",
        ),
        ("abs(r - t)", "torch.abs(r - t)"),
        ("where(abs(r - 1) < 0.5, 1, 0)", "np.where(np.abs(r - 1) < 0.5, 1.0, 0.0)"),
        ("where(s > 0, max(s, 1), -s)*pi", "(max(s, 1) if s > 0 else -s) * np.pi"),
    ],
)
def test_formulas_become_python(formula: str, written: str) -> None:
    assert Printer(NAMES).write(parse(formula)).text == written


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_toml_and_json_give_the_same_experiment_back(name: str) -> None:
    for lang in ("en", "zh"):
        assert read_toml(toml_text(shipped(name), lang=lang)) == shipped(name)
    fields = json.loads(json_text(shipped(name)))
    assert Experiment(**fields | {"network": tuple(fields["network"])}) == shipped(name)


def test_csv_holds_the_curves_in_full() -> None:
    record = train(THROUGH)
    assert record.reward is not None
    rows = list(csv.DictReader(io.StringIO(csv_text(record))))
    assert len(rows) == 21
    assert [float(row["loss"]) for row in rows[:-1]] == record.loss.tolist()
    assert [float(row["reward"]) for row in rows[:-1]] == record.reward.tolist()
    for name, array, place in record.method.network.parameters():
        assert [float(row[name]) for row in rows] == [float(at[place]) for at in record.parameters[array]]
        gradients = [float(at[place]) for at in record.gradients[array]][:20]
        assert [float(row[gradient_name(name)]) for row in rows[:-1]] == gradients
    assert rows[-1]["loss"] == ""


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("case", [*map(shipped, EXPERIMENTS), *CASES.values()][::7])
def test_latex_is_balanced(case: Experiment, lang: Any) -> None:
    source = latex_text(case, lang=lang)
    bare = source.replace("\\\\", "").replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert len(re.findall(r"\\left\b", source)) == len(re.findall(r"\\right\b", source))
    opened, closed = (re.findall(rf"\\{word}{{(\w+\*?)}}", source) for word in ("begin", "end"))
    assert sorted(opened) == sorted(closed)
    assert ("ctexart" in source) == (lang == "zh") == bool(re.search(r"[\u4e00-\u9fff]", source))


def test_latex_has_the_chain_rule() -> None:
    source = latex_text(shipped("add").change(regulariser="l2", dropout=0.5, clip=1.0), lang="en")
    for equation in (
        r"z_{1,i} &= \sum_{j=1}^{2} W_{1,i,j}\,x_{j} + b_{1,i}",
        r"\frac{\partial L}{\partial o} &= 2\,\left(o - t\right)",
        r"\frac{\partial L}{\partial a_{1,i}} &= \frac{\partial L}{\partial z_{2}}\,W_{2,1,i}",
        r"\mathrm{mask}_{1,i} \cdot \left[z_{1,i} > 0\right]",
        r"2\,\mathrm{strength}\,W_{1,i,j}",
        r"\min\left(1, \frac{1}{",
    ):
        assert equation in source


def test_latex_has_one_line_for_all_outputs() -> None:
    source = latex_text(shipped("add-categorical"), lang="en")
    for equation in (
        r"z_{2,k} &= \sum_{j=1}^{16} W_{2,k,j}\,a_{1,j} + b_{2,k}",
        r"o_{k} &= z_{2,k} \quad (k = 1, \dots, 19)",
        r"\mathrm{max}_{o} &= \max_{k} o_{k}",
        r"p_{k} &= \frac{e_{k}}{\mathrm{sum}_{e}}",
        r"\mathrm{below}_{p,k} &= \sum_{l<k} p_{l}",
        r"\frac{\partial L}{\partial a_{1,i}} &= \sum_{k} \frac{\partial L}{\partial z_{2,k}}\,W_{2,k,i}",
    ):
        assert equation in source
    assert "p_{1}" not in source
    critic = latex_text(shipped("add-actor-critic"), lang="en")
    for equation in (
        r"z^{(k)}_{2} &= \sum_{j=1}^{5} W^{(k)}_{2,1,j}\,a^{(k)}_{1,j} + b^{(k)}_{2,1}",
        r"\frac{\partial L}{\partial o_{2}} &= \frac{\partial L}{\partial \mathrm{value}}",
    ):
        assert equation in critic


@pytest.mark.parametrize(
    "objective",
    [
        "e = exp(o - 2); p = e/sum(e); -sum(p*log(p)) + (sum(index*p) - t)**2",
        "std(o) + norm(o)*mean(max(o, t)) + sum(others(o)**2)",
        "s = 0.1*mean(sum(o)*t); sum(s*(o - t)**2)",
    ],
)
def test_the_chain_rule_over_all_outputs_is_that_of_pytorch(objective: str) -> None:
    of, n = method(THREE.change(objective=objective)), 4
    o = torch.randn(3, n, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    t = torch.arange(n).double()
    known: dict[str, Any] = {"t": t, **{f"o{k + 1}": o[k] for k in range(3)}}
    for line in of.program.lines:
        known[line.name] = evaluate_torch(line.tree, known, torch.float64)
    known["objective"].mean().backward()
    assert o.grad is not None
    chain = Chain(for_all_outputs(of))
    values: dict[str, Any] = {"t": t.numpy(), "o": o.detach().numpy(), "o1": o[0].detach().numpy()}
    values["index"] = np.arange(3.0)[:, None]
    for line in chain.lines:
        inner = over_outputs(line.tree, chain.levels)
        values[line.name] = evaluate(line.tree, values) if inner is None else evaluate(inner, values).sum(axis=0)
    for name, alike, summed in chain.slopes():
        over_k = np.sum(evaluate(summed, values) * np.ones((3, n)), axis=0)
        values[f"d{name}"] = evaluate(alike, values) + (over_k.mean() if chain.levels[name] == "step" else over_k)
    assert values["do"] / n == pytest.approx(o.grad.numpy(), abs=1e-12)


@pytest.mark.parametrize("objective", ["reinforce_leave_one_out", "logp*t - sum(w*tried)*mean(sum(w**3)*o)"])
def test_the_chain_rule_of_perturbed_weights_is_that_of_pytorch(objective: str) -> None:
    of, n = method(EVOLUTION.change(objective=objective, network=(2, 1))), 4
    start = torch.Generator().manual_seed(3)
    known: dict[str, Any] = {"o": torch.arange(n).double(), "t": torch.arange(n).double() ** 2, **of.numbers}
    for name in of.tried:
        known[name] = torch.randn((), generator=start, dtype=torch.float64, requires_grad=True)
        known[f"noise_{name}"] = torch.randn(n, generator=start, dtype=torch.float64)
    for line in of.program.lines:
        known[line.name] = evaluate_torch(line.tree, known, torch.float64)
    known["objective"].mean().backward()
    chain = Chain(for_all_outputs(of))
    values: dict[str, Any] = {"o": np.arange(4.0), "t": np.arange(4.0) ** 2, **of.numbers}
    values["w"] = np.array([[known[name].item()] for name in of.tried])
    values["noise_w"] = np.array([known[f"noise_{name}"].numpy() for name in of.tried])
    for line in chain.lines:
        inner = over_outputs(line.tree, chain.levels)
        values[line.name] = evaluate(line.tree, values) if inner is None else evaluate(inner, values).sum(axis=0)
    for name, alike, summed in chain.slopes():
        assert summed == ZERO
        values[f"d{name}"] = evaluate(alike, values) * np.ones(n)
    found = values["dw"].mean(axis=1)
    assert found == pytest.approx([known[name].grad.item() for name in of.tried], abs=1e-12)


def test_latex_of_perturbed_weights() -> None:
    source = latex_text(shipped("add-evolution").change(regulariser="l2"), lang="en")
    for equation in (
        r"\mathrm{tried}_{k} &= \mathrm{stop}\left(w_{k} + \sigma\,\mathrm{noise}_{w,k}\right)",
        r"z_{1,i} &= \sum_{j=1}^{2} \tilde{W}_{1,i,j}\,x_{j} + \tilde{b}_{1,i}",
        r"\frac{\partial L}{\partial \mathrm{logp}_{w,k}} &= \frac{\partial L}{\partial \mathrm{logp}}",
        r"\frac{\partial L}{\partial w_{k}} &= \mathrm{mean}\left("
        r"\frac{\frac{\partial L}{\partial \mathrm{logp}_{w,k}}\,\left(\mathrm{tried}_{k} - w_{k}\right)}"
        r"{{\sigma}^{2}}\right) + \left[w_{k} \in W\right]\,\left(2\,\mathrm{strength}\,w_{k}\right)",
    ):
        assert equation in source
    assert r"\partial a_{1,i}" not in source
    assert r"\partial w_{k}} &= 0" in latex_text(EVOLUTION.change(objective="mse"))


def test_the_chain_rule_where_outputs_differ_in_latex() -> None:
    objective = "sum(below(o**2)*t) + 3*max(o) + sum(o1*o)"
    source = dict(Chain(for_all_outputs(method(THREE.change(objective=objective)))).backward())
    assert source[r"\frac{\partial L}{\partial o_{k}}"] == (
        r"2\,\left(\sum_{l>k} \frac{\partial L}{\partial \mathrm{below}_{1,l}}\right)\,o_{k} + "
        r"\frac{\partial L}{\partial \mathrm{max}_{o}}\,\left[k = \arg\max_{l} o_{l}\right] + "
        r"\frac{\partial L}{\partial \mathrm{sum}_{2}}\,o_{1} + "
        r"\left[k = 1\right]\,\sum_{l} \frac{\partial L}{\partial \mathrm{sum}_{2}}\,o_{l}"
    )


def test_names_are_escaped_in_latex() -> None:
    assert escaped(r"50 % of a_1 \ {x}" + "\n&") == r"50 \% of a\_1 \textbackslash{} \{x\} \&"
    assert r"\title{my\_own \% experiment}" in latex_text(shipped("add").change(name="my_own % experiment"))


def test_export_by_name() -> None:
    assert export("knob", steps=7) == torch_script(KNOB.change(steps=7))
    assert export(KNOB, to="toml") == toml_text(KNOB)
    assert export("knob", to="csv", steps=2).splitlines()[0] == "step,loss,reward,W1_1_x1,b1_1,dW1_1_x1,dB1_1"
    with pytest.raises(ExperimentError, match="torch, toml, json, csv, latex"):
        export("knob", to="pdf")
