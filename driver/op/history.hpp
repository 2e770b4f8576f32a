/// Snapshots, checkpoints and saved states of domains: this version keeps none, and says so in each answer.
#pragma once

#include "conf/call/domain_checkpoint.hpp"
#include "conf/call/domain_save.hpp"
#include "conf/call/domain_snapshot.hpp"
#include "driver/op/call.hpp"

#include <array>

namespace cloister {

struct DomainHasManagedSaveImage {
    using In = call::DomainHasManagedSaveImageIn;
    using Out = call::DomainHasManagedSaveImageOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainSnapshotNum {
    using In = call::DomainSnapshotNumIn;
    using Out = call::DomainSnapshotNumOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainSnapshotListNames {
    using In = call::DomainSnapshotListNamesIn;
    using Out = call::DomainSnapshotListNamesOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: no_domain_snapshot.
struct DomainSnapshotLookupByName {
    using In = call::DomainSnapshotLookupByNameIn;
    using Out = call::DomainSnapshotLookupByNameOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainHasCurrentSnapshot {
    using In = call::DomainHasCurrentSnapshotIn;
    using Out = call::DomainHasCurrentSnapshotOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: no_domain_snapshot.
struct DomainSnapshotCurrent {
    using In = call::DomainSnapshotCurrentIn;
    using Out = call::DomainSnapshotCurrentOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainListAllSnapshots {
    using In = call::DomainListAllSnapshotsIn;
    using Out = call::DomainListAllSnapshotsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
struct DomainListAllCheckpoints {
    using In = call::DomainListAllCheckpointsIn;
    using Out = call::DomainListAllCheckpointsOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};
/// Errors: no_domain_checkpoint.
struct DomainCheckpointLookupByName {
    using In = call::DomainCheckpointLookupByNameIn;
    using Out = call::DomainCheckpointLookupByNameOut;
    static constexpr std::array needs{Permission{"domain", "read"}};
    static Task<Result<Out>> run(Call call, In in);
};

} // namespace cloister
