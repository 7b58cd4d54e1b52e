#pragma once

#include <xtape/nn/activations.hpp>
#include <xtape/nn/embedding.hpp>
#include <xtape/nn/init.hpp>
#include <xtape/nn/layers.hpp>
#include <xtape/nn/losses.hpp>
#include <xtape/nn/module.hpp>
#include <xtape/nn/normalization.hpp>
#include <xtape/nn/onnx.hpp>
#include <xtape/nn/save.hpp>
