#include "driver/caps/caps_json.hpp"

#include "driver/caps/schema.hpp"

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <stdexcept>

namespace cloister {

namespace json = boost::json;

namespace {

/// Raised when the shape of QemuCaps, or what is asked of QEMU, changes.
constexpr std::int64_t format = 1;

/// Changes when a path or a question is added, so that an old cache is not believed.
std::int64_t contents() {
    std::uint64_t sum = 1469598103934665603u; // FNV-1a
    for (const auto path : schema_paths)
        for (const char c : path) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return static_cast<std::int64_t>(sum >> 1);
}

struct Damaged : std::runtime_error {
    Damaged() : std::runtime_error("damaged") {}
};

using Names = std::set<std::string, std::less<>>;

json::value put(const std::string& text) { return json::value(text); }
json::value put(bool flag) { return json::value(flag); }
json::value put(std::uint32_t number) { return json::value(number); }
json::value put(const QemuMachine&);
json::value put(const QemuCpu&);
json::value put(const CpuExpansion&);
template <class T> json::value put(const std::optional<T>& one) { return one ? put(*one) : json::value(); }
template <class T, class... A> json::array put_list(const T& list) {
    json::array out;
    for (const auto& one : list) out.push_back(put(one));
    return out;
}
json::value put(const std::vector<std::string>& list) { return put_list(list); }
json::value put(const std::vector<QemuMachine>& list) { return put_list(list); }
json::value put(const std::vector<QemuCpu>& list) { return put_list(list); }
json::value put(const Names& list) { return put_list(list); }
template <class T, class C> json::value put(const std::map<std::string, T, C>& map) {
    json::object out;
    for (const auto& [name, value] : map) out.emplace(name, put(value));
    return out;
}

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

void get(const json::value& from, std::string& to) { to = from.as_string(); }
void get(const json::value& from, bool& to) { to = from.as_bool(); }
void get(const json::value& from, std::uint32_t& to) { to = static_cast<std::uint32_t>(from.as_int64()); }
void get(const json::value& from, QemuMachine& to);
void get(const json::value& from, QemuCpu& to);
void get(const json::value& from, CpuExpansion& to);
template <class T> void get(const json::value& from, std::optional<T>& to) {
    if (!from.is_null()) get(from, to.emplace());
}
template <class T> void get(const json::value& from, std::vector<T>& to) {
    to.reserve(from.as_array().size());
    for (const auto& one : from.get_array()) get(one, to.emplace_back());
}
void get(const json::value& from, Names& to) {
    for (const auto& one : from.as_array()) to.emplace_hint(to.end(), view(one.as_string()));
}
template <class T, class C> void get(const json::value& from, std::map<std::string, T, C>& to) {
    for (const auto& [name, value] : from.as_object()) {
        T one{};
        get(value, one);
        to.emplace_hint(to.end(), std::string(name.data(), name.size()), std::move(one));
    }
}

/// The members of each struct, once: visited to write and to read, in the order of the array that stands for
/// it.
void each(auto&& visit, auto& m)
    requires std::same_as<std::remove_cvref_t<decltype(m)>, QemuMachine>
{
    visit(m.name, m.alias, m.max_cpus, m.hotpluggable_cpus, m.numa_mem, m.deprecated, m.is_default,
          m.default_cpu_type, m.default_ram_id);
}
void each(auto&& visit, auto& c)
    requires std::same_as<std::remove_cvref_t<decltype(c)>, QemuCpu>
{
    visit(c.name, c.type, c.alias_of, c.unavailable, c.usable_known, c.deprecated, c.migration_safe,
          c.is_static);
}
void each(auto&& visit, auto& e)
    requires std::same_as<std::remove_cvref_t<decltype(e)>, CpuExpansion>
{
    visit(e.model, e.properties);
}
void each(auto&& visit, auto& c)
    requires std::same_as<std::remove_cvref_t<decltype(c)>, QemuCaps>
{
    visit(c.emulator, c.version, c.package, c.arch, c.kvm, c.machines, c.cpus_tcg, c.cpus_kvm, c.types,
          c.commands, c.events, c.schema, c.properties, c.options, c.tpm_types, c.tpm_models, c.migration,
          c.host_kvm, c.host_tcg, c.models_kvm, c.models_tcg, c.hyperv);
}

json::array listed(const auto& value) {
    json::array out;
    each([&](const auto&... member) { (out.push_back(put(member)), ...); }, value);
    return out;
}
void read(const json::value& from, auto& value) {
    const auto& array = from.as_array();
    each(
        [&](auto&... member) {
            if (array.size() != sizeof...(member)) throw Damaged();
            std::size_t i = 0;
            (get(array[i++], member), ...);
        },
        value);
}

json::value put(const QemuMachine& machine) { return listed(machine); }
json::value put(const QemuCpu& cpu) { return listed(cpu); }
json::value put(const CpuExpansion& expansion) { return listed(expansion); }
void get(const json::value& from, QemuMachine& to) { read(from, to); }
void get(const json::value& from, QemuCpu& to) { read(from, to); }
void get(const json::value& from, CpuExpansion& to) { read(from, to); }

} // namespace

std::string caps_text(const QemuCaps& caps, std::string_view key) {
    return json::serialize(json::object{
        {"cloister-caps", format}, {"contents", contents()}, {"key", key}, {"caps", listed(caps)}});
}

std::optional<QemuCaps> caps_from(std::string_view text, std::string_view key) try {
    json::monotonic_resource memory(text.size() * 2 + 1024);
    boost::system::error_code error;
    const auto value = json::parse(text, error, &memory);
    if (error) return std::nullopt;
    const auto& file = value.as_object();
    if (file.at("cloister-caps").as_int64() != format || file.at("contents").as_int64() != contents() ||
        view(file.at("key").as_string()) != key)
        return std::nullopt;
    QemuCaps caps;
    read(file.at("caps"), caps);
    return caps;
} catch (const std::exception&) { // boost.json throws where a value has another type
    return std::nullopt;
}

} // namespace cloister
