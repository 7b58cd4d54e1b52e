#!/usr/bin/env python3
"""Writes optimizers.json, clipping.json and schedules.json, beside this script, from PyTorch: see SOURCE.md.

    make_optim_reference.py            write the files
    make_optim_reference.py --check    write nothing, fail unless the files are what this script would write
"""
import itertools
import json
import pathlib
import sys
import warnings

import torch

sys.dont_write_bytecode = True  # leave no __pycache__ among the data
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from make_reference import CHANGE, STEPS, encode, generator, lines, sgd_loss, spell  # noqa: E402

KEPT = (1, 2, 3, 10, 50, CHANGE, CHANGE + 1, 150, STEPS)
NAMES = ('w', 'b', 'late', 'unused')
INF, NAN = float('inf'), float('nan')


def choices(**values):
    """All combinations, leaving out what is None."""
    for chosen in itertools.product(*values.values()):
        yield {key: value for key, value in zip(values, chosen) if value is not None}


ADAM = [*choices(weight_decay=(None, 0.03), amsgrad=(None, True), maximize=(None, True)),
        {'betas': [0.7, 0.9]}, {'eps': 1e-2}, {'betas': [0.0, 0.5], 'eps': 0.3, 'weight_decay': 0.1, 'amsgrad': True}]
RMSPROP = [*choices(weight_decay=(None, 0.03), momentum=(None, 0.9), centered=(None, True), maximize=(None, True)),
           {'alpha': 0.9}, {'eps': 1e-2}, {'alpha': 0.95, 'eps': 0.05, 'momentum': 0.5, 'centered': True}]
ADAGRAD = [*choices(weight_decay=(None, 0.03), lr_decay=(None, 0.01), initial_accumulator_value=(None, 0.1),
                    maximize=(None, True)),
           {'eps': 1e-2}]
SGD = [{'maximize': True}, {'maximize': True, 'momentum': 0.9, 'weight_decay': 0.1}]
RUNS = [(optimiser, rates, options)
        for optimiser, rates, list_of_options in (('Adam', (0.02, 0.005), ADAM), ('AdamW', (0.02, 0.005), ADAM),
                                                  ('RMSprop', (0.01, 0.003), RMSPROP),
                                                  ('Adagrad', (0.1, 0.04), ADAGRAD), ('SGD', (0.05, 0.02), SGD))
        for options in list_of_options]


def draw_problem():
    draw = generator('optim', 'problem')
    shapes = {'a': (7, 3), 'c': (7, 2), 'w': (3, 2), 'b': (2,), 'late': (2,), 'unused': (2,)}
    return {name: torch.randn(shape, generator=draw, dtype=torch.float64) for name, shape in shapes.items()}


def loss_of(problem, parameters, step, maximize):
    """What is to be maximised is its negative, or nothing would stay finite."""
    loss = sgd_loss(problem['a'], problem['c'], *parameters[:3], step)
    return -loss if maximize else loss


def trajectory(problem, optimiser, rates, options):
    """One group for w and late, another with half the rate for the rest."""
    parameters = [problem[name].clone().requires_grad_() for name in NAMES]
    groups = [{'params': [parameters[0], parameters[2]]}, {'params': [parameters[1], parameters[3]]}]
    opt = getattr(torch.optim, optimiser)(groups, lr=rates[0], foreach=False, **options)
    opt.param_groups[1]['lr'] = rates[0] / 2
    kept = []
    for step in range(1, STEPS + 1):
        if step == CHANGE + 1:
            opt.param_groups[0]['lr'] = rates[1]
        opt.zero_grad(set_to_none=True)
        loss_of(problem, parameters, step, options.get('maximize', False)).backward()
        opt.step()
        if step in KEPT:
            kept.append({'step': step, 'parameters': [encode(p) for p in parameters[:3]]})
    assert all(torch.isfinite(p).all() for p in parameters) and torch.equal(parameters[3], problem['unused'])
    return {'optimiser': optimiser, 'rates': list(rates), 'options': options, 'kept': kept}


