"""Linear algebra. The lambdas of the same names are in tests/autograd/reference_linalg.cpp.

Matrices are kept well-conditioned, and spectra apart; of singular vectors and eigenvectors only what does not depend
on their signs is taken.
"""
import torch
from torch import linalg

from reference_cases import case, data, exact, normal

T = torch.transpose


def eye(n):
    return torch.eye(n, dtype=torch.float64)


def dominant(x):
    return x + 6.0 * eye(x.shape[-1])


def definite(x):
    return x @ T(x, -1, -2) + 2.0 * eye(x.shape[-2])


def spread(x):
    """Adds 4, 8, 12, ... on the diagonal."""
    rows, columns = x.shape[-2:]
    steps = torch.zeros(rows, columns, dtype=torch.float64)
    for i in range(min(rows, columns)):
        steps[i, i] = 4.0 * (i + 1)
    return 0.5 * x + steps


# --- systems ---
SOLVE = {'(3,3) (3,2)': ((3, 3), (3, 2)), '(3,3) (3)': ((3, 3), (3,)), '(1,1) (1,1)': ((1, 1), (1, 1)),
         '(5,5) (5,1)': ((5, 5), (5, 1)), '(2,3,3) (2,3,2)': ((2, 3, 3), (2, 3, 2)),
         '(2,3,3) (2,3)': ((2, 3, 3), (2, 3)),
         '(2,1,3,3) (2,3,1)': ((2, 1, 3, 3), (2, 3, 1)), '(3,3) (2,3,2)': ((3, 3), (2, 3, 2))}
for name, (a, b) in SOLVE.items():
    case(f'solve {name}', lambda a, b: linalg.solve(dominant(a), b), normal(*a), normal(*b))
case('solve data', lambda a, b: linalg.solve(dominant(a), b), data(normal(3, 3)), normal(3))
case('solve for data', lambda a, b: linalg.solve(dominant(a), b), normal(3, 3), data(normal(3)))
case('solve with itself', lambda a: linalg.solve(dominant(a), a), normal(3, 3))
case('solve quadratic form', lambda a, b: b @ linalg.solve(definite(a), b), normal(4, 4), normal(4))


for upper in (False, True):
    for transpose in (False, True):
        for unit in (False, True):
            def solve(a, b, upper=upper, transpose=transpose, unit=unit):
                matrix = T(dominant(a), 0, 1) if transpose else dominant(a)
                return linalg.solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unit)
            name = ('upper' if upper else 'lower') + (' transposed' if transpose else '') + (' unit' if unit else '')
            case(f'solve_triangular {name}', solve, normal(3, 3), normal(3, 2))
case('solve_triangular (2,3,3) (2,3,1)', lambda a, b: linalg.solve_triangular(dominant(a), b, upper=False),
     normal(2, 3, 3), normal(2, 3, 1))

# --- inverses ---
case('inv', lambda a: linalg.inv(dominant(a)), normal(3, 3))
case('inv (2,2,2)', lambda a: linalg.inv(dominant(a)), normal(2, 2, 2))
case('inv 1 x 1', lambda a: linalg.inv(dominant(a)), normal(1, 1))
case('pinv (3,3)', lambda a: linalg.pinv(dominant(a)), normal(3, 3))
case('pinv (4,2)', lambda a: linalg.pinv(spread(a)), normal(4, 2))
case('pinv (2,4)', lambda a: linalg.pinv(spread(a)), normal(2, 4))
case('pinv (2,3,2)', lambda a: linalg.pinv(spread(a)), normal(2, 3, 2))

# --- determinants ---
for shape in ((1, 1), (2, 2), (3, 3), (4, 4), (2, 3, 3)):
    case(f'det {shape}'.replace(', ', ','), linalg.det, normal(*shape))
case('det 6 x 6', lambda a: linalg.det(0.3 * dominant(a)), normal(6, 6))
case('det times log det', lambda a: linalg.det(0.2 * dominant(a)) * linalg.slogdet(dominant(a))[1], normal(3, 3))
case('slogdet', lambda a: linalg.slogdet(dominant(a))[1], normal(4, 4))
case('slogdet (2,3,3)', lambda a: linalg.slogdet(a)[1], normal(2, 3, 3))
case('slogdet sign', lambda a: linalg.slogdet(a)[0] * linalg.slogdet(a)[1], normal(3, 3))

