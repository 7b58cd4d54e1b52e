#include "mutations.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include <xtape/autograd/bodies.hpp>
#include <xtape/autograd/elementwise.hpp>
#include <xtape/autograd/engine.hpp>

namespace xtape::mutation {
namespace {

// A rule whose loops take more steps than this repeats itself.
constexpr int most_steps = 64;
// Of an op with more inputs than this the rest are broken together.
constexpr unsigned long most_inputs = 4;

using Key = std::tuple<int, int, Part>;

struct State {
    std::mutex mutex;
    std::map<std::string, int> rules;
    std::vector<std::string> rule_names;
    std::map<Key, Point> points;
    bool recording = false;
    std::size_t test_case = 0;
    Key broken{no_rule, 0, Part::sum};
    int way = 0;
    bool has_changed = false;
};
State& state() {
    static State instance;
    return instance;
}

struct Position {
    int rule = no_rule;
    int step = 0;
    bool is_recorded = false;
};
thread_local Position position;

// What a rule wrote aside, to be given when it is done.
struct Aside {
    unsigned long input;
    Ref<Body> body;
};
thread_local std::vector<Aside> written_aside;

int intern(const std::string& name) {
    State& s = state();
    const std::scoped_lock lock(s.mutex);
    const auto [it, is_new] = s.rules.try_emplace(name, static_cast<int>(s.rules.size()));
    if (is_new) {
        s.rule_names.push_back(name);
    }
    return it->second;
}

int visit(int rule, int step, Part part) {
    State& s = state();
    const Key key{rule, step, part};
    if (s.recording) {
        const std::scoped_lock lock(s.mutex);
        const auto [it, is_new] = s.points.try_emplace(key);
        Point& point = it->second;
        if (is_new) {
            constexpr const char* parts[] = {"gradient", "sum", "product", "negation", "choice", "term"};
            point = {fmt::format("{}, {} {}", s.rule_names[static_cast<std::size_t>(rule)],
                                 parts[static_cast<int>(part)], step),
                     rule,
                     step,
                     part,
                     {}};
        }
        if (point.cases.empty() || point.cases.back() != s.test_case) {
            point.cases.push_back(s.test_case);
        }
    }
    if (key != s.broken) {
        return 0;
    }
    // Where even adding 1 changes nothing, the gradient is never used.
    s.has_changed = s.has_changed || part != Part::gradient || s.way % 4 == 0;
    return s.way;
}

// "static int xtape::mutation::FormRule<Form>::id() [with Form = xtape::Atan2::Left]" -> "Atan2::Left"
std::string_view bare(std::string_view name) {
    const auto start = name.find("Form = ");
    if (start != std::string_view::npos) {
        name = name.substr(start + 7, name.rfind(']') - start - 7);
        constexpr std::string_view ours = "xtape::";
        name.remove_prefix(name.starts_with(ours) ? ours.size() : 0);
    }
    return name;
}

// What a gradient becomes: factor * gradient + addend.
struct Change {
    double factor = 1;
    double addend = 0;
};

// How the running rule's gradient of this input is to be broken now.
Change change_of(unsigned long input) {
    if (position.rule == no_rule) {
        return {};
    }
    const int way = visit(position.rule, static_cast<int>(std::min(input, most_inputs - 1)), Part::gradient);
    constexpr Change changes[] = {{-1, 0}, {2, 0}, {0, 0}, {1, 1}};
    const bool is_meant = way != 0 && (way <= 4 || (way > 8) == position.is_recorded);
    return is_meant ? changes[(way - 1) % 4] : Change{};
}

template <class T>
Ref<Body> changed(const Ref<Body>& body, const Change& change) {
    const Tensor<T> gradient(body);
    const Tensor<T> broken = gradient * change.factor + change.addend;
    state().has_changed =
        state().has_changed || !std::equal(gradient.data(), gradient.data() + gradient.size(), broken.data());
    return Tensor<T>(broken).take();
}

}  // namespace

const std::vector<std::string>& ways(Part part) {
    static const std::map<Part, std::vector<std::string>> names{
        {Part::gradient,
         {"negated", "doubled", "dropped", "1 added", "negated if plain", "doubled if plain", "dropped if plain",
          "1 added if plain", "negated if recorded", "doubled if recorded", "dropped if recorded",
          "1 added if recorded"}},
        {Part::sum, {"without its left term", "without its right term", "with the right term's sign changed"}},
        {Part::product, {"negated", "doubled"}},
        {Part::negation, {"left out"}},
        {Part::choice, {"always the first", "always the second"}},
        {Part::term, {"dropped", "negated"}},
    };
    return names.at(part);
}

void record_case(std::size_t test_case) {
    state().test_case = test_case;
    state().recording = true;
}

std::vector<Point> stop_recording() {
    state().recording = false;
    std::vector<Point> points;
    for (const auto& [key, point] : state().points) {
        points.push_back(point);
    }
    return points;
}

void break_point(const Point& point, int way) {
    state().broken = {point.rule, point.step, point.part};
    state().way = way;
}

bool has_changed() { return state().has_changed; }

int rule_id(const char* name) { return intern(std::string(bare(name))); }

Rule::Rule(int id, bool is_recorded) noexcept
    : outer_rule_(position.rule), outer_step_(position.step), outer_is_recorded_(position.is_recorded) {
    position = {id, 0, is_recorded};
}
Rule::~Rule() { position = {outer_rule_, outer_step_, outer_is_recorded_}; }

int way_to_break(Part part) noexcept {
    if (position.rule == no_rule || position.step == most_steps) {
        return 0;
    }
    return visit(position.rule, position.step++, part);
}

int way_to_break(Part part, const char* file, int line) noexcept {
    const std::string_view path(file);
    static std::map<std::pair<const char*, int>, int> ids;  // the kernels of one thread's replay at a time are broken
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    const auto [it, is_new] = ids.try_emplace({file, line}, 0);
    if (is_new) {
        it->second = intern(fmt::format("{}:{}", path.substr(path.rfind('/') + 1), line));
    }
    return visit(it->second, 0, part);
}

void break_gradient(unsigned long input, Ref<Body>& given) {
    const Change change = change_of(input);
    if (change.factor != 1 || change.addend != 0) {
        const Pause pause;
        given = given->dtype == DType::f32 ? changed<float>(given, change) : changed<double>(given, change);
    }
}

void* aside(const Node& input_node, unsigned long input) {
    const Change change = change_of(input);
    if (change.factor == 1 && change.addend == 0) {
        return nullptr;
    }
    written_aside.push_back({input, bodies::allocate(input_node.dtype, input_node.shape)});
    return written_aside.back().body->storage->data();
}

void give_aside(RuleContext& context) {
    // Giving may replay: the list is another's then.
    for (Aside& aside : std::exchange(written_aside, {})) {
        if (aside.body->dtype == DType::f32) {
            context.give(aside.input, Tensor<float>(std::move(aside.body)));
        } else {
            context.give(aside.input, Tensor<double>(std::move(aside.body)));
        }
    }
}

}  // namespace xtape::mutation
