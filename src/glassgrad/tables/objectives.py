"""Objectives: what is made small, sample by sample; the loss L is its mean (plus the regulariser)."""

from glassgrad.locale import Text
from glassgrad.tables.row import Callable, Range, Row, table

_SHARE: dict[str, Range] = {"share": (0.0, 1e9)}

OBJECTIVES = table(
    Row("mse", "(o - t)**2", Text("the squared error", "误差的平方（均方误差）"), "Legendre 1805",
        torch=Callable("nn.MSELoss")),
    Row("mae", "abs(o - t)", Text("the absolute error", "误差的绝对值（平均绝对误差）"), "Boscovich 1757",
        torch=Callable("nn.L1Loss")),
    Row("huber", "where(abs(o - t) <= delta, 0.5*(o - t)**2, delta*(abs(o - t) - 0.5*delta))",
        Text("squared for small errors, absolute for large ones", "误差小时取平方，误差大时取绝对值"),
        "Huber 1964", {"delta": 1.0}, Callable("nn.HuberLoss", {"delta": "delta"}),
        bounds={"delta": (1e-9, 1e9)}),
    Row("reward", "-reward", Text("minus the reward: its formula is differentiated",
                                   "奖励的相反数：对奖励的公式求导"),
        "the analytic (pathwise) policy gradient"),
    Row("log_output", "-stop(reward)*log(o)",
        Text("a stopped reward times the log of the output; o is no probability of a sampled answer here",
             "截断的奖励乘以输出的对数；这里的 o 并不是所采样回答的概率"),
        "the script of the volume knob"),
    Row("reinforce", "-stop(reward)*logp",
        Text("makes answers likelier in proportion to their reward", "奖励越大，越提高该回答的概率"),
        "Williams 1992"),
    Row("reinforce_constant", "-stop(reward - baseline)*logp",
        Text("makes answers likelier if they did better than a fixed number",
             "得到的奖励比一个固定的数高，该回答的概率就提高"),
        "Williams 1992, section 3", {"baseline": -1.0}),
    Row("reinforce_baseline",
        "state baseline = 0; objective = -stop(reward - baseline)*logp; "
        "baseline = decay*baseline + (1 - decay)*mean(reward)",
        Text("makes answers likelier if they did better than usual: the running mean of past rewards",
             "比往常好的回答，概率会提高；“往常”是过去奖励的滑动平均"),
        "Williams 1992, section 3", {"decay": 0.9}, bounds={"decay": (0.0, 1.0)}),
    Row("reinforce_leave_one_out", "-stop(reward - others(reward))*logp",
        Text("makes answers likelier if they did better than the mean of all other answers of the step",
             "比同一步里其他回答的平均水平好的回答，概率会提高"),
        "Kool, van Hoof & Welling 2019"),
    Row("reinforce_group", "-stop(reward - group_others(reward))*logp",
        Text("makes answers likelier if they did better than the mean of the other answers to the same question",
             "比同一道题的其他回答的平均水平好的回答，概率会提高"),
        "Kool, van Hoof & Welling 2019"),
    Row("reinforce_log",
        "objective = -stop(reward/max(exp(logp), least))*logp - bonus*max(1 - step/until, 0)*entropy",
        Text("a reward counts the more, the less likely its answer was: it climbs the log-probability of right "
             "answers; a bonus for entropy until some step",
             "回答的概率越小，它的奖励就算得越重：爬的是答对的对数概率；熵的奖励到某一步为止"),
        "importance weighting; the bonus: Williams & Peng 1991",
        {"least": 0.003, "bonus": 0.6, "until": 9000.0}, bounds={"least": (1e-30, 1.0), "until": (1.0, 1e9)}),
    Row("actor_critic",
        "value = o2; advantage = stop(reward - value); objective = -advantage*logp + share*(value - stop(reward))**2",
        Text("a second output, the critic, learns which reward to expect; answers that did better become likelier",
             "第二个输出是评论员，学着预测奖励；比预测好的回答，概率会提高"),
        "Konda & Tsitsiklis 2000", {"share": 0.5}, bounds=_SHARE),
    Row("a2c",
        "value = o3; advantage = stop(reward - value); "
        "objective = -advantage*logp + share*(value - stop(reward))**2 - bonus*entropy",
        Text("actor-critic with a bonus for entropy, so that answers keep being tried; the critic is the third output",
             "演员-评论员，外加熵的奖励，让尝试不至于停止；评论员是第三个输出"),
        "Mnih et al. 2016", {"share": 0.5, "bonus": 0.01}, bounds=_SHARE),
    Row("ppo",
        "value = o2; advantage = old(reward - value); ratio = exp(logp - old(logp)); "
        "most = advantage + clip*abs(advantage); "
        "objective = -min(ratio*advantage, most) + share*(value - stop(reward))**2",
        Text("several updates from the same answers, which may become at most 1 + clip times as likely",
             "同一批回答用来更新几遍，每个回答的概率最多变成原来的 1 + clip 倍"),
        "Schulman et al. 2017", {"clip": 0.2, "share": 0.5}, bounds={"clip": (1e-9, 1.0), **_SHARE}),
    Row("ppo_entropy",
        "value = o3; advantage = old(reward - value); ratio = exp(logp - old(logp)); "
        "most = advantage + clip*abs(advantage); "
        "objective = -min(ratio*advantage, most) + share*(value - stop(reward))**2 - bonus*entropy",
        Text("ppo with a bonus for entropy, so that answers keep being tried; the critic is the third output",
             "ppo，外加熵的奖励，让尝试不至于停止；评论员是第三个输出"),
        "Schulman et al. 2017", {"clip": 0.2, "share": 0.5, "bonus": 0.01}, bounds={"clip": (1e-9, 1.0), **_SHARE}),
    Row("grpo",
        "advantage = stop((reward - group_mean(reward))/(group_std(reward) + 0.0001)); "
        "ratio = exp(logp - old(logp)); most = advantage + clip*abs(advantage); "
        "objective = -min(ratio*advantage, most)",
        Text("as ppo, without a critic: an answer is held against the group of answers to the same question, "
             "in standard deviations", "像 ppo，但没有评论员：回答与同一道题的一组回答相比，以标准差为单位"),
        "Shao et al. 2024", {"clip": 0.2}, bounds={"clip": (1e-9, 1.0)}),
    Row("grpo_undivided",
        "advantage = stop(reward - group_mean(reward)); "
        "ratio = exp(logp - old(logp)); most = advantage + clip*abs(advantage); "
        "objective = -min(ratio*advantage, most)",
        Text("grpo without division by the standard deviation", "不除以标准差的 grpo"),
        "Liu et al. 2025", {"clip": 0.2}, bounds={"clip": (1e-9, 1.0)}),
)  # fmt: skip
"""By name: mse, mae, huber, reward, …; each a formula, or lines that assign `objective`."""
