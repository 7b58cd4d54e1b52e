// Modules in files, and training that goes on from a checkpoint as if it had never stopped.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <xtape/io/checkpoint.hpp>
#include <xtape/io/npz.hpp>
#include <xtape/io/safetensors.hpp>
#include <xtape/nn.hpp>

#include "expect.hpp"
#include "io/same.hpp"
#include "io/scratch.hpp"

using namespace xtape;
using expect::elements;
using expect::message;

namespace {

template <class T>
nn::Sequential<T> net() {
    return nn::Sequential<T>(nn::Linear<T>(3, 8), nn::BatchNorm1d<T>(8), nn::ReLU<T>(),
                             nn::Dropout<T>(0.5, {.seed = 11}), nn::Linear<T>(8, 2));
}

/// A step of gradient descent on noise.
template <class T>
void train(nn::Module<T>& module, int steps) {
    for (int step = 0; step < steps; ++step) {
        mean(square(module(random::normal<T>({16, 3})) - random::uniform<T>({16, 2}))).backward();
        for (const auto& p : module.parameters()) {
            p.assign(p.detach() - 0.1 * p.grad());
        }
        module.zero_grad();
    }
}

}  // namespace

TEST_CASE_TEMPLATE("a module comes back from a file, parameters and buffers, in either format", T, float, double) {
    const Scratch scratch;
    random::seed(1);
    auto saved = net<T>();
    train(saved, 2);
    for (const char* name : {"net.safetensors", "net.npz"}) {
        CAPTURE(name);
        nn::save(saved, scratch / name);
        auto loaded = net<T>();
        const auto handle = loaded.parameters()[0];
        const nn::IncompatibleKeys keys = nn::load(loaded, scratch / name);
        CHECK(keys.missing_keys.empty());
        CHECK(keys.unexpected_keys.empty());
        CHECK(same(loaded.state_dict(), saved.state_dict()));
        CHECK(handle.ref() == loaded.parameters()[0].ref());
        saved.eval();
        loaded.eval();
        const auto x = random::normal<T>({5, 3});
        CHECK(elements(loaded(x)) == elements(saved(x)));
    }
}

TEST_CASE("a file has PyTorch's names, layouts and mark, and nothing beside them") {
    const Scratch scratch;
    auto module = net<float>();
    nn::save(module, scratch / "net.safetensors");
    const io::SafeTensors file = io::read_safetensors(scratch / "net.safetensors");
    CHECK(file.metadata == std::map<std::string, std::string>{{"format", "pt"}});
    std::vector<std::string> names;
    for (const auto& [name, array] : file.arrays) {
        names.push_back(name);
    }
    CHECK(names == std::vector<std::string>{"0.bias", "0.weight", "1.bias", "1.num_batches_tracked", "1.running_mean",
                                            "1.running_var", "1.weight", "4.bias", "4.weight"});
    CHECK(file.arrays.at("0.weight").shape() == std::vector<std::size_t>{8, 3});
    CHECK(file.arrays.at("1.num_batches_tracked").dtype() == io::DType::int64);
    nn::save(module, scratch / "net.npz");
    CHECK(same(io::read_npz(scratch / "net.npz"), file.arrays));
}

TEST_CASE("numbers of another type are converted, float64 beyond float to infinity") {
    const Scratch scratch;
    nn::Linear<float> narrow(2, 1);
    nn::Linear<double> wide(2, 1);
    io::write_safetensors(scratch / "a.safetensors",
                          {{"weight", xt::xarray<double>{{0.1, -1e300}}}, {"bias", xt::xarray<std::int64_t>{3}}});
    nn::load(narrow, scratch / "a.safetensors");
    CHECK(elements(narrow.weight()) == std::vector<float>{0.1F, -INFINITY});
    CHECK(elements(narrow.bias()) == std::vector<float>{3.0F});
    nn::save(narrow, scratch / "b.npz");
    nn::load(wide, scratch / "b.npz");
    CHECK(elements(wide.weight())[0] == double{0.1F});
}

TEST_CASE("what does not fit is listed with the file's name, and nothing changes") {
    const Scratch scratch;
    const std::string path = scratch / "a.safetensors";
    nn::Linear<float> linear(2, 1);
    const auto before = elements(linear.weight());
    io::write_safetensors(path, {{"weight", xt::xarray<float>{{1, 2}}}, {"bias", xt::xarray<float>{1, 2}}, {"x", 1}});
    CHECK(message<ValueError>([&] { nn::load(linear, path); }) ==
          "load: '" + path +
              "': load_state_dict: the entries don't fit this module; load with {.strict = false} to leave out what is "
              "missing or unexpected\n"
              "  mis-shaped: bias is (1,) here and (2,) there\n"
              "  unexpected: x ()");
    CHECK_THROWS_AS(nn::load(linear, path, {.strict = false}), ValueError);
    CHECK(elements(linear.weight()) == before);
    write_bytes(path, "no file");
    CHECK_THROWS_AS(nn::load(linear, path), IoError);
    CHECK(elements(linear.weight()) == before);
}

