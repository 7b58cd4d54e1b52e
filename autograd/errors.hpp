#pragma once

#include <stdexcept>

namespace xtape {

/// The root of every exception that xtape throws on purpose.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Shapes that do not fit together, or an axis that a shape does not have.
class ShapeError : public Error {
public:
    using Error::Error;
};

/// A question that the recorded graph cannot answer: no gradient, a graph already replayed, an overwritten value.
class GraphError : public Error {
public:
    using Error::Error;
};

/// An argument outside what is allowed.
class ValueError : public Error {
public:
    using Error::Error;
};

/// A file that is missing, damaged, of another format, or cannot be written.
class IoError : public Error {
public:
    using Error::Error;
};

}  // namespace xtape
