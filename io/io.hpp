#pragma once

// Files: arrays by name in npz archives and safetensors files, and training checkpoints. They are written whole or not
// at all; readers trust nothing.
#include <xtape/io/array.hpp>
#include <xtape/io/checkpoint.hpp>
#include <xtape/io/npy.hpp>
#include <xtape/io/npz.hpp>
#include <xtape/io/safetensors.hpp>
