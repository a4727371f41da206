"""Policies: how the network's output o becomes an answer a; with several outputs these are o1, o2, ….

`noise` is a standard normal number, `uniform` one between 0 and 1, drawn afresh for each sample of each step.
A line `tried = …` perturbs the weights and biases instead: in it `w` is each of them in turn, and `noise_w` a standard
normal number for each of them in each sample.
An answer is judged on `noise = 0`, `noise_w = 0`, `uniform = 0.5`.
"""

from glassgrad.locale import Text
from glassgrad.tables.row import Callable, Range, Row, table

_SIGMA: dict[str, Range] = {"sigma": (1e-9, 1e9)}

POLICIES = table(
    Row("output", "a = o", Text("the answer is the output itself", "输出本身就是回答"), "no chance involved"),
    Row("pathwise", "a = o + sigma*noise",
        Text("the output plus noise; the derivative passes through", "输出加上噪声；导数可以穿过"),
        "Kingma & Welling 2014 (reparameterisation)", {"sigma": 0.5}, bounds=_SIGMA),
    Row("gaussian",
        "a = stop(o + sigma*noise); logp = -(a - o)**2/(2*sigma**2) - log(sigma) - 0.5*log(2*pi)",
        Text("the answer is tried out around the output; only its log-probability knows o",
             "在输出附近试一个回答；只有它的对数概率里有 o"),
        "Williams 1992", {"sigma": 0.5}, Callable("distributions.Normal", {"scale": "sigma"}), bounds=_SIGMA),
    Row("bernoulli", "a = stop([uniform < o]); logp = where(a == 1, log(o), log(1 - o))",
        Text("chooses 1 with probability o, else 0", "以概率 o 选 1，否则选 0"),
        "Williams 1992", torch=Callable("distributions.Bernoulli")),
    Row("categorical",
        "m = stop(max(o)); e = exp(o - m); p = e/sum(e); a = stop(sum([below(p) <= uniform]) - 1 + first); "
        "logs = o - m - log(sum(e)); logp = sum([index == a - first]*logs); entropy = -sum(p*logs)",
        Text("chooses one of the numbers first, first + 1, …, one for each output, with the probabilities softmax(o)",
             "在 first、first + 1…… 这些数中选一个，每个输出对应一个数，概率是 softmax(o)"),
        "Williams 1992", {"first": 0.0}, Callable("distributions.Categorical"), bounds={"first": (-1e6, 1e6)}),
    Row("gaussian_first",
        "a = stop(o1 + sigma*noise); logp = -(a - o1)**2/(2*sigma**2) - log(sigma) - 0.5*log(2*pi)",
        Text("gaussian around o1, the first of several outputs; the others are free, for a critic",
             "在第一个输出 o1 附近试一个回答；其余输出另有用处，例如作评论员"),
        "Williams 1992", {"sigma": 0.5}, Callable("distributions.Normal", {"scale": "sigma"}), bounds=_SIGMA),
    Row("gaussian_learned",
        "sigma = exp(o2) + least; a = stop(o1 + sigma*noise); "
        "logp = -(a - o1)**2/(2*sigma**2) - log(sigma) - 0.5*log(2*pi); entropy = log(sigma) + 0.5*log(2*pi) + 0.5",
        Text("gaussian around o1 whose sigma is learned too: exp(o2) + least, so that it never vanishes",
             "在 o1 附近试一个回答，sigma 也是学来的：exp(o2) + least，因此不会变成 0"),
        "Williams 1992, section 6", {"least": 0.01}, Callable("distributions.Normal"), bounds={"least": (0.0, 1e9)}),
    Row("evolution",
        "tried = stop(w + sigma*noise_w); a = o; "
        "logp_w = -(tried - w)**2/(2*sigma**2) - log(sigma) - 0.5*log(2*pi); logp = sum(logp_w)",
        Text("each answer is given by weights of its own, tried out around w; only their log-probability knows w",
             "每个回答用自己的一组权重，在 w 附近随机取；只有这组权重的对数概率里有 w"),
        "Salimans et al. 2017", {"sigma": 0.02}, Callable("distributions.Normal", {"scale": "sigma"}), bounds=_SIGMA),
)  # fmt: skip
"""By name: output, pathwise, gaussian, bernoulli; for several outputs categorical, gaussian_first, gaussian_learned;
evolution.

Lines that assign `a`, and `logp` where it is sampled.
"""
