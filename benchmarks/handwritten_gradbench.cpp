// Compiled twice: XTAPE_HANDWRITTEN is the name of the table to define.

#include "handwritten_gradbench.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <tuple>
#include <utility>
#include <vector>

namespace xtape::bench {
namespace {

using Vector = std::vector<double>;

// log Σ exp(x); x becomes its softmax.
double logsumexp(double* x, std::size_t n) {
    const double largest = *std::max_element(x, x + n);
    double sum = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = std::exp(x[i] - largest);
        sum += x[i];
    }
    for (std::size_t i = 0; i < n; ++i) {
        x[i] /= sum;
    }
    return std::log(sum) + largest;
}

// ------------------------------------------------------------------------------------------------- gmm

// One point and one component: 0.5 |Q (x - mu)|², and its derivatives with the sign turned.
double half_distance(const double* x, const double* mu, const double* diagonal, const double* l, std::size_t d,
                     double* __restrict centred, double* __restrict whitened, double* __restrict mu_part,
                     double* __restrict q_part, double* __restrict l_part) {
    for (std::size_t i = 0; i < d; ++i) {
        centred[i] = x[i] - mu[i];
        whitened[i] = diagonal[i] * centred[i];
    }
    for (std::size_t i = 0, at = 0; i < d; ++i) {
        for (std::size_t j = i + 1; j < d; ++j, ++at) {
            whitened[j] += l[at] * centred[i];
        }
    }
    double squares = 0.0;
    for (std::size_t i = 0, at = 0; i < d; ++i) {
        squares += whitened[i] * whitened[i];
        q_part[i] = -diagonal[i] * centred[i] * whitened[i];
        double back = diagonal[i] * whitened[i];
        for (std::size_t j = i + 1; j < d; ++j, ++at) {
            back += l[at] * whitened[j];
            l_part[at] = -centred[i] * whitened[j];
        }
        mu_part[i] = back;
    }
    return 0.5 * squares;
}

void add_scaled(double* __restrict to, const double* __restrict from, double scale, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        to[i] += scale * from[i];
    }
}

double gmm(const GradbenchProgram::Gmm& in, double* alpha, double* mu, double* q, double* l) {
    const auto [n, d, k] = std::tuple(in.n, in.d, in.k);
    const std::size_t below = d * (d - 1) / 2;
    Vector diagonal(k * d);
    Vector log_determinants(k);
    for (std::size_t c = 0; c < k; ++c) {
        for (std::size_t i = 0; i < d; ++i) {
            diagonal[c * d + i] = std::exp(in.q[c * d + i]);
            log_determinants[c] += in.q[c * d + i];
        }
    }
    std::fill_n(alpha, k, 0.0);
    std::fill_n(mu, k * d, 0.0);
    std::fill_n(q, k * d, 0.0);
    std::fill_n(l, k * below, 0.0);

    Vector centred(d);
    Vector whitened(d);
    Vector mu_parts(k * d);
    Vector q_parts(k * d);
    Vector l_parts(k * below);
    Vector weights(k);
    double total = -0.5 * static_cast<double>(n * d) * std::log(2 * std::numbers::pi);
    for (std::size_t point = 0; point < n; ++point) {
        for (std::size_t c = 0; c < k; ++c) {
            weights[c] =
                in.alpha[c] + log_determinants[c] -
                half_distance(in.x + point * d, in.mu + c * d, &diagonal[c * d], in.l + c * below, d, centred.data(),
                              whitened.data(), &mu_parts[c * d], &q_parts[c * d], l_parts.data() + c * below);
        }
        total += logsumexp(weights.data(), k);
        for (std::size_t c = 0; c < k; ++c) {
            alpha[c] += weights[c];
            add_scaled(mu + c * d, &mu_parts[c * d], weights[c], d);
            add_scaled(q + c * d, &q_parts[c * d], weights[c], d);
            add_scaled(l + c * below, l_parts.data() + c * below, weights[c], below);
        }
    }

    Vector priors(in.alpha, in.alpha + k);
    total -= static_cast<double>(n) * logsumexp(priors.data(), k);
    const double degrees = static_cast<double>(d) + in.m + 1;
    double constant = degrees * static_cast<double>(d) * std::log(in.gamma / std::numbers::sqrt2) -
                      static_cast<double>(below) / 2 * std::log(std::numbers::pi);
    for (std::size_t j = 0; j < d; ++j) {
        constant -= std::lgamma((degrees - static_cast<double>(j)) / 2);
    }
    const double gamma_squared = in.gamma * in.gamma;
    for (std::size_t c = 0; c < k; ++c) {
        const double weight = alpha[c];  // every point's weight times the derivative of log_determinants
        double squares = 0.0;
        for (std::size_t i = c * d; i < (c + 1) * d; ++i) {
            squares += diagonal[i] * diagonal[i];
            q[i] += weight + in.m - gamma_squared * diagonal[i] * diagonal[i];
        }
        for (std::size_t i = c * below; i < (c + 1) * below; ++i) {
            squares += in.l[i] * in.l[i];
            l[i] -= gamma_squared * in.l[i];
        }
        alpha[c] -= static_cast<double>(n) * priors[c];
        total += constant + in.m * log_determinants[c] - 0.5 * gamma_squared * squares;
    }
    return total;
}