# --- factorizations ---
case('cholesky', lambda a: linalg.cholesky(definite(a)), normal(4, 4))
case('cholesky (2,3,3)', lambda a: linalg.cholesky(definite(a)), normal(2, 3, 3))
# PyTorch reads the lower triangle: the symmetric part is taken here by hand.
case('cholesky of what is not symmetric', lambda a: linalg.cholesky(0.5 * (dominant(a) + T(dominant(a), -1, -2))),
     normal(3, 3))
case('cholesky log determinant', lambda a: 2.0 * torch.diagonal(linalg.cholesky(definite(a))).log().sum(), normal(4, 3))
for shape in ((3, 3), (5, 2), (2, 3, 2)):
    name = f'{shape}'.replace(', ', ',')
    case(f'qr Q {name}', lambda a: linalg.qr(spread(a))[0].square(), normal(*shape))
    case(f'qr R {name}', lambda a: linalg.qr(spread(a))[1].square(), normal(*shape))
    case(f'qr both {name}', lambda a: linalg.qr(spread(a))[0].square() @ linalg.qr(spread(a))[1].square(),
         normal(*shape))
case('qr R (2,4)', lambda a: linalg.qr(spread(a))[1].square(), normal(2, 4))
case('qr both (2,4)', lambda a: linalg.qr(spread(a))[0].square() @ linalg.qr(spread(a))[1].square(), normal(2, 4))


def low_rank(a):
    u, s, vt = linalg.svd(spread(a), full_matrices=False)
    return (u[..., :1] * s[..., None, :1]) @ vt[..., :1, :]


def of_svd(a):
    u, s, vt = linalg.svd(spread(a), full_matrices=False)
    return (u * s.square()[..., None, :]) @ vt


for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2)):
    name = f'{shape}'.replace(', ', ',')
    case(f'svd U {name}', lambda a: linalg.svd(spread(a), full_matrices=False)[0].square(), normal(*shape))
    case(f'svd s {name}', lambda a: linalg.svd(spread(a), full_matrices=False)[1], normal(*shape))
    case(f'svd Vt {name}', lambda a: linalg.svd(spread(a), full_matrices=False)[2].square(), normal(*shape))
    case(f'svd product {name}', of_svd, normal(*shape))
case('svd best of rank 1', low_rank, normal(4, 3))


def symmetric(a):
    return 0.5 * (a + T(a, -1, -2))


def spectral(a):
    w, v = linalg.eigh(symmetric(spread(a)))
    return (v * (0.1 * w).exp()[..., None, :]) @ T(v, -1, -2)


for shape in ((3, 3), (5, 5), (2, 3, 3)):
    name = f'{shape}'.replace(', ', ',')
    case(f'eigh w {name}', lambda a: linalg.eigh(symmetric(spread(a)))[0], normal(*shape))
    case(f'eigh V {name}', lambda a: linalg.eigh(symmetric(spread(a)))[1].square(), normal(*shape))
    case(f'eigh function {name}', spectral, normal(*shape))

# --- norms ---
for name, order in {'one': 1, 'two': 2, 'inf': float('inf'), 'fro': 'fro', 'nuc': 'nuc'}.items():
    case(f'norm {name} (3,4)', lambda a, order=order: linalg.matrix_norm(spread(a), order), normal(3, 4))
    case(f'norm {name} (2,3,3)', lambda a, order=order: linalg.matrix_norm(spread(a), order), normal(2, 3, 3))
    case(f'norm {name} axes 0 2', lambda a, order=order: linalg.matrix_norm(a, order, (0, 2)), normal(3, 2, 2))
for name, order in {'one': 1, 'two': 2, 'inf': float('inf')}.items():
    case(f'norm {name} (5)', lambda a, order=order: linalg.vector_norm(a, order), normal(5))
    case(f'norm {name} axis 1 keep_dims', lambda a, order=order: linalg.vector_norm(a, order, 1, keepdim=True),
         normal(2, 4))
case('norm of all', lambda a: linalg.vector_norm(a), normal(2, 3, 2))
case('norm fro of the identity', lambda a: linalg.matrix_norm(a, 'fro'), exact([[1.0, 0.0], [0.0, 1.0]]))

# --- compositions ---
case('gaussian log density', lambda a, x: -0.5 * x @ linalg.solve(definite(a), x)
     - torch.diagonal(linalg.cholesky(definite(a))).log().sum(), normal(3, 3), normal(3))
case('least squares', lambda a, b: linalg.pinv(spread(a)) @ b, normal(5, 3), normal(5))
case('ridge regression', lambda a, b: linalg.solve(T(a, 0, 1) @ a + 0.5 * eye(3), T(a, 0, 1) @ b),
     normal(6, 3), normal(6))