# --- gradients that are no ordinary numbers ---
# No products that underflow to zero, nor differences of squares that overflow: there FMA makes a difference, in PyTorch
# too.
SPECIAL = [0.0, -0.0, INF, -INF, NAN, 1e200, -1e-200, 1e-310, 1e308, 1.0]
SPECIAL_CENTERED = [g if g not in (1e200, 1e308) else 1e150 for g in SPECIAL]
SPECIAL_RUNS = [('SGD', {'lr': 0.1, 'momentum': 0.9}), ('SGD', {'lr': 0.1, 'weight_decay': 0.1, 'maximize': True}),
                ('Adam', {}), ('Adam', {'amsgrad': True, 'weight_decay': 0.1}), ('Adam', {'eps': 0.0}),
                ('AdamW', {'amsgrad': True, 'maximize': True}), ('RMSprop', {}),
                ('RMSprop', {'momentum': 0.9, 'centered': True}), ('Adagrad', {}), ('Adagrad', {'eps': 0.0})]


def special(optimiser, options):
    """Three steps: by each special gradient, by one, by the special gradient again; from 1, -0 and infinity."""
    gradients = SPECIAL_CENTERED if 'centered' in options else SPECIAL
    start = torch.tensor([[1.0], [-0.0], [float('inf')]], dtype=torch.float64).repeat(1, len(gradients))
    gradient = torch.tensor(gradients, dtype=torch.float64).repeat(3, 1)
    parameter = start.clone().requires_grad_()
    opt = getattr(torch.optim, optimiser)([parameter], foreach=False, **{'lr': 0.01, **options})
    kept = []
    for g in (gradient, torch.ones_like(gradient), gradient):
        parameter.grad = g.clone()
        opt.step()
        kept.append(encode(parameter))
    return {'optimiser': optimiser, 'options': options, 'start': encode(start), 'gradient': encode(gradient),
            'kept': kept}


# --- clipping ---
def clipping(shapes, kind, bound, p, specials):
    draw = generator('clip', f'{shapes}')
    gradients = [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes]
    for at, value in specials.items():
        gradients[0].reshape(-1)[at] = value
    parameters = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    for parameter, g in zip(parameters, gradients):
        parameter.grad = g.clone()
    parameters.append(torch.zeros(2, dtype=torch.float64, requires_grad=True))  # without a gradient
    record = {'kind': kind, 'bound': spell(bound), 'gradients': [encode(g) for g in gradients]}
    if kind == 'norm':
        total = torch.nn.utils.clip_grad_norm_(parameters, bound, p)
        record |= {'norm_type': spell(p), 'total': spell(total.item())}
    else:
        torch.nn.utils.clip_grad_value_(parameters, bound)
    return record | {'clipped': [encode(x.grad) for x in parameters[:-1]]}


CLIPPING = [([(3, 2), (2,), ()], 'norm', bound, p, specials)
            for p in (1.0, 2.0, 3.0, 0.5, INF)
            for bound, specials in ((0.5, {}), (1e6, {}), (0.0, {}), (INF, {}), (1.0, {1: INF}), (1.0, {2: NAN}))]
CLIPPING += [([(3, 2), (2,), ()], 'value', bound, None, specials)
             for bound, specials in ((0.5, {}), (0.0, {}), (INF, {}), (1.0, {0: INF, 1: -INF, 2: NAN, 3: -0.0}))]