TEST_CASE("without strict, load takes what there is and returns what was missing and unexpected") {
    const Scratch scratch;
    const std::string path = scratch / "a.safetensors";
    nn::Linear<float> linear(2, 1);
    const auto bias = elements(linear.bias());
    io::write_safetensors(path, {{"weight", xt::xarray<float>{{1, 2}}}, {"x", 1}, {"a.b", 1}});
    const nn::IncompatibleKeys keys = nn::load(linear, path, {.strict = false});
    CHECK(keys.missing_keys == std::vector<std::string>{"bias"});
    CHECK(keys.unexpected_keys == std::vector<std::string>{"a.b", "x"});
    CHECK(elements(linear.weight()) == std::vector<float>{1, 2});
    CHECK(elements(linear.bias()) == bias);
}

TEST_CASE("another ending of the name is refused before anything is read or written") {
    const Scratch scratch;
    nn::Linear<float> linear(2, 1);
    for (const char* name : {"model", "model.pt", "model.safetensors.bak", "npz"}) {
        const std::string path = scratch / name;
        CHECK(message<ValueError>([&] { nn::save(linear, path); }) ==
              "save: '" + path + "' ends neither in .safetensors nor in .npz");
        CHECK(message<ValueError>([&] { nn::load(linear, path); }) ==
              "load: '" + path + "' ends neither in .safetensors nor in .npz");
    }
    CHECK(scratch.file_count() == 0);
}

TEST_CASE("how many masks a Dropout has drawn of its own is saved for training only, and may be missing") {
    nn::Dropout<float> dropout(0.5, {.seed = 3});
    const auto x = ones({64});
    (void)dropout(x);
    (void)dropout(x);
    CHECK(dropout.state_dict().empty());
    const auto state = dropout.state_dict({.training = true});
    REQUIRE(state.size() == 1);
    CHECK(same(state.at("masks_drawn"), std::int64_t{2}));
    const auto third = elements(dropout(x));
    nn::Dropout<float> resumed(0.5, {.seed = 3});
    CHECK(elements(resumed(x)) != third);
    const auto keys = resumed.load_state_dict({});
    CHECK(keys.missing_keys.empty());
    resumed.load_state_dict(state);
    CHECK(elements(resumed(x)) == third);
    nn::Dropout<float> unseeded(0.5);
    CHECK(unseeded.state_dict({.training = true}).empty());
    CHECK(message<ValueError>([&] { unseeded.load_state_dict(state); }).ends_with("\n  unexpected: masks_drawn ()"));
    for (const double count : {0.5, std::nan(""), 1e300}) {
        CHECK(message<ValueError>([&] {
                  resumed.load_state_dict({{"masks_drawn", count}}, {.strict = false});
              }) == "load_state_dict: the entries don't fit this module; leave out those that differ\n"
                    "  no integer: masks_drawn counts");
    }
    CHECK(same(resumed.state_dict({.training = true}).at("masks_drawn"), std::int64_t{3}));
}

TEST_CASE_TEMPLATE("training resumed from a checkpoint is bit-identical to training that went on", T, float, double) {
    const Scratch scratch;
    random::seed(42);
    auto module = net<T>();
    train(module, 5);
    io::Checkpoint checkpoint;
    io::insert_part(checkpoint.arrays, "model", module.state_dict({.training = true}));
    checkpoint.arrays.emplace("random", random::state());
    io::write_checkpoint(scratch / "c", checkpoint);
    train(module, 5);

    random::seed(0);
    auto resumed = net<T>();
    const io::Checkpoint read = io::read_checkpoint(scratch / "c");
    resumed.load_state_dict(io::extract_part(read.arrays, "model"));
    random::set_state(read.arrays.at("random").as<std::uint64_t>());
    train(resumed, 5);
    CHECK(same(resumed.state_dict({.training = true}), module.state_dict({.training = true})));
    // The seed's own masks are part of it.
    auto other = net<T>();
    other.load_state_dict(io::extract_part(read.arrays, "model"));
    other.load_state_dict({{"3.masks_drawn", 0}}, {.strict = false});
    random::set_state(read.arrays.at("random").as<std::uint64_t>());
    train(other, 5);
    CHECK_FALSE(same(other.state_dict(), module.state_dict()));
}
