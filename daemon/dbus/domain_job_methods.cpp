/// org.libvirt.Domain: what takes its time: jobs on images, saving, migration, snapshots.
#include "conf/call/domain_block.hpp"
#include "conf/call/domain_job.hpp"
#include "conf/call/domain_migrate.hpp"
#include "conf/call/domain_save.hpp"
#include "conf/call/domain_snapshot.hpp"
#include "daemon/dbus/domain_methods.hpp"
#include "daemon/dbus/shapes.hpp"
#include "daemon/dbus/snapshots.hpp"

namespace cloister::dbus {
namespace {

using namespace call;
using Flags = std::uint32_t;

std::vector<Method> jobs() {
    const auto block = [](const DomainGetBlockJobInfoOut& out) {
        return std::tuple(out.type, out.bandwidth, out.cur, out.end);
    };
    return {
        method<DomainAbortJobIn>(164, "AbortJob"),
        method<DomainBlockCommitIn>(290, "BlockCommit", "disk base top bandwidth flags"),
        method<DomainBlockCopyIn>(345, "BlockCopy", "disk destxml params flags"),
        method<DomainBlockJobAbortIn>(237, "BlockJobAbort", "disk flags"),
        method<DomainBlockJobSetSpeedIn>(239, "BlockJobSetSpeed", "disk bandwidth flags"),
        method<DomainBlockPullIn>(240, "BlockPull", "disk bandwidth flags"),
        method<DomainBlockRebaseIn>(266, "BlockRebase", "disk base bandwidth flags"),
        method<DomainBlockResizeIn>(251, "BlockResize", "disk size flags"),
        method<DomainGetBlockJobInfoIn, DomainGetBlockJobInfoOut>(238, "GetBlockJobInfo", "disk flags",
                                                                  "blockJobInfo", AsItIs{}, block),
        method<DomainGetJobInfoIn, DomainGetJobInfoOut>(163, "GetJobInfo", "", "jobInfo", AsItIs{}, whole),
        method<DomainGetJobStatsIn, DomainGetJobStatsOut>(298, "GetJobStats", "flags", "stats", AsItIs{},
                                                          whole),
    };
}

std::vector<Method> saving() {
    return {
        method<DomainCoreDumpWithFormatIn>(334, "CoreDump", "to dumpformat flags"),
        method<DomainHasManagedSaveImageIn, DomainHasManagedSaveImageOut>(
            183, "HasManagedSaveImage", "flags", "managedSaveImage", AsItIs{},
            Only<&DomainHasManagedSaveImageOut::result, bool>{}),
        method<DomainManagedSaveIn>(182, "ManagedSave", "flags"),
        method<DomainManagedSaveRemoveIn>(184, "ManagedSaveRemove", "flags"),
        method<DomainSaveFlagsIn>(232, "Save", "to xml flags"),
    };
}

std::vector<Method> migration() {
    const auto to_uri = [](DomainMigratePerform3ParamsIn& in, std::string uri, List<TypedParam, 64> params,
                           Flags flags) {
        in.dconnuri = Text<>{std::move(uri)};
        in.params = std::move(params);
        in.flags = flags;
    };
    return {
        method<DomainMigrateGetCompressionCacheIn, DomainMigrateGetCompressionCacheOut>(
            299, "MigrateGetCompressionCache", "flags", "cacheSize"),
        method<DomainMigrateGetMaxSpeedIn, DomainMigrateGetMaxSpeedOut>(242, "MigrateGetMaxSpeed", "flags",
                                                                        "bandwidth"),
        method<DomainMigrateSetCompressionCacheIn>(300, "MigrateSetCompressionCache", "cacheSize flags"),
        method<DomainMigrateSetMaxDowntimeIn>(166, "MigrateSetMaxDowntime", "downtime flags"),
        method<DomainMigrateSetMaxSpeedIn>(207, "MigrateSetMaxSpeed", "bandwidth flags"),
        method<DomainMigrateStartPostCopyIn>(364, "MigrateStartPostCopy", "flags"),
        method<DomainMigratePerform3ParamsIn, DomainMigratePerform3ParamsOut>(
            305, "MigrateToURI3", "dconuri params flags", "", to_uri, Quiet{}),
    };
}

std::vector<Method> snapshots() {
    const auto all = [](DomainListAllSnapshotsIn& in, Flags flags) {
        in.need_results = 1;
        in.flags = flags;
    };
    return {
        method<DomainListAllSnapshotsIn, DomainListAllSnapshotsOut>(
            274, "ListDomainSnapshots", "flags", "domainSnapshots", all,
            Only<&DomainListAllSnapshotsOut::snapshots>{}),
        method<DomainSnapshotCurrentIn, DomainSnapshotCurrentOut>(191, "SnapshotCurrent", "flags",
                                                                  "domainSnapshot"),
        method<DomainSnapshotCreateXmlIn, DomainSnapshotCreateXmlOut>(185, "SnapshotCreateXML", "xml flags",
                                                                      "domainSnapshot"),
        method<DomainSnapshotLookupByNameIn, DomainSnapshotLookupByNameOut>(189, "SnapshotLookupByName",
                                                                            "name flags", "domainSnapshot"),
    };
}

} // namespace

std::vector<Method> domain_job_methods() {
    std::vector<Method> out;
    for (auto& family : {jobs(), saving(), migration(), snapshots()})
        out.insert(out.end(), family.begin(), family.end());
    return out;
}

} // namespace cloister::dbus
