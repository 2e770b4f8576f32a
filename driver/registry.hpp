/// Every domain the driver knows: found by uuid, name or id. Lives on the reactor thread; looking up never
/// waits.
#pragma once

#include "conf/base/result.hpp"
#include "conf/base/uuid.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cloister {

struct Guest; // driver/guest.hpp

class Registry {
public:
    using Pointer = std::shared_ptr<Guest>;

    /// Null when there is none.
    Pointer by_uuid(const Uuid& uuid) const;
    Pointer by_name(std::string_view name) const;
    Pointer by_id(int id) const;
    /// By uuid alone, as the wire wants it; `name` is what the client believes it is called, for the message.
    /// Errors: no_domain, with libvirt's texts.
    Result<Pointer> find(const Uuid& uuid, std::string_view name = {}) const;
    Result<Pointer> find(std::string_view name) const;
    Result<Pointer> find(int id) const;
    /// In the order of the names, as it is now: later changes make another. Shared, because a thousand
    /// domains are listed more often than one is added.
    using All = std::shared_ptr<const std::vector<Pointer>>;
    All all() const;
    bool any_active() const;

    /// Whether a definition with this name and uuid may be added or replace what is there.
    /// Gives the domain that it would replace, or null. Errors: operation_failed, with libvirt's texts.
    Result<Pointer> matching(std::string_view name, const Uuid& uuid) const;
    void add(Pointer guest);
    /// Of every domain that is added from now on: how many jobs its queue takes, see Jobs::limit().
    void limit_queues(unsigned most) { most_queued_ = most; }
    void remove(const Guest& guest);
    void rename(const Pointer& guest, std::string name);

private:
    unsigned most_queued_ = 0;
    mutable All all_{}; ///< null: made anew when it is asked for
    std::map<Uuid, Pointer> by_uuid_{};
    std::map<std::string, Pointer, std::less<>> by_name_{};
};

} // namespace cloister
