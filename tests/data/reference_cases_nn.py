"""The expressions of nn whose values and derivatives make_reference.py records: layers and losses, as PyTorch spells
them. Each has a lambda of the same name in tests/autograd/reference_nn.cpp."""
import torch
import torch.nn.functional as F

from reference_cases import away_from_zero, case, data, exact, normal, positive, probabilities, t, uniform

labels = torch.tensor([2, 0, 3, 3, 1])
class_weight = t([0.5, 2.0, 1.25, 0.75])
some_ignored = torch.tensor([2, -100, 3, -100, 1])
REDUCTIONS = ('mean', 'sum', 'none')


def log_probabilities(*shape):
    recipe = probabilities(*shape)
    return type(recipe)(lambda g: recipe.draw(g).log())


# --- activations ---
case('nn gelu', F.gelu, normal(3, 7))
case('nn silu', F.silu, normal(3, 7))
case('nn softplus', F.softplus, normal(3, 7))
case('nn log_sigmoid', F.logsigmoid, normal(3, 7))
case('nn leaky_relu', lambda x: F.leaky_relu(x, 0.2), normal(3, 7))
case('nn elu', lambda x: F.elu(x, 1.5), away_from_zero(3, 7))

# --- normalisation, embedding ---
case('nn layer_norm', lambda x, w, b: F.layer_norm(x, (5,), w, b), normal(4, 5), normal(5), normal(5))
case('nn layer_norm (2,3,19)', lambda x, w, b: F.layer_norm(x, (19,), w, b), normal(2, 3, 19), normal(19), normal(19))
case('nn layer_norm two axes', lambda x, w, b: F.layer_norm(x, (3, 4), w, b, 0.1),
     normal(2, 3, 4), normal(3, 4), normal(3, 4))
case('nn layer_norm plain', lambda x: F.layer_norm(x, (6,)), normal(3, 6))
case('nn layer_norm weight only', lambda x, w: F.layer_norm(x, (6,), w), normal(3, 6), normal(6))
case('nn layer_norm data', lambda x, w, b: F.layer_norm(x, (6,), w, b), data(normal(3, 6)), normal(6), normal(6))
case('nn layer_norm no rows', lambda x, w, b: F.layer_norm(x, (6,), w, b), normal(0, 6), normal(6), normal(6))
case('nn layer_norm squared', lambda x, w, b: F.layer_norm(F.layer_norm(x, (4,), w, b).square(), (4,), w, b),
     normal(3, 4), normal(4), normal(4))
case('nn batch_norm training', lambda x: F.batch_norm(x, None, None, training=True), normal(6, 3))
case('nn batch_norm training (4,3,5)', lambda x: F.batch_norm(x, None, None, training=True, eps=0.01), normal(4, 3, 5))
case('nn batch_norm training affine', lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
     normal(6, 3), data(normal(3)), data(normal(3)))
case('nn batch_norm evaluation', lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b),
     normal(6, 3), data(normal(3)), data(positive(3)), data(normal(3)), data(normal(3)))
case('nn batch_norm evaluation (2,3,4)', lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b).square(),
     normal(2, 3, 4), data(normal(3)), data(positive(3)), data(normal(3)), data(normal(3)))
case('nn embedding', lambda w: F.embedding(torch.tensor([3, 0, 3, 1]), w), normal(5, 3))
case('nn embedding (2,3) squared', lambda w: F.embedding(torch.tensor([[4, 0, 4], [1, 1, 4]]), w).square(),
     normal(5, 3))

