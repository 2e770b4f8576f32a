#include "security/image/answer.hpp"
#include "security/seccomp.hpp"
#include "tests/image_bytes.hpp"

#include <gtest/gtest.h>

using namespace cloister;
using namespace cloister::image_bytes;
using namespace std::string_literals;

namespace {

ImageFault fault(const std::string& bytes, std::string_view format = "qcow2") {
    const auto read = image_header(bytes, format);
    EXPECT_FALSE(read) << printed(read);
    return read ? ImageFault{} : read.error();
}
std::string answered(std::string_view answer) {
    const auto read = image_answer(answer, "/i", "qcow2");
    return read ? "taken" : read.error().message;
}
constexpr auto* nonsense = "the reader of image '/i' gave an answer that cannot be";

} // namespace

TEST(ImageHeader, ReadsWhatAQcow2StandsOn) {
    EXPECT_EQ(
        image_header(on("base.img"), "qcow2").value(),
        (ImageHeader{.format = "qcow2", .size = 1 << 20, .backing = "base.img", .backing_format = "raw"}));
    EXPECT_EQ(image_header(qcow2({.backing = "b", .version = 2}), "qcow2").value(),
              (ImageHeader{.format = "qcow2", .size = 1 << 20, .backing = "b"}));
    EXPECT_EQ(image_header(qcow2({.backing = "b", .extensions = "", .version = 2}), "qcow2")->backing, "b");
    EXPECT_EQ(
        image_header(qcow2({.extensions = extension(data_file, "/d.raw") + end, .incompatible = 5}), "qcow2")
            .value(),
        (ImageHeader{
            .format = "qcow2", .size = 1 << 20, .data_file = "/d.raw", .features = {"dirty", "data-file"}}));
    EXPECT_TRUE(image_header(qcow2({.crypt = 2}), "qcow2")->encrypted);
}

TEST(ImageHeader, ReadsTheOtherFormats) {
    EXPECT_EQ(image_header(qcow("b"), "qcow").value(),
              (ImageHeader{.format = "qcow", .size = 1 << 20, .backing = "b"}));
    EXPECT_EQ(image_header(qed("b", 5), "qed").value(),
              (ImageHeader{.format = "qed", .size = 1 << 20, .backing = "b", .backing_format = "raw"}));
    EXPECT_EQ(
        image_header(vmdk("# Disk\nparentFileNameHint=\"p.vmdk\"\n"), "vmdk").value(),
        (ImageHeader{.format = "vmdk", .size = 1 << 20, .backing = "p.vmdk", .backing_format = "vmdk"}));
    EXPECT_EQ(
        image_header(with(with("", 64, "\x7f\x10\xda\xbe"), 368, little(std::uint64_t{7})), "vdi")->size, 7u);
    EXPECT_EQ(image_header(with("conectix", 48, big(std::uint64_t{9})), "vpc")->size, 9u);
    EXPECT_EQ(image_header("LUKS\xba\xbe", "luks").value(),
              (ImageHeader{.format = "luks", .encrypted = true}));
    EXPECT_EQ(image_header("vhdxfile", "vhdx").value(), (ImageHeader{.format = "vhdx"}));
    EXPECT_EQ(image_header("a fixed one", "vpc").value(), (ImageHeader{.format = "vpc"}));
}

TEST(ImageHeader, ReadsNothingOfARawDiskWhateverItHolds) {
    EXPECT_EQ(image_header(on("/etc/shadow"), "raw").value(), ImageHeader{});
}

TEST(ImageHeader, RefusesEveryHeaderThatIsCutOff) {
    for (const auto& [format, whole] : {std::pair{"qcow2", on("base.img")},
                                        {"qcow", qcow("base.img")},
                                        {"qed", qed("base.img", 1)},
                                        {"vmdk", vmdk("x")}})
        for (std::size_t cut = 0; cut < whole.size(); ++cut)
            EXPECT_FALSE(image_header(std::string_view(whole).substr(0, cut), format)) << format << cut;
}

TEST(ImageHeader, RefusesNumbersThatNoImageHas) {
    EXPECT_EQ(fault(qcow2({.size = ~std::uint64_t{0}})), ImageFault::number);
    EXPECT_EQ(fault(qcow2({.cluster_bits = 63})), ImageFault::number);
    EXPECT_EQ(fault(qcow2({.crypt = 9})), ImageFault::number);
    EXPECT_EQ(fault(qcow2({.length = 8})), ImageFault::number);
    EXPECT_EQ(fault(qcow2({.extensions = big(std::uint32_t{7}) + big(std::uint32_t{0xffffffff})})),
              ImageFault::number);
    EXPECT_EQ(fault(qed("b", ~std::uint64_t{0}), "qed"), ImageFault::number);
    EXPECT_EQ(fault(vmdk("", ~std::uint64_t{0}), "vmdk"), ImageFault::number);
}

