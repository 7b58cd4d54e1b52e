"""The expressions whose values and derivatives make_reference.py records, as PyTorch spells them.

Every case has a lambda of the same name in tests/autograd/reference_expressions.hpp, as xtape spells it. An input is
a recipe that draws from the case's own generator, so that adding or removing a case changes no other case's numbers.
"""
import math

import torch
import torch.nn.functional as F

CASES = {}


def case(name, function, *inputs, second=True, tail=False):
    """second=False: PyTorch has a second derivative here, but mathematics or xtape's conventions differ from it.
    tail=True: results may be tiny on purpose."""
    assert name not in CASES, name
    CASES[name] = (function, inputs, second, tail)


class Input:
    def __init__(self, draw, constant=False):
        self.draw, self.constant = draw, constant


def normal(*shape):
    return Input(lambda g: torch.randn(shape, generator=g, dtype=torch.float64))


def uniform(low, high, *shape):
    return Input(lambda g: low + (high - low) * torch.rand(shape, generator=g, dtype=torch.float64))


def positive(*shape):
    return uniform(0.3, 2.5, *shape)


def away_from_zero(*shape):
    """Both signs, at least 0.4 in magnitude: for denominators."""
    return Input(lambda g: (0.4 + 1.6 * torch.rand(shape, generator=g, dtype=torch.float64))
                 * (2.0 * torch.randint(0, 2, shape, generator=g) - 1.0))


def exact(values):
    return Input(lambda g: torch.tensor(values, dtype=torch.float64))


def data(recipe):
    """An input that wants no gradient."""
    return Input(recipe.draw, constant=True)


def probabilities(*shape):
    return Input(lambda g: torch.softmax(torch.randn(shape, generator=g, dtype=torch.float64), -1))


inf = math.inf
t = lambda value: torch.tensor(value, dtype=torch.float64)

# --- arithmetic and broadcasting ---
BINARY = {'add': torch.add, 'sub': torch.sub, 'mul': torch.mul, 'div': torch.div}
for op, f in BINARY.items():
    right = away_from_zero if op == 'div' else normal
    case(f'{op} same shape', f, normal(3, 4), right(3, 4))
    case(f'{op} (3,1) (1,4)', f, normal(3, 1), right(1, 4))
    case(f'{op} (2,3,4) (4)', f, normal(2, 3, 4), right(4))
    case(f'{op} (4) (2,1,4)', f, normal(4), right(2, 1, 4))
    case(f'{op} 0-d 0-d', f, normal(), right())
    case(f'{op} 0-d (2,3)', f, normal(), right(2, 3))
    case(f'{op} (2,3) 0-d', f, normal(2, 3), right())
    case(f'{op} (0,3) (3)', f, normal(0, 3), right(3))
    case(f'{op} tensor scalar', lambda x, f=f: f(x, t(0.7)), normal(2, 3))
    case(f'{op} scalar tensor', lambda x, f=f: f(t(0.7), x), right(2, 3))
    case(f'{op} with a part of itself', lambda x, f=f: f(x, x[0]), right(2, 3))
    case(f'{op} data', f, normal(2, 3), data(right(3)))
case('add with itself', lambda x: x + x, normal(2, 3))
case('mul with itself', lambda x: x * x, normal(2, 3))
case('div data by tensor', torch.div, data(normal(2, 3)), away_from_zero(3))
case('add (2,1,4,1) (3,1,5)', torch.add, normal(2, 1, 4, 1), normal(3, 1, 5))
case('mul (1) (1,1,1)', torch.mul, normal(1), normal(1, 1, 1))
case('mul (2,0) (1,0)', torch.mul, normal(2, 0), normal(1, 0))
case('neg', torch.neg, normal(2, 3))
case('neg 0-d', torch.neg, normal())

# --- elementwise, one input ---
UNARY = {'exp': (torch.exp, normal), 'log': (torch.log, positive), 'sqrt': (torch.sqrt, positive),
         'square': (torch.square, normal), 'abs': (torch.abs, normal), 'tanh': (torch.tanh, normal),
         'sin': (torch.sin, normal), 'cos': (torch.cos, normal), 'sigmoid': (torch.sigmoid, normal),
         'relu': (torch.relu, normal)}
