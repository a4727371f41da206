"""Chance beyond the two global generators, as a script computes it: the very numbers of `glassgrad.draws`."""

from glassgrad.locale import say

NOISE, UNIFORM, DROPOUT, MINIBATCH, WEIGHTS = 1, 2, 3, 4, 8  # the purposes of glassgrad.draws

_WORDS = '''
def words(purpose, step, samples, units=1, layer=0):
    """{words}"""
    key = np.random.SeedSequence([{seed}, purpose]).generate_state(2, np.uint32)
    k0, k1 = int(key[0]), int(key[1])
    grid = np.meshgrid(np.arange(samples, dtype=np.uint64), np.arange(units, dtype=np.uint64), indexing="ij")
    c0, c1, c2, c3 = np.full_like(grid[0], step), grid[0], np.full_like(grid[0], layer), grid[1]
    for _ in range(10):  # {rounds}
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF
        c2, c3 = (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3
'''

_NORMALS = '''
def normals(step, samples):
    """{normals}"""
    u, v, *_ = words({purpose}, step, samples)
    return np.sqrt(-2.0 * np.log((u + 1.0) / 2.0**32)) * np.cos(2.0 * np.pi * (v / 2.0**32))
'''

_WEIGHT_NOISE = '''
def weight_noise(step, samples):
    """{weight_noise}"""
    c0, c1, c2, c3 = words({purpose}, step, samples, units={blocks})
    found = []
    for u, v in ((c0, c1), (c2, c3)):
        length, angle = np.sqrt(-2.0 * np.log((u + 1.0) / 2.0**32)), 2.0 * np.pi * (v / 2.0**32)
        found += [length * np.cos(angle), length * np.sin(angle)]
    return np.stack(found, axis=2).reshape(samples, -1)[:, :{weights}]
'''

_UNIFORMS = '''
def uniforms(step, samples):
    """{uniforms}"""
    return np.minimum(words({purpose}, step, samples)[0] / 2.0**32, 1 - 2.0**-24)
'''

_DROPOUT = '''
def dropout(step, samples, layer, units):
    """{dropout}"""
    kept = words({purpose}, step, samples, units, layer)[0] / 2.0**32 >= {p!r}
    return torch.tensor(kept / (1.0 - {p!r}), dtype={dtype})
'''

_MINIBATCH = '''
def minibatch(step):
    """{minibatch}"""
    one_pass, place = divmod(step - 1, {passes})
    order = np.argsort(words({purpose}, one_pass, {samples})[0][:, 0], kind="stable")
    return order[place * {batch} : (place + 1) * {batch}]
'''


def chance_source(
    seed: int,
    *,
    noise: bool,
    uniform: bool,
    dropout: float,
    batch: int | None,
    weights: int,
    samples: int,
    dtype: str,
) -> list[str]:
    """The functions that a script needs for its chance; none if it needs none. weights: how many are perturbed."""
    found = []
    if noise:
        found.append(_NORMALS.format(normals=say("script.normals"), purpose=NOISE))
    if weights:
        found.append(_WEIGHT_NOISE.format(weight_noise=say("script.weight_noise"), purpose=WEIGHTS, weights=weights,
                                          blocks=-(-weights // 4)))  # fmt: skip
    if uniform:
        found.append(_UNIFORMS.format(uniforms=say("script.uniforms"), purpose=UNIFORM))
    if dropout:
        found.append(_DROPOUT.format(dropout=say("script.dropout"), purpose=DROPOUT, p=dropout, dtype=dtype))
    if batch is not None:
        text = say("script.minibatch", batch=batch)
        found.append(_MINIBATCH.format(minibatch=text, purpose=MINIBATCH, samples=samples, batch=batch,
                                       passes=-(-samples // batch)))  # fmt: skip
    if not found:
        return []
    return [_WORDS.format(words=say("script.words"), rounds=say("script.rounds"), seed=seed), *found]
