/// A snapshot as a D-Bus value.
#pragma once

#include "conf/call/domain_snapshot.hpp"
#include "daemon/dbus/codec.hpp"

namespace cloister::dbus {

/// A snapshot is an object.
template <> struct Codec<call::SnapshotHandle> {
    static std::string signature() { return "o"; }
    static void write(Writer& to, const call::SnapshotHandle& in) {
        to.text('o', snapshot_path(Uuid{in.dom.uuid}, in.name.value));
    }
};

} // namespace cloister::dbus
