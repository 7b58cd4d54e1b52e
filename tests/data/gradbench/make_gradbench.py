#!/usr/bin/env python3
"""Small inputs of GradBench's evals and what their functions give, for benchmarks/gradbench/agree_test.cpp.

Written after the definitions in the evals' README files, an element at a time where that is how they are told, in
double precision with PyTorch; determinants by numpy's permutations, signs and all. Run beside its output:
python3 make_gradbench.py (Debian: python3-torch python3-numpy).
"""

import itertools
import json
import math
import pathlib

import numpy
import torch

torch.set_default_dtype(torch.float64)
rng = numpy.random.default_rng(2024)


def uniform(*shape):
    return rng.uniform(size=shape).tolist()


def normal(*shape):
    return rng.normal(size=shape).tolist()


def gradients(f, *xs):
    leaves = [torch.tensor(x, requires_grad=True) for x in xs]
    f(*leaves).backward()
    return [leaf.grad.tolist() for leaf in leaves]


def case(function, data, output, **runs):
    return {"function": function, "input": data if not isinstance(data, dict) else data | runs, "output": output}


# ------------------------------------------------------------------------------------------------------------ the evals


def hello():
    return [case("square", 3.25, 10.5625), case("double", 10.5625, 21.125), case("double", -2, -4)]


def gmm_objective(data, alpha, mu, q, l):
    d, k, n, m, gamma = (data[name] for name in ("d", "k", "n", "m", "gamma"))
    x = torch.tensor(data["x"])
    phi = torch.softmax(alpha, 0)
    matrices = []
    for c in range(k):
        rows = [[torch.tensor(0.0)] * d for _ in range(d)]
        below = iter(l[c])
        for j in range(d):
            rows[j][j] = torch.exp(q[c, j])
            for i in range(j + 1, d):
                rows[i][j] = next(below)
        matrices.append(torch.stack([torch.stack(row) for row in rows]))
    precisions = [Q.T @ Q for Q in matrices]
    total = 0.0
    for i in range(n):
        density = 0.0
        for c in range(k):
            away = x[i] - mu[c]
            density = density + phi[c] * torch.exp(-0.5 * away @ precisions[c] @ away) * torch.sqrt(
                torch.linalg.det(precisions[c]) / (2 * math.pi) ** d
            )
        total = total + torch.log(density)
    degrees = d + m + 1
    for precision in precisions:
        # The logarithm of the Wishart density with V = I / gamma².
        log_gamma = d * (d - 1) / 4 * math.log(math.pi) + sum(math.lgamma((degrees - j) / 2) for j in range(d))
        total = total + (degrees - d - 1) / 2 * torch.logdet(precision) - 0.5 * gamma**2 * torch.trace(precision)
        total = total - degrees * d / 2 * math.log(2) + degrees * d * math.log(gamma) - log_gamma
    return total


