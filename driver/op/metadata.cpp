#include "driver/op/metadata.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/domain_xml.hpp"
#include "driver/define.hpp"
#include "driver/op/find.hpp"
#include "driver/stop.hpp"

#include <algorithm>

namespace cloister {

namespace {

enum class MetadataType { description = 0, title = 1, element = 2 };

Result<MetadataType> metadata_type(std::int32_t number) {
    if (number < 0 || number > 2) return refuse(Code::invalid_arg, tr("unknown metadata type {0}", number));
    return static_cast<MetadataType>(number);
}

/// Moves an element and what belongs to the same namespace below it into, or out of, `uri`.
void move_namespace(xml::Node& node, const std::string& from, const std::string& to,
                    const std::string& prefix) {
    if (node.kind != xml::Node::Kind::element || node.ns != from) return;
    node.ns = to;
    node.prefix = prefix;
    for (auto& child : node.children) move_namespace(child, from, to, prefix);
}

std::vector<xml::Node>::iterator of_namespace(xml::Node& metadata, const std::string& uri) {
    return std::find_if(metadata.children.begin(), metadata.children.end(),
                        [&](const xml::Node& child) { return child.ns == uri; });
}

struct Change {
    MetadataType type = MetadataType::description;
    std::optional<std::string> text{};
    std::string key{}, uri{};
};

Result<> set_element(Domain& domain, const Change& change) {
    if (!domain.metadata) {
        if (!change.text) return {}; // nothing to remove
        domain.metadata = xml::Node{.name = "metadata"};
    }
    auto& children = domain.metadata->children;
    if (const auto old = of_namespace(*domain.metadata, change.uri); old != children.end())
        children.erase(old);
    if (change.text) {
        auto node = TRY(xml::read(*change.text, "(metadata_xml)"));
        move_namespace(node, node.ns, change.uri, change.key);
        std::erase_if(node.declarations,
                      [&](const auto& d) { return d.name == change.key || d.name.empty(); });
        node.declarations.push_back({.name = change.key, .value = change.uri});
        children.push_back(std::move(node));
    }
    return {};
}

Result<std::shared_ptr<const Domain>> changed(const Domain& before, const Change& change) {
    auto domain = before;
    switch (change.type) {
    case MetadataType::description: domain.description = change.text; break;
    case MetadataType::title: domain.title = change.text; break;
    case MetadataType::element: TRY(set_element(domain, change)); break;
    }
    return std::make_shared<const Domain>(std::move(domain));
}

Result<std::string> found(const Domain& domain, MetadataType type, const std::string& uri) {
    const auto missing = [] {
        return refuse(Code::no_domain_metadata, tr("Requested metadata element is not present"),
                      ErrorDomain::domain);
    };
    if (type == MetadataType::description)
        return domain.description ? Result<std::string>(*domain.description) : missing();
    if (type == MetadataType::title) return domain.title ? Result<std::string>(*domain.title) : missing();
    if (!domain.metadata) return missing();
    auto metadata = *domain.metadata;
    const auto at = of_namespace(metadata, uri);
    if (at == metadata.children.end()) return missing();
    auto node = *at;
    std::erase_if(node.declarations, [&](const auto& d) { return d.value == uri; });
    move_namespace(node, uri, "", "");
    auto text = xml::print(node);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

} // namespace

Task<Result<DomainGetMetadata::Out>> DomainGetMetadata::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, affect_live | affect_config, "qemuDomainGetMetadata"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(type, metadata_type(in.type));
    if ((in.flags & affect_live) && (in.flags & affect_config))
        co_return refuse(Code::invalid_arg, tr("flags 'affect live' and 'affect config' exclude each other"));
    CO_TRY(where, affect(*guest, in.flags));
    const auto& domain = where.live ? guest->current() : guest->definition;
    CO_TRY(text, found(*domain, type, in.uri ? in.uri->value : std::string{}));
    co_return Out{{text}};
}

Task<Result<DomainSetMetadata::Out>> DomainSetMetadata::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, affect_live | affect_config, "qemuDomainSetMetadata"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(type, metadata_type(in.type));
    Change wanted{.type = type,
                  .key = in.key ? in.key->value : std::string{},
                  .uri = in.uri ? in.uri->value : std::string{}};
    if (in.metadata) wanted.text = in.metadata->value;
    if (type == MetadataType::title && wanted.text && wanted.text->find('\n') != std::string::npos)
        co_return refuse(Code::invalid_arg, tr("metadata title can't contain newlines"), ErrorDomain::dom);
    if (type == MetadataType::element && (wanted.uri.empty() || (wanted.text && wanted.key.empty())))
        co_return refuse(Code::invalid_arg, tr("metadata needs a namespace and a key"), ErrorDomain::dom);
    CO_TRY(turn, co_await change(guest, "virDomainSetMetadata"));
    CO_TRY(where, affect(*guest, in.flags));
    // Both texts are made before either is used, so that a bad one changes nothing.
    std::shared_ptr<const Domain> stored, live;
    if (where.config) {
        CO_TRY(next, changed(*guest->definition, wanted));
        stored = next;
    }
    if (where.live) {
        CO_TRY(next, changed(*guest->live, wanted));
        live = next;
    }
    if (stored) CO_CHECK(co_await store_definition(*call.driver, guest, stored));
    if (live && guest->live) {
        guest->live = live;
        co_await status_saved(call.driver, guest);
    }
    call.driver->events().emit(event::MetadataChange{
        .domain = guest->ref(),
        .type = in.type,
        .uri = type == MetadataType::element ? std::optional(wanted.uri) : std::nullopt});
    co_return Out{};
}

} // namespace cloister
