// must compile
#include <xtape/xtape.hpp>

// Scalars of any arithmetic type beside tensors of either, and everything else that converts, warn nowhere.
template <class T>
xtape::Tensor<T> scalars(xtape::Tensor<T> x, const xt::xarray<T>& array) {
    using namespace xtape;
    const int i = 3;
    const long long ll = 4;
    const unsigned char uc = 5;
    auto y = x * 0.1 + 0.1 * x - 2 / x + (x - 1L) * 3U + x / 0.5F + i * x + ll * x + x * uc;
    y = pow(y, 2.0) + pow(2.0, y) + maximum(y, 0.0) + minimum(1, y) + where(y.value() > 0, y, 0.0) + where(true, 1, y);
    y = y * array + array / y - (array * T(2)) * y;
    y += 0.5;
    y -= 1;
    y *= array;
    y /= 2.0L;
    const xt::xarray<bool> comparisons = (y > 0.5) && (1 <= y) && equal(y, 2) && (y < array);
    if (comparisons(0)) {
        return y;
    }
    const Tensor<T> constant = 0.1;
    return sum(y, {0, -1}) + sum(y, 1, keep_dims) + reshape(y, {2, -1}) + constant + full<T>({2, 3L > 2 ? 1 : 2}, 1.0) +
           view(y, xt::range(0, 2), i) + transpose(y, {1, 0});
}

template <class T>
void training(const xt::xarray<T>& inputs, const xt::xarray<int>& labels) {
    using namespace xtape;
    nn::MLP<T> net({4, 8, 3}, nn::Activation::tanh, {.bias = true});
    optim::SGD<T> optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
    data::DataLoader loader(data::Dataset(inputs, labels), {.batch_size = 16, .seed = 1});
    for (auto& [x, y] : loader) {
        optimizer.zero_grad();
        nn::cross_entropy(net(x), y).backward();
        optimizer.step();
    }
    const auto hook = net.parameters()[0].register_hook([](const Tensor<T>& g) { return 0.5 * g; });
    (void)hook;
}

template xtape::Tensor<float> scalars(xtape::Tensor<float>, const xt::xarray<float>&);
template xtape::Tensor<double> scalars(xtape::Tensor<double>, const xt::xarray<double>&);
template void training(const xt::xarray<float>&, const xt::xarray<int>&);
template void training(const xt::xarray<double>&, const xt::xarray<int>&);
