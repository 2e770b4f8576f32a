#include "driver/jobs.hpp"
#include "driver/offload.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <thread>

using namespace cloister;
namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

struct World {
    asio::io_context io{};
    asio::thread_pool workers{2};
    Jobs jobs{io.get_executor()};
    std::string order{};
    std::vector<Error> refused{};
};

/// One job: writes its name, waits on a worker, writes its name again.
asio::awaitable<void> job(World* world, char name, milliseconds patience = milliseconds(30000)) {
    auto turn = co_await world->jobs.turn(std::string("job-") + name, patience);
    if (!turn) {
        world->refused.push_back(turn.error());
        co_return;
    }
    const auto reactor = std::this_thread::get_id();
    world->order += name;
    const auto worker = co_await offload(world->workers, [] { return std::this_thread::get_id(); });
    EXPECT_NE(worker, reactor);
    EXPECT_EQ(std::this_thread::get_id(), reactor);
    world->order += name;
}

TEST(Jobs, RunInTheOrderTheyWereAskedFor) {
    World world;
    for (const char name : {'a', 'b', 'c'}) asio::co_spawn(world.io, job(&world, name), asio::detached);
    world.io.run();
    EXPECT_EQ(world.order, "aabbcc");
    EXPECT_FALSE(world.jobs.busy());
}

TEST(Jobs, SayWhoHoldsTheDomainWhenPatienceEnds) {
    World world;
    asio::co_spawn(
        world.io,
        [](World* w) -> asio::awaitable<void> {
            auto held = co_await w->jobs.turn("virDomainSave");
            asio::co_spawn(w->io, job(w, 'x', milliseconds(1)), asio::detached);
            while (w->refused.empty()) co_await asio::post(w->io, asio::use_awaitable);
        }(&world),
        asio::detached);
    world.io.run();
    ASSERT_EQ(world.refused.size(), 1u);
    EXPECT_EQ(world.refused[0].code, Code::operation_timeout);
    EXPECT_EQ(world.refused[0].message, "cannot acquire state change lock (held by virDomainSave)");
}

TEST(Jobs, BeyondTheLimitAreRefusedAtOnceAndNamed) {
    World world;
    world.jobs.limit(2);
    for (const char name : {'a', 'b', 'c'}) asio::co_spawn(world.io, job(&world, name), asio::detached);
    world.io.run();
    EXPECT_EQ(world.order, "aabb");
    ASSERT_EQ(world.refused.size(), 1u);
    EXPECT_EQ(world.refused[0].code, Code::operation_failed);
    EXPECT_EQ(world.refused[0].message,
              "cannot acquire state change lock (held by job-a) due to max_queued limit");
    asio::co_spawn(world.io, job(&world, 'd'), asio::detached);
    world.io.restart();
    world.io.run();
    EXPECT_EQ(world.order, "aabbdd") << "who has left makes room";
}

TEST(Jobs, InterruptRefusesThoseWhoWaitAndNobodyElse) {
    World world;
    for (const char name : {'a', 'b', 'c'}) asio::co_spawn(world.io, job(&world, name), asio::detached);
    asio::post(world.io, [&] {
        world.jobs.interrupt(Error{.code = Code::operation_aborted, .message = "destroyed"});
        asio::co_spawn(world.io, job(&world, 'd'), asio::detached);
    });
    world.io.run();
    EXPECT_EQ(world.order, "aadd");
    EXPECT_EQ(world.refused.size(), 2u);
}

} // namespace
