#include "daemon/rpc/frame.hpp"

#include <gtest/gtest.h>

namespace cloister::rpc {
namespace {

Bytes bytes(std::initializer_list<int> values) {
    Bytes out;
    for (int v : values) out.push_back(static_cast<std::byte>(v));
    return out;
}

const Header get_type{.program = 0x20008086, .procedure = 3, .serial = 0xfffffffe};

TEST(Frame, HasALengthThatCountsItselfAndAHeaderOfSixWords) {
    EXPECT_EQ(printed(get_type, bytes({1, 2, 3, 4})),
              bytes({0, 0, 0, 32, 0x20, 0,    0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 3,
                     0, 0, 0, 0,  0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 1, 2, 3, 4}));
}

TEST(Frame, ComesOutTheSameHoweverItsBytesArrive) {
    const auto one = printed(get_type, bytes({1, 2, 3, 4}));
    auto both = one;
    both.insert(both.end(), one.begin(), one.end());
    for (std::size_t chunk = 1; chunk <= both.size(); ++chunk) {
        Framer framer;
        std::vector<Frame> found;
        for (std::size_t at = 0; at < both.size(); at += chunk) {
            framer.feed(std::span(both).subspan(at, std::min(chunk, both.size() - at)));
            while (auto frame = framer.next().value()) found.push_back(*frame);
        }
        const Frame expected{get_type, 0, bytes({1, 2, 3, 4})};
        EXPECT_EQ(found, (std::vector<Frame>{expected, expected})) << chunk;
        EXPECT_EQ(framer.buffered(), 0u);
    }
}

TEST(Frame, WithDescriptorsIsWholeWhenTheirBytesHaveCome) {
    auto header = get_type;
    header.type = MessageType::call_with_files;
    auto sent = printed(header, bytes({9, 9, 9, 9}), 2);
    Framer framer;
    framer.feed(sent);
    EXPECT_EQ(framer.next().value(), std::nullopt);
    framer.feed(bytes({0, 0}));
    EXPECT_EQ(framer.next().value(), (Frame{header, 2, bytes({9, 9, 9, 9})}));
}

TEST(Frame, OfAForbiddenLengthIsRefusedBeforeItsBytesAreAwaited) {
    for (const auto& length : {bytes({0, 0, 0, 3}), bytes({0, 0, 0, 4}), bytes({0, 0, 0, 27}),
                               bytes({2, 0, 0, 5}), bytes({0xff, 0xff, 0xff, 0xff})}) {
        Framer framer;
        framer.feed(length);
        EXPECT_FALSE(framer.next());
    }
    Framer framer;
    framer.feed(bytes({2, 0, 0, 4})); // 32 MiB and the length itself: the most there can be
    EXPECT_EQ(framer.next().value(), std::nullopt);
}

TEST(Frame, MayNotAnnounceMoreDescriptorsThanTheProtocolAllows) {
    auto header = get_type;
    header.type = MessageType::call_with_files;
    Framer framer;
    framer.feed(printed(header, {}, 33));
    EXPECT_FALSE(framer.next());
    Framer without_count;
    auto cut = printed(get_type, {});
    cut[19] = std::byte{4};
    without_count.feed(cut);
    EXPECT_FALSE(without_count.next());
}

} // namespace
} // namespace cloister::rpc
