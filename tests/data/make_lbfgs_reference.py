#!/usr/bin/env python3
"""Writes lbfgs_reference.json, beside this script, from PyTorch: see SOURCE.md.

    make_lbfgs_reference.py            write the file
    make_lbfgs_reference.py --check    write nothing, fail unless the file is what this script would write
"""
import sys

import torch

sys.dont_write_bytecode = True  # leave no __pycache__ among the data
from make_reference import HERE, encode, generator, lines, spell  # noqa: E402

WOLFE = 'strong_wolfe'
# (problem, calls of step, options that are not the default)
RUNS = [
    ('rosenbrock', 4, {'max_iter': 8}),
    ('rosenbrock', 8, {'lr': 0.5, 'max_iter': 4, 'max_eval': 3, 'history_size': 2}),
    ('rosenbrock', 4, {'line_search_fn': WOLFE}),
    ('rosenbrock', 8, {'lr': 0.3, 'max_iter': 4, 'max_eval': 7, 'history_size': 3, 'line_search_fn': WOLFE}),
    ('rosenbrock', 6, {'lr': 20.0, 'max_iter': 5, 'history_size': 5, 'line_search_fn': WOLFE}),
    ('logistic', 3, {}),
    ('logistic', 6, {'lr': 0.7, 'max_iter': 4, 'history_size': 2}),
    ('logistic', 3, {'lr': 0.8, 'tolerance_grad': 1e-3}),
    ('logistic', 3, {'lr': 0.8, 'tolerance_change': 1e-4}),
    ('logistic', 3, {'line_search_fn': WOLFE}),
    ('logistic', 6, {'lr': 0.01, 'max_iter': 3, 'history_size': 1, 'line_search_fn': WOLFE}),
    *[('wavy', 3, {'lr': lr, 'max_iter': 3, 'line_search_fn': WOLFE}) for lr in (1.0, 10.0, 40.0, 150.0, 400.0, 1e3, 3e3)],
    *[('steep', 3, {'lr': lr, 'max_iter': 4, 'line_search_fn': WOLFE}) for lr in (0.1, 1.0, 4.0, 10.0, 20.0, 50.0, 100.0, 300.0)],
    ('wavy', 3, {'lr': 0.5, 'max_iter': 3, 'tolerance_change': 1e-2}),
    ('kinked', 4, {'max_iter': 3, 'line_search_fn': WOLFE}),  # no point of it is flat enough
    ('falling', 1, {'max_iter': 1, 'line_search_fn': WOLFE}),  # nor has it a minimum
]


def rosenbrock(problem, x, y):
    return (100.0 * (y - x.square()).square() + (1.0 - x).square()).sum()


def logistic(problem, w, b):
    """Cross-entropy with a small penalty, so that there is one minimum."""
    z = problem['inputs'] @ w + b
    return torch.nn.functional.softplus(z).mean() - (problem['labels'] * z).mean() + 0.01 * w.square().sum()


def kinked(problem, x, y):
    return x.abs().sum() + 3.0 * (y + 0.1 * x).abs().sum() + 0.01 * y.square().sum()


def falling(problem, x, y):
    return -(1.0 + x.square()).pow(0.75).sum() - 2.0 * (1.0 + y.square()).pow(0.75).sum()


def wavy(problem, x, y):
    """Shallow, with many minima."""
    waves = torch.sin(3.0 * x) + 0.2 * x.square() + 2.0 * torch.sin(2.0 * y + x)
    return 0.02 * waves.sum() + 0.005 * y.square().sum()


def steep(problem, x, y):
    """Like no cubic: a slope on one side and a wall on the other."""
    return (torch.exp(2.0 * x) - 6.0 * x + torch.exp(-1.5 * y) + y + 0.1 * (x * y).square()).sum()


def problems():
    draw = generator('lbfgs', 'problem')
    inputs = torch.randn((20, 4), generator=draw, dtype=torch.float64) * torch.tensor([1.0, 3.0, 0.3, 1.0]).double()
    noise = torch.randn((20,), generator=draw, dtype=torch.float64)
    labels = (inputs[:, 0] - 0.5 * inputs[:, 1] + inputs[:, 3] + noise > 0).double()
    pair = [torch.tensor([-1.2, 0.5]).double(), torch.tensor([1.0, 2.0]).double()]
    return {'rosenbrock': {'start': pair}, 'wavy': {'start': pair}, 'steep': {'start': pair},
            'kinked': {'start': pair}, 'falling': {'start': pair},
            'logistic': {'start': [torch.zeros(4).double(), torch.zeros(()).double()],
                         'inputs': inputs, 'labels': labels}}


def trajectory(name, problem, calls, options):
    parameters = [x.clone().requires_grad_() for x in problem['start']]
    optimiser = torch.optim.LBFGS(parameters, **options)
    loss_of = {f.__name__: f for f in (rosenbrock, logistic, wavy, steep, kinked, falling)}[name]

    def closure():
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(problem, *parameters)
        loss.backward()
        return loss

    kept = []
    for _ in range(calls):
        loss = optimiser.step(closure)
        state = optimiser.state[parameters[0]]
        kept.append({'loss': spell(loss.item()), 'evaluations': state['func_evals'],
                     'parameters': [encode(p) for p in parameters]})
    return kept


def main():
    torch.set_num_threads(1)
    given = problems()
    encoded = {name: {key: [encode(y) for y in x] if isinstance(x, list) else encode(x) for key, x in problem.items()}
               for name, problem in given.items()}
    runs = [{'problem': name, 'options': options, 'kept': trajectory(name, given[name], calls, options)}
            for name, calls, options in RUNS]
    head = {'made by': f'make_lbfgs_reference.py with PyTorch {torch.__version__}', 'problems': encoded}
    path, text = HERE / 'lbfgs_reference.json', lines(head, 'runs', runs)
    if '--check' not in sys.argv[1:]:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        sys.exit(f'{path} is not what this script writes with PyTorch {torch.__version__}')
    print(f'{path.name}: {len(text)} bytes, {len(runs)} trajectories')


if __name__ == '__main__':
    main()
