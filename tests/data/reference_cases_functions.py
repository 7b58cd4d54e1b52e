"""Elementwise functions and reductions: see reference_cases.py."""
import torch
import torch.nn.functional as F

from reference_cases import away_from_zero, case, exact, inf, normal, positive, t, uniform

FUNCTIONS = {
    'exp2': (torch.exp2, normal), 'expm1': (torch.expm1, normal), 'log2': (torch.log2, positive),
    'log10': (torch.log10, positive), 'log1p': (torch.log1p, positive), 'rsqrt': (torch.rsqrt, positive),
    'cube': (lambda x: x ** 3, normal), 'reciprocal': (torch.reciprocal, away_from_zero),
    'cbrt': (lambda x: x.sign() * x.abs().pow(t(1.0) / 3), away_from_zero),
    'tan': (torch.tan, lambda *s: uniform(-1.2, 1.2, *s)), 'asin': (torch.asin, lambda *s: uniform(-0.9, 0.9, *s)),
    'acos': (torch.acos, lambda *s: uniform(-0.9, 0.9, *s)), 'atan': (torch.atan, normal),
    'sinh': (torch.sinh, normal), 'cosh': (torch.cosh, normal), 'asinh': (torch.asinh, normal),
    'acosh': (torch.acosh, lambda *s: uniform(1.1, 4.0, *s)), 'atanh': (torch.atanh, lambda *s: uniform(-0.9, 0.9, *s)),
    'erf': (torch.erf, normal), 'erfc': (torch.erfc, normal), 'log_sigmoid': (F.logsigmoid, normal), 'softplus': (F.softplus, normal),
    'gelu': (F.gelu, normal), 'silu': (F.silu, normal)}
for op, (f, draw) in FUNCTIONS.items():
    case(op, f, draw(3, 7))
    case(f'{op} 0-d', f, draw())
# PyTorch's trigamma is right to 1e-9 only: what leads there is compared elsewhere, to mpmath.
case('lgamma', torch.lgamma, positive(3, 7), second=False)
case('lgamma left of 0', torch.lgamma, uniform(-2.8, -2.2, 5), second=False)
case('polygamma 2', lambda x: torch.polygamma(2, x), positive(5))
case('polygamma 4', lambda x: torch.polygamma(4, x), positive(5))
case('leaky_relu', lambda x: F.leaky_relu(x, 0.2), normal(3, 7))
case('leaky_relu at 0', lambda x: F.leaky_relu(x, 0.2), exact([-1.0, 0.0, 2.0]))
case('elu', lambda x: F.elu(x, 1.5), normal(3, 7))
case('elu at 0', lambda x: F.elu(x, 1.5), exact([-1.0, 0.0, 2.0]), second=False)
case('clip', lambda x: torch.clamp(x, -0.5, 0.75), normal(3, 7))
case('clip at its bounds', lambda x: torch.clamp(x, -1.0, 2.0), exact([-1.0, 0.0, 2.0]))
for op, f in {'sign': torch.sign, 'floor': torch.floor, 'ceil': torch.ceil, 'round': torch.round,
              'trunc': torch.trunc}.items():
    case(f'{op} times x', lambda x, f=f: f(3 * x) * x, normal(3, 7))
case('round halves', lambda x: torch.round(x) * x, exact([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]))
case('gelu far out', F.gelu, exact([-6.0, -5.5, 6.0]), tail=True)
case('silu far out', F.silu, exact([-40.0, 40.0]), tail=True, second=False)
case('softplus far out', F.softplus, exact([-30.0, 15.0]), tail=True)  # PyTorch's is linear beyond 20
case('log_sigmoid far out', F.logsigmoid, exact([-50.0, 5.0]))

for op, f in {'atan2': torch.atan2, 'hypot': torch.hypot, 'logaddexp': torch.logaddexp}.items():
    case(f'{op} same shape', f, away_from_zero(3, 4), away_from_zero(3, 4))
    case(f'{op} (3,1) (4)', f, away_from_zero(3, 1), away_from_zero(4))
    case(f'{op} tensor scalar', lambda x, f=f: f(x, t(0.7)), away_from_zero(2, 3))
    case(f'{op} scalar tensor', lambda x, f=f: f(t(0.7), x), away_from_zero(2, 3))
case('fmod', torch.fmod, normal(3, 4), away_from_zero(3, 4), second=False)
case('logaddexp of equals', torch.logaddexp, exact([1.0, -2.0]), exact([1.0, -2.0]))

# --- reductions ---
EVERY = {'amin': torch.amin, 'prod': torch.prod, 'norm_l1': lambda x: x.abs().sum(), 'norm_l2': lambda x: x.norm(),
         'norm_sq': lambda x: x.square().sum(), 'variance': lambda x: x.var(unbiased=False),
         'stddev': lambda x: x.std(unbiased=False)}
ALONG = {'amin': torch.amin, 'prod': lambda x, axis: x.prod(axis), 'norm_l1': lambda x, axis: x.abs().sum(axis),
         'norm_l2': lambda x, axis: x.norm(dim=axis), 'norm_sq': lambda x, axis: x.square().sum(axis),
         'variance': lambda x, axis: x.var(axis, unbiased=False), 'stddev': lambda x, axis: x.std(axis, unbiased=False)}
for op, f in EVERY.items():
    case(f'{op} all', f, normal(2, 3, 4))
    case(f'{op} axis 1', lambda x, f=ALONG[op]: f(x, 1), normal(2, 3, 4))
    case(f'{op} axis -1', lambda x, f=ALONG[op]: f(x, -1), normal(3, 7))
case('variance ddof 1', lambda x: x.var((0, 2), unbiased=True), normal(2, 3, 4))
case('stddev ddof 1', lambda x: x.std(0, unbiased=True), normal(5, 3))
case('prod with a zero', lambda x: x.prod(), exact([2.0, 0.0, 3.0, -1.5]))
case('prod with two zeros', lambda x: x.prod(), exact([2.0, 0.0, 3.0, 0.0]), second=False)
case('prod axis 0 with zeros', lambda x: x.prod(0), exact([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [3.0, 4.0, 5.0]]), second=False)
case('amin ties', torch.amin, exact([[1.0, 3.0, 1.0], [3.0, 2.0, 4.0]]))
