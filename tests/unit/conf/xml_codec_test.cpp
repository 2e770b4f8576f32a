#include "conf/device/rng.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

Rng rng(std::string_view document) { return xml::parse<Rng>(xml::read(document).value()).value(); }

TEST(XmlCodec, WritesWhatItRead) {
    for (const auto* text :
         {"<rng model='virtio'>\n  <backend model='builtin'/>\n</rng>\n",
          "<rng model='virtio'>\n  <rate bytes='1' period='2'/>\n  <backend "
          "model='random'>/dev/hwrng</backend>\n"
          "  <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>\n</rng>\n"}) {
        const auto before = rng(text);
        EXPECT_EQ(xml::print(xml::formatted(before, "rng")), text);
        EXPECT_EQ(xml::parse<Rng>(xml::formatted(before, "rng")).value(), before);
    }
}

TEST(XmlCodec, KeepsAndReportsWhatIsNotModelled) {
    const auto before =
        rng("<rng model='virtio' new='1'>\n<backend model='builtin' x='y'/>\n<odd><deep/></odd></rng>");
    EXPECT_EQ(xml::print(xml::formatted(before, "rng")),
              "<rng model='virtio' new='1'>\n  <backend model='builtin' x='y'/>\n  <odd>\n    <deep/>\n  "
              "</odd>\n</rng>\n");
    std::vector<xml::Unmodelled> found;
    xml::unmodelled(before, "rng", found);
    EXPECT_EQ(found, (std::vector<xml::Unmodelled>{{"attribute 'new' of <rng>", 1},
                                                   {"<odd> in <rng>", 3},
                                                   {"attribute 'x' of <backend>", 2}}));
}

TEST(XmlCodec, NamesTheAttributeAndElementOfABadValue) {
    const auto r = xml::parse<Rng>(xml::read("<rng\n model='isa'/>").value());
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Code::xml);
    EXPECT_EQ(r.error().message, "Invalid value for attribute 'model' in element 'rng': 'isa'.");
}

} // namespace