# --- regression losses ---
for reduction in REDUCTIONS:
    def with_reduction(f, reduction=reduction, **options):
        return lambda *x: f(*x, reduction=reduction, **options)
    case(f'nn l1_loss {reduction}', with_reduction(F.l1_loss), normal(3, 4), normal(3, 4))
    case(f'nn huber_loss {reduction}', with_reduction(F.huber_loss), normal(3, 4), normal(3, 4))
    case(f'nn binary_cross_entropy {reduction}', with_reduction(F.binary_cross_entropy),
         uniform(0.1, 0.9, 3, 4), uniform(0.0, 1.0, 3, 4))
    case(f'nn binary_cross_entropy_with_logits {reduction}', with_reduction(F.binary_cross_entropy_with_logits),
         normal(3, 4), data(uniform(0.0, 1.0, 3, 4)))
    case(f'nn kl_div {reduction}', with_reduction(F.kl_div), log_probabilities(3, 4), probabilities(3, 4))
    case(f'nn kl_div log_target {reduction}', with_reduction(F.kl_div, log_target=True),
         log_probabilities(3, 4), log_probabilities(3, 4))
    case(f'nn nll_loss {reduction}', lambda x, reduction=reduction: F.nll_loss(x, labels, reduction=reduction),
         normal(5, 4))
    for name in ('weight', 'ignore_index', 'weight and ignore_index'):
        target = some_ignored if 'ignore_index' in name else labels
        weight = class_weight if 'weight' in name else None
        case(f'nn nll_loss {name} {reduction}', lambda x, target=target, weight=weight, reduction=reduction:
             F.nll_loss(x, target, weight, reduction=reduction), normal(5, 4))
        case(f'nn cross_entropy {name} {reduction}', lambda x, target=target, weight=weight, reduction=reduction:
             F.cross_entropy(x, target, weight, reduction=reduction), normal(5, 4))
        case(f'nn cross_entropy {name}, smoothing {reduction}', lambda x, target=target, weight=weight,
             reduction=reduction: F.cross_entropy(x, target, weight, reduction=reduction, label_smoothing=0.1),
             normal(5, 4))
    case(f'nn cross_entropy smoothing {reduction}', lambda x, reduction=reduction:
         F.cross_entropy(x, labels, reduction=reduction, label_smoothing=0.3), normal(5, 4))
    case(f'nn cross_entropy probabilities, weight, smoothing {reduction}', lambda x, p, reduction=reduction:
         F.cross_entropy(x, p, class_weight, reduction=reduction, label_smoothing=0.2),
         normal(5, 4), probabilities(5, 4))

case('nn huber_loss delta', lambda x, y: F.huber_loss(x, y, delta=0.4), normal(3, 4), normal(3, 4))
case('nn huber_loss sum, far and near', lambda x: F.huber_loss(x, torch.zeros_like(x), reduction='sum', delta=2.0),
     exact([-1e4, -2.5, -0.5, 0.25, 1.75, 3.0]))
case('nn kl_div batchmean', lambda x, p: F.kl_div(x, p, reduction='batchmean'),
     log_probabilities(3, 4), probabilities(3, 4))
case('nn kl_div zero targets', lambda x: F.kl_div(x, t([[0.0, 1.0], [0.5, 0.5]]), reduction='sum'),
     log_probabilities(2, 2))
case('nn binary_cross_entropy weight', lambda p, y: F.binary_cross_entropy(p, y, t([0.5, 2.0, 1.0, 0.25])),
     uniform(0.1, 0.9, 3, 4), data(uniform(0.0, 1.0, 3, 4)))
case('nn binary_cross_entropy at 0 and 1', F.binary_cross_entropy,
     exact([0.0, 1.0, 0.5]), data(exact([0.0, 1.0, 1.0])), second=False)
case('nn binary_cross_entropy_with_logits weight, pos_weight', lambda x, y: F.binary_cross_entropy_with_logits(
     x, y, t([[0.5], [2.0], [1.0]]), pos_weight=t([0.5, 3.0, 1.0, 2.0])), normal(3, 4), data(uniform(0.0, 1.0, 3, 4)))
case('nn binary_cross_entropy_with_logits at +-1e4', F.binary_cross_entropy_with_logits,
     exact([1e4, -1e4, 1e4, -1e4]), data(exact([1.0, 0.0, 0.0, 1.0])))
case('nn cross_entropy smoothing at +-1e4', lambda x: F.cross_entropy(x, torch.tensor([1, 0]), label_smoothing=0.1),
     exact([[1e4, 9998.0, -1e4], [1e4, -1e4, 0.0]]))
case('nn cross_entropy all ignored', lambda x: F.cross_entropy(x, torch.tensor([-100, -100]), reduction='sum'),
     normal(2, 4))
case('nn cross_entropy all ignored, mean', lambda x: F.cross_entropy(x, torch.tensor([-100, -100])), normal(2, 4))
case('nn cross_entropy ignores a class', lambda x: F.cross_entropy(x, labels, ignore_index=3), normal(5, 4))
case('nn nll_loss of log_softmax', lambda x: F.nll_loss(F.log_softmax(x, 1), labels, class_weight), normal(5, 4))
