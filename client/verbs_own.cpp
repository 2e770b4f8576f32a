#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/call/cloister.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <filesystem>

namespace cloister::client {
namespace {

Result<std::int32_t> format_of(const Given& given, bool with_argv) {
    const auto name = given.value("form", "text");
    if (name == "text") return static_cast<std::int32_t>(call::Format::text);
    if (name == "json") return static_cast<std::int32_t>(call::Format::json);
    if (name == "argv" && with_argv) return static_cast<std::int32_t>(call::Format::argv);
    return fail(Code::invalid_arg, tr("unknown form '{0}'", name));
}

/// A file when there is one of that name with XML in it, else a domain.
Result<Answer> explain(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto what = given.value("what");
    call::ExplainIn in{.format = TRY(format_of(given, true))};
    if (what == "-" || what.find('/') != std::string::npos || what.ends_with(".xml"))
        in.xml = Text<>{TRY(file_content(what))};
    else
        in.dom = TRY(session.domain(what));
    return Answer{Document{TRY(c.call<call::ExplainOut>("EXPLAIN", in, Program::own)).text.value}};
}

Result<Answer> confinement(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const call::ConfinementIn in{.dom = TRY(session.domain(given.value("domain"))),
                                 .format = TRY(format_of(given, false))};
    const auto out = TRY(c.call<call::ConfinementOut>("CONFINEMENT", in, Program::own));
    if (!out.as_planned && given.has("check"))
        return fail(Code::operation_failed, tr("the guest is not confined as planned:\n{0}", out.text.value));
    return Answer{Document{out.text.value}};
}

/// Every definition of a folder, and what it would lose here. Nothing is changed without --define.
Result<Answer> import(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const std::filesystem::path folder = given.value("folder");
    std::error_code ec;
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ec))
        if (entry.path().extension() == ".xml") files.push_back(entry.path());
    if (ec) return std::unexpected(system_error(ec.value(), tr("cannot read folder '{0}'", folder.string())));
    std::ranges::sort(files);
    Table table{.headers = {tr("File"), tr("Domain"), tr("Lost"), tr("A start would refuse")},
                .keys = {"file", "domain", "lost", "refused"}};
    const auto joined = [](const auto& list) {
        std::string text;
        for (const auto& item : list.items) text += (text.empty() ? "" : "; ") + item.value;
        return text.empty() ? std::string("-") : text;
    };
    for (const auto& file : files) {
        const auto xml = TRY(file_content(file.string()));
        const auto out =
            c.call<call::ImportCheckOut>("IMPORT_CHECK", call::ImportCheckIn{.xml = {xml}}, Program::own);
        if (out)
            table.rows.push_back(
                {file.filename().string(), out->name.value, joined(out->lost), joined(out->unplannable)});
        else
            table.rows.push_back(
                {file.filename().string(), "-", tr("cannot be read: {0}", full_text(out.error())), "-"});
    }
    return Answer{table};
}

Result<Answer> completion(Session&, const Given& given) {
    return Answer{Document{TRY(completion_script(given.value("shell")))}};
}

constexpr Arg form{"form", Takes::option, tr_later("text, json, or argv for explain")};
constexpr Arg explain_args[] = {{"what", Takes::positional, tr_later("a domain, or a file with XML")}, form};
constexpr Arg confinement_args[] = {
    {"domain", Takes::positional, tr_later("name, id or uuid of the domain")},
    form,
    {"check", Takes::flag, tr_later("fail when something differs from the plan")}};
constexpr Arg import_args[] = {
    {"folder", Takes::positional, tr_later("a folder of libvirt's definitions, such as /etc/libvirt/qemu")}};
constexpr Arg completion_args[] = {{"shell", Takes::positional, tr_later("bash, zsh or fish")}};
constexpr std::array table{
    Verb{"explain", tr_later("what a start would do, and why, without doing it"), explain_args, explain},
    Verb{"confinement", tr_later("how a running guest is confined: planned against found"), confinement_args,
         confinement},
    Verb{"import", tr_later("what libvirt's definitions would lose here: nothing is changed"), import_args,
         import},
    Verb{"completion", tr_later("the completion script of a shell"), completion_args, completion},
};

} // namespace

std::span<const Verb> own_verbs() { return table; }

} // namespace cloister::client
