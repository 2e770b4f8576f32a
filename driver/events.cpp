#include "driver/events.hpp"

#include <regex>

namespace cloister {

namespace {

bool same_name(const EventFilter& filter, const std::string& name) {
    if (!filter.monitor_event) return true;
    if (!filter.is_regex) {
        if (!filter.ignore_case) return *filter.monitor_event == name;
        return std::regex_match(name, std::regex(std::regex_replace(*filter.monitor_event,
                                                                    std::regex(R"([^A-Za-z0-9_])"), R"(\$&)"),
                                                 std::regex::icase));
    }
    auto how = std::regex::extended;
    if (filter.ignore_case) how |= std::regex::icase;
    return std::regex_search(name, std::regex(*filter.monitor_event, how));
}

bool wanted(const EventFilter& filter, const Event& what) {
    if (filter.number != number_of(what)) return false;
    if (filter.domain && *filter.domain != domain_of(what).uuid) return false;
    if (const auto* monitor = std::get_if<event::MonitorEvent>(&what)) {
        try {
            return same_name(filter, monitor->name);
        } catch (const std::regex_error&) {
            return false; // an ill-formed expression matches nothing; the subscriber was told when it asked
        }
    }
    return true;
}

} // namespace

int number_of(const Event& what) {
    return std::visit([]<class E>(const E&) { return E::number; }, what);
}
const DomainRef& domain_of(const Event& what) {
    return std::visit([](const auto& e) -> const DomainRef& { return e.domain; }, what);
}

struct EventHub::Listeners {
    struct One {
        EventFilter filter{};
        Callback callback{};
    };
    std::map<std::uint64_t, std::shared_ptr<One>> by_key{};
    std::uint64_t last = 0;
};

EventHub::EventHub() : listeners_(std::make_shared<Listeners>()) {}

EventHub::Token::~Token() {
    if (const auto hub = hub_.lock()) hub->by_key.erase(key_);
}

EventHub::Token EventHub::subscribe(EventFilter filter, Callback callback) {
    const auto key = ++listeners_->last;
    listeners_->by_key[key] =
        std::make_shared<Listeners::One>(Listeners::One{std::move(filter), std::move(callback)});
    return Token{listeners_, key};
}

void EventHub::emit(const Event& what) {
    // Callbacks may come and go meanwhile: walk by key, and call only what is still there.
    const auto listeners = listeners_;
    for (auto at = listeners->by_key.begin(); at != listeners->by_key.end();) {
        const auto key = at->first;
        const auto one = at->second;
        if (wanted(one->filter, what)) one->callback(what);
        at = listeners->by_key.upper_bound(key);
    }
}

} // namespace cloister