for op, (f, draw) in UNARY.items():
    case(op, f, draw(3, 7))  # 21 elements: full SIMD lanes and a remainder
    case(f'{op} 0-d', f, draw())
    case(f'{op} (2,0)', f, draw(2, 0))
case('exp over six decades', torch.exp, exact([-30.0, -7.5, -1e-3, 0.0, 1e-3, 6.25]))
case('exp far left', torch.exp, exact([-60.0, -60.5]), tail=True)
case('log near 1', torch.log, exact([1.0 - 2.0**-20, 1.0, 1.0 + 2.0**-20]), tail=True)
case('tanh saturated', torch.tanh, exact([-1e4, -30.0, 30.0, 1e4]), tail=True)
case('tanh near 0', torch.tanh, exact([-1e-8, 0.0, 1e-9]), tail=True)
case('sigmoid far left', torch.sigmoid, exact([-40.0, -41.5]), tail=True)
case('sigmoid at +-1e4', torch.sigmoid, exact([-1e4, 1e4]))
case('sin cos of large arguments', lambda x: x.sin() + 0.5 * x.cos(), exact([-1000.0, 100.0, 4096.5]))

# --- pow ---
case('pow tensor 2', lambda x: x.pow(2.0), normal(2, 3))
case('pow tensor 3', lambda x: x.pow(3), normal(2, 3))
case('pow tensor 0.5', lambda x: x.pow(0.5), positive(2, 3))
case('pow tensor -1.5', lambda x: x.pow(-1.5), positive(2, 3))
case('pow tensor 1', lambda x: x.pow(1.0), normal(2, 3))
case('pow negative base -2', lambda x: x.pow(-2.0), away_from_zero(2, 3))
case('pow scalar tensor', lambda x: torch.pow(2.0, x), normal(2, 3))
case('pow tensor tensor', torch.pow, positive(2, 3), normal(2, 3))
case('pow (3,1) (4)', torch.pow, positive(3, 1), normal(4))
case('pow data exponent', torch.pow, away_from_zero(3), data(exact([2.0, 3.0, -1.0])))
case('pow with itself', lambda x: torch.pow(x, x), positive(5))
case('pow tensor 2 at 0', lambda x: x.pow(2.0), exact([0.0, -1.0]))
case('pow tensor 0 at 0', lambda x: x.pow(0.0), exact([0.0, 2.0]))
case('pow tensor 0.5 at 0', lambda x: x.pow(0.5), exact([0.0, 4.0]))
case('pow(0, 0)', torch.pow, exact(0.0), exact(0.0), second=False)
case('pow(0, positive)', torch.pow, exact([0.0, 0.0, 0.0]), exact([1.0, 2.0, 3.5]), second=False)
case('pow(0, negative)', torch.pow, exact([0.0, 0.0]), exact([-1.0, -2.0]), second=False)
case('pow(-2, 3)', torch.pow, exact([-2.0]), exact([3.0]), second=False)
case('pow negative base 0.5', lambda x: x.pow(0.5), exact([-2.0, 2.0]))

# --- choices, ties and kinks ---
case('maximum', torch.maximum, normal(3, 4), normal(3, 4))
case('minimum', torch.minimum, normal(3, 4), normal(3, 4))
case('maximum (3,1) (4)', torch.maximum, normal(3, 1), normal(4))
case('minimum (4) (3,1)', torch.minimum, normal(4), normal(3, 1))
case('maximum tensor scalar', lambda x: torch.maximum(x, t(0.25)), normal(3, 4))
case('minimum scalar tensor', lambda x: torch.minimum(t(0.25), x), normal(3, 4))
case('maximum ties', torch.maximum, exact([1.0, 2.0, 3.0]), exact([1.0, 5.0, 3.0]))
case('minimum ties', torch.minimum, exact([1.0, 2.0, 3.0]), exact([1.0, 5.0, 3.0]))
case('maximum with itself', lambda x: torch.maximum(x, x), normal(4))
case('where', lambda a, b: torch.where(a > 0, a, b), normal(3, 4), normal(3, 4))
case('where (3,1) (3,4) (4)', lambda c, a, b: torch.where(c > 0, a, b), data(normal(3, 1)), normal(3, 4), normal(4))
case('where tensor scalar', lambda a: torch.where(a > 0, a, t(0.5)), normal(3, 4))
case('where scalar tensor', lambda a: torch.where(a > 0, t(0.5), a), normal(3, 4))
case('where of two functions', lambda a: torch.where(a > 0, a.exp(), a.square()), normal(3, 4))
case('relu at 0', torch.relu, exact([-1.0, 0.0, 2.0]))
case('abs at 0', torch.abs, exact([-1.0, 0.0, 2.0]))
case('sqrt at 0', torch.sqrt, exact([0.0, 4.0]))
case('log at 0', torch.log, exact([0.0, 4.0]))
case('sqrt of a negative number', torch.sqrt, exact([-1.0, 4.0]))
case('relu of relu', lambda x: torch.relu(torch.relu(x) - 0.5), normal(3, 4))

