#include "driver/op/identity.hpp"

#include "conf/base/tr.hpp"
#include "conf/text/xml_head.hpp"
#include "driver/op/find.hpp"

#include <array>

namespace cloister {

DomainIdentity identity(const Guest& guest) { return {.name = guest.name, .uuid = guest.uuid}; }

Result<DomainIdentity> identity(Driver& driver, const Mentioned& mentioned) {
    const auto& registry = driver.registry();
    if (mentioned.xml) return identity_in(*mentioned.xml);
    if (mentioned.uuid) return identity(*TRY(registry.find(*mentioned.uuid, mentioned.name)));
    if (mentioned.id) return identity(*TRY(registry.find(*mentioned.id)));
    if (!mentioned.name.empty()) return identity(*TRY(registry.find(mentioned.name)));
    return DomainIdentity{};
}

Result<DomainIdentity> identity_in(std::string_view definition) {
    constexpr std::array<std::string_view, 2> wanted = {"name", "uuid"};
    const auto head = TRY(xml::read_head(definition, wanted));
    const auto* name = head.child("name");
    if (!name || name->text.empty()) {
        auto missing = refuse(Code::no_name, tr("missing name information"), ErrorDomain::domain);
        missing.error().bare = true;
        return missing;
    }
    DomainIdentity out{.name = name->text};
    if (const auto* uuid = head.child("uuid"))
        out.uuid = parse_uuid(uuid->text); // bad: whoever reads it whole says so
    return out;
}

Result<> as_asked(const Call& call, const std::string& name, const std::optional<Uuid>& uuid) {
    if (!call.rights || call.about.name.empty()) return {};
    if (call.about.name == name && (!call.about.uuid || call.about.uuid == uuid)) return {};
    return refuse(Code::access_denied, tr("the definition is not the one that was asked for"));
}

Task<Registry::All> visible(Call call, Registry::All all, Permission what) {
    if (!call.rights) co_return all;
    auto out = std::make_shared<std::vector<GuestPointer>>();
    for (const auto& guest : *all) {
        const auto seen = co_await call.rights->may(what, identity(*guest));
        if (seen) out->push_back(guest);
    }
    co_return out;
}

} // namespace cloister
