#pragma once

// Reading data sets and batching them.
#include <xtape/data/categories.hpp>
#include <xtape/data/csv.hpp>
#include <xtape/data/dataset.hpp>
#include <xtape/data/idx.hpp>
#include <xtape/data/labels.hpp>
#include <xtape/data/loader.hpp>
#include <xtape/data/mnist.hpp>
#include <xtape/data/npy.hpp>
#include <xtape/data/split.hpp>
#include <xtape/data/standardizer.hpp>