# --- reductions ---
REDUCE = {'sum': torch.sum, 'mean': torch.mean, 'amax': torch.amax, 'logsumexp': torch.logsumexp}
EVERY = {'sum': torch.sum, 'mean': torch.mean, 'amax': torch.amax,
         'logsumexp': lambda x: torch.logsumexp(x, tuple(range(x.dim())))}
for op, f in REDUCE.items():
    every = EVERY[op]
    case(f'{op} all', every, normal(2, 3, 4))
    case(f'{op} all keep_dims', lambda x, every=every: every(x).reshape(1, 1), normal(3, 4))
    case(f'{op} 0-d', every, normal())
    case(f'{op} axis 0', lambda x, f=f: f(x, 0), normal(3, 4))
    case(f'{op} axis 1 of 3', lambda x, f=f: f(x, 1), normal(2, 3, 4))
    case(f'{op} axis -1', lambda x, f=f: f(x, -1), normal(3, 19))
    case(f'{op} axes 0 -1', lambda x, f=f: f(x, (0, -1)), normal(2, 3, 4))
    case(f'{op} axes 2 0 keep_dims', lambda x, f=f: f(x, (2, 0), keepdim=True), normal(2, 3, 4))
    case(f'{op} axis -2 keep_dims', lambda x, f=f: f(x, (-2,), keepdim=True), normal(3, 4))
    case(f'{op} (0,3) axis 1', lambda x, f=f: f(x, 1), normal(0, 3))
case('sum of nothing', torch.sum, normal(0))
case('mean of nothing', torch.mean, normal(0))
case('sum (0,3) axis 0', lambda x: x.sum(0), normal(0, 3))
case('amax ties', torch.amax, exact([[1.0, 3.0, 3.0], [3.0, 0.0, -1.0]]))
case('amax ties axis 1', lambda x: torch.amax(x, 1), exact([[1.0, 3.0, 3.0], [2.0, 0.0, 2.0]]))
case('amax ties axes 0 2', lambda x: torch.amax(x, (0, 2)), exact([[[1.0, 3.0], [2.0, 2.0]],
                                                                  [[3.0, 0.0], [1.0, 2.0]]]))
case('sum of squares', lambda x: x.square().sum(), normal(3, 4))
case('mean of exp axis 0', lambda x: x.exp().mean(0), normal(3, 4))
case('logsumexp of one -inf', lambda x: torch.logsumexp(x, 0), exact([-inf, 0.5, 1.0]), second=False)
case('logsumexp at 1e4', lambda x: torch.logsumexp(x, 0), exact([1e4, 1e4 - 1.0, -1e4]))

# --- products ---
MATMUL = {'(4) (4)': ((4,), (4,)), '(4) (4,3)': ((4,), (4, 3)), '(3,4) (4)': ((3, 4), (4,)),
          '(3,4) (4,2)': ((3, 4), (4, 2)), '(1,4) (4,1)': ((1, 4), (4, 1)), '(3,1) (1,4)': ((3, 1), (1, 4)),
          '(17,9) (9,21)': ((17, 9), (9, 21)), '(2,3,4) (2,4,2)': ((2, 3, 4), (2, 4, 2)),
          '(2,3,4) (4,2)': ((2, 3, 4), (4, 2)), '(3,4) (2,4,2)': ((3, 4), (2, 4, 2)),
          '(2,1,3,4) (3,4,2)': ((2, 1, 3, 4), (3, 4, 2)), '(1,3,4) (2,4,2)': ((1, 3, 4), (2, 4, 2)),
          '(2,3,4) (4)': ((2, 3, 4), (4,)), '(4) (2,4,3)': ((4,), (2, 4, 3)),
          '(3,0) (0,4)': ((3, 0), (0, 4)), '(0,3) (3,2)': ((0, 3), (3, 2)), '(0,2,3) (3,2)': ((0, 2, 3), (3, 2))}
