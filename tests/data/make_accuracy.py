#!/usr/bin/env python3
"""Writes accuracy.json, beside this script: elementwise functions at points over their whole domains, to 50 digits by
mpmath (Debian's python3-mpmath 1.2.1), each result as the sum of two doubles, the second to 3 digits.

The gamma function's logarithm and its derivatives are also asked at the numbers around their roots left of 0, where
terms cancel, and next to their poles.

    /usr/bin/python3 make_accuracy.py
"""
import json
import math
import pathlib
import random
import struct

from mpmath import mp, mpf
import mpmath as m

mp.dps = 50
POINTS = 48
HUGE = {'float': 127.9, 'double': 1023.9}
TINY = {'float': -149, 'double': -1074}
LARGEST = {'float': 3.4028234663852886e38, 'double': 1.7976931348623157e308}


def to_float(x):
    return struct.unpack('f', struct.pack('f', x))[0]


def two_doubles(y):
    high = float(y)
    return high, 0.0 if math.isinf(high) or math.isnan(high) else float(f'{float(y - mpf(high)):.3g}')


def line(name, kind, xs, ys, **more):
    """Of a function of xs, or of the pairs in xs."""
    pairs = isinstance(xs[0], tuple)
    inputs = {'a': [x[0] for x in xs], 'b': [x[1] for x in xs]} if pairs else {'x': xs}
    ys = [two_doubles(y) for y in ys]
    return {'name': name, 'type': kind} | more | inputs | {'y': [y[0] for y in ys], 'rest': [y[1] for y in ys]}


sigmoid = lambda x: 1 / (1 + m.exp(-x))
FUNCTIONS = {
    'exp': m.exp, 'exp2': lambda x: mpf(2) ** x, 'expm1': m.expm1, 'log': m.log, 'log2': lambda x: m.log(x) / m.log(2),
    'log10': m.log10, 'log1p': m.log1p, 'square': lambda x: x * x, 'cube': lambda x: x ** 3, 'sqrt': m.sqrt,
    'rsqrt': lambda x: 1 / m.sqrt(x), 'cbrt': lambda x: m.sign(x) * m.cbrt(abs(x)), 'reciprocal': lambda x: 1 / x,
    'sin': m.sin, 'cos': m.cos, 'tan': m.tan, 'asin': m.asin, 'acos': m.acos, 'atan': m.atan, 'sinh': m.sinh,
    'cosh': m.cosh, 'tanh': m.tanh, 'asinh': m.asinh, 'acosh': m.acosh, 'atanh': m.atanh, 'erf': m.erf,
    'erfc': m.erfc, 'lgamma': lambda x: m.log(abs(m.gamma(x))) if abs(x) < 1e4 else m.loggamma(x),
    'digamma': lambda x: m.psi(0, x), 'sigmoid': sigmoid, 'log_sigmoid': lambda x: -m.log1p(m.exp(-x)),
    'softplus': lambda x: m.log1p(m.exp(x)), 'normal_cdf': lambda x: m.erfc(-x / m.sqrt(2)) / 2,
    'gelu': lambda x: x * m.erfc(-x / m.sqrt(2)) / 2, 'silu': lambda x: x * sigmoid(x)}
POSITIVE = {'log', 'log2', 'log10', 'sqrt', 'rsqrt', 'lgamma', 'digamma', 'acosh'}
# Beyond these magnitudes results are 0, infinite, or the argument itself.
WITHIN = {'exp': 750, 'exp2': 1080, 'expm1': 720, 'sinh': 711, 'cosh': 711, 'tanh': 30, 'erf': 7, 'erfc': 28,
          'sigmoid': 746, 'log_sigmoid': 746, 'softplus': 746, 'normal_cdf': 39, 'gelu': 39, 'silu': 746, 'asin': 1,
          'acos': 1, 'atanh': 1, 'lgamma': 1e30, 'digamma': 1e30, 'sin': 1e9, 'cos': 1e9, 'tan': 1e9}
WITHIN_FLOAT = {'exp': 104, 'exp2': 150, 'expm1': 89, 'sinh': 89, 'cosh': 89, 'erfc': 10.1, 'sigmoid': 104,
                'log_sigmoid': 104, 'softplus': 104, 'normal_cdf': 14.1, 'gelu': 14.1, 'silu': 104}
PAIRS = {'pow': lambda a, b: a ** b, 'atan2': m.atan2, 'hypot': m.hypot, 'fmod': lambda a, b: m.sign(a) * m.fmod(abs(a), abs(b))}


def points(name, kind, draw):
    bound = WITHIN_FLOAT.get(name, WITHIN.get(name, LARGEST[kind])) if kind == 'float' else WITHIN.get(name, LARGEST[kind])
    top = math.log2(bound)
    xs = []
    while len(xs) < POINTS:
        exponent = draw.uniform(max(-30, TINY[kind]), min(top, 40)) if len(xs) % 2 else draw.uniform(TINY[kind] + 1, top)
        x = draw.uniform(0.5, 1.0) * 2.0 ** exponent
        if name == 'acosh':
            x = 1 + x
        if name not in POSITIVE and draw.random() < 0.5:
            x = -x
        if name == 'log1p' and x <= -1:
            x = -1 / (1 - x)
        if kind == 'float':
            x = to_float(x)
        if x != 0 and abs(x) <= bound:
            xs.append(x)
    return xs


STEPS = (0, 1, -1, 2, -2, 10, -10, 1000, -1000)


