#include "daemon/acl/acl.hpp"
#include "daemon/rpc/session.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace cloister {
namespace {

bool declares(std::span<const Permission> needs, const call::Need& need) {
    return std::ranges::count(needs, Permission{need.object, need.permission}) > 0;
}
bool lists(std::span<const call::Need> needs, const Permission& permission) {
    return std::ranges::any_of(needs, [&](const call::Need& need) {
        return Permission{need.object, need.permission} == permission;
    });
}

/// What the protocol asks for in every case must be declared; what it asks for in some cases may be.
TEST(Access, IsDeclaredByEveryOperationAsTheProtocolDoes) {
    const rpc::Table table;
    std::size_t count = 0;
    for (const auto program : {call::remote_program, call::qemu_program, call::cloister_program})
        for (const auto& entry : table.all(program)) {
            const auto* known = call::find_procedure(program, entry.number);
            ASSERT_TRUE(known) << entry.number;
            EXPECT_EQ(known->kind, call::Kind::call) << known->name;
            for (const auto& need : known->needs)
                EXPECT_TRUE(need.when != call::When::always || declares(entry.needs, need))
                    << known->name << " does not declare " << need.permission;
            for (const auto& permission : entry.needs)
                EXPECT_TRUE(lists(known->needs, permission))
                    << known->name << " declares " << permission.permission;
            ++count;
        }
    EXPECT_GT(count, 50u);
}

TEST(Access, HasOneServerForEachNumber) {
    const rpc::Table table;
    for (const auto program : {call::remote_program, call::qemu_program})
        for (const auto number : rpc::own_numbers(program)) {
            EXPECT_FALSE(table.find(program, number)) << number;
            EXPECT_TRUE(call::find_procedure(program, number)) << number;
        }
}

std::string read_only(std::string_view name, acl::Conditions given = {}) {
    for (const auto& procedure : call::remote_procedures())
        if (procedure.name == name) {
            const auto allowed = acl::read_only_check({call::remote_program, &procedure}, given);
            return allowed ? "allowed" : full_text(allowed.error());
        }
    return "unknown";
}

TEST(ReadOnly, LetsThroughWhatOnlyLooks) {
    for (const auto* name :
         {"CONNECT_GET_TYPE", "CONNECT_GET_CAPABILITIES", "DOMAIN_GET_XML_DESC", "CONNECT_LIST_ALL_DOMAINS",
          "DOMAIN_GET_STATE", "CONNECT_CLOSE", "DOMAIN_MIGRATE_GET_MAX_DOWNTIME"})
        EXPECT_EQ(read_only(name), "allowed") << name;
}

TEST(ReadOnly, RefusesInTheReferencesWords) {
    EXPECT_EQ(read_only("DOMAIN_CREATE"), "operation forbidden: read only access prevents virDomainCreate");
    EXPECT_EQ(read_only("CONNECT_GET_DOMAIN_CAPABILITIES"),
              "operation forbidden: read only access prevents virConnectGetDomainCapabilities");
    EXPECT_EQ(read_only("DOMAIN_GET_XML_DESC", {.flags = 1}),
              "operation forbidden: virDomainGetXMLDesc with secure flag");
    EXPECT_EQ(read_only("DOMAIN_GET_VCPUS_FLAGS", {.flags = 8}),
              "operation forbidden: read only access prevents virDomainGetVcpusFlags");
    EXPECT_EQ(read_only("DOMAIN_INTERFACE_ADDRESSES", {.source = 1}),
              "operation forbidden: read only access prevents virDomainInterfaceAddresses");
    EXPECT_EQ(read_only("DOMAIN_SET_SCHEDULER_PARAMETERS"),
              "operation forbidden: read only access prevents virDomainSetSchedulerParameters");
}

TEST(ReadOnly, RefusesInTheErrorDomainOfTheObject) {
    const auto domain = [](std::int32_t number) {
        const auto* procedure = call::find_procedure(call::remote_program, number);
        return static_cast<int>(acl::read_only_check({call::remote_program, procedure}, {}).error().domain);
    };
    EXPECT_EQ(domain(9), 20);   // DOMAIN_CREATE
    EXPECT_EQ(domain(185), 35); // DOMAIN_SNAPSHOT_CREATE_XML
    EXPECT_EQ(domain(411), 69); // DOMAIN_CHECKPOINT_CREATE_XML
    const auto* monitor = call::find_procedure(call::qemu_program, 1);
    EXPECT_EQ(static_cast<int>(acl::read_only_check({call::qemu_program, monitor}, {}).error().domain), 0);
}

} // namespace
} // namespace cloister
