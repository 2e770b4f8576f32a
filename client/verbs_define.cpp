#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/call/domain.hpp"
#include "conf/call/domain_define.hpp"
#include "conf/call/domain_memory.hpp"
#include "conf/call/domain_vcpu.hpp"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

namespace cloister::client {
namespace {

/// A call whose only argument is the domain, and the sentence that says it is done.
template <class In> Result<Answer> act(Session& session, const Given& given, std::string_view procedure,
                                       In in, std::string sentence) {
    in.dom = TRY(session.domain(given.value("domain")));
    TRY((*TRY(session.connection())).order(procedure, in));
    return Answer{Done{std::move(sentence)}};
}
std::string name(const Given& given) { return given.value("domain"); }

Result<Answer> define(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto text = TRY(file_content(given.value("file")));
    const auto out =
        given.has("validate")
            ? TRY(c.call<call::DomainDefineXmlFlagsOut>(
                      "DOMAIN_DEFINE_XML_FLAGS", call::DomainDefineXmlFlagsIn{.xml = {text}, .flags = 1}))
                  .dom
            : TRY(c.call<call::DomainDefineXmlOut>("DOMAIN_DEFINE_XML",
                                                   call::DomainDefineXmlIn{.xml = {text}}))
                  .dom;
    return Answer{Done{tr("Domain '{0}' defined from {1}", out.name.value, given.value("file"))}};
}
Result<Answer> create(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto text = TRY(file_content(given.value("file")));
    const std::uint32_t flags = (given.has("paused") ? 1u : 0) | (given.has("autodestroy") ? 2u : 0) |
                                (given.has("validate") ? 16u : 0);
    const auto out = TRY(c.call<call::DomainCreateXmlOut>(
        "DOMAIN_CREATE_XML", call::DomainCreateXmlIn{.xml_desc = {text}, .flags = flags}));
    return Answer{Done{tr("Domain '{0}' created from {1}", out.dom.name.value, given.value("file"))}};
}
Result<Answer> undefine(Session& session, const Given& given) {
    call::DomainUndefineFlagsIn in;
    in.flags = (given.has("managed-save") ? 1u : 0) | (given.has("snapshots-metadata") ? 2u : 0) |
               (given.has("nvram") ? 4u : 0) | (given.has("keep-nvram") ? 8u : 0) |
               (given.has("checkpoints-metadata") ? 16u : 0);
    return act(session, given, "DOMAIN_UNDEFINE_FLAGS", in,
               tr("Domain '{0}' has been undefined", name(given)));
}
Result<Answer> start(Session& session, const Given& given) {
    call::DomainCreateWithFlagsIn in;
    in.flags = (given.has("paused") ? 1u : 0) | (given.has("autodestroy") ? 2u : 0) |
               (given.has("bypass-cache") ? 4u : 0) | (given.has("force-boot") ? 8u : 0);
    in.dom = TRY(session.domain(name(given)));
    (void)TRY(
        (*TRY(session.connection())).call<call::DomainCreateWithFlagsOut>("DOMAIN_CREATE_WITH_FLAGS", in));
    return Answer{Done{tr("Domain '{0}' started", name(given))}};
}
Result<Answer> destroy(Session& session, const Given& given) {
    call::DomainDestroyFlagsIn in;
    in.flags = (given.has("graceful") ? 1u : 0) | (given.has("remove-logs") ? 2u : 0);
    return act(session, given, "DOMAIN_DESTROY_FLAGS", in, tr("Domain '{0}' destroyed", name(given)));
}
/// --mode acpi,agent … as the flags of shutdown and reboot.
Result<std::uint32_t> modes(const Given& given) {
    static constexpr std::array<std::string_view, 5> known{"acpi", "agent", "initctl", "signal", "paravirt"};
    std::uint32_t flags = 0;
    auto text = given.value("mode");
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto word = text.substr(0, comma);
        const auto found = std::ranges::find(known, word);
        if (found == known.end())
            return fail(
                Code::invalid_arg,
                tr("unknown mode '{0}', expecting 'acpi', 'agent', 'initctl', 'signal' or 'paravirt'", word));
        flags |= 1u << (found - known.begin());
        text = comma == std::string::npos ? "" : text.substr(comma + 1);
    }
    return flags;
}
Result<Answer> shutdown(Session& session, const Given& given) {
    call::DomainShutdownFlagsIn in;
    in.flags = TRY(modes(given));
    return act(session, given, "DOMAIN_SHUTDOWN_FLAGS", in,
               tr("Domain '{0}' is being shutdown", name(given)));
}
Result<Answer> reboot(Session& session, const Given& given) {
    call::DomainRebootIn in;
    in.flags = TRY(modes(given));
    return act(session, given, "DOMAIN_REBOOT", in, tr("Domain '{0}' is being rebooted", name(given)));
}
Result<Answer> reset(Session& session, const Given& given) {
    return act(session, given, "DOMAIN_RESET", call::DomainResetIn{},
               tr("Domain '{0}' was reset", name(given)));
}
Result<Answer> suspend(Session& session, const Given& given) {
    return act(session, given, "DOMAIN_SUSPEND", call::DomainSuspendIn{},
               tr("Domain '{0}' suspended", name(given)));
}
Result<Answer> resume(Session& session, const Given& given) {
    return act(session, given, "DOMAIN_RESUME", call::DomainResumeIn{},
               tr("Domain '{0}' resumed", name(given)));
}
Result<Answer> autostart(Session& session, const Given& given) {
    call::DomainSetAutostartIn in;
    in.autostart = given.has("disable") ? 0 : 1;
    return act(session, given, "DOMAIN_SET_AUTOSTART", in,
               given.has("disable") ? tr("Domain '{0}' unmarked as autostarted", name(given))
                                    : tr("Domain '{0}' marked as autostarted", name(given)));
}
Result<Answer> rename(Session& session, const Given& given) {
    call::DomainRenameIn in;
    in.dom = TRY(session.domain(name(given)));
    in.new_name = Text<>{given.value("new-name")};
    (void)TRY((*TRY(session.connection())).call<call::DomainRenameOut>("DOMAIN_RENAME", in));
    return Answer{Done{tr("Domain successfully renamed")}};
}

Result<Answer> desc(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto dom = TRY(session.domain(name(given)));
    const int type = given.has("title") ? 1 : 0;
    const auto flags = TRY(affected(given));
    if (given.rest.empty()) {
        const auto out = c.call<call::DomainGetMetadataOut>(
            "DOMAIN_GET_METADATA", call::DomainGetMetadataIn{.dom = dom, .type = type, .flags = flags});
        if (!out && out.error().code == Code::no_domain_metadata)
            return Answer{Done{type ? tr("No title for domain: {0}", name(given))
                                    : tr("No description for domain: {0}", name(given))}};
        return Answer{Document{TRY(out).metadata.value + "\n"}};
    }
    std::string text;
    for (const auto& word : given.rest) text += (text.empty() ? "" : " ") + word;
    TRY(c.order(
        "DOMAIN_SET_METADATA",
        call::DomainSetMetadataIn{.dom = dom, .type = type, .metadata = Text<>{text}, .flags = flags}));
    return Answer{
        Done{type ? tr("Domain title updated successfully") : tr("Domain description updated successfully")}};
}
Result<Answer> metadata(Session& session, const Given& given) {
    auto& c = *TRY(session.connection());
    const auto dom = TRY(session.domain(name(given)));
    const auto uri = Text<>{given.value("uri")};
    const auto flags = TRY(affected(given));
    if (given.has("remove")) {
        TRY(c.order("DOMAIN_SET_METADATA",
                    call::DomainSetMetadataIn{.dom = dom, .type = 2, .uri = uri, .flags = flags}));
        return Answer{Done{tr("Metadata removed")}};
    }
    if (const auto set = given.maybe("set")) {
        call::DomainSetMetadataIn in{
            .dom = dom, .type = 2, .metadata = Text<>{*set}, .uri = uri, .flags = flags};
        if (const auto key = given.maybe("key")) in.key = Text<>{*key};
        TRY(c.order("DOMAIN_SET_METADATA", in));
        return Answer{Done{tr("Metadata modified")}};
    }
    return Answer{
        Document{TRY(c.call<call::DomainGetMetadataOut>(
                         "DOMAIN_GET_METADATA",
                         call::DomainGetMetadataIn{.dom = dom, .type = 2, .uri = uri, .flags = flags}))
                     .metadata.value +
                 "\n"}};
}

Result<Answer> setmem(Session& session, const Given& given) {
    call::DomainSetMemoryFlagsIn in;
    in.memory = TRY(kibibytes(given.value("size")));
    in.flags = TRY(affected(given));
    return act(session, given, "DOMAIN_SET_MEMORY_FLAGS", in, {});
}
Result<Answer> setmaxmem(Session& session, const Given& given) {
    call::DomainSetMemoryFlagsIn in;
    in.memory = TRY(kibibytes(given.value("size")));
    in.flags = TRY(affected(given)) | 4;
    return act(session, given, "DOMAIN_SET_MEMORY_FLAGS", in, {});
}
Result<Answer> setvcpus(Session& session, const Given& given) {
    call::DomainSetVcpusFlagsIn in;
    in.nvcpus = TRY(number(given.value("count"), tr("the number of virtual CPUs")));
    in.flags = TRY(affected(given)) | (given.has("maximum") ? 4u : 0) | (given.has("guest") ? 8u : 0) |
               (given.has("hotpluggable") ? 16u : 0);
    return act(session, given, "DOMAIN_SET_VCPUS_FLAGS", in, {});
}

/// Runs the user's editor on `path`. Errors: internal when it failed.
Result<> run_editor(const std::string& path) {
    const char* editor = std::getenv("VISUAL");
    if (!editor || !*editor) editor = std::getenv("EDITOR");
    if (!editor || !*editor) editor = "vi";
    const auto command = std::string(editor) + " '" + path + "'";
    const int status = std::system(command.c_str());
    if (status != 0)
        return fail(Code::internal, tr("the editor '{0}' ended with status {1}", editor,
                                       WIFEXITED(status) ? WEXITSTATUS(status) : status));
    return {};
}
Result<Answer> edit(Session& session, const Given& given) {
    const auto dom = TRY(session.domain(name(given)));
    const auto before = TRY(session.xml(dom, 2 | (given.has("skip-security") ? 0u : 1u)));
    char path[] = "/tmp/cloister-edit-XXXXXX.xml";
    const int fd = ::mkstemps(path, 4);
    if (fd < 0) return std::unexpected(system_error(errno, tr("cannot make a temporary file")));
    ::close(fd);
    std::ofstream(path) << before;
    auto finish = [&](Result<Answer> with) {
        ::unlink(path);
        return with;
    };
    if (auto done = run_editor(path); !done) return finish(std::unexpected(done.error()));
    const auto after = TRY(file_content(path));
    if (after == before)
        return finish(Answer{Done{tr("Domain '{0}' XML configuration not changed", name(given))}});
    auto& c = *TRY(session.connection());
    const auto out = c.call<call::DomainDefineXmlFlagsOut>(
        "DOMAIN_DEFINE_XML_FLAGS",
        call::DomainDefineXmlFlagsIn{.xml = {after}, .flags = given.has("skip-validate") ? 0u : 1u});
    if (!out) { // nothing the user typed is lost
        auto error = out.error();
        error.message += " (" + tr("your text is kept in {0}", path) + ")";
        return std::unexpected(std::move(error));
    }
    return finish(Answer{Done{tr("Domain '{0}' XML configuration edited", name(given))}});
}

constexpr Arg domain_arg{"domain", Takes::positional, tr_later("name, id or uuid of the domain")};
constexpr Arg live{"live", Takes::flag, tr_later("the running guest")},
    config{"config", Takes::flag, tr_later("the stored definition")},
    current{"current", Takes::flag, tr_later("whichever is current")},
    file{"file", Takes::positional, tr_later("a file with XML, or - for the input")},
    mode{"mode", Takes::option, tr_later("acpi, agent …: how the guest is asked")},
    size{"size", Takes::positional, tr_later("KiB, or with a suffix: 512M")};
constexpr Arg validate{"validate", Takes::flag, tr_later("check the XML against the schema first")};
constexpr Arg domain_only[] = {domain_arg};
constexpr Arg define_args[] = {file, validate};
constexpr Arg create_args[] = {file,
                               validate,
                               {"paused", Takes::flag, tr_later("leave it paused")},
                               {"autodestroy", Takes::flag, tr_later("destroy it when this client leaves")}};
constexpr Arg undefine_args[] = {domain_arg,
                                 {"nvram", Takes::flag, tr_later("remove its NVRAM too")},
                                 {"keep-nvram", Takes::flag, tr_later("keep its NVRAM")},
                                 {"managed-save", Takes::flag, tr_later("remove its saved state too")},
                                 {"snapshots-metadata", Takes::flag, tr_later("forget its snapshots")},
                                 {"checkpoints-metadata", Takes::flag, tr_later("forget its checkpoints")}};
constexpr Arg start_args[] = {
    domain_arg,
    {"paused", Takes::flag, tr_later("leave it paused")},
    {"autodestroy", Takes::flag, tr_later("destroy it when this client leaves")},
    {"bypass-cache", Takes::flag, tr_later("read a saved state around the page cache")},
    {"force-boot", Takes::flag, tr_later("discard a saved state")}};
constexpr Arg destroy_args[] = {domain_arg,
                                {"graceful", Takes::flag, tr_later("never by force")},
                                {"remove-logs", Takes::flag, tr_later("remove its log too")}};
constexpr Arg shutdown_args[] = {domain_arg, mode};
constexpr Arg autostart_args[] = {domain_arg, {"disable", Takes::flag, tr_later("no longer")}};
constexpr Arg rename_args[] = {domain_arg, {"new-name", Takes::positional, tr_later("the new name")}};
constexpr Arg desc_args[] = {domain_arg,
                             live,
                             config,
                             current,
                             {"title", Takes::flag, tr_later("the title instead")},
                             {"new-desc", Takes::rest, tr_later("the new text; none: print it")}};
constexpr Arg metadata_args[] = {domain_arg,
                                 {"uri", Takes::positional, tr_later("the namespace of the element")},
                                 live,
                                 config,
                                 current,
                                 {"set", Takes::option, tr_later("the new element")},
                                 {"key", Takes::option, tr_later("its namespace prefix")},
                                 {"remove", Takes::flag, tr_later("remove it")}};
constexpr Arg setmem_args[] = {domain_arg, size, live, config, current};
constexpr Arg setvcpus_args[] = {domain_arg,
                                 {"count", Takes::positional, tr_later("how many")},
                                 live,
                                 config,
                                 current,
                                 {"maximum", Takes::flag, tr_later("the most there can be")},
                                 {"guest", Takes::flag, tr_later("ask the guest agent")},
                                 {"hotpluggable", Takes::flag, tr_later("such that they can be unplugged")}};
constexpr Arg edit_args[] = {domain_arg,
                             {"skip-validate", Takes::flag, tr_later("do not check against the schema")},
                             {"skip-security", Takes::flag, tr_later("without passwords")}};
constexpr std::array table{
    Verb{"define", tr_later("store a definition, without starting it"), define_args, define},
    Verb{"create", tr_later("start a domain without storing it"), create_args, create},
    Verb{"undefine", tr_later("forget a stored definition"), undefine_args, undefine},
    Verb{"edit", tr_later("edit a stored definition"), edit_args, edit},
    Verb{"domrename", tr_later("rename a domain that does not run"), rename_args, rename},
    Verb{"start", tr_later("start a stored domain"), start_args, start},
    Verb{"shutdown", tr_later("ask a guest to shut down"), shutdown_args, shutdown},
    Verb{"reboot", tr_later("ask a guest to reboot"), shutdown_args, reboot},
    Verb{"reset", tr_later("press a guest's reset button"), domain_only, reset},
    Verb{"destroy", tr_later("end a guest at once"), destroy_args, destroy},
    Verb{"suspend", tr_later("pause a guest"), domain_only, suspend},
    Verb{"resume", tr_later("let a paused guest go on"), domain_only, resume},
    Verb{"autostart", tr_later("start a domain when the host starts"), autostart_args, autostart},
    Verb{"desc", tr_later("print or set a domain's description"), desc_args, desc},
    Verb{"metadata", tr_later("print or set an element of a domain's metadata"), metadata_args, metadata},
    Verb{"setmem", tr_later("change a domain's memory"), setmem_args, setmem},
    Verb{"setmaxmem", tr_later("change the most memory of a domain"), setmem_args, setmaxmem},
    Verb{"setvcpus", tr_later("change the number of virtual CPUs"), setvcpus_args, setvcpus},
};

} // namespace

std::span<const Verb> define_verbs() { return table; }

} // namespace cloister::client
