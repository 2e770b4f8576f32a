#include "driver/caps/schema.hpp"

#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <functional>

namespace cloister {

namespace json = boost::json;

const std::vector<std::string_view> schema_paths{
    "blockdev-add/arg-type/driver/^*",
    "blockdev-add/arg-type/+file/aio/^*",
    "blockdev-add/arg-type/+host_device/aio/^*",
    "blockdev-add/arg-type/+file/drop-cache",
    "blockdev-add/arg-type/+file/$dynamic-auto-read-only",
    "blockdev-add/arg-type/+qcow2/encrypt/+luks/key-secret",
    "blockdev-add/arg-type/+qcow2/discard-no-unref",
    "blockdev-add/arg-type/+nbd/tls-hostname",
    "blockdev-add/arg-type/+nbd/reconnect-delay",
    "blockdev-add/arg-type/+rbd/encrypt",
    "blockdev-add/arg-type/+rbd/namespace",
    "blockdev-add/arg-type/+nfs/debug",
    "blockdev-add/arg-type/+ssh/host-key-check",
    "blockdev-add/arg-type/+nvme",
    "blockdev-backup/arg-type/compress",
    "blockdev-snapshot/$allow-write-only-overlay",
    "block-commit/arg-type/*top",
    "block-stream/arg-type/base-node",
    "chardev-add/arg-type/backend/+*",
    "chardev-add/arg-type/backend/+file/data/logfile",
    "chardev-add/arg-type/backend/+file/data/append",
    "chardev-add/arg-type/backend/+socket/data/reconnect",
    "chardev-add/arg-type/backend/+socket/data/addr/+fd",
    "device_add/$json-cli",
    "device_add/$json-cli-hotplug",
    "display-reload/arg-type/+vnc/tls-certs",
    "dump-guest-memory/arg-type/detach",
    "dump-guest-memory/arg-type/format/^*",
    "migrate/arg-type/detach",
    "screendump/arg-type/format",
    "migrate-set-parameters/arg-type/tls-authz",
    "migrate-set-parameters/arg-type/block-bitmap-mapping/bitmaps/transform",
    "migrate-set-parameters/arg-type/max-bandwidth",
    "migrate-set-parameters/arg-type/downtime-limit",
    "query-migrate/ret-type/blocked-reasons",
    "nbd-server-start/arg-type/tls-creds",
    "nbd-server-start/arg-type/tls-authz",
    "netdev_add/arg-type/type/^*",
    "netdev_add/arg-type/+tap/poll-us",
    "netdev_add/arg-type/+user/ipv6",
    "netdev_add/arg-type/+vhost-vdpa",
    "object-add/arg-type/qom-type/^*",
    "object-add/arg-type/+iothread/poll-max-ns",
    "object-add/arg-type/+iothread/aio-max-batch",
    "object-add/arg-type/+iothread/thread-pool-max",
    "object-add/arg-type/+main-loop/aio-max-batch",
    "object-add/arg-type/+memory-backend-file/align",
    "object-add/arg-type/+memory-backend-file/discard-data",
    "object-add/arg-type/+memory-backend-file/pmem",
    "object-add/arg-type/+memory-backend-file/prealloc-threads",
    "object-add/arg-type/+memory-backend-file/prealloc-context",
    "object-add/arg-type/+memory-backend-file/reserve",
    "object-add/arg-type/+memory-backend-file/x-use-canonical-path-for-ramblock-id",
    "object-add/arg-type/+memory-backend-memfd/hugetlb",
    "object-add/arg-type/+memory-backend-memfd/reserve",
    "object-add/arg-type/+sev-guest/kernel-hashes",
    "qom-list-properties/ret-type/name",
    "query-cpu-definitions/ret-type/unavailable-features",
    "query-cpu-definitions/ret-type/typename",
    "query-display-options/ret-type/type/^*",
    "query-display-options/ret-type/+egl-headless/rendernode",
    "query-display-options/ret-type/+sdl",
    "query-hotpluggable-cpus/ret-type/props/die-id",
    "query-named-block-nodes/arg-type/flat",
    "query-named-block-nodes/ret-type/dirty-bitmaps",
    "query-cpus-fast/ret-type/thread-id",
    "screendump/arg-type/device",
    "screendump/arg-type/format/^*",
    "set-action/arg-type/reboot",
    "set-action/arg-type/shutdown",
    "set-action/arg-type/panic/^*",
    "set-action/arg-type/watchdog/^*",
    "set-numa-node/arg-type/+hmat-lb",
    "transaction/arg-type/actions/+*",
};

namespace {

std::string_view text(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    const auto* string = found ? found->if_string() : nullptr;
    return string ? std::string_view(string->data(), string->size()) : std::string_view();
}

const json::array* list(const json::object& in, std::string_view key) {
    const auto* found = in.if_contains(key);
    return found ? found->if_array() : nullptr;
}

/// Where a path has come to: a type, and the description (an entity or a member) whose features count.
struct Place {
    const json::object* type = nullptr;
    const json::object* described = nullptr;
};

using Entries = std::map<std::string, const json::object*, std::less<>>;

const json::object* find(const Entries& entries, std::string_view name) {
    const auto found = entries.find(name);
    return found == entries.end() ? nullptr : found->second;
}

/// Through arrays to what they hold.
const json::object* element(const Entries& entries, const json::object* type) {
    for (int depth = 0; type && depth < 8 && text(*type, "meta-type") == "array"; ++depth)
        type = find(entries, text(*type, "element-type"));
    return type;
}

template <class Fits> const json::object* item(const json::array* in, Fits fits) {
    if (in)
        for (const auto& one : *in)
            if (one.is_object() && fits(one.get_object())) return &one.get_object();
    return nullptr;
}

bool has_text(const json::array* in, std::string_view wanted) {
    if (in)
        for (const auto& one : *in)
            if (one.is_string() && std::string_view(one.get_string()) == wanted) return true;
    return false;
}

Place step(const Entries& entries, Place from, std::string_view part) {
    if (part.starts_with('$')) {
        const bool has = (from.described && has_text(list(*from.described, "features"), part.substr(1))) ||
                         (from.type && has_text(list(*from.type, "features"), part.substr(1)));
        return has ? from : Place{};
    }
    const auto* type = element(entries, from.type);
    if (!type) return {};
    const auto meta = text(*type, "meta-type");
    if (meta == "command" || meta == "event") {
        if (part != "arg-type" && part != "ret-type") return {};
        const auto* next = find(entries, text(*type, part));
        return {next, next};
    }
    if (meta == "alternate") { // one of several types: the first that goes on
        if (const auto* members = list(*type, "members"))
            for (const auto& one : *members)
                if (one.is_object()) {
                    const auto* inner = find(entries, text(one.get_object(), "type"));
                    if (const auto next = step(entries, {inner, inner}, part); next.type) return next;
                }
        return {};
    }
    if (part.starts_with('^'))
        return has_text(list(*type, "values"), part.substr(1)) ? Place{type, type} : Place{};
    if (part.starts_with('+')) {
        const auto* branch = item(list(*type, "variants"),
                                  [&](const json::object& v) { return text(v, "case") == part.substr(1); });
        const auto* next = branch ? find(entries, text(*branch, "type")) : nullptr;
        return {next, next};
    }
    const bool optional = part.starts_with('*');
    const auto name = optional ? part.substr(1) : part;
    const auto* member =
        item(list(*type, "members"), [&](const json::object& m) { return text(m, "name") == name; });
    if (!member || (optional && !member->contains("default"))) return {};
    return {find(entries, text(*member, "type")), member};
}

Place walk(const Entries& entries, std::string_view path) {
    auto slash = path.find('/');
    const auto* root = find(entries, path.substr(0, slash));
    Place at{root, root};
    while (at.type && slash != std::string_view::npos) {
        const auto next = path.find('/', slash + 1);
        at = step(entries, at,
                  path.substr(slash + 1, next == std::string_view::npos ? next : next - slash - 1));
        slash = next;
    }
    return at;
}

} // namespace

Schema::Schema(const json::array& reply) {
    for (const auto& one : reply)
        if (one.is_object()) entries_.emplace(text(one.get_object(), "name"), &one.get_object());
}

bool Schema::has(std::string_view path) const { return walk(entries_, path).type != nullptr; }

std::vector<std::string> Schema::matches(std::string_view pattern) const {
    if (!pattern.ends_with("/^*") && !pattern.ends_with("/+*"))
        return has(pattern) ? std::vector{std::string(pattern)} : std::vector<std::string>{};
    const auto stem = pattern.substr(0, pattern.size() - 1); // keeps the mark
    const auto* type = element(entries_, walk(entries_, pattern.substr(0, pattern.size() - 3)).type);
    std::vector<std::string> out;
    if (!type) return out;
    if (pattern.ends_with("^*")) {
        if (const auto* values = list(*type, "values"))
            for (const auto& value : *values)
                if (value.is_string()) out.push_back(std::string(stem) + std::string(value.get_string()));
    } else if (const auto* variants = list(*type, "variants")) {
        for (const auto& variant : *variants)
            if (variant.is_object())
                out.push_back(std::string(stem) + std::string(text(variant.get_object(), "case")));
    }
    return out;
}

std::set<std::string, std::less<>> Schema::events() const {
    std::set<std::string, std::less<>> out;
    for (const auto& [name, entry] : entries_)
        if (text(*entry, "meta-type") == "event") out.insert(name);
    return out;
}

} // namespace cloister
