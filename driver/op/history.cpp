#include "driver/op/history.hpp"

#include "conf/base/tr.hpp"
#include "driver/op/find.hpp"

namespace cloister {

namespace {

/// Roots, descendants, leaves, metadata, active … and the order: the filters of virDomainSnapshotListFlags.
constexpr std::uint32_t snapshot_filters = 0x7ff, checkpoint_filters = 0xf;

} // namespace

Task<Result<DomainHasManagedSaveImage::Out>> DomainHasManagedSaveImage::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainHasManagedSaveImage"));
    CO_TRY(guest, find(call, in.dom));
    co_return Out{0};
}

Task<Result<DomainSnapshotNum::Out>> DomainSnapshotNum::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, snapshot_filters, "qemuDomainSnapshotNum"));
    CO_TRY(guest, find(call, in.dom));
    co_return Out{0};
}
Task<Result<DomainSnapshotListNames::Out>> DomainSnapshotListNames::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, snapshot_filters, "qemuDomainSnapshotListNames"));
    CO_TRY(guest, find(call, in.dom));
    co_return Out{};
}
Task<Result<DomainSnapshotLookupByName::Out>> DomainSnapshotLookupByName::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainSnapshotLookupByName"));
    CO_TRY(guest, find(call, in.dom));
    co_return fail(Code::no_domain_snapshot,
                   tr("no domain snapshot with matching name '{0}'", in.name.value));
}
Task<Result<DomainHasCurrentSnapshot::Out>> DomainHasCurrentSnapshot::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainHasCurrentSnapshot"));
    CO_TRY(guest, find(call, in.dom));
    co_return Out{0};
}
Task<Result<DomainSnapshotCurrent::Out>> DomainSnapshotCurrent::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainSnapshotCurrent"));
    CO_TRY(guest, find(call, in.dom));
    co_return fail(Code::no_domain_snapshot, tr("the domain does not have a current snapshot"));
}
Task<Result<DomainListAllSnapshots::Out>> DomainListAllSnapshots::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, snapshot_filters, "qemuDomainListAllSnapshots"));
    CO_TRY(guest, find(call, in.dom));
    co_return Out{};
}
Task<Result<DomainListAllCheckpoints::Out>> DomainListAllCheckpoints::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, checkpoint_filters, "qemuDomainListAllCheckpoints"));
    CO_TRY(guest, find(call, in.dom));
    co_return Out{};
}
Task<Result<DomainCheckpointLookupByName::Out>> DomainCheckpointLookupByName::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainCheckpointLookupByName"));
    CO_TRY(guest, find(call, in.dom));
    co_return fail(Code::no_domain_checkpoint,
                   tr("no domain checkpoint with matching name '{0}'", in.name.value));
}

} // namespace cloister