// ------------------------------------------------------------------------------------------------- lse

void lse(const double* x, std::size_t n, double* gradient) {
    std::copy_n(x, n, gradient);
    logsumexp(gradient, n);
}

// ------------------------------------------------------------------------------------------------- kmeans

void kmeans(const double* points, const double* centroids, std::size_t n, std::size_t k, std::size_t d,
            double* direction) {
    Vector second(k);
    std::fill_n(direction, k * d, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        const double* point = points + i * d;
        double least = std::numeric_limits<double>::infinity();
        std::size_t nearest = 0;
        for (std::size_t c = 0; c < k; ++c) {
            double distance = 0.0;
            for (std::size_t j = 0; j < d; ++j) {
                const double difference = point[j] - centroids[c * d + j];
                distance += difference * difference;
            }
            if (distance < least) {
                least = distance;
                nearest = c;
            }
        }
        second[nearest] += 2.0;
        for (std::size_t j = 0; j < d; ++j) {
            direction[nearest * d + j] += 2.0 * (centroids[nearest * d + j] - point[j]);
        }
    }
    for (std::size_t c = 0; c < k; ++c) {
        for (std::size_t j = 0; j < d; ++j) {
            direction[c * d + j] /= second[c];
        }
    }
}

// ------------------------------------------------------------------------------------------------- llsq

void llsq(const double* x, std::size_t m, std::size_t n, double* gradient) {
    std::fill_n(gradient, m, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        const double t = -1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(n - 1);
        double residual = static_cast<double>((t > 0.0) - (t < 0.0));
        double power = 1.0;
        for (std::size_t j = 0; j < m; ++j) {
            residual -= x[j] * power;
            power *= t;
        }
        power = 1.0;
        for (std::size_t j = 0; j < m; ++j) {
            gradient[j] -= residual * power;
            power *= t;
        }
    }
}

// ------------------------------------------------------------------------------------------------- lstm

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// All weights being diagonal, one bit of the states depends on that bit's parameters alone: eight a layer and the
// input's weight. Its derivatives are carried along from step to step.
class LstmBit {
public:
    LstmBit(const GradbenchProgram::Lstm& in, std::size_t bit)
        : layers_(in.layers), parameters_(8 * in.layers + 1), width_(parameters_ + 2 * in.layers), values_(8 * layers_),
          state_(2 * layers_), local_(2 * layers_ * width_), derivatives_(2 * layers_ * parameters_),
          next_(derivatives_.size()), input_(width_) {
        for (std::size_t i = 0; i < 8 * layers_; ++i) {
            values_[i] = in.main[i * in.bits + bit];
        }
        for (std::size_t i = 0; i < 2 * layers_; ++i) {
            state_[i] = in.state[i * in.bits + bit];
        }
        in_weight_ = in.extra[bit];
    }

