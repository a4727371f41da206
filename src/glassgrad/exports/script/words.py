"""Names that a script has for itself: a user's own name that is one of them gets an underscore."""

_OWN = """
    x net loss optimizer optim torch nn np sys math step losses criterion questions words normals uniforms dropout
    rows minibatch lazy_where activation output layer w state update Net Activation Output truth inputs observed x_all
    t_all key order place asked question numbers self file True False None print range list len int float super
    Part perturbed weight_noise all_weights
"""

RESERVED = frozenset(_OWN.split())
