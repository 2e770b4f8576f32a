#include "daemon/dbus/introspect.hpp"

#include "conf/call/procedure.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cloister::dbus {
namespace {

constexpr std::string_view head =
    R"(<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
)";

/// Every object has these, whatever else it has.
constexpr std::string_view common = R"(  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg name="xml_data" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="GetAll">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="properties" type="a{sv}" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface_name" type="s"/>
      <arg name="changed_properties" type="a{sv}"/>
      <arg name="invalidated_properties" type="as"/>
    </signal>
  </interface>
)";

/// How many characters the first complete type has.
std::size_t first_type(std::string_view rest) {
    if (rest.empty()) return 0;
    if (rest[0] == 'a') return 1 + first_type(rest.substr(1));
    if (rest[0] != '(' && rest[0] != '{') return 1;
    int depth = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        if (rest[i] == '(' || rest[i] == '{') ++depth;
        if ((rest[i] == ')' || rest[i] == '}') && --depth == 0) return i + 1;
    }
    return rest.size();
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        if (end > 0) out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string arguments(std::string_view types, std::string_view names, std::string_view direction) {
    std::string out;
    const auto all = types_in(types);
    const auto called = words(names);
    for (std::size_t i = 0; i < all.size(); ++i)
        out += fmt::format("      <arg name=\"{}\" type=\"{}\"{}/>\n", i < called.size() ? called[i] : "",
                           all[i], direction.empty() ? "" : fmt::format(" direction=\"{}\"", direction));
    return out;
}

std::string element(std::string_view kind, std::string_view name, const std::string& inside) {
    if (inside.empty()) return fmt::format("    <{} name=\"{}\"/>\n", kind, name);
    return fmt::format("    <{} name=\"{}\">\n{}    </{}>\n", kind, name, inside, kind);
}

/// The library function that does the same, or our own words.
std::string explained(const Method& method) {
    const auto* procedure =
        method.number ? call::find_procedure(call::remote_program, method.number) : nullptr;
    const auto text = procedure && !procedure->api.empty() ? std::string(procedure->api) : method.about;
    if (text.empty()) return {};
    return fmt::format("      <annotation name=\"org.gtk.GDBus.DocString\" value=\"{}\"/>\n", text);
}

std::string described(const Property& property) {
    return fmt::format("    <property name=\"{}\" type=\"{}\" access=\"{}\"{}", property.name,
                       property.get.out, property.set ? "readwrite" : "read",
                       property.constant
                           ? ">\n      <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" "
                             "value=\"const\"/>\n    </property>\n"
                           : "/>\n");
}

} // namespace

std::vector<std::string> types_in(std::string_view signature) {
    std::vector<std::string> out;
    while (!signature.empty()) {
        const auto size = first_type(signature);
        out.emplace_back(signature.substr(0, size));
        signature.remove_prefix(size);
    }
    return out;
}

std::string described(const Interface& interface) {
    std::string out = fmt::format("  <interface name=\"{}\">\n", interface.name);
    if (!interface.properties.empty())
        out +=
            "    <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" value=\"false\"/>\n";
    for (const auto& property : interface.properties) out += described(property);
    for (const auto& method : interface.methods)
        out += element("method", method.name,
                       explained(method) + arguments(method.in, method.in_names, "in") +
                           arguments(method.out, method.out_names, "out"));
    for (const auto& signal : interface.signals)
        out += element("signal", signal.name, arguments(signal.types, signal.names, {}));
    return out + "  </interface>\n";
}

std::string described(const std::vector<const Interface*>& interfaces,
                      const std::vector<std::string>& children, std::string_view node) {
    auto out = std::string(head);
    out += node.empty() ? "<node>\n" : fmt::format("<node name=\"{}\">\n", node);
    if (node.empty()) out += common;
    for (const auto* interface : interfaces) out += described(*interface);
    for (const auto& child : children) out += fmt::format("  <node name=\"{}\"/>\n", child);
    return out + "</node>\n";
}

} // namespace cloister::dbus