def gmm():
    cases = []
    for d, k, n, m, gamma in ((1, 2, 5, 0, 1.0), (3, 4, 7, 2, 0.7)):
        data = {"d": d, "k": k, "n": n, "m": m, "gamma": gamma, "x": normal(n, d)}
        point = {"alpha": normal(k), "mu": uniform(k, d), "q": normal(k, d), "l": normal(k, d * (d - 1) // 2)}
        f = lambda *parameters: gmm_objective(data, *parameters)
        values = [torch.tensor(value) for value in point.values()]
        cases.append(case("objective", data | point, f(*values).item(), min_runs=2))
        leaves = [value.requires_grad_() for value in values]
        f(*leaves).backward()
        gradient = [[[]] * k if leaf.grad is None else leaf.grad.tolist() for leaf in leaves]
        cases.append(case("jacobian", data | point, dict(zip(point, gradient)), min_runs=3))
    return cases


def lse():
    cases = []
    for x in (uniform(13), (200 * rng.uniform(size=40) - 100).tolist(), [-750.0, -751.0], [900.0]):
        cases.append(case("primal", {"x": x}, torch.logsumexp(torch.tensor(x), 0).item()))
        cases.append(case("gradient", {"x": x}, torch.softmax(torch.tensor(x), 0).tolist(), min_runs=2))
    return cases


def llsq_objective(x, n):
    total = 0.0
    for i in range(n):
        t = -1 + i * 2 / (n - 1)
        total = total + (numpy.sign(t) - sum(x[j] * t**j for j in range(len(x)))) ** 2 / 2
    return total


def llsq():
    cases = []
    for n, m in ((9, 5), (16, 16), (2, 1), (8, 3)):
        x = uniform(m)
        f = lambda at: llsq_objective(at, n)
        cases.append(case("primal", {"x": x, "n": n}, f(torch.tensor(x)).item()))
        cases.append(case("gradient", {"x": x, "n": n}, gradients(f, x)[0]))
    return cases


def ode_solve(x, steps):
    h = 2 / steps
    slope = lambda y: [x[i] * (y[i - 1] if i > 0 else 1.0) for i in range(len(x))]
    add = lambda y, h, k: [a + h * b for a, b in zip(y, k)]
    y = [torch.tensor(0.0)] * len(x)
    for _ in range(steps):
        k1 = slope(y)
        k2 = slope(add(y, h / 2, k1))
        k3 = slope(add(y, h / 2, k2))
        k4 = slope(add(y, h, k3))
        y = [a + h * (b + 2 * c + 2 * d + e) / 6 for a, b, c, d, e in zip(y, k1, k2, k3, k4)]
    return torch.stack(y)


def ode():
    cases = []
    for n, steps in ((5, 3), (1, 2), (4, 10)):
        x = uniform(n)
        cases.append(case("primal", {"x": x, "s": steps}, ode_solve(torch.tensor(x), steps).tolist()))
        cases.append(case("gradient", {"x": x, "s": steps}, gradients(lambda at: ode_solve(at, steps)[-1], x)[0]))
    return cases


def det_value(matrix):
    n = len(matrix)
    total = 0.0
    for permutation in itertools.permutations(range(n)):
        sign = round(numpy.linalg.det(numpy.eye(n)[list(permutation)]))
        product = float(sign)
        for i in range(n):
            product = product * matrix[i][permutation[i]]
        total = total + product
    return total


def det():
    cases = []
    for n in (1, 2, 5):
        flat = uniform(n * n)
        f = lambda at: det_value(at.reshape(n, n))
        data = {"A": flat, "ell": n}
        cases.append(case("primal", data, f(torch.tensor(flat)).item()))
        cases.append(case("gradient", data, gradients(f, flat)[0], min_runs=2))
    return cases


def kmeans():
    cases = []
    for n, k, d in ((20, 3, 2), (7, 7, 3), (30, 1, 1)):
        points = uniform(n, d)
        centroids = (numpy.array(points[-k:]) + 1e-3 * rng.normal(size=(k, d))).tolist()
        distances = lambda c: ((torch.tensor(points)[:, None, :] - c[None, :, :]) ** 2).sum(2)
        cost = lambda c: distances(c).min(1).values.sum()
        at = torch.tensor(centroids, requires_grad=True)
        (first,) = torch.autograd.grad(cost(at), at)
        second = torch.autograd.functional.hessian(cost, at.detach()).reshape(k * d, k * d).diagonal().reshape(k, d)
        data = {"points": points, "centroids": centroids}
        cases.append(case("cost", data, cost(at).item()))
        cases.append(case("dir", data, (first / second).tolist(), min_runs=2))
    return cases


def lstm_loss(data, main, extra):
    layers, bits = len(data["main_params"]) // 2, len(data["sequence"][0])
    sequence = torch.tensor(data["sequence"])
    state = [list(torch.tensor(data["state"][2 * i : 2 * i + 2])) for i in range(layers)]
    total, count = 0.0, 0
    for now, following in zip(sequence[:-1], sequence[1:]):
        x = now * extra[0]
        for i in range(layers):
            (wf, wi, wo, wc), (bf, bi, bo, bc) = main[2 * i].reshape(4, bits), main[2 * i + 1].reshape(4, bits)
            hidden, cell = state[i]
            cell = cell * torch.sigmoid(x * wf + bf) + torch.sigmoid(hidden * wi + bi) * torch.tanh(hidden * wc + bc)
            x = torch.sigmoid(x * wo + bo) * torch.tanh(cell)
            state[i] = [x, cell]
        y = x * extra[1] + extra[2]
        total = total + (following * (y - torch.log(torch.exp(y).sum() + 2))).sum()
        count += bits
    return -total / count


def lstm():
    cases = []
    for layers, characters, bits in ((1, 3, 2), (2, 6, 5), (3, 5, 4)):
        data = {
            "main_params": uniform(2 * layers, 4 * bits),
            "extra_params": uniform(3, bits),
            "state": uniform(2 * layers, bits),
            "sequence": rng.integers(0, 2, size=(characters, bits)).astype(float).tolist(),
        }
        f = lambda main, extra: lstm_loss(data, main, extra)
        point = (data["main_params"], data["extra_params"])
        cases.append(case("objective", data, f(*map(torch.tensor, point)).item()))
        flat = numpy.concatenate([numpy.ravel(g) for g in gradients(f, *point)]).tolist()
        cases.append(case("jacobian", data, flat, min_runs=2))
    return cases


def ba_errors(cam, x, w, feat):
    rotation, centre, focal, principal, distortion = cam[:3], cam[3:6], cam[6], cam[7:9], cam[9:]
    away = x - centre
    angle = torch.sqrt((rotation**2).sum())
    if angle != 0:
        axis = rotation / angle
        cross = torch.linalg.cross(axis, away)
        turned = away * angle.cos() + cross * angle.sin() + axis * (axis @ away) * (1 - angle.cos())
    else:
        turned = away + torch.linalg.cross(rotation, away)
    flat = turned[:2] / turned[2]
    squared = (flat**2).sum()
    flat = flat * (1 + distortion[0] * squared + distortion[1] * squared**2)
    return w * (flat * focal + principal - torch.tensor(feat))


def ba():
    cases = []
    for n, m, p, turned in ((2, 3, 12, 1.0), (5, 4, 11, 0.0)):
        cam = [turned * v for v in normal(3)] + normal(3) + [1.5] + uniform(2) + [0.1, -0.05]
        data = {"n": n, "m": m, "p": p, "cam": cam, "x": [0.3, -0.2, 5.0], "w": 0.8, "feat": uniform(2)}
        point = [torch.tensor(data[name]) for name in ("cam", "x", "w")]
        f = lambda *at: ba_errors(*at, data["feat"])
        errors = {"elements": f(*point).tolist(), "repeated": p}
        weights = {"element": 1 - data["w"] ** 2, "repeated": p}
        cases.append(case("objective", data, {"reproj_error": errors, "w_err": weights}))
        blocks = torch.autograd.functional.jacobian(f, tuple(point))
        values = torch.cat([blocks[0], blocks[1], blocks[2][:, None]], 1).flatten().tolist()
        starts = [0]
        for row in range(3 * p):
            starts.append(starts[-1] + (15 if row < 2 * p else 1))
        columns = 2 * (list(range(11)) + [11 * n + i for i in range(3)] + [11 * n + 3 * m])
        sparse = {
            "rows": starts[:30] + starts[-1:],
            "cols": columns + [11 * n + 3 * m + p - 1],
            "vals": values + [-2 * data["w"]],
        }
        cases.append(case("jacobian", data, sparse, min_runs=2))
    return cases


def ht_rotation(x, y, z):
    o = torch.zeros(())
    return torch.matrix_exp(torch.stack([o, -z, y, z, o, -x, -y, x, o]).reshape(3, 3))


def ht_errors(data, theta, us):
    model, o, absolutes = data["data"]["model"], torch.zeros(()), []
    for bone, parent in enumerate(model["parents"]):
        finger, joint = divmod(bone - 1, 4)
        angles = theta[6 + 4 * finger : 10 + 4 * finger]
        x, z = {1: (0, 1), 2: (2, None), 3: (3, None)}.get(joint if 0 <= finger < 5 else 0, (None, None))
        about_x = o if x is None else angles[x]
        about_z = o if z is None else angles[z]
        turned = torch.block_diag(ht_rotation(o, o, about_z) @ ht_rotation(about_x, o, o), torch.ones(1, 1))
        relative = torch.tensor(model["base_relatives"][bone]) @ turned
        absolutes.append(relative if parent < 0 else absolutes[parent] @ relative)
    hand = ht_rotation(*theta[:3]) if theta[:3].norm() >= 1e-4 else torch.eye(3)
    vertices = []
    for position, weights in zip(model["base_positions"], model["weights"]):
        vertex = 0.0
        for absolute, inverse, weight in zip(absolutes, model["inverse_base_absolutes"], weights):
            vertex = vertex + weight * (absolute @ torch.tensor(inverse) @ torch.tensor(position))[:3]
        if model["is_mirrored"]:
            vertex = vertex * torch.tensor([-1.0, 1.0, 1.0])
        vertices.append(hand @ vertex + theta[3:6])
    errors = []
    for i, (at, point) in enumerate(zip(data["data"]["correspondences"], data["data"]["points"])):
        if len(us) == 0:
            place = vertices[at]
        else:
            a, b, c = (vertices[corner] for corner in model["triangles"][at])
            place = us[i, 0] * a + us[i, 1] * b + (1 - us[i, 0] - us[i, 1]) * c
        errors.append(torch.tensor(point) - place)
    return torch.cat(errors)


def ht():
    rounded = lambda *shape: rng.normal(size=shape).round(1).tolist()
    affine = lambda: rounded(3, 4) + [[0.0, 0.0, 0.0, 1.0]]
    cases = []
    for points, in_triangles, mirrored, turn in ((4, False, False, 1.0), (3, True, True, 1.0), (2, False, True, 1e-5)):
        bones, vertices = 22, 6
        weights = numpy.zeros((vertices, bones))
        for row in weights:
            row[rng.choice(bones, 4, replace=False)] = [0.4, 0.3, 0.2, 0.1]
        model = {
            "bone_count": bones,
            "bone_names": [f"bone{i}" for i in range(bones)],
            "parents": [-1] + [0 if i % 4 == 1 else i - 1 for i in range(1, bones)],
            "base_relatives": [affine() for _ in range(bones)],
            "inverse_base_absolutes": [affine() for _ in range(bones)],
            "base_positions": [position + [1.0] for position in rounded(vertices, 3)],
            "weights": weights.tolist(),
            "triangles": [rng.choice(vertices, 3, replace=False).tolist() for _ in range(4)],
            "is_mirrored": mirrored,
        }
        seen = {"correspondences": rng.integers(0, 4, size=points).tolist(), "points": rounded(points, 3)}
        theta = [turn * v for v in normal(3)] + normal(23)
        data = {"theta": theta, "data": {"model": model} | seen, "us": uniform(points, 2) if in_triangles else []}
        at = (torch.tensor(data["theta"]), torch.tensor(data["us"]))
        f = lambda *leaves: ht_errors(data, *leaves)
        cases.append(case("objective", data, f(*at).tolist()))
        by_theta, by_us = torch.autograd.functional.jacobian(f, at)
        own = [by_us[row, row // 3] for row in range(3 * points)] if in_triangles else [torch.zeros(0)] * 3 * points
        rows = [torch.cat([left, right]).tolist() for left, right in zip(own, by_theta)]
        cases.append(case("jacobian", data, rows, min_runs=2))
    return cases


for eval_of in (hello, gmm, lse, llsq, ode, det, kmeans, lstm, ba, ht):
    path = pathlib.Path(__file__).parent / f"{eval_of.__name__}.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in eval_of()) + "\n]\n")