def neighbour(x, steps, kind):
    """That many numbers of the kind further from 0."""
    real, whole = ('f', 'i') if kind == 'float' else ('d', 'q')
    return struct.unpack(real, struct.pack(whole, struct.unpack(whole, struct.pack(real, x))[0] + steps))[0]


def root(f, low, high, kind):
    """A number of the kind next to the root of f, which rises from low to high."""
    while True:
        middle = (low + high) / 2
        middle = to_float(middle) if kind == 'float' else middle
        if not low < middle < high:
            return high
        low, high = (middle, high) if f(mpf(middle)) < 0 else (low, middle)


def negative_lgamma(x):
    return m.log(m.pi / abs(m.sinpi(x))) - m.loggamma(1 - x)


def negative_polygamma(n, x):
    """By the reflection's n-th derivative, as a polynomial in cot(pi x)."""
    coefficients = [mpf(0), m.pi]
    for _ in range(n):
        following = [mpf(0)] * (len(coefficients) + 1)
        for k in range(1, len(coefficients)):
            following[k - 1] -= m.pi * k * coefficients[k]
            following[k + 1] -= m.pi * k * coefficients[k]
        coefficients = following
    return (-1) ** n * m.psi(n, 1 - x) - m.polyval(coefficients[::-1], m.cospi(x) / m.sinpi(x))


def left_of_0(roots, kind, draw):
    """The numbers around roots and poles, and a spread over the exponents."""
    near = roots + [-1.0, -2.0, -3.0, -10.0, -100.0, -1000.0, -1e6, -1e12]
    xs = [neighbour(x, step, kind) for x in near for step in STEPS]
    xs += [-draw.uniform(0.5, 1.0) * 2.0 ** draw.uniform(-60, 23 if kind == 'float' else 52) for _ in range(POINTS)]
    xs = [to_float(x) for x in xs] if kind == 'float' else xs
    return [x for x in xs if x != math.floor(x)]


def gamma_lines(kind):
    draw = random.Random(f'left of 0/{kind}')
    with mp.workdps(80):
        digamma = lambda x: negative_polygamma(0, x)
        intervals = [*range(200), 1000, 10 ** 6] + ([10 ** 12] if kind == 'double' else [])
        xs = left_of_0([root(digamma, -n - 1.0, -float(n), kind) for n in intervals], kind, draw)
        yield line('digamma', kind, xs, [digamma(mpf(x)) for x in xs], where='left of 0')

        falling = lambda x: -negative_lgamma(x)
        roots = [root(falling, -n - 1.0, -n - 0.5, kind) for n in range(2, 20)]
        roots += [root(negative_lgamma, -n - 0.5, -float(n), kind) for n in range(2, 20)]
        xs = left_of_0(roots, kind, draw)
        xs += [-draw.uniform(0.0, 10.0) for _ in range(1000)] if kind == 'double' else []
        yield line('lgamma', kind, xs, [negative_lgamma(mpf(x)) for x in xs], where='left of 0')

        pairs = []  # of one order for many elements, as lanes want them
        for n in range(1, 9):
            xs = [sign * draw.uniform(0.5, 1.0) * 2.0 ** draw.uniform(-10, 10) for sign in (1, -1) for _ in range(32)]
            xs = [to_float(x) for x in xs] if kind == 'float' else xs
            for k in (0, 1, 2, 10) if n % 2 == 0 else ():
                at = root(lambda x: negative_polygamma(n, x), -k - 1.0, -float(k), kind)
                xs += [neighbour(at, step, kind) for step in (0, 1, -1, 10)]
            pairs += [(float(n), x) for x in xs]
        ys = [m.psi(int(n), mpf(x)) if x > 0 else negative_polygamma(int(n), mpf(x)) for n, x in pairs]
        yield line('polygamma', kind, pairs, ys)


def main():
    lines = []
    for kind in ('float', 'double'):
        for name, f in FUNCTIONS.items():
            draw = random.Random(f'{name}/{kind}')
            xs = points(name, kind, draw)
            with mp.workdps(400 if name in ('erfc', 'normal_cdf', 'gelu', 'expm1', 'log_sigmoid', 'softplus') else 80):
                lines.append(line(name, kind, xs, [f(mpf(x)) for x in xs]))
        for name, f in PAIRS.items():
            draw = random.Random(f'{name}/{kind}')
            xs, ys = [], []
            while len(xs) < POINTS:
                x = draw.uniform(0.5, 1.0) * 2.0 ** draw.uniform(-60, 60)
                z = draw.uniform(0.5, 1.0) * 2.0 ** draw.uniform(*((-6, 4) if name == 'pow' else (-60, 60)))
                if name != 'pow' and draw.random() < 0.5:
                    x = -x
                if draw.random() < 0.5:
                    z = -z
                x, z = (to_float(x), to_float(z)) if kind == 'float' else (x, z)
                with mp.workdps(120):
                    y = f(mpf(x), mpf(z))
                if y != 0 and not 1e-36 < abs(y) < 1e38:
                    continue
                xs.append((x, z)), ys.append(y)
            lines.append(line(name, kind, xs, ys))
        lines += gamma_lines(kind)
    text = '[\n' + ',\n'.join(json.dumps(entry).replace('-Infinity', '"-inf"').replace('Infinity', '"inf"') for entry in lines) + '\n]\n'
    (pathlib.Path(__file__).parent / 'accuracy.json').write_text(text)
    print(len(text), 'bytes')


main()
