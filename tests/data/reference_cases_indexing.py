"""The cases of indexing, scans and Einstein's sums: see reference_cases.py, whose table this adds to.

Every case has a lambda of the same name in tests/autograd/reference_indexing.cpp.
"""
import torch
import torch.nn.functional as F

from reference_cases import away_from_zero, case, data, exact, normal

index = torch.tensor

# --- parts ---
case('stack', lambda a, b: torch.stack((a, b)), normal(2, 3), normal(2, 3))
case('stack axis 1', lambda a, b: torch.stack((a, b, a), 1).sin(), normal(2, 3), normal(2, 3))
case('stack axis -1', lambda a, b: torch.stack((a, b), -1).exp(), normal(2, 3), normal(2, 3))
case('stack 0-d', lambda a, b: torch.stack((a, b)).square(), normal(), normal())
case('split', lambda x: torch.prod(torch.stack(torch.tensor_split(x, 3)), 0), normal(6, 2))
case('split axis 1', lambda x: (lambda p: p[0] * p[1].sin())(torch.tensor_split(x, 2, 1)), normal(3, 4))
case('split at indices', lambda x: (lambda p: p[0].sum() * p[1].exp() + p[2].sum())(torch.tensor_split(x, (1, 3))),
     normal(5, 2))

# --- take ---
case('take axis 0', lambda x: x[index([2, 0])], normal(3, 4))
case('take axis 1, repeated', lambda x: x[:, index([0, 3, 0, 0])].square(), normal(3, 4))
case('take by a matrix', lambda x: x[:, index([[0, 2], [2, 1]])].sin(), normal(2, 3, 2))
case('take negative', lambda x: x[index([-1, -3])].exp(), normal(3, 2))
case('take from all', lambda x: x.take(index([[5, 0], [1, 5]])).square(), normal(2, 3))
case('take of nothing', lambda x: x[index([], dtype=torch.long)], normal(3, 2))
case('embedding', lambda w, v: torch.tanh(F.embedding(index([1, 3, 1, 0]), w) @ v), normal(4, 3), normal(3, 2))
case('take_along_axis 1', lambda x: x.take_along_dim(index([[2, 0, 0], [1, 1, 3]]), 1).square(), normal(2, 4))
case('take_along_axis 0', lambda x: x.take_along_dim(index([[1, 0, 1, 1]]), 0).sin(), normal(2, 4))
case('take_along_axis, indices repeated', lambda x: x.take_along_dim(index([[1, 0, 1]]), 1).exp(), normal(3, 2))
case('row maximum by argmax', lambda x: x.take_along_dim(x.argmax(1, keepdim=True), 1).square(), normal(3, 4))
case('column minimum by argmin', lambda x: x.take_along_dim(x.argmin(0, keepdim=True), 0).square(), normal(3, 4))

# --- order ---
case('sort', lambda x: x.sort(stable=True)[0].square(), normal(7))
case('sort axis 0', lambda x: x.sort(dim=0, stable=True)[0].sin(), normal(4, 3))
case('sort axis 1 of 3', lambda x: x.sort(dim=1, stable=True)[0].exp(), normal(2, 3, 2))
case('sort with ties', lambda x: x.sort(stable=True)[0].square(), exact([2.0, 1.0, 2.0, -1.0, 1.0, 2.0]))
case('trimmed mean', lambda x: x.sort(dim=-1, stable=True)[0][:, 1:-1].mean(-1).square(), normal(3, 5))

# --- arrangements ---
case('flip', lambda x: torch.flip(x, (0, 1)), normal(2, 3))
case('flip axis 1', lambda x: torch.flip(x, (1,)) * x, normal(2, 3))
case('flip axes 0 and 2', lambda x: torch.flip(x, (0, 2)).sin(), normal(2, 2, 3))
case('roll', lambda x: torch.roll(x, 2) * x, normal(2, 3))
case('roll axis 1', lambda x: torch.roll(x, 2, 1) * x, normal(2, 3))
case('roll backward', lambda x: torch.roll(x, -5, 0) * x, normal(4, 2))
case('pad', lambda x: F.pad(x, (0, 1, 1, 2)).cos(), normal(2, 3))
case('pad with a value', lambda x: F.pad(x, (2, 0), value=0.5).square(), normal(3))
case('pad one pair for all', lambda x: F.pad(x, (1, 2, 1, 2), value=-1.0).exp(), normal(2, 2))
case('tile', lambda x: torch.tile(x, (2, 3)).square(), normal(2, 2))
case('tile with a new axis', lambda x: torch.tile(x, (2, 1, 2)).sin(), normal(2, 3))
case('tile the last axis', lambda x: torch.tile(x, (3,)).exp(), normal(2, 2))
case('diagonal', lambda x: torch.diagonal(x).square(), normal(3, 4))
case('diagonal below', lambda x: torch.diagonal(x, -1).square(), normal(3, 4))
case('diagonal of the last axes', lambda x: torch.diagonal(x, 1, -2, -1).sin(), normal(2, 3, 3))
case('diag', lambda x: torch.diag(x) @ torch.diag(x), normal(3))
case('diag above', lambda x: torch.diag(x, 2).exp(), normal(2))
case('diag of a matrix', lambda x: torch.diag(x, -1).square(), normal(3, 3))
case('tril', lambda x: torch.tril(x) @ torch.tril(x).T, normal(3, 3))
case('tril -1 batched', lambda x: torch.tril(x, -1).exp(), normal(2, 3, 3))
case('triu', lambda x: torch.triu(x).square(), normal(3, 4))
case('triu 1', lambda x, v: torch.triu(x, 1) @ v, normal(3, 3), normal(3))
case('causal attention', lambda q, k: torch.softmax(
    torch.where(torch.tril(torch.ones(3, 3)) > 0, q @ k.T, torch.tensor(-1e30, dtype=torch.float64)), -1),
    normal(3, 2), normal(3, 2))

