#pragma once

#include <xtape/autograd/check_gradients.hpp>
#include <xtape/autograd/creation.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/errors.hpp>
#include <xtape/autograd/format.hpp>
#include <xtape/autograd/memory.hpp>
#include <xtape/autograd/movement.hpp>
#include <xtape/autograd/products.hpp>
#include <xtape/autograd/random.hpp>
#include <xtape/autograd/reduction.hpp>
#include <xtape/autograd/softmax.hpp>
#include <xtape/autograd/tape.hpp>
#include <xtape/autograd/tensor.hpp>
#include <xtape/autograd/transforms.hpp>
