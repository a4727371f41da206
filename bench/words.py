"""The words of the tables, in English and Chinese."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Words:
    """Heads of tables, and what their rows are called."""

    speeds: tuple[str, ...]
    networks: tuple[str, ...]
    learning: tuple[str, ...]
    growth: tuple[str, ...]
    shipped: tuple[str, ...]
    names: dict[str, str]
    axes: dict[str, str]
    cores: str
    peak: str
    fraction: str
    skipped: str
    expected: str


ENGLISH = Words(
    speeds=("", "how", "runs/s", "x plain script", "final error: median (quartiles)", "solved", "runs looked at"),
    networks=("network", "best JAX, runs/s", "compiled, runs/s", "ratio"),
    learning=("learning from reward", "steps/s", "steps of a run", "mean error at the end"),
    growth=("grows", "value", "runs", "seconds", "peak memory, MiB"),
    shipped=("experiment", "first run ever, seconds", "first of a new process", "1,000 runs"),
    names={
        "eager": "the plain PyTorch script",
        "torch_batched": "PyTorch, runs as stacked matrices",
        "jax_vmap": "JAX, vmap and scan",
        "jax_best_all": "the best JAX, all 1,000 samples",
        "jax_best_distinct": "the best JAX, distinct questions",
        "compiled_all": "Glassgrad, all 1,000 samples",
        "compiled_distinct": "Glassgrad, distinct questions",
        "sb3_a2c": "Stable-Baselines3, A2C",
        "reinforce": "Glassgrad, `add-reinforce`",
        "frugal": "Glassgrad, REINFORCE with as few steps as A2C",
        "relu": "relu, through the questions",
        "tanh": "tanh, through the questions",
        "sigmoid": "sigmoid, through the questions",
    },
    axes={"runs": "runs", "units": "hidden units", "samples": "samples", "steps": "steps"},
    cores="{} cores",
    peak="measured peak {} GFLOP/s (one core {})",
    fraction="reached {}",
    skipped="skipped",
    expected="skipped: about {} s",
)

CHINESE = Words(
    speeds=("", "做法", "每秒运行次数", "是普通脚本的几倍", "最终误差：中位数（四分位数）", "成功率", "查看的运行次数"),
    networks=("网络", "最快的 JAX，每秒运行次数", "编译引擎，每秒运行次数", "倍数"),
    learning=("从奖励学习", "步/秒", "一次运行的步数", "最后的平均误差"),
    growth=("增大的是", "值", "运行次数", "秒", "内存峰值，MiB"),
    shipped=("实验", "第一次使用，秒", "新进程的第一次", "1,000 次运行"),
    names={
        "eager": "普通的 PyTorch 脚本",
        "torch_batched": "PyTorch，多次运行叠成矩阵",
        "jax_vmap": "JAX，vmap 加 scan",
        "jax_best_all": "最快的 JAX，全部 1,000 个样本",
        "jax_best_distinct": "最快的 JAX，不同的题目",
        "compiled_all": "Glassgrad，全部 1,000 个样本",
        "compiled_distinct": "Glassgrad，不同的题目",
        "sb3_a2c": "Stable-Baselines3，A2C",
        "reinforce": "Glassgrad，`add-reinforce`",
        "frugal": "Glassgrad，步数与 A2C 一样少的 REINFORCE",
        "relu": "relu，逐题计算",
        "tanh": "tanh，逐题计算",
        "sigmoid": "sigmoid，逐题计算",
    },
    axes={"runs": "运行次数", "units": "隐藏单元", "samples": "样本", "steps": "步数"},
    cores="{} 个核心",
    peak="实测峰值 {} GFLOP/s（单核 {}）",
    fraction="达到 {}",
    skipped="略过",
    expected="略过：约需 {} 秒",
)


def words_for(page: Path) -> Words:
    """The language of a page: `speed.zh.md` is Chinese.

    Example:
        >>> words_for(Path("speed.md")) is ENGLISH
        True
    """
    return CHINESE if ".zh" in page.suffixes else ENGLISH