# --- scans ---
case('cumsum', lambda x: x.cumsum(0).square(), normal(5))
case('cumsum axis 1', lambda x: x.cumsum(1).sin(), normal(2, 4))
case('cumsum axis 0 of 3', lambda x: x.cumsum(0).exp(), normal(3, 2, 2))
case('cumsum of all', lambda x: x.reshape(-1).cumsum(0).square(), normal(2, 3))
case('cumprod', lambda x: x.cumprod(0), normal(5))
case('cumprod axis 1', lambda x: x.cumprod(1), normal(2, 4))
case('cumprod axis 0, of exponentials', lambda x: x.exp().cumprod(0), normal(3, 2))
case('cumprod of all', lambda x: x.reshape(-1).cumprod(0), away_from_zero(2, 2))
case('cumprod with a zero', lambda x: x.cumprod(0), exact([1.5, 0.0, -2.0, 0.5]))
case('cumprod with two zeros', lambda x: x.cumprod(1), exact([[1.5, 0.0, -2.0, 0.0, 3.0], [0.0, 0.0, 1.0, 2.0, 0.5]]))
case('cumprod starting with a zero', lambda x: x.cumprod(0).square(), exact([0.0, 2.0, -1.0]))
case('stick breaking', lambda x: x.sigmoid() * torch.cat((torch.ones(1, dtype=torch.float64),
     (1.0 - x.sigmoid())[:-1].cumprod(0))), normal(5))

# --- products ---
case('outer', lambda a, b: torch.outer(a, b).sin(), normal(3), normal(4))
case('outer of matrices', lambda a, b: torch.outer(a.reshape(-1), b.reshape(-1)), normal(2, 2), normal(3))
case('vdot', lambda a, b: torch.dot(a.reshape(-1), b.reshape(-1)).square(), normal(2, 3), normal(6))
case('trace', lambda x: torch.trace(x).square(), normal(3, 4))
case('trace of a product', lambda a, b: torch.trace(a @ b), normal(3, 4), normal(4, 3))
case('trace above, batched', lambda x: torch.diagonal(x, 1, -2, -1).sum(-1).square(), normal(2, 3, 3))


def einsum(subscripts, *shapes):
    case(f'einsum {subscripts}', lambda *x: torch.einsum(subscripts, *x),
         *(normal(*shape) for shape in shapes))


einsum('ij->ji', (2, 3))
einsum('ba', (2, 3))
einsum('ii->i', (3, 3))
einsum('ii', (3, 3))
einsum('iij->j', (2, 2, 3))
einsum('ij->', (2, 3))
einsum('ij,jk->ik', (2, 3), (3, 4))
einsum('ij,jk', (2, 3), (3, 4))
einsum('ij,kj->ki', (2, 3), (4, 3))
einsum('i,j->ij', (2,), (3,))
einsum('ij,ij->i', (2, 3), (2, 3))
einsum('ij,ij->', (2, 3), (2, 3))
einsum('i,ij->ij', (2,), (2, 3))
einsum('bij,bjk->bik', (2, 2, 3), (2, 3, 2))
einsum('bhqd,bhkd->bhqk', (2, 2, 3, 2), (2, 2, 2, 2))
einsum('...ij,...jk->...ik', (2, 1, 2, 3), (3, 3, 2))
einsum('...i,...i->...', (2, 3, 2), (3, 2))
einsum('i...,i...', (3, 2), (3, 2))
einsum('ij,jk->ki', (0, 3), (3, 2))
einsum('ij,jk,kl->il', (2, 3), (3, 4), (4, 2))
einsum('ij,jk,kl,lm->im', (2, 3), (3, 2), (2, 4), (4, 2))
einsum('i,ij,j->', (3,), (3, 4), (4,))
einsum('ni,nj,ijk->nk', (4, 2), (4, 3), (2, 3, 2))
einsum('ai,bi,ci->abc', (2, 3), (2, 3), (2, 3))
einsum('ij,kl->ik', (2, 3), (3, 2))
case('einsum with data', lambda a, b: torch.einsum('ij,j->i', a, b).square(), normal(2, 3), data(normal(3)))
case('einsum with itself', lambda a: torch.einsum('ij,jk,ki->', a, a, a), normal(3, 3))
