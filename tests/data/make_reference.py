#!/usr/bin/env python3
"""Writes reference.json and sgd_reference.json, beside this script, from PyTorch: see SOURCE.md.

    make_reference.py            write both files
    make_reference.py --check    write nothing, fail unless the files are what this script would write
"""
import itertools
import json
import math
import pathlib
import sys
import zlib

import torch

sys.dont_write_bytecode = True  # leave no __pycache__ among the data
import reference_cases_functions  # noqa: E402, F401
import reference_cases_indexing  # noqa: E402, F401
import reference_cases_linalg  # noqa: E402, F401
import reference_cases_nn  # noqa: E402, F401
from reference_cases import CASES  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SMALLEST = 1e-6  # results that are all roundoff can't be compared relative to their own size


def generator(name, purpose):
    return torch.Generator().manual_seed(zlib.crc32(f'{name}/{purpose}'.encode()))


def spell(number):
    """JSON has no infinities: they and NaN are strings. Python writes the shortest digits that read back exactly."""
    if math.isnan(number):
        return 'nan'
    return number if math.isfinite(number) else ('inf' if number > 0 else '-inf')


def encode(tensor):
    assert tensor.dtype == torch.float64
    return {'shape': list(tensor.shape), 'data': [spell(x) for x in tensor.detach().reshape(-1).tolist()]}


def check_scale(name, what, tensor):
    finite = tensor[torch.isfinite(tensor)].abs()
    largest = finite.max().item() if finite.numel() else 0.0
    assert largest == 0.0 or largest >= SMALLEST, f'{name}: {what} is at most {largest}: roundoff?'


def derivatives(outputs, inputs, seed=None, **options):
    """torch.autograd.grad, with zeros, in memory, where an output doesn't depend on an input."""
    if not outputs.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(outputs, inputs, seed, allow_unused=True, **options)
    return [torch.zeros_like(x) if g is None or g._is_zerotensor() else g for g, x in zip(found, inputs)]


def evaluate(name, function, recipes, second, tail):
    draw = generator(name, 'inputs')
    inputs = [recipe.draw(draw) for recipe in recipes]
    wanted = [x.requires_grad_() for x, recipe in zip(inputs, recipes) if not recipe.constant]
    value = function(*inputs)
    seed = None
    if value.dim() > 0:
        seed = torch.randn(value.shape, generator=generator(name, 'seed'), dtype=torch.float64)
    gradients = derivatives(value, wanted, seed, create_graph=True)
    record = {'name': name,
              'inputs': [encode(x) | ({'constant': True} if r.constant else {}) for x, r in zip(inputs, recipes)],
              'value': encode(value)}
    if seed is not None:
        record['seed'] = encode(seed)
    record['gradients'] = [encode(g) for g in gradients]
    results = [('value', value)] + [('gradient', g) for g in gradients]
    if second:
        draw = generator(name, 'weights')
        weights = [torch.randn(x.shape, generator=draw, dtype=torch.float64) for x in wanted]
        total = sum((w * g).sum() for w, g in zip(weights, gradients))
        seconds = derivatives(total, wanted)
        if any(torch.isfinite(s).all() for s in seconds):
            record['weights'] = [encode(w) for w in weights]
            record['second'] = [encode(s) if torch.isfinite(s).all() else None for s in seconds]
            results += [('second derivative', s) for s in seconds]
    if not tail:
        for what, tensor in results:
            check_scale(name, what, tensor)
    return record


# --- SGD ---
STEPS, CHANGE, RATES = 200, 100, (0.05, 0.02)
KEPT = (1, 2, 3, 5, 10, 11, 50, 100, 101, 102, 150, 200)


def uses_late(step):
    """Now and then, and not from the start: a parameter without a gradient must be left alone, its velocity too."""
    return step >= 5 and step % 3 != 0


def sgd_loss(a, c, w, b, late, step):
    residual = a @ w + b - c
    loss = residual.square().mean() + 0.1 * torch.sin(3.0 * w).sum() + 0.05 * torch.tanh(w * b).square().sum()
    return loss + (late - 0.5).square().sum() + 0.3 * (late * b).cos().sum() if uses_late(step) else loss


def sgd_trajectory(problem, options):
    a, c = problem['a'], problem['c']
    parameters = [problem[name].clone().requires_grad_() for name in ('w', 'b', 'late', 'unused')]
    optimiser = torch.optim.SGD(parameters, lr=RATES[0], **options)
    kept = []
    for step in range(1, STEPS + 1):
        if step == CHANGE + 1:
            optimiser.param_groups[0]['lr'] = RATES[1]
        optimiser.zero_grad(set_to_none=True)
        loss = sgd_loss(a, c, *parameters[:3], step)
        loss.backward()
        optimiser.step()
        if step in KEPT:
            kept.append({'step': step, 'loss': spell(loss.item()), 'parameters': [encode(p) for p in parameters]})
    assert torch.equal(parameters[3], problem['unused'])
    return kept


def sgd_reference():
    draw = generator('sgd', 'problem')
    shapes = {'a': (7, 3), 'c': (7, 2), 'w': (3, 2), 'b': (2,), 'late': (2,), 'unused': (2,)}
    problem = {name: torch.randn(shape, generator=draw, dtype=torch.float64) for name, shape in shapes.items()}
    runs = []
    choices = itertools.product((0.0, 0.9), (0.0, 0.3), (0.0, 0.01), (False, True))
    for momentum, dampening, weight_decay, nesterov in choices:
        if nesterov and (momentum == 0.0 or dampening != 0.0):
            continue  # PyTorch refuses these
        options = dict(momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
        runs.append({'options': options, 'kept': sgd_trajectory(problem, options)})
    return {'problem': {name: encode(x) for name, x in problem.items()}, 'steps': STEPS, 'change_after': CHANGE,
            'rates': list(RATES)}, runs


def lines(head, key, records):
    """JSON with one record a line, so that a changed case is one changed line."""
    start = json.dumps(head)[:-1]
    return start + f', "{key}": [\n' + ',\n'.join(json.dumps(r, allow_nan=False) for r in records) + '\n]}\n'


def main():
    torch.set_num_threads(1)
    head = {'made by': f'make_reference.py with PyTorch {torch.__version__}'}
    files = {'reference.json': lines(head, 'cases', [evaluate(name, *parts) for name, parts in CASES.items()])}
    sgd_head, runs = sgd_reference()
    files['sgd_reference.json'] = lines(head | sgd_head, 'runs', runs)
    for name, text in files.items():
        path = HERE / name
        if '--check' not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f'{path} is not what this script writes with PyTorch {torch.__version__}')
        print(f'{name}: {len(text)} bytes')
    print(f'{len(CASES)} expressions, {len(runs)} trajectories')


if __name__ == '__main__':
    main()
