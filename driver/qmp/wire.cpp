#include "driver/qmp/wire.hpp"

#include "conf/base/tr.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

namespace cloister::qmp {

namespace json = boost::json;

Result<> LineReader::feed(std::string_view bytes) {
    if (begin_ > 0) {
        held_.erase(0, begin_);
        scanned_ -= begin_;
        begin_ = 0;
    }
    held_.append(bytes);
    // Only the part after the last line end can be too long: complete lines are measured when they are cut.
    const auto last_end = held_.rfind('\n');
    const auto open = last_end == std::string::npos ? held_.size() : held_.size() - last_end - 1;
    if (open > longest)
        return fail(Code::internal, tr("QEMU sent a message of more than {0} bytes", longest));
    return {};
}

std::optional<std::string> LineReader::next() {
    for (;;) {
        const auto end = held_.find('\n', scanned_);
        if (end == std::string::npos) {
            scanned_ = held_.size();
            return std::nullopt;
        }
        auto line = std::string_view(held_).substr(begin_, end - begin_);
        if (line.ends_with('\r')) line.remove_suffix(1);
        begin_ = scanned_ = end + 1;
        if (!line.empty()) return std::string(line);
    }
}

namespace {

std::string text(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    const auto* string = found ? found->if_string() : nullptr;
    return string ? std::string(*string) : std::string();
}

std::optional<std::int64_t> number(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    const auto* integer = found ? found->if_int64() : nullptr;
    return integer ? std::optional(*integer) : std::nullopt;
}

std::unexpected<Error> unknown(std::string_view line) {
    return fail(Code::internal, tr("QEMU's monitor sent what is no message: '{0}'", line.substr(0, 200)));
}

Result<Message> greeting(const json::value& of, std::string_view line) {
    const auto* body = of.if_object();
    const auto* version = body ? body->if_contains("version") : nullptr;
    const auto* named = version ? version->if_object() : nullptr;
    const auto* qemu = named ? named->if_contains("qemu") : nullptr;
    if (!qemu || !qemu->is_object()) return unknown(line);
    const auto part = [&](std::string_view key) {
        return static_cast<std::uint32_t>(number(qemu->get_object(), key).value_or(0));
    };
    return Greeting{.version = part("major") * 1'000'000 + part("minor") * 1000 + part("micro"),
                    .package = text(*named, "package")};
}

Result<Message> event(const json::object& of) {
    RawEvent out{.name = text(of, "event")};
    if (const auto* data = of.if_contains("data"); data && data->is_object()) out.data = data->get_object();
    if (const auto* at = of.if_contains("timestamp"); at && at->is_object())
        out.at = {number(at->get_object(), "seconds").value_or(0),
                  static_cast<std::uint32_t>(number(at->get_object(), "microseconds").value_or(0))};
    return out;
}

std::optional<std::uint64_t> id_of(const json::object& message) {
    const auto id = number(message, "id");
    return id && *id >= 0 ? std::optional(static_cast<std::uint64_t>(*id)) : std::nullopt;
}

} // namespace

Result<Message> decoded(std::string_view line) {
    boost::system::error_code error;
    auto value = json::parse(line, error, {}, json::parse_options{.max_depth = 64});
    auto* message = error ? nullptr : value.if_object();
    if (!message) return unknown(line);
    if (const auto* hello = message->if_contains("QMP")) return greeting(*hello, line);
    if (const auto* name = message->if_contains("event"); name && name->is_string()) return event(*message);
    if (auto* returned = message->if_contains("return")) {
        const auto id = id_of(*message);
        if (!id) return unknown(line);
        return Reply{*id, std::move(*returned)};
    }
    if (const auto* refused = message->if_contains("error"); refused && refused->is_object())
        return Refusal{id_of(*message), text(refused->get_object(), "class"),
                       text(refused->get_object(), "desc")};
    return unknown(line);
}

std::string printed(std::string_view command, const json::object& arguments, std::uint64_t id) {
    json::object out{{"execute", command}};
    if (!arguments.empty()) out["arguments"] = arguments;
    out["id"] = id;
    return json::serialize(out) + '\n';
}

} // namespace cloister::qmp