for name, (a, b) in MATMUL.items():
    case(f'matmul {name}', torch.matmul, normal(*a), normal(*b))
case('matmul transposed left', lambda a, b: a.T @ b, normal(4, 3), normal(4, 2))
case('matmul transposed right', lambda a, b: a @ b.T, normal(3, 4), normal(2, 4))
case('matmul transposed both', lambda a, b: a.T @ b.T, normal(4, 3), normal(2, 4))
case('matmul x xT', lambda x: x @ x.T, normal(3, 4))
case('matmul x by a transposed view of x', lambda x: x @ x[0:2].T, normal(3, 4))
case('matmul x x', lambda x: x @ x, normal(3, 3))
case('matmul data', torch.matmul, data(normal(5, 3)), normal(3, 2))
case('bilinear form', lambda x, a, y: x @ a @ y, normal(3), normal(3, 4), normal(4))
case('linear', F.linear, normal(5, 3), normal(4, 3), normal(4))
case('linear (2,3,4)', F.linear, normal(2, 3, 4), normal(5, 4), normal(5))
case('linear (2,1,3,4)', F.linear, normal(2, 1, 3, 4), normal(2, 4), normal(2))
case('linear of data', F.linear, data(normal(7, 3)), normal(4, 3), normal(4))
case('linear one row', F.linear, normal(1, 3), normal(4, 3), normal(4))
case('linear no rows', F.linear, normal(0, 3), normal(4, 3), normal(4))
case('linear no columns', F.linear, normal(2, 0), normal(4, 0), normal(4))
case('linear shared weight', lambda x, w, b: F.linear(F.linear(x, w, b), w, b), normal(2, 3), normal(3, 3), normal(3))
case('linear x is w', lambda x, b: F.linear(x, x, b), normal(3, 4), normal(3))

# --- movement ---
case('reshape', lambda x: x.reshape(3, 4), normal(2, 6))
case('reshape -1', lambda x: x.reshape(2, -1).square(), normal(2, 3, 2))
case('reshape to (1)', lambda x: x.reshape(1), normal())
case('transpose', lambda x: x.T.exp(), normal(2, 3))
case('transpose reverses three axes', lambda x: x.permute(2, 1, 0).square(), normal(2, 3, 4))
case('transpose 1 0 2', lambda x: x.permute(1, 0, 2), normal(2, 3, 4))
case('transpose 2 0 1 times', lambda x, y: x.permute(2, 0, 1) * y, normal(2, 3, 4), normal(4, 2, 3))
case('transpose 1-d', lambda x: x.square(), normal(3))
case('broadcast_to (3) (2,3)', lambda x: x.broadcast_to(2, 3), normal(3))
case('broadcast_to (3,1) (2,3,4)', lambda x: x.square().broadcast_to(2, 3, 4), normal(3, 1))
case('broadcast_to 0-d (2,2)', lambda x: x.exp().broadcast_to(2, 2), normal())
case('broadcast_to (1,3) (0,3)', lambda x: x.broadcast_to(0, 3), normal(1, 3))
case('view range all integer', lambda x: x[0:2, :, 3], normal(3, 2, 5))
case('view leading rows', lambda x: x[0:2].square(), normal(3, 4))
case('view step', lambda x: x[:, 1:6:2].exp(), normal(2, 7))
case('view negative step', lambda x: x[torch.tensor([4, 2])], normal(6))
case('view open range', lambda x: x[2:], normal(5))
case('view newaxis', lambda x: x[:, None, :] * x, normal(3, 3))
case('view ellipsis', lambda x: x[..., 1], normal(2, 3, 4))
case('view integer then ellipsis', lambda x: x[1, ...].sin(), normal(2, 3, 4))
case('view one element', lambda x: x[1, 2].square(), normal(2, 3))
case('view empty range', lambda x: x[1:1], normal(3, 2))
case('view overlapping', lambda x: x[1:] * x[:-1], normal(6))
case('view of a view', lambda x: x[1:4, 1:3][1].exp(), normal(5, 4))
case('concatenate axis 0', lambda a, b: torch.cat((a, b), 0), normal(2, 3), normal(1, 3))
case('concatenate axis -1', lambda a, b: torch.cat((a, b), -1).square(), normal(2, 3), normal(2, 2))
case('concatenate three axis 1', lambda a, b, c: torch.cat((a, b, c), 1).exp(),
     normal(2, 1, 2), normal(2, 2, 2), normal(2, 3, 2))
