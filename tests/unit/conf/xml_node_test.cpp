#include "conf/text/xml_node.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

TEST(XmlNode, PrintsWhatItReadWithLibvirtsIndentAndQuotes) {
    const auto node = xml::read("<a  x=\"1 &lt; '2'\"><b/><c>t &amp; u</c></a>");
    ASSERT_TRUE(node) << node.error().message;
    EXPECT_EQ(xml::print(*node), "<a x='1 &lt; &apos;2&apos;'>\n  <b/>\n  <c>t &amp; u</c>\n</a>\n");
    EXPECT_EQ(xml::read(xml::print(*node)).value(), *node);
}

TEST(XmlNode, KeepsMixedContentAndNamespaces) {
    const auto node = xml::read("<a xmlns:q='urn:q'><q:b q:k='v'>one <i>two</i> three</q:b></a>").value();
    EXPECT_EQ(xml::print(node), "<a xmlns:q='urn:q'>\n  <q:b q:k='v'>one <i>two</i> three</q:b>\n</a>\n");
}

TEST(XmlNode, NamesTheLineOfMalformedText) {
    const auto node = xml::read("<a>\n<b></a>");
    ASSERT_FALSE(node);
    EXPECT_EQ(node.error().code, Code::xml_detail);
    EXPECT_NE(node.error().message.find("(domain_definition):2:"), std::string::npos) << node.error().message;
}

TEST(XmlNode, RefusesEntitiesDepthAndSize) {
    EXPECT_FALSE(xml::read("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"));
    std::string deep;
    for (int i = 0; i < 300; ++i) deep += "<a>";
    for (int i = 0; i < 300; ++i) deep += "</a>";
    EXPECT_FALSE(xml::read(deep));
    EXPECT_FALSE(xml::read("<a>" + std::string(xml::most_bytes, ' ') + "</a>"));
}

} // namespace
