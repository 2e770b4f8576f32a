#include "conf/domain/domain_xml.hpp"

#include <gtest/gtest.h>

using namespace cloister;

namespace {

constexpr const char* uri = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";

std::string document(const std::string& attributes, const std::string& body) {
    return "<domain type='qemu'" + std::string(attributes.empty() ? "" : " ") + attributes +
           "><name>e</name><os><type>hvm</type></os>" + body + "</domain>";
}

/// What a canonical document has besides the fixed part: the root's declaration and the elements at the end.
std::string tail_of(const std::string& text) {
    const auto root_end = text.find('>');
    const auto declared = text.find(" xmlns:", 0);
    const auto devices = text.find("  <devices/>\n");
    auto tail = text.substr(devices + 13);
    tail = tail.substr(0, tail.find("</domain>"));
    return (declared < root_end ? "declared\n" : "") + tail;
}

struct Row {
    const char* name;
    std::string attributes;
    std::string body;
    const char* canonical; ///< or the error's text
};

class PassthroughXml : public testing::TestWithParam<Row> {};

TEST_P(PassthroughXml, BecomesTheCanonicalForm) {
    const auto& row = GetParam();
    const auto domain = read_domain(document(row.attributes, row.body));
    if (!domain) {
        EXPECT_EQ(domain.error().code, Code::internal);
        EXPECT_EQ(domain.error().message, row.canonical);
        return;
    }
    const auto text = print_domain(*domain);
    EXPECT_EQ(tail_of(text), row.canonical);
    EXPECT_EQ(read_domain(text).value().passthrough, domain->passthrough);
    EXPECT_EQ(print_domain(read_domain(text).value()), text);
    EXPECT_EQ(tail_of(print_domain(*domain, {.flavour = xml::Flavour::live})), row.canonical);
    EXPECT_EQ(tail_of(print_domain(*domain, {.flavour = xml::Flavour::status})), row.canonical);
}

const std::string one_arg =
    "declared\n  <qemu:commandline>\n    <qemu:arg value='-x'/>\n  </qemu:commandline>\n";

INSTANTIATE_TEST_SUITE_P(
    Table, PassthroughXml,
    testing::Values(
        Row{"PrefixOnTheRoot", uri, "<qemu:commandline><qemu:arg value='-x'/></qemu:commandline>",
            one_arg.c_str()},
        Row{"BeforeTheDevices", uri, "<qemu:commandline><qemu:arg value='-x'/></qemu:commandline><devices/>",
            one_arg.c_str()},
        Row{"DefaultNamespace", "",
            "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><arg value='-x'/></commandline>",
            one_arg.c_str()},
        Row{"AnotherPrefix", "xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'",
            "<q:commandline><q:arg value='-x'/></q:commandline>", one_arg.c_str()},
        Row{"DeclaredOnTheElement", "",
            "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg "
            "value='-x'/></qemu:commandline>",
            one_arg.c_str()},
        Row{"SeveralAreMergedArgumentsFirst", uri,
            "<qemu:commandline><qemu:env name='A' value='1'/><qemu:arg value='-x'/><qemu:env name='A' "
            "value='2'/></qemu:commandline><devices/><qemu:commandline><qemu:arg "
            "value='second'/></qemu:commandline>",
            "declared\n  <qemu:commandline>\n    <qemu:arg value='-x'/>\n    <qemu:arg value='second'/>\n    "
            "<qemu:env name='A' value='1'/>\n    <qemu:env name='A' value='2'/>\n  </qemu:commandline>\n"},
        Row{"VariableWithoutValue", uri, "<qemu:commandline><qemu:env name='BAR'/></qemu:commandline>",
            "declared\n  <qemu:commandline>\n    <qemu:env name='BAR'/>\n  </qemu:commandline>\n"},
        Row{"VariableWithAnEmptyValue", uri,
            "<qemu:commandline><qemu:env name='_b9' value=''/></qemu:commandline>",
            "declared\n  <qemu:commandline>\n    <qemu:env name='_b9' value=''/>\n  </qemu:commandline>\n"},
        Row{"EmptyArgument", uri, "<qemu:commandline><qemu:arg value=''/></qemu:commandline>",
            "declared\n  <qemu:commandline>\n    <qemu:arg value=''/>\n  </qemu:commandline>\n"},
        Row{"NoSplittingAtBlanks", uri, "<qemu:commandline><qemu:arg value=' a  b '/></qemu:commandline>",
            "declared\n  <qemu:commandline>\n    <qemu:arg value=' a  b '/>\n  </qemu:commandline>\n"},
        Row{"Entities", uri,
            "<qemu:commandline><qemu:arg value='&lt;&amp;&quot;&apos;&gt; '/></qemu:commandline>",
            "declared\n  <qemu:commandline>\n    <qemu:arg value='&lt;&amp;&quot;&apos;&gt; '/>\n  "
            "</qemu:commandline>\n"},
        Row{"NothingButTheDeclaration", uri, "", ""}, Row{"AnEmptyElement", uri, "<qemu:commandline/>", ""},
        Row{"AnotherNamespace", "xmlns:qemu='http://wrong/1.0'",
            "<qemu:commandline><qemu:arg value='-x'/></qemu:commandline>", ""},
        Row{"APrefixThatNobodyDeclared", "", "<qemu:commandline><qemu:arg value='-x'/></qemu:commandline>",
            ""},
        Row{"NoNamespace", "", "<commandline><arg value='-x'/></commandline>", ""},
        Row{"BelowTheDevices", uri,
            "<devices><qemu:commandline><qemu:arg value='-x'/></qemu:commandline></devices>", ""},
        Row{"ArgumentsOfNoNamespace", uri, "<qemu:commandline><arg value='-x'/></qemu:commandline>", ""},
        Row{"CapabilitiesAddAndDel", uri,
            "<qemu:capabilities><qemu:del capability='b'/><qemu:add capability='a'/></qemu:capabilities>",
            "declared\n  <qemu:capabilities>\n    <qemu:add capability='a'/>\n    <qemu:del "
            "capability='b'/>\n  "
            "</qemu:capabilities>\n"},
        Row{"Override", uri,
            "<qemu:override><qemu:device alias='balloon0'><qemu:frontend><qemu:property name='x' "
            "type='unsigned' value='3'/><qemu:property name='y' "
            "type='remove'/></qemu:frontend></qemu:device></qemu:override>",
            "declared\n  <qemu:override>\n    <qemu:device alias='balloon0'>\n      <qemu:frontend>\n        "
            "<qemu:property name='x' type='unsigned' value='3'/>\n        <qemu:property name='y' "
            "type='remove'/>\n      </qemu:frontend>\n    </qemu:device>\n  </qemu:override>\n"},
        Row{"OrderOfAllFour", uri,
            "<qemu:deprecation behavior='crash'/><qemu:capabilities><qemu:add "
            "capability='a'/></qemu:capabilities><qemu:commandline><qemu:arg value='-x'/></qemu:commandline>",
            "declared\n  <qemu:commandline>\n    <qemu:arg value='-x'/>\n  </qemu:commandline>\n  "
            "<qemu:capabilities>\n    <qemu:add capability='a'/>\n  </qemu:capabilities>\n  "
            "<qemu:deprecation "
            "behavior='crash'/>\n"},
        Row{"ArgumentWithoutValue", uri, "<qemu:commandline><qemu:arg/></qemu:commandline>",
            "No qemu command-line argument specified"},
        Row{"VariableWithoutName", uri, "<qemu:commandline><qemu:env value='x'/></qemu:commandline>",
            "No qemu environment name specified"},
        Row{"VariableThatBeginsWithADigit", uri,
            "<qemu:commandline><qemu:env name='1A' value='x'/></qemu:commandline>",
            "Invalid environment name, it must begin with a letter or underscore"},
        Row{"VariableWithADash", uri, "<qemu:commandline><qemu:env name='A-B' value='x'/></qemu:commandline>",
            "Invalid environment name, it must contain only alphanumerics and underscore"}),
    [](const auto& row) { return std::string(row.param.name); });

} // namespace
