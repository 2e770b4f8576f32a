/// org.libvirt.DomainSnapshot. Source: as for Connect.
#include "conf/call/domain_snapshot.hpp"
#include "daemon/dbus/shapes.hpp"
#include "daemon/dbus/snapshots.hpp"

namespace cloister::dbus {

using namespace call;

Interface snapshot_interface() {
    const auto children = [](DomainSnapshotListAllChildrenIn& in, std::uint32_t flags) {
        in.need_results = 1;
        in.flags = flags;
    };
    return {
        .name = "org.libvirt.DomainSnapshot",
        .methods =
            {
                method<DomainSnapshotDeleteIn>(193, "Delete", "flags"),
                method<DomainSnapshotGetParentIn, DomainSnapshotGetParentOut>(244, "GetParent", "flags",
                                                                              "domainSnapshot"),
                method<DomainSnapshotGetXmlDescIn, DomainSnapshotGetXmlDescOut>(186, "GetXMLDesc", "flags",
                                                                                "xml"),
                method<DomainSnapshotIsCurrentIn, DomainSnapshotIsCurrentOut>(
                    271, "IsCurrent", "flags", "domainSnapshot", AsItIs{},
                    Only<&DomainSnapshotIsCurrentOut::current, bool>{}),
                method<DomainSnapshotListAllChildrenIn, DomainSnapshotListAllChildrenOut>(
                    275, "ListChildren", "flags", "domainSnapshots", children,
                    Only<&DomainSnapshotListAllChildrenOut::snapshots>{}),
                method<DomainRevertToSnapshotIn>(192, "Revert", "flags"),
            },
    };
}

} // namespace cloister::dbus