case('concatenate with itself', lambda a: torch.cat((a, a.square(), a), 0), normal(2, 3))
case('concatenate an empty piece', lambda a, b: torch.cat((a, b), 0), normal(0, 3), normal(2, 3))
case('concatenate data', lambda a, b: torch.cat((a, b), 0).square(), data(normal(2)), normal(3))

# --- along an axis ---
for op, f in {'softmax': torch.softmax, 'log_softmax': torch.log_softmax}.items():
    case(f'{op} axis 0', lambda x, f=f: f(x, 0), normal(3, 4))
    case(f'{op} axis -1', lambda x, f=f: f(x, -1), normal(3, 11))
    case(f'{op} axis 1 of 3', lambda x, f=f: f(x, 1), normal(2, 3, 4))
    case(f'{op} 1-d', lambda x, f=f: f(x, 0), normal(5))
    case(f'{op} no rows', lambda x, f=f: f(x, 1), normal(0, 3))
case('softmax at +-1e4', lambda x: torch.softmax(x, 1), exact([[1e4, 1e4, -1e4], [0.0, 1.0, -1e4]]))
case('log_softmax at +-1e4', lambda x: torch.log_softmax(x, 1), exact([[1e4, 1e4 - 2.0, -1e4], [0.0, 1.0, -1e4]]))

# --- losses ---
labels = torch.tensor([2, 0, 3, 3, 1])
one_hot = exact(F.one_hot(labels, 4).tolist())
case('cross_entropy labels', lambda z: F.cross_entropy(z, labels), normal(5, 4))
case('cross_entropy one-hot', F.cross_entropy, normal(5, 4), data(one_hot))
case('cross_entropy probabilities', F.cross_entropy, normal(5, 4), data(probabilities(5, 4)))
case('cross_entropy at +-1e4', lambda z: F.cross_entropy(z, torch.tensor([1, 0])),
     exact([[1e4, 9998.0, -1e4], [1e4, -1e4, 0.0]]))
case('cross_entropy one row', lambda z: F.cross_entropy(z, torch.tensor([0])), normal(1, 3))
case('cross_entropy of scaled logits', lambda z, s: 2.0 * F.cross_entropy(z * s, labels) + z.square().mean(),
     normal(5, 4), normal(4))
case('mse_loss', F.mse_loss, normal(3, 4), normal(3, 4))
case('mse_loss data', F.mse_loss, normal(3, 1), data(normal(3, 1)))
case('mse_loss of a perfect fit', F.mse_loss, exact([1.0, 2.0]), exact([1.0, 2.0]))

# --- compositions ---
case('mlp tanh mse', lambda x, w, b, v, c, y: F.mse_loss(F.linear(torch.tanh(F.linear(x, w, b)), v, c), y),
     data(normal(6, 3)), normal(5, 3), normal(5), normal(2, 5), normal(2), data(normal(6, 2)))
case('mlp relu cross_entropy', lambda x, w, b, v, c:
     F.cross_entropy(F.linear(torch.relu(F.linear(x, w, b)), v, c), labels),
     normal(5, 3), normal(6, 3), normal(6), normal(4, 6), normal(4))
case('mlp sigmoid by matmul', lambda x, w, b, v, c: torch.sigmoid(torch.sigmoid(x @ w + b) @ v + c).mean(),
     normal(4, 3), normal(3, 5), normal(5), normal(5, 2), normal(2))
case('mlp penalised', lambda x, w, b, v, y: F.mse_loss(torch.sin(F.linear(x, w, b)) @ v, y)
     + 0.01 * (w.square().sum() + v.abs().sum()),
     data(normal(4, 3)), normal(5, 3), normal(5), normal(5), data(normal(4)))
case('attention', lambda q, k, v: torch.softmax(q @ k.transpose(1, 2) / 2.0, -1) @ v,
     normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2))


def layer_norm(x, gain, bias):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-5) * gain + bias


def recurrence(x, w, u, b):
    h = torch.tanh(x[0] @ w + b)
    for step in range(1, 4):
        h = torch.tanh(x[step] @ w + h @ u + b)
    return h