# --- schedules ---
def plateau_metric(step):
    """Falls, and then gets nowhere for a while, again and again; once NaN."""
    return NAN if step == 77 else 3.0 / (1 + step // 23) + 0.004 * ((step * 7) % 5) - 1e-5 * step


def scheduled(name, **options):
    return name, options


SCHEDULES = [
    ('SGD', [scheduled('StepLR', step_size=7, gamma=0.5)]),
    ('SGD', [scheduled('StepLR', step_size=30)]),
    ('SGD', [scheduled('MultiStepLR', milestones=[80, 30, 150, 30])]),
    ('SGD', [scheduled('MultiStepLR', milestones=[0, 1, 200], gamma=0.3)]),
    ('SGD', [scheduled('ExponentialLR', gamma=0.97)]),
    ('SGD', [scheduled('CosineAnnealingLR', T_max=200)]),
    ('SGD', [scheduled('CosineAnnealingLR', T_max=37, eta_min=0.01)]),
    ('SGD', [scheduled('CosineAnnealingLR', T_max=1, eta_min=0.01)]),
    ('SGD', [scheduled('LinearLR')]),
    ('SGD', [scheduled('LinearLR', start_factor=0.1, end_factor=0.6, total_iters=40)]),
    ('SGD', [scheduled('LinearLR', start_factor=1.0, end_factor=0.0, total_iters=150)]),
    ('SGD', [scheduled('LinearLR', start_factor=0.1, total_iters=20), scheduled('CosineAnnealingLR', T_max=90)]),
    ('SGD', [scheduled('StepLR', step_size=9, gamma=0.9), scheduled('ExponentialLR', gamma=0.99)]),
    *[(optimiser, [scheduled('OneCycleLR', max_lr=0.5, total_steps=200, **options)])
      for optimiser, options in (
          ('SGD', {}), ('Adam', {}), ('RMSprop', {'anneal_strategy': 'linear'}), ('SGD', {'three_phase': True}),
          ('AdamW', {'three_phase': True, 'anneal_strategy': 'linear', 'pct_start': 0.4}),
          ('RMSprop', {'cycle_momentum': False, 'pct_start': 0.0}), ('SGD', {'pct_start': 0.9}),
          ('Adam', {'base_momentum': 0.7, 'max_momentum': 0.8, 'div_factor': 10.0, 'final_div_factor': 100.0}))],
    ('SGD', [scheduled('OneCycleLR', max_lr=[0.5, 0.1], total_steps=150, base_momentum=[0.8, 0.7],
                      max_momentum=[0.9, 0.95])]),
    *[('SGD', [scheduled('ReduceLROnPlateau', **options)])
      for options in ({}, {'patience': 2, 'factor': 0.5}, {'patience': 0, 'cooldown': 4, 'factor': 0.8},
                      {'mode': 'max', 'patience': 3, 'factor': 0.7}, {'threshold': 0.2, 'factor': 0.7, 'patience': 5},
                      {'threshold': 0.3, 'threshold_mode': 'abs', 'factor': 0.7, 'patience': 4},
                      {'mode': 'max', 'threshold': 0.1, 'threshold_mode': 'abs', 'factor': 0.9, 'patience': 1},
                      {'min_lr': [0.01, 0.002], 'factor': 0.5, 'patience': 1},
                      {'eps': 0.0051, 'factor': 0.5, 'patience': 1})],
]
KEPT_RATES = {*range(12), *range(12, 200, 9), 29, 30, 31, 36, 37, 38, 39, 58, 59, 60, 73, 74, 75, 79, 80, 81, 148, 149,
              150, 151, 198, 199, 200}


def schedule_trajectory(optimiser, schedules):
    """last_lr of two groups after each step (0: when all were made), and under OneCycleLR their momenta."""
    groups = [{'params': [torch.zeros(1, requires_grad=True)], 'lr': lr} for lr in (0.1, 0.02)]
    momentum = {'momentum': 0.5} if optimiser in ('SGD', 'RMSprop') else {}
    opt = getattr(torch.optim, optimiser)(groups, lr=0.1, **momentum)
    made = [getattr(torch.optim.lr_scheduler, name)(opt, **options) for name, options in schedules]
    one_cycle = any(name == 'OneCycleLR' for name, _ in schedules)
    steps = min([STEPS] + [schedule.total_steps for schedule in made if hasattr(schedule, 'total_steps')])
    kept = []
    for step in range(steps + 1):
        if step > 0:
            opt.step()
            for schedule, (name, _) in zip(made, schedules):
                schedule.step(*([plateau_metric(step)] if name == 'ReduceLROnPlateau' else []))
        if step in KEPT_RATES or step == steps:
            record = {'step': step, 'lr': [g['lr'] for g in opt.param_groups]}
            if one_cycle:
                record['momentum'] = [g['betas'][0] if 'betas' in g else g['momentum'] for g in opt.param_groups]
            kept.append(record)
    return {'optimiser': optimiser, 'schedules': [{'name': name, 'options': options} for name, options in schedules],
            'kept': kept}


def main():
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    head = {'made by': f'make_optim_reference.py with PyTorch {torch.__version__}'}
    problem = draw_problem()
    files = {
        'optimizers.json': lines(
            head | {'problem': {name: encode(x) for name, x in problem.items()}, 'steps': STEPS, 'change_after': CHANGE,
                    'special': [special(*run) for run in SPECIAL_RUNS]},
            'runs', [trajectory(problem, *run) for run in RUNS]),
        'clipping.json': lines(head, 'runs', [clipping(*run) for run in CLIPPING]),
        'schedules.json': lines(
            head | {'steps': STEPS, 'rates': [0.1, 0.02], 'momentum': 0.5,
                    'metric': [spell(plateau_metric(step)) for step in range(1, STEPS + 1)]},
            'runs', [schedule_trajectory(*run) for run in SCHEDULES]),
    }
    for name, text in files.items():
        path = HERE / name
        json.loads(text)
        if '--check' not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f'{path} is not what this script writes with PyTorch {torch.__version__}')
        print(f'{name}: {len(text)} bytes')


if __name__ == '__main__':
    main()
