#include "driver/registry.hpp"

#include "conf/base/tr.hpp"
#include "driver/guest.hpp"

#include <algorithm>

namespace cloister {

Registry::Pointer Registry::by_uuid(const Uuid& uuid) const {
    const auto found = by_uuid_.find(uuid);
    return found == by_uuid_.end() ? nullptr : found->second;
}

Registry::Pointer Registry::by_name(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

Registry::Pointer Registry::by_id(int id) const {
    if (id < 0) return nullptr;
    for (const auto& [name, guest] : by_name_)
        if (guest->id() == id) return guest;
    return nullptr;
}

Result<Registry::Pointer> Registry::find(const Uuid& uuid, std::string_view name) const {
    if (auto found = by_uuid(uuid)) return found;
    if (name.empty()) return fail(Code::no_domain, tr("no domain with matching uuid '{0}'", printed(uuid)));
    return fail(Code::no_domain, tr("no domain with matching uuid '{0}' ({1})", printed(uuid), name));
}

Result<Registry::Pointer> Registry::find(std::string_view name) const {
    if (auto found = by_name(name)) return found;
    return fail(Code::no_domain, tr("no domain with matching name '{0}'", name));
}

Result<Registry::Pointer> Registry::find(int id) const {
    if (auto found = by_id(id)) return found;
    return fail(Code::no_domain, tr("no domain with matching id {0}", id));
}

Registry::All Registry::all() const {
    if (all_) return all_;
    auto out = std::make_shared<std::vector<Pointer>>();
    out->reserve(by_name_.size());
    for (const auto& [name, guest] : by_name_) out->push_back(guest);
    return all_ = std::move(out);
}

bool Registry::any_active() const {
    for (const auto& [name, guest] : by_name_)
        if (guest->active()) return true;
    return false;
}

Result<Registry::Pointer> Registry::matching(std::string_view name, const Uuid& uuid) const {
    const auto refuse = [](std::string message) {
        auto refusal = fail(Code::operation_failed, std::move(message));
        refusal.error().domain = ErrorDomain::domain;
        return refusal;
    };
    if (auto same = by_uuid(uuid)) {
        if (same->name != name)
            return refuse(tr("domain '{0}' is already defined with uuid {1}", same->name, printed(uuid)));
        return same;
    }
    if (const auto other = by_name(name))
        return refuse(tr("domain '{0}' already exists with uuid {1}", name, printed(other->uuid)));
    return Pointer{};
}

void Registry::add(Pointer guest) {
    all_ = nullptr;
    guest->jobs.limit(most_queued_);
    by_name_[guest->name] = guest;
    by_uuid_[guest->uuid] = std::move(guest);
}

void Registry::remove(const Guest& guest) {
    all_ = nullptr;
    const auto uuid = guest.uuid; // the second erase may end the guest that `guest` refers to
    by_name_.erase(guest.name);
    by_uuid_.erase(uuid);
}

void Registry::rename(const Pointer& guest, std::string name) {
    all_ = nullptr;
    by_name_.erase(guest->name);
    guest->name = std::move(name);
    by_name_[guest->name] = guest;
}

} // namespace cloister
