#include "daemon/dbus/introspect.hpp"
#include "daemon/dbus/names.hpp"
#include "daemon/dbus/signals.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace cloister::dbus {
namespace {

std::vector<Interface> all() {
    return {connect_interface(), domain_interface(), snapshot_interface(), cloister_interface()};
}

std::size_t words(const std::string& text) {
    return text.empty() ? 0 : 1 + static_cast<std::size_t>(std::ranges::count(text, ' '));
}

TEST(Interfaces, NameEveryArgumentAndServeEveryMethod) {
    for (const auto& interface : all()) {
        std::set<std::string> seen;
        for (const auto& method : interface.methods) {
            EXPECT_TRUE(seen.insert(method.name).second) << method.name << " twice";
            EXPECT_EQ(types_in(method.in).size(), words(method.in_names)) << method.name << ": " << method.in;
            EXPECT_EQ(types_in(method.out).size(), words(method.out_names))
                << method.name << ": " << method.out;
            EXPECT_TRUE(method.serve) << method.name;
            if (method.number) {
                EXPECT_TRUE(call::find_procedure(call::remote_program, method.number)) << method.name;
            }
        }
        for (const auto& property : interface.properties) {
            EXPECT_EQ(types_in(property.get.out).size(), 1u) << property.name;
            if (property.set) {
                EXPECT_EQ(property.set->in, property.get.out) << property.name;
            }
        }
        for (const auto& signal : interface.signals)
            EXPECT_EQ(types_in(signal.types).size(), words(signal.names)) << signal.name;
    }
}

/// An event of every kind, by its place in the variant.
template <std::size_t... I> std::vector<Event> every_event(std::index_sequence<I...>) {
    return {Event(std::in_place_index<I>)...};
}

TEST(Signals, HaveTheTypesThatTheInterfacesPromise) {
    std::map<std::pair<std::string, std::string>, std::string> promised;
    for (const auto& interface : all())
        for (const auto& signal : interface.signals) promised[{interface.name, signal.name}] = signal.types;
    std::set<std::string> told;
    for (const auto& event : every_event(std::make_index_sequence<std::variant_size_v<Event>>())) {
        const auto signal = signal_of(event);
        if (!signal) continue;
        const auto found = promised.find({signal->interface, signal->member});
        ASSERT_NE(found, promised.end()) << signal->interface << "." << signal->member;
        EXPECT_EQ(signal->types, found->second) << signal->member;
        told.insert(signal->member);
    }
    // What is about networks and the like never happens here.
    EXPECT_EQ(told.size() + 4, promised.size());
}

TEST(Paths, OfDomainsAndSnapshotsAreReadBack) {
    const auto uuid = parse_uuid("8c0b1d1e-0001-4a4b-9c9d-0123456789ab").value();
    const auto path = domain_path(uuid);
    EXPECT_EQ(path, "/org/libvirt/QEMU/domain/_8c0b1d1e_0001_4a4b_9c9d_0123456789ab");
    EXPECT_EQ(place_of(path).uuid, uuid);
    const std::vector<std::string> names{"s", "s 1_-.\xc3\xa4", "_", "a/b", std::string(300, '_')};
    for (const auto& name : names) {
        const auto place = place_of(snapshot_path(uuid, name));
        EXPECT_EQ(place.kind, Place::Kind::snapshot);
        EXPECT_EQ(place.uuid, uuid);
        EXPECT_EQ(place.snapshot, name);
    }
    EXPECT_EQ(snapshot_path(uuid, "s 1_-.\xc3\xa4"),
              "/org/libvirt/QEMU/domainsnapshot/_8c0b1d1e_0001_4a4b_9c9d_0123456789ab_s_201_5f_2d_2e_c3_a4");
}

TEST(Paths, WithSomethingElseInTheUuidsPlaceAreObjectsWithoutADomain) {
    for (const std::string_view tail :
         {"xyz", "_", "_8c0b1d1e", "8c0b1d1e_0001_4a4b_9c9d_0123456789ab",
          "_8c0b1d1e_0001_4a4b_9c9d_0123456789ag", "_8c0b1d1e_0001_4a4b_9c9d_0123456789ab_"}) {
        const auto place = place_of(std::string(domain_folder) + "/" + std::string(tail));
        EXPECT_EQ(place.kind, Place::Kind::domain) << tail;
        EXPECT_FALSE(place.uuid) << tail;
    }
    for (const std::string_view tail :
         {"x", "_8c0b1d1e_0001_4a4b_9c9d_0123456789ab", "_8c0b1d1e_0001_4a4b_9c9d_0123456789ab_",
          "_8c0b1d1e_0001_4a4b_9c9d_0123456789ab_s_", "_8c0b1d1e_0001_4a4b_9c9d_0123456789ab_s_2",
          "_8c0b1d1e_0001_4a4b_9c9d_0123456789ab_s_zz"})
        EXPECT_EQ(place_of(std::string(snapshot_folder) + "/" + std::string(tail)).snapshot, "") << tail;
    for (const std::string_view path :
         {"/", "/org/libvirt", "/org/libvirt/QEMU/", "/org/libvirt/QEMUX", "/org/libvirt/QEMU/network/x"})
        EXPECT_EQ(place_of(path).kind, Place::Kind::none) << path;
}

TEST(Names, AreWantedAsTheConfigurationSays) {
    EXPECT_EQ(wanted_names({}).size(), 2u);
    EXPECT_EQ(wanted_names({})[1].wish, Wish::if_free);
    EXPECT_EQ(wanted_names({.dbus_org_libvirt = "yes"})[1].wish, Wish::in_line);
    EXPECT_TRUE(wanted_names({.dbus_org_libvirt = "no", .dbus_org_cloister = false}).empty());
}

TEST(TypesIn, ASignatureAreTheCompleteOnes) {
    EXPECT_EQ(types_in("sa{sv}u"), (std::vector<std::string>{"s", "a{sv}", "u"}));
    EXPECT_EQ(types_in("a(ssa(isu))(ii)aab"), (std::vector<std::string>{"a(ssa(isu))", "(ii)", "aab"}));
    EXPECT_TRUE(types_in("").empty());
}

} // namespace
} // namespace cloister::dbus
