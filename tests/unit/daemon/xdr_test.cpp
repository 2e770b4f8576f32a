#include "conf/call/auth.hpp"
#include "conf/call/connect.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/node.hpp"
#include "daemon/rpc/error_wire.hpp"
#include "daemon/rpc/xdr.hpp"

#include <gtest/gtest.h>

namespace cloister::xdr {
namespace {

Bytes bytes(std::initializer_list<int> values) {
    Bytes out;
    for (int v : values) out.push_back(static_cast<std::byte>(v));
    return out;
}

TEST(Xdr, TakesAnyNonzeroFlagForPresentAndWritesOne) {
    const auto sent = bytes({1, 0, 0, 0, 0, 0, 0, 1, 'q', 0, 0, 0, 0, 0, 0, 0}); // as go-libvirt does
    const auto in = decode<call::ConnectOpenIn>(sent).value();
    EXPECT_EQ(in, (call::ConnectOpenIn{.name = Text<>{"q"}, .flags = 0}));
    EXPECT_EQ(encode(in).value(), bytes({0, 0, 0, 1, 0, 0, 0, 1, 'q', 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Xdr, PacksStringsToFourBytesWhateverThePaddingHolds) {
    EXPECT_EQ(decode<Text<>>(bytes({0, 0, 0, 1, 'a', 'x', 'y', 'z'})).value().value, "a");
    EXPECT_EQ(encode(Text<>{"abcde"}).value(), bytes({0, 0, 0, 5, 'a', 'b', 'c', 'd', 'e', 0, 0, 0}));
}

TEST(Xdr, RefusesStringsThatAClientCouldNotHaveMeant) {
    EXPECT_FALSE(decode<Text<>>(bytes({0, 0, 0, 3, 'a', 0, 'b', 0})));
    EXPECT_FALSE(decode<Text<2>>(bytes({0, 0, 0, 3, 'a', 'b', 'c', 0})));
    EXPECT_FALSE(decode<Text<>>(bytes({0, 0, 0, 9, 'a', 'b', 'c', 0})));
    EXPECT_FALSE(decode<Text<>>(bytes({0, 0, 0, 3, 'a', 'b', 'c'}))); // the padding belongs to it
}

TEST(Xdr, SpendsFourBytesOnAChar) {
    call::NodeGetSecurityModelOut out;
    out.model.value = std::string("n\0", 2);
    EXPECT_EQ(encode(out).value(), bytes({0, 0, 0, 2, 0, 0, 0, 'n', 0, 0, 0, 0, 0, 0, 0, 0}));
    call::NodeGetInfoOut info;
    info.model.value = "x86_64";
    const auto sent = encode(info).value();
    EXPECT_EQ(sent.size(), 32u * 4 + 8 + 6 * 4);
    EXPECT_EQ(decode<call::NodeGetInfoOut>(sent).value(), info);
}

TEST(Xdr, NumbersTypedParametersByTheirType) {
    call::TypedParam wide{{"a"}, std::uint64_t{0x100000002}};
    EXPECT_EQ(encode(wide).value(), bytes({0, 0, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2}));
    for (const call::ParamValue& value :
         {call::ParamValue(-1), call::ParamValue(7u), call::ParamValue(std::int64_t{-5}),
          call::ParamValue(0.5), call::ParamValue(true), call::ParamValue(std::string("s"))}) {
        const call::TypedParam param{{"p"}, value};
        EXPECT_EQ(decode<call::TypedParam>(encode(param).value()).value(), param);
    }
    EXPECT_FALSE(decode<call::TypedParam>(bytes({0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0})));
}

TEST(Xdr, IgnoresWhatFollowsTheArgumentsAndRefusesWhatIsMissing) {
    EXPECT_EQ(decode<call::Nothing>(bytes({1, 2, 3, 4})).value(), call::Nothing{});
    const auto cut = decode<call::DomainHandle>(bytes({0, 0, 0, 0}));
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Code::rpc);
    EXPECT_EQ(cut.error().domain, ErrorDomain::rpc);
    EXPECT_EQ(full_text(cut.error()), "Unable to decode message payload");
}

TEST(Xdr, HoldsListsToTheirBound) {
    call::AuthListOut list;
    list.types.items.assign(20, 0);
    EXPECT_TRUE(encode(list));
    list.types.items.push_back(0);
    EXPECT_FALSE(encode(list));
    EXPECT_FALSE(decode<call::AuthListOut>(bytes({0, 0, 0, 21})));
    EXPECT_FALSE(decode<call::AuthListOut>(bytes({0, 0, 0, 20, 0, 0, 0, 0})));
}

TEST(Errors, CarryTheTextTheFormatAndTheDetail) {
    const auto wire =
        rpc::wire_error({.code = Code::no_domain, .message = "no domain with matching name 'x'"});
    EXPECT_EQ(wire, (rpc::WireError{.code = 42,
                                    .domain = 10,
                                    .message = Text<>{"Domain not found: no domain with matching name 'x'"},
                                    .str1 = Text<>{"Domain not found: %s"},
                                    .str2 = Text<>{"no domain with matching name 'x'"}}));
    EXPECT_EQ(rpc::wire_error(system_error(2, "cannot open")).int1, 2);
    EXPECT_EQ(rpc::wire_error(rpc::unknown_procedure(9999)),
              (rpc::WireError{.code = 39,
                              .domain = 7,
                              .message = Text<>{"unknown procedure: 9999"},
                              .str1 = Text<>{"%s"},
                              .str2 = Text<>{"unknown procedure: 9999"}}));
}

TEST(Errors, NeverLookLikeSuccessAndAlwaysSaySomething) {
    const auto wire = rpc::wire_error({.code = Code::ok, .message = ""});
    EXPECT_EQ(wire.code, 1);
    EXPECT_EQ(wire.message, Text<>{"internal error: unknown error"});
}

} // namespace
} // namespace cloister::xdr
