"""How many floating-point operations the mathematics of a run takes: what the machine's limit is measured in.

Additions, multiplications, divisions and roots count one each, comparisons nothing. The gradients of a unit come from
three sums over its active questions, the quickest way that passes through them; whoever computes more does not get it
counted. Steps made of second moments (see `glassgrad.engines.compiled.moments`) do fewer and are counted by themselves.
"""


def forward(inputs: int, units: int) -> int:
    """One question through a hidden layer to one output: sums with their bias."""
    return units * 2 * inputs + 2 * units


def backward(inputs: int, units: int) -> int:
    """The output's gap to the truth, weighted: 2; the sums of d, and for each unit of d and of d times each input."""
    return 2 + 1 + units * (1 + 2 * inputs)


def gradient(inputs: int, units: int) -> int:
    """Once a step, from the sums to the gradients: of W1 and b1 the output's weight times each sum, of W2 their sum."""
    return units * (inputs + 1) + units * (2 * inputs + 1)


def adam(parameters: int) -> int:
    """Once a step: m 3, v 4, corrected root 2, eps 1, quotient 1, rate 1, difference 1."""
    return 13 * parameters


def run(questions: int, steps: int = 1000, inputs: int = 2, units: int = 5) -> int:
    """A complete run, without the drawing of its data.

    Example:
        >>> run(100) / 1e6
        6.113
    """
    each = forward(inputs, units) + backward(inputs, units)
    parameters = inputs * units + 2 * units + 1
    return steps * (questions * each + gradient(inputs, units) + adam(parameters))


def by_moments(steps: int = 1000, inputs: int = 2, units: int = 5) -> int:
    """A run's steps made of second moments, without the questions that change sides.

    Example:
        >>> by_moments() / 1e6
        0.887
    """
    own = units * (inputs + 1)
    features = own + 1
    gradients = own + (2 * features - 1) * features + 3 * features + own + own + units * inputs
    return steps * (gradients + adam(inputs * units + 2 * units + 1) + own)  # own: how far each weight has moved
