#include <xtape/autograd/format.hpp>

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include <xtape/autograd/describe.hpp>
#include <xtape/autograd/strided.hpp>

namespace xtape {
namespace {

constexpr std::size_t edge = 3;           // how many entries are shown at either end of a shortened axis
constexpr std::size_t whole_up_to = 100;  // tensors up to this size are shown whole

template <class T>
struct Printer {
    const T* data;
    const Shape& shape;
    Axes strides;
    bool shortened;
    std::size_t width = 0;
    std::string text;

    [[nodiscard]] static std::string number(T value) { return fmt::format("{:.6g}", value); }

    template <class F>
    void for_shown(std::size_t axis, F f) const {
        const std::size_t extent = shape[axis];
        const bool cut = shortened && extent > 2 * edge;
        for (std::size_t i = 0; i < extent; ++i) {
            if (cut && i == edge) {
                i = extent - edge;
            }
            f(i, cut && i == extent - edge);
        }
    }

    void measure(std::size_t axis, const T* at) {
        if (axis == shape.size()) {
            width = std::max(width, number(*at).size());
            return;
        }
        for_shown(axis,
                  [&](std::size_t i, bool) { measure(axis + 1, at + static_cast<std::ptrdiff_t>(i) * strides[axis]); });
    }

    void print(std::size_t axis, const T* at) {
        if (axis == shape.size()) {
            fmt::format_to(std::back_inserter(text), "{:>{}}", number(*at), width);
            return;
        }
        const bool innermost = axis + 1 == shape.size();
        const std::string separator = innermost ? ", " : ",\n" + std::string(axis + 1, ' ');
        text += '[';
        for_shown(axis, [&](std::size_t i, bool after_gap) {
            text += i == 0 ? "" : separator;
            text += after_gap ? "..." + separator : "";
            print(axis + 1, at + static_cast<std::ptrdiff_t>(i) * strides[axis]);
        });
        text += ']';
    }
};

}  // namespace

template <class T>
std::string to_string(const Tensor<T>& x) {
    if (!x) {
        return "an empty tensor";
    }
    Printer<T> printer{.data = x.data(),
                       .shape = x.shape(),
                       .strides = contiguous_strides(x.shape()),
                       .shortened = x.size() > whole_up_to,
                       .text = {}};
    printer.measure(0, x.data());
    printer.print(0, x.data());
    return fmt::format("{}\nshape {}, {}, {}", printer.text, to_string(x.shape()),
                       sizeof(T) == sizeof(float) ? "float" : "double",
                       x.requires_grad() ? x.body().node->op->name : "constant");
}

template <class T>
std::ostream& operator<<(std::ostream& stream, const Tensor<T>& x) {
    return stream << to_string(x);
}

template std::string to_string(const Tensor<float>&);
template std::string to_string(const Tensor<double>&);
template std::ostream& operator<<(std::ostream&, const Tensor<float>&);
template std::ostream& operator<<(std::ostream&, const Tensor<double>&);

}  // namespace xtape