TEST(ImageHeader, RefusesNamesThatAreNone) {
    for (const auto& name : {"a\0b"s, "a\nb"s, "a\x7f"s, "\xff\xfe"s, "\xc0\xaf"s, "\xc2\x85"s,
                             "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "\xe2\x82"s, std::string(1024, 'a')})
        EXPECT_EQ(fault(on(name)), ImageFault::name) << name;
    EXPECT_TRUE(image_header(on("K\u00e4se \u96ea \U0001f4be"), "qcow2"));
    EXPECT_EQ(fault(qcow2({.extensions = extension(data_file, "/d") + end})), ImageFault::name);
    EXPECT_EQ(fault(qcow2({.incompatible = 4})), ImageFault::name);
    EXPECT_EQ(fault(qcow2({.backing = "b",
                           .extensions =
                               extension(backing_format, "raw") + extension(backing_format, "qcow2") + end})),
              ImageFault::name);
}

TEST(ImageHeader, RefusesAMereDescription) {
    EXPECT_EQ(fault("# Disk DescriptorFile\nRW 1 FLAT \"/etc/shadow\" 0\n", "vmdk"), ImageFault::files);
    EXPECT_EQ(fault(vmdk("", 0), "vmdk"), ImageFault::files);
}

TEST(ImageHeader, DetectsFormatsByTheirMark) {
    EXPECT_EQ(detected_format(qcow2({})), "qcow2");
    EXPECT_EQ(detected_format("LUKS\xba\xbe"), "luks");
    EXPECT_EQ(detected_format(""), "raw");
}

TEST(ImageAnswer, IsReadAsItWasPrinted) {
    for (const auto& bytes :
         {on("a \"quoted\\ name"), qcow2({.incompatible = 0xff & ~4U}), qcow2({.crypt = 1})}) {
        const auto read = image_header(bytes, "qcow2");
        EXPECT_EQ(image_answer(printed(read), "/i", "qcow2").value(), read.value());
    }
    EXPECT_EQ(answered(printed(std::unexpected(ImageFault::no_header))),
              "image '/i' has no valid header of the format 'qcow2'");
}

TEST(ImageAnswer, IsNotBelievedWhenNoImageCanSayIt) {
    const auto header = [](const std::string& more, const std::string& size = "1",
                           const std::string& format = "qcow2") {
        return R"({"header":{"size":)" + size + R"(,"encrypted":false,"format":")" + format +
               R"(","features":[])" + more + "}}";
    };
    EXPECT_EQ(answered(header("")), "taken");
    EXPECT_EQ(answered(header(R"(,"backing":"b","backing_format":"raw")")), "taken");
    for (const auto& answer :
         {""s,
          "{}"s,
          "[]"s,
          "null"s,
          R"({"header":{}})"s,
          R"({"fault":"other"})"s,
          R"({"fault":1})"s,
          R"({"header":{"size":1},"fault":"name"})"s,
          header("") + "x",
          header(R"(,"more":1)"),
          header("", "-1"),
          header("", "9223372036854775808"),
          header("", "1.5"),
          header("", "\"1\""),
          header("", "1", "raw"),
          header("", "1", "exe"),
          header(R"(,"backing":"a\nb")"),
          header(R"(,"backing":"a\u0000b")"),
          header(R"(,"backing":"")"),
          header(R"(,"backing":{"a":1})"),
          header(",\"backing\":\"\xff\""),
          header(R"(,"backing":")" + std::string(1024, 'a') + "\""),
          header(R"(,"backing_format":"raw")"),
          R"({"header":{"size":1,"encrypted":0,"format":"qcow2","features":[]}})"s,
          R"({"header":{"size":1,"encrypted":true,"format":"qcow2","features":["x"]}})"s,
          R"({"header":{"size":1,"encrypted":true,"format":"qcow2","features":["dirty","dirty"]}})"s,
          R"({"header":[[[[[[[[[[1]]]]]]]]]]})"s,
          std::string(longest_image_answer + 1, ' ')})
        EXPECT_EQ(answered(answer), nonsense) << answer;
}

TEST(ImageSeccomp, KillsAllThatIsNotNamed) {
    const auto policy = image_seccomp();
    EXPECT_EQ(policy.otherwise, SeccompAction::kill);
    std::vector<std::string> calls;
    for (const auto& rule : policy.rules) {
        EXPECT_EQ(rule.action, SeccompAction::allow) << rule.syscall;
        calls.push_back(rule.syscall);
    }
    EXPECT_EQ(calls, (std::vector<std::string>{"recvmsg", "write", "close", "pread64", "brk", "exit_group"}));
}
