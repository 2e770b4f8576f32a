#include "daemon/acl/acl.hpp"
#include "daemon/acl/policy.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace cloister::acl {
namespace {

template <class T> T done(Task<T> task) {
    boost::asio::io_context reactor;
    std::optional<T> out;
    boost::asio::co_spawn(reactor, std::move(task),
                          [&](std::exception_ptr, T result) { out.emplace(std::move(result)); });
    reactor.run();
    return *std::move(out);
}

/// Answers every question alike, and keeps it.
struct Asked {
    std::vector<Question> questions{};
    std::shared_ptr<const Policy> policy(Result<Verdict> answer, DaemonConf conf = {}) {
        return std::make_shared<const Policy>(
            acl::policy(conf, [this, answer](Question question) -> Task<Result<Verdict>> {
                questions.push_back(std::move(question));
                co_return answer;
            }));
    }
};

std::string text(const Result<>& result) {
    return result ? "yes"
                  : std::to_string(static_cast<int>(result.error().code)) + " " + full_text(result.error());
}

constexpr Caller user{.uid = 1000, .gid = 1000, .pid = 77, .start_time = 5};
DaemonConf fine() {
    DaemonConf conf;
    conf.access_drivers = {"polkit"};
    return conf;
}

TEST(Policy, NamesActionsAsLibvirtDoes) {
    EXPECT_EQ(action({"domain", "send_input"}), "org.libvirt.api.domain.send-input");
    EXPECT_EQ(action({"connect", "search_domains"}), "org.libvirt.api.connect.search-domains");
    EXPECT_EQ(action({"cloister", "passthrough"}), "org.cloister.domain.passthrough");
    const auto uuid = parse_uuid("6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e01");
    EXPECT_EQ(details({.name = "vm", .uuid = uuid}),
              (Details{{"connect_driver", "QEMU"},
                       {"domain_name", "vm"},
                       {"domain_uuid", "6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e01"}}));
    EXPECT_EQ(details({}), (Details{{"connect_driver", "QEMU"}}));
}

TEST(Policy, LetsRootInUnasked) {
    Asked asked;
    const auto policy = asked.policy(Verdict::no, fine());
    EXPECT_FALSE(must_authenticate(*policy, {}));
    EXPECT_FALSE(rights(policy, {}));
    EXPECT_TRUE(must_authenticate(*policy, user));
    DaemonConf by_mode;
    by_mode.auth_unix_ro = by_mode.auth_unix_rw = "none";
    EXPECT_FALSE(must_authenticate(*asked.policy(Verdict::no, by_mode), user));
}

TEST(Policy, AsksForTheSocketsActionWithAPersonAtHand) {
    Asked asked;
    const auto policy = asked.policy(Verdict::yes);
    EXPECT_EQ(text(done(authenticated(policy, user))), "yes");
    auto looks = user;
    looks.read_only = true;
    EXPECT_EQ(text(done(authenticated(policy, looks))), "yes");
    ASSERT_EQ(asked.questions.size(), 2u);
    EXPECT_EQ(asked.questions[0].action, "org.libvirt.unix.manage");
    EXPECT_EQ(asked.questions[1].action, "org.libvirt.unix.monitor");
    EXPECT_TRUE(asked.questions[0].interactive);
    EXPECT_EQ(asked.questions[0].who.start_time, 5u);
}

TEST(Policy, RefusesAnAuthenticationWithLibvirtsCodes) {
    Asked asked;
    const auto answer = [&](Result<Verdict> verdict) {
        return text(done(authenticated(asked.policy(std::move(verdict)), user)));
    };
    EXPECT_EQ(answer(Verdict::no), "45 authentication failed: access denied by policy");
    EXPECT_EQ(answer(Verdict::dismissed),
              "79 authentication cancelled: user cancelled authentication process");
    EXPECT_EQ(answer(Verdict::needs_agent), "94 authentication unavailable: no polkit agent available to "
                                            "authenticate action 'org.libvirt.unix.manage'");
    EXPECT_EQ(answer(fail(Code::operation_timeout, "it does not answer")).substr(0, 3), "94 ");
    const auto nobody_to_ask = std::make_shared<const Policy>(policy({}, {}));
    EXPECT_EQ(text(done(authenticated(nobody_to_ask, user))).substr(0, 3), "94 ");
}

TEST(Policy, AsksForSingleOperationsOnlyWhenTheSettingsSaySo) {
    Asked asked;
    const auto coarse = rights(asked.policy(Verdict::no), user);
    EXPECT_EQ(text(done(coarse->may({"domain", "start"}, {.name = "vm"}))), "yes");
    EXPECT_TRUE(asked.questions.empty());
    const auto strict = rights(asked.policy(Verdict::no, fine()), user);
    EXPECT_EQ(text(done(strict->may({"domain", "start"}, {.name = "vm"}))),
              "88 access denied: 'QEMU' denied access");
    ASSERT_EQ(asked.questions.size(), 1u);
    EXPECT_EQ(asked.questions[0].action, "org.libvirt.api.domain.start");
    EXPECT_FALSE(asked.questions[0].interactive);
}

TEST(Policy, AsksForOurOwnActionsAlways) {
    Asked asked;
    const auto mine = rights(asked.policy(Verdict::no), user);
    EXPECT_EQ(text(done(mine->may({"cloister", "passthrough"}, {.name = "vm"}))),
              "88 access denied: the action 'org.cloister.domain.passthrough' is not allowed");
}

TEST(Policy, RefusesWhenNobodyAnswers) {
    Asked asked;
    const auto strict = rights(asked.policy(fail(Code::operation_timeout, "late"), fine()), user);
    EXPECT_EQ(text(done(strict->may({"domain", "start"}, {}))).substr(0, 3), "88 ");
}

TEST(Policy, FindsTheDomainOfAnyArguments) {
    struct Handle {
        call::DomainHandle dom{};
    };
    struct Snap {
        struct {
            Text<> name{};
            call::DomainHandle dom{};
        } snap{};
    };
    struct Lookup {
        Text<> name{};
    };
    struct Xml {
        Text<> xml_desc{};
        std::uint32_t flags = 0;
    };
    Handle handle;
    handle.dom.uuid[0] = 7;
    handle.dom.name = {"vm"};
    EXPECT_EQ(mentioned(handle).uuid->bytes[0], 7);
    Snap snap;
    snap.snap.dom.uuid[0] = 8;
    EXPECT_EQ(mentioned(snap).uuid->bytes[0], 8);
    EXPECT_EQ(mentioned(Lookup{{"vm"}}).name, "vm");
    const Xml xml{.xml_desc = {"<domain/>"}};
    EXPECT_EQ(mentioned(xml).xml, &xml.xml_desc.value);
}

TEST(Policy, ReadsOfADefinitionNoMoreThanWhoItIs) {
    const auto who = [](std::string_view xml) { return identity_in(xml); };
    const auto full =
        who("<domain><uuid>6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e01</uuid><!-- a --><name>a&amp;b</name>" +
            std::string(8192, ' ') + "<os><broken")
            .value();
    EXPECT_EQ(full.name, "a&b");
    EXPECT_EQ(printed(*full.uuid), "6a2d5ac0-6f3b-4d8a-9a3e-7c1f2b9d4e01");
    EXPECT_EQ(
        who("<domain><metadata><name>not</name></metadata><name>first</name><name>2nd</name></domain>")->name,
        "first");
    EXPECT_EQ(who("<domain xmlns:o='urn:o'><o:name>not</o:name><name>x</name></domain>")->name, "x");
    EXPECT_EQ(who("<domain/>").error().code, Code::no_name);
    EXPECT_EQ(who("<!DOCTYPE a [<!ENTITY n 'x'>]><domain><name>&n;</name></domain>").error().code,
              Code::xml_detail);
    EXPECT_EQ(who("<domain><os>").error().code, Code::xml_detail);
}

} // namespace
} // namespace cloister::acl