    // Reads one bit; the last layer's hidden state is then `output`, and `output_derivatives` its derivatives.
    void step(double bit) {
        double x = bit * in_weight_;
        std::fill(input_.begin(), input_.end(), 0.0);
        input_[parameters_ - 1] = bit;
        const double* dx = input_.data();
        for (std::size_t layer = 0; layer < layers_; ++layer) {
            x = cell(layer, x, dx);
            dx = &local_[2 * layer * width_];
        }
        carry_on();
    }
    [[nodiscard]] double output() const { return state_[2 * layers_ - 2]; }
    [[nodiscard]] const double* output_derivatives() const { return &derivatives_[(2 * layers_ - 2) * parameters_]; }

private:
    // A layer's new state, and its derivatives by the parameters and the old states, given those of its input.
    double cell(std::size_t layer, double x, const double* dx) {
        const double* w = &values_[8 * layer];
        const double* b = w + 4;
        double& hidden = state_[2 * layer];
        double& memory = state_[2 * layer + 1];
        const double forget = sigmoid(x * w[0] + b[0]);
        const double in = sigmoid(hidden * w[1] + b[1]);
        const double out = sigmoid(x * w[2] + b[2]);
        const double change = std::tanh(hidden * w[3] + b[3]);
        const double by_forget = memory * forget * (1.0 - forget);
        const double by_in = change * in * (1.0 - in);
        const double by_change = in * (1.0 - change * change);
        const double updated = memory * forget + in * change;
        const double shown = std::tanh(updated);
        const double by_out = shown * out * (1.0 - out);
        const double by_memory = out * (1.0 - shown * shown);

        double* dh = &local_[2 * layer * width_];
        double* dm = dh + width_;
        for (std::size_t i = 0; i < width_; ++i) {
            dm[i] = by_forget * w[0] * dx[i];
        }
        double* weights = dm + 8 * layer;
        weights[0] += by_forget * x;
        weights[1] += by_in * hidden;
        weights[3] += by_change * hidden;
        weights[4] += by_forget;
        weights[5] += by_in;
        weights[7] += by_change;
        dm[parameters_ + 2 * layer] += by_in * w[1] + by_change * w[3];
        dm[parameters_ + 2 * layer + 1] += forget;
        for (std::size_t i = 0; i < width_; ++i) {
            dh[i] = by_memory * dm[i] + by_out * w[2] * dx[i];
        }
        dh[8 * layer + 2] += by_out * x;
        dh[8 * layer + 6] += by_out;
        memory = updated;
        hidden = out * shown;
        return hidden;
    }

    // The chain rule: by the parameters here, and by the old states times theirs.
    void carry_on() {
        for (std::size_t s = 0; s < 2 * layers_; ++s) {
            const double* local = &local_[s * width_];
            double* to = &next_[s * parameters_];
            std::copy_n(local, parameters_, to);
            for (std::size_t old = 0; old < 2 * layers_; ++old) {
                add_scaled(to, &derivatives_[old * parameters_], local[parameters_ + old], parameters_);
            }
        }
        derivatives_.swap(next_);
    }

    std::size_t layers_;
    std::size_t parameters_;
    std::size_t width_;  // of a row of derivatives: by the parameters, then by the old states
    Vector values_;
    double in_weight_;
    Vector state_;  // a layer's hidden state, then its memory
    Vector local_;
    Vector derivatives_;
    Vector next_;
    Vector input_;
};

double lstm(const GradbenchProgram::Lstm& in, double* gradient) {
    const std::size_t bits = in.bits;
    const std::size_t extra = 8 * in.layers * bits;
    std::fill_n(gradient, extra + 3 * bits, 0.0);
    std::vector<LstmBit> cells;
    for (std::size_t bit = 0; bit < bits; ++bit) {
        cells.emplace_back(in, bit);
    }
    Vector predicted(bits);
    Vector softmax(bits);
    double total = 0.0;
    for (std::size_t t = 0; t + 1 < in.characters; ++t) {
        const double* truth = in.sequence + (t + 1) * bits;
        double sum = 2.0;
        double truths = 0.0;
        for (std::size_t bit = 0; bit < bits; ++bit) {
            cells[bit].step(in.sequence[t * bits + bit]);
            predicted[bit] = cells[bit].output() * in.extra[bits + bit] + in.extra[2 * bits + bit];
            softmax[bit] = std::exp(predicted[bit]);
            sum += softmax[bit];
            truths += truth[bit];
        }
        const double log_sum = std::log(sum);
        for (std::size_t bit = 0; bit < bits; ++bit) {
            total += truth[bit] * (predicted[bit] - log_sum);
            const double by_prediction = truth[bit] - truths * softmax[bit] / sum;
            const double by_output = by_prediction * in.extra[bits + bit];
            const double* derivatives = cells[bit].output_derivatives();
            for (std::size_t i = 0; i < 8 * in.layers + 1; ++i) {
                gradient[i * bits + bit] += by_output * derivatives[i];
            }
            gradient[extra + bits + bit] += by_prediction * cells[bit].output();
            gradient[extra + 2 * bits + bit] += by_prediction;
        }
    }
    const double scale = -1.0 / static_cast<double>(bits * (in.characters - 1));
    for (std::size_t i = 0; i < extra + 3 * bits; ++i) {
        gradient[i] *= scale;
    }
    return total * scale;
}

}  // namespace

extern const GradbenchProgram XTAPE_HANDWRITTEN;
const GradbenchProgram XTAPE_HANDWRITTEN = {gmm, lse, kmeans, llsq, lstm};

}  // namespace xtape::bench
