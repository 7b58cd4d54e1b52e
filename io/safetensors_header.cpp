#include <xtape/io/safetensors_header.hpp>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <xtape/autograd/errors.hpp>

// Of nlohmann-json only the lexer and the grammar are used, which neither recurse nor build anything: what comes in is
// checked as it comes, and nothing nested deeper than the format is gets past its first bracket.

namespace xtape::io {

namespace {

using Json = nlohmann::json;

/// A position in the text that tells how far it has come: the parser's events do not say where they are.
class Tracked {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    Tracked(const char* at, const char** reached) : at_(at), reached_(reached) {}
    reference operator*() const { return *at_; }
    Tracked& operator++() {
        *reached_ = at_++;
        return *this;
    }
    friend bool operator==(const Tracked& a, const Tracked& b) { return a.at_ == b.at_; }

private:
    const char* at_;
    const char** reached_;  // the last character that was read
};

/// As much of a text as a message bears.
std::string shortened(const std::string& text) {
    constexpr std::size_t most = 60;
    return text.size() <= most ? text : text.substr(0, most) + "...";
}

class HeaderReader {
public:
    HeaderReader(const Cursor& file, std::size_t offset, std::string_view text)
        : file_(file), offset_(offset), text_(text), reached_(text.data()) {}

    SafetensorsHeader read() {
        if (!text_.starts_with('{')) {
            fail("header", "it does not begin with '{': this is no .safetensors file");
        }
        // To the lexer it would be the end, whatever follows.
        if (const std::size_t zero = text_.find('\0'); zero != std::string_view::npos) {
            file_.fail(offset_ + zero, "header", "a zero byte is not JSON");
        }
        Json::sax_parse(Tracked(text_.data(), &reached_), Tracked(text_.data() + text_.size(), &reached_), this);
        return std::move(header_);
    }

    // --- the parser's events: true to go on; whatever is wrong throws ---

    bool null() { refuse("null"); }
    bool boolean(bool) { refuse("a boolean"); }
    bool number_integer(std::int64_t) { refuse("a negative number"); }
    bool number_float(double, const std::string&) { refuse("a number that is no integer of 64 bits"); }
    bool binary(Json::binary_t&) { refuse("binary data"); }

    bool number_unsigned(std::uint64_t number) {
        if (where_ == Where::shape) {
            if (tensor_->second.shape.size() == most_dimensions) {
                fail(field(), fmt::format("it has more than {} dimensions", most_dimensions));
            }
            tensor_->second.shape.push_back(number);
        } else if (where_ == Where::data_offsets) {
            if (tensor_->second.data_offsets.size() == 2) {
                fail(field(), "it has more than two numbers");
            }
            tensor_->second.data_offsets.push_back(number);
        } else {
            refuse("a number");
        }
        return true;
    }

    bool string(std::string& text) {
        if (where_ == Where::metadata) {
            header_.metadata[key_] = std::move(text);
        } else if (where_ == Where::tensor && key_ == "dtype") {
            tensor_->second.dtype = std::move(text);
        } else {
            refuse("a string");
        }
        return true;
    }

    bool key(std::string& name) {
        key_ = std::move(name);
        bool is_new = true;
        if (where_ == Where::tensor) {
            if (key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
                fail(field(), "it is none of dtype, shape, data_offsets");
            }
            is_new = fields_.insert(key_).second;
        } else if (where_ == Where::metadata) {
            is_new = header_.metadata.try_emplace(key_).second;
        } else if (key_ == metadata_key) {
            is_new = !std::exchange(has_metadata_, true);
        } else {
            const auto [entry, inserted] = header_.tensors.try_emplace(key_);
            tensor_ = &*entry;
            is_new = inserted;
        }
        if (!is_new) {
            fail(field(), "it comes twice");
        }
        return true;
    }

    bool start_object(std::size_t) {
        if (where_ == Where::outside) {
            where_ = Where::top;
        } else if (where_ == Where::top && key_ == metadata_key) {
            where_ = Where::metadata;
        } else if (where_ == Where::top) {
            where_ = Where::tensor;
            tensor_->second.offset = position();
            fields_.clear();
        } else {
            refuse("an object");
        }
        return true;
    }

    bool end_object() {
        if (where_ == Where::tensor && fields_.size() != 3) {
            fail(tensor_label(tensor_->first), "dtype, shape or data_offsets is missing");
        }
        where_ = where_ == Where::top ? Where::outside : Where::top;
        return true;
    }

    bool start_array(std::size_t) {
        if (where_ == Where::tensor && key_ != "dtype") {
            where_ = key_ == "shape" ? Where::shape : Where::data_offsets;
        } else {
            refuse("an array");
        }
        return true;
    }

    bool end_array() {
        if (where_ == Where::data_offsets && tensor_->second.data_offsets.size() != 2) {
            fail(field(), "it has less than two numbers");
        }
        where_ = Where::tensor;
        return true;
    }

    bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
        // Its reason: without the library's preamble, and without what was read last, which may be the whole file.
        std::string_view reason = error.what();
        reason = reason.substr(0, reason.find("; last read"));
        reason.remove_prefix(std::min(reason.find("syntax error"), reason.size()));
        fail("header", fmt::format("it is not JSON: {}", reason));
    }

private:
    enum class Where { outside, top, metadata, tensor, shape, data_offsets };

    std::size_t position() const { return offset_ + static_cast<std::size_t>(reached_ - text_.data()); }
    [[noreturn]] void fail(std::string_view what, std::string_view problem) const {
        file_.fail(position(), what, problem);
    }
    [[noreturn]] void refuse(std::string_view found) const {
        std::string_view wanted = "an object";
        if (where_ == Where::shape || where_ == Where::data_offsets) {
            wanted = "a non-negative integer";
        } else if (where_ == Where::metadata || (where_ == Where::tensor && key_ == "dtype")) {
            wanted = "a string";
        } else if (where_ == Where::tensor) {
            wanted = "an array";
        }
        fail(field(), fmt::format("{} expected, not {}", wanted, found));
    }
    /// What is being read, for messages.
    std::string field() const {
        switch (where_) {
        case Where::outside: return "header";
        case Where::top: return tensor_label(key_);
        case Where::metadata: return fmt::format("{}, {}", metadata_key, shortened(key_));
        default: return fmt::format("{}, {}", tensor_label(tensor_->first), shortened(key_));
        }
    }

    const Cursor& file_;
    std::size_t offset_;  // of the text in the file
    std::string_view text_;
    const char* reached_;
    SafetensorsHeader header_;
    Where where_ = Where::outside;
    std::string key_;  // the last one
    std::pair<const std::string, TensorEntry>* tensor_ = nullptr;
    std::set<std::string> fields_;  // what there is of that tensor
    bool has_metadata_ = false;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(const Cursor& file, std::size_t offset, std::string_view text) {
    return HeaderReader(file, offset, text).read();
}

std::string json_string(const std::string& text) {
    try {
        return Json(text).dump();
    } catch (const Json::exception&) {
        throw ValueError(fmt::format("safetensors: a text that starts with '{}' is not UTF-8", shortened(text)));
    }
}

std::string tensor_label(const std::string& name) { return fmt::format("tensor '{}'", shortened(name)); }

}  // namespace xtape::io
