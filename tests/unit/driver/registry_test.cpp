#include "conf/domain/domain.hpp"
#include "driver/guest.hpp"
#include "driver/registry.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

using namespace cloister;

namespace {

struct World {
    boost::asio::io_context io{};
    Registry registry{};

    std::shared_ptr<Guest> add(std::string name, std::uint8_t uuid) {
        Domain domain;
        domain.name = std::move(name);
        domain.uuid = Uuid{{uuid}};
        auto guest =
            std::make_shared<Guest>(io.get_executor(), std::make_shared<const Domain>(std::move(domain)));
        registry.add(guest);
        return guest;
    }
};

TEST(Registry, FindsByUuidNameAndId) {
    World world;
    const auto vm = world.add("vm", 1);
    vm->running = std::make_unique<Running>();
    vm->running->id = 7;
    EXPECT_EQ(world.registry.find(Uuid{{1}}).value(), vm);
    EXPECT_EQ(world.registry.find("vm").value(), vm);
    EXPECT_EQ(world.registry.find(7).value(), vm);
}

TEST(Registry, SaysWhatWasNotFoundAsLibvirtDoes) {
    World world;
    EXPECT_EQ(full_text(world.registry.find("nosuch").error()),
              "Domain not found: no domain with matching name 'nosuch'");
    EXPECT_EQ(full_text(world.registry.find(99).error()), "Domain not found: no domain with matching id 99");
    EXPECT_EQ(full_text(world.registry.find(Uuid{}, "aa").error()),
              "Domain not found: no domain with matching uuid '00000000-0000-0000-0000-000000000000' (aa)");
    EXPECT_EQ(world.registry.find(-1).error().code, Code::no_domain);
}

TEST(Registry, RefusesAClashOfNameAndUuidAsLibvirtDoes) {
    World world;
    const auto vm = world.add("aa", 1);
    EXPECT_EQ(world.registry.matching("aa", Uuid{{1}}).value(), vm);
    EXPECT_EQ(world.registry.matching("bb", Uuid{{2}}).value(), nullptr);
    EXPECT_EQ(
        full_text(world.registry.matching("bb", Uuid{{1}}).error()),
        "operation failed: domain 'aa' is already defined with uuid 01000000-0000-0000-0000-000000000000");
    EXPECT_EQ(full_text(world.registry.matching("aa", Uuid{{2}}).error()),
              "operation failed: domain 'aa' already exists with uuid 01000000-0000-0000-0000-000000000000");
}

TEST(Registry, ListsInTheOrderOfTheNamesAlsoAfterARename) {
    World world;
    const auto b = world.add("b", 2);
    const auto a = world.add("a", 1);
    world.registry.rename(a, "c");
    EXPECT_EQ(*world.registry.all(), (std::vector{b, a}));
    EXPECT_EQ(world.registry.by_name("a"), nullptr);
    const auto before = world.registry.all();
    world.registry.remove(*b);
    EXPECT_EQ(world.registry.by_uuid(Uuid{{2}}), nullptr);
    EXPECT_EQ(*world.registry.all(), std::vector{a});
    EXPECT_EQ(*before, (std::vector{b, a})) << "whoever lists already is not disturbed";
    world.registry.add(b);
    EXPECT_EQ(*world.registry.all(), (std::vector{b, a}));
}

} // namespace
