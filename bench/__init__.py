"""How fast Glassgrad trains, measured beside its peers in one run: `python -m bench runs`, `python -m bench growth`.

Each competitor lives in a file of its own and in a process of its own, starts from the same first parameters and the
same data, and shows the final errors of its runs beside its speed. Libraries are imported where they are used: a
competitor whose library is not installed is left out and said so.
"""