def newton_sqrt(x):
    y = x
    for _ in range(5):
        y = 0.5 * (y + x / y)
    return y


def diamonds(x):
    for _ in range(12):
        x = 0.4 * x + 0.5 * x * torch.cos(x)
    return x


def chain(x):
    y = (0.5 * x + 1.0).tanh()
    return ((-y * y).exp() * x.sin() + x.sigmoid() * y).mean()


def shared_exponential(x):
    e = x.exp()
    return e * e / (e + 1.0)


def softmax_by_hand(x):
    e = (x - x.amax(1, keepdim=True)).exp()
    return e / e.sum(1, keepdim=True)


case('layer norm', layer_norm, normal(3, 5), normal(5), normal(5))
case('recurrence with shared weights', recurrence, data(normal(4, 2, 3)), normal(3, 5), normal(5, 5), normal(5))
case('newton square root', newton_sqrt, positive(4))
case('twelve diamonds', diamonds, normal(3))
case('x x + x', lambda x: x * x + x, normal(2, 3))
case('shared exponential', shared_exponential, normal(2, 3))
case('tanh(x) x', lambda x: x.tanh() * x, normal(2, 3))
case('elementwise chain', chain, normal(9))
case('rosenbrock', lambda x: (100.0 * (x[1:] - x[:-1].square()).square() + (1.0 - x[:-1]).square()).sum(), normal(6))
case('softplus composed', lambda x: (1.0 + x.exp()).log(), normal(2, 3))
case('norm', lambda x: x.square().sum(1).sqrt(), normal(3, 4))
case('cosine similarity', lambda a, b: (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt(),
     normal(4), normal(4))
case('pairwise distances', lambda a, b: (a[:, None, :] - b).square().sum(2), normal(3, 2), normal(4, 2))
case('nearest centre', lambda a, b: -(-(a[:, None, :] - b).square().sum(2)).amax(1).sum(),
     normal(5, 2), normal(3, 2))
case('mixture log-likelihood', lambda x, m, s, a: (torch.log_softmax(a, 0) - s.log()
     - 0.5 * ((x[:, None] - m) / s).square()).logsumexp(1).sum(), data(normal(6)), normal(3), positive(3), normal(3))
case('gaussian log-likelihood', lambda m, s, x: (-0.5 * ((x - m) / s).square() - s.log()).sum(),
     normal(1), positive(1), data(normal(7)))
case('logistic regression', lambda w, b, x, y: -(y * (x @ w + b).sigmoid().log()
     + (1.0 - y) * (1.0 - (x @ w + b).sigmoid()).log()).mean(),
     normal(3), normal(), data(normal(5, 3)), data(exact([0.0, 1.0, 1.0, 0.0, 1.0])))
case('softmax by hand', softmax_by_hand, normal(3, 4))
case('variance', lambda x: (x - x.mean()).square().mean(), normal(7))
case('huber by where', lambda x: torch.where(x.abs() < 1.0, 0.5 * x.square(), x.abs() - 0.5).sum(), normal(3, 5))
case('gated unit', lambda x, w, v: (x @ w.T).sigmoid() * (x @ v.T), normal(2, 3), normal(4, 3), normal(4, 3))
case('rational function', lambda x: (x.pow(3) - 2.0 * x + 1.0) / (x.square() + 1.0), normal(5))
case('geometric mean', lambda x: x.log().mean(0).exp(), positive(4, 3))
case('entropy of softmax', lambda x: -(torch.softmax(x, -1) * torch.log_softmax(x, -1)).sum(-1), normal(3, 4))
case('concatenate of views', lambda x: torch.cat((x[:, 2:], x[:, :2].exp()), 1).T @ x, normal(3, 5))
case('outer sum of products', lambda a, b: (a[:, None] * b[None, :] + a[:, None]).tanh().sum(0), normal(4), normal(3))
case('batched quadratic form', lambda x, a: (x @ a @ x.transpose(1, 2)).mean((1, 2)), normal(2, 3, 4), normal(4, 4))
case('residual block', lambda x, w, b: torch.relu(x + F.linear(torch.relu(x), w, b)),
     normal(3, 4), normal(4, 4), normal(4))
case('unused input', lambda a, b: a.square(), normal(3), normal(2))
