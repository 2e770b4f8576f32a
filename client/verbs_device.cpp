#include "client/verb.hpp"
#include "conf/base/tr.hpp"
#include "conf/call/domain_device.hpp"
#include "conf/text/xml_node.hpp"

#include <array>

namespace cloister::client {
namespace {

/// Attaches, detaches or updates what `xml` describes. `procedure`: DOMAIN_…_DEVICE_FLAGS; the three take the
/// same.
Result<> change(Session& session, const Given& given, std::string_view procedure, std::string xml,
                std::uint32_t more_flags = 0) {
    const auto dom = TRY(session.domain(given.value("domain")));
    auto& c = *TRY(session.connection());
    auto flags = TRY(affected(given)) | more_flags;
    if (given.has("persistent") && dom.id >= 0) flags |= 3; // both: virsh's old name for it
    return c.order(procedure,
                   call::DomainAttachDeviceFlagsIn{.dom = dom, .xml = {std::move(xml)}, .flags = flags});
}
Result<Answer> attach_device(Session& session, const Given& given) {
    TRY(change(session, given, "DOMAIN_ATTACH_DEVICE_FLAGS", TRY(file_content(given.value("file")))));
    return Answer{Done{tr("Device attached successfully")}};
}
Result<Answer> detach_device(Session& session, const Given& given) {
    TRY(change(session, given, "DOMAIN_DETACH_DEVICE_FLAGS", TRY(file_content(given.value("file")))));
    return Answer{Done{tr("Device detached successfully")}};
}
Result<Answer> update_device(Session& session, const Given& given) {
    TRY(change(session, given, "DOMAIN_UPDATE_DEVICE_FLAGS", TRY(file_content(given.value("file"))),
               given.has("force") ? 4 : 0));
    return Answer{Done{tr("Device updated successfully")}};
}

Result<Answer> attach_disk(Session& session, const Given& given) {
    const auto source = given.value("source");
    const bool block = given.value("sourcetype", source.starts_with("/dev/") ? "block" : "file") == "block";
    xml::Node disk{.name = "disk"};
    disk.set("type", block ? "block" : "file").set("device", given.value("type", "disk"));
    auto& driver = disk.add("driver").set("name", given.value("driver", "qemu"));
    if (const auto format = given.maybe("subdriver")) driver.set("type", *format);
    if (const auto cache = given.maybe("cache")) driver.set("cache", *cache);
    if (!source.empty()) disk.add("source").set(block ? "dev" : "file", source);
    auto& target = disk.add("target").set("dev", given.value("target"));
    if (const auto bus = given.maybe("targetbus")) target.set("bus", *bus);
    const auto mode = given.value("mode");
    if (mode == "readonly") disk.add("readonly");
    if (mode == "shareable") disk.add("shareable");
    if (const auto serial = given.maybe("serial")) disk.add("serial").text = *serial;
    const auto text = xml::print(disk);
    if (given.has("print-xml")) return Answer{Document{text}};
    TRY(change(session, given, "DOMAIN_ATTACH_DEVICE_FLAGS", text));
    return Answer{Done{tr("Disk attached successfully")}};
}

/// The device element of a domain whose part `part` has `key` = `value`, or whose type is `type` when value
/// is empty.
Result<xml::Node> find_device(Session& session, const Given& given, std::string_view kind,
                              std::string_view part, std::string_view key, const std::string& value,
                              const std::string& type = {}) {
    const auto inactive = given.has("config") && !given.has("live");
    const auto text = TRY(session.xml(TRY(session.domain(given.value("domain"))), inactive ? 2 : 0));
    const auto root = TRY(xml::read(text));
    if (const auto* devices = root.child("devices"))
        for (const auto& device : devices->children) {
            if (device.name != kind) continue;
            const auto* own = device.attribute("type");
            if (!type.empty() && (!own || *own != type)) continue;
            const auto* inner = device.child(part);
            const auto* found = inner ? inner->attribute(key) : nullptr;
            if (value.empty() || (found && *found == value)) return device;
        }
    return fail(Code::device_missing, value.empty() ? tr("the domain has no such {0}", kind)
                                                    : tr("no {0} with {1} '{2}'", kind, key, value));
}
Result<Answer> detach_disk(Session& session, const Given& given) {
    const auto disk = TRY(find_device(session, given, "disk", "target", "dev", given.value("target")));
    if (given.has("print-xml")) return Answer{Document{xml::print(disk)}};
    TRY(change(session, given, "DOMAIN_DETACH_DEVICE_FLAGS", xml::print(disk)));
    return Answer{Done{tr("Disk detached successfully")}};
}
Result<Answer> attach_interface(Session& session, const Given& given) {
    xml::Node nic{.name = "interface"};
    const auto type = given.value("type"), source = given.value("source");
    nic.set("type", type);
    if (const auto mac = given.maybe("mac")) nic.add("mac").set("address", *mac);
    if (!source.empty()) nic.add("source").set(type == "direct" ? "dev" : type, source);
    if (const auto target = given.maybe("target")) nic.add("target").set("dev", *target);
    if (const auto model = given.maybe("model")) nic.add("model").set("type", *model);
    const auto text = xml::print(nic);
    if (given.has("print-xml")) return Answer{Document{text}};
    TRY(change(session, given, "DOMAIN_ATTACH_DEVICE_FLAGS", text));
    return Answer{Done{tr("Interface attached successfully")}};
}
Result<Answer> detach_interface(Session& session, const Given& given) {
    const auto nic = TRY(
        find_device(session, given, "interface", "mac", "address", given.value("mac"), given.value("type")));
    TRY(change(session, given, "DOMAIN_DETACH_DEVICE_FLAGS", xml::print(nic)));
    return Answer{Done{tr("Interface detached successfully")}};
}
Result<Answer> change_media(Session& session, const Given& given) {
    auto disk = TRY(find_device(session, given, "disk", "target", "dev", given.value("path")));
    const bool eject = given.has("eject");
    if (!eject && given.value("source").empty())
        return fail(Code::invalid_arg, tr("no medium was named, and --eject was not given"));
    std::erase_if(disk.children,
                  [](const xml::Node& n) { return n.name == "source" || n.name == "backingStore"; });
    if (!eject) {
        const auto source = given.value("source");
        const bool block = given.has("block") || source.starts_with("/dev/");
        disk.set("type", block ? "block" : "file");
        disk.add("source").set(block ? "dev" : "file", source);
    }
    if (given.has("print-xml")) return Answer{Document{xml::print(disk)}};
    TRY(change(session, given, "DOMAIN_UPDATE_DEVICE_FLAGS", xml::print(disk), given.has("force") ? 4 : 0));
    return Answer{Done{eject ? tr("Successfully ejected media.") : tr("Successfully inserted media.")}};
}
Result<Answer> set_link(Session& session, const Given& given) {
    auto nic = TRY(find_device(session, given, "interface", "mac", "address", given.value("interface")));
    const auto state = given.value("state");
    if (state != "up" && state != "down")
        return fail(Code::invalid_arg, tr("invalid link state '{0}'", state));
    std::erase_if(nic.children, [](const xml::Node& n) { return n.name == "link"; });
    nic.add("link").set("state", state);
    TRY(change(session, given, "DOMAIN_UPDATE_DEVICE_FLAGS", xml::print(nic)));
    return Answer{Done{tr("Device updated successfully")}};
}

constexpr Arg domain_arg{"domain", Takes::positional, tr_later("name, id or uuid of the domain")};
constexpr Arg live{"live", Takes::flag, tr_later("the running guest")},
    config{"config", Takes::flag, tr_later("the stored definition")},
    current{"current", Takes::flag, tr_later("whichever is current")},
    persistent{"persistent", Takes::flag, tr_later("both")},
    file{"file", Takes::positional, tr_later("a file with XML, or - for the input")},
    print_xml{"print-xml", Takes::flag, tr_later("print the XML instead")},
    force{"force", Takes::flag, tr_later("even if the guest has locked it")},
    target{"target", Takes::positional, tr_later("the guest's name of the disk: vdb")};
constexpr Arg device_args[] = {domain_arg, file, live, config, current, persistent};
constexpr Arg update_args[] = {domain_arg, file, live, config, current, persistent, force};
constexpr Arg attach_disk_args[] = {domain_arg,
                                    {"source", Takes::positional, tr_later("the image or device")},
                                    target,
                                    live,
                                    config,
                                    current,
                                    persistent,
                                    print_xml,
                                    {"targetbus", Takes::option, tr_later("virtio, scsi, sata …")},
                                    {"driver", Takes::option, tr_later("qemu")},
                                    {"subdriver", Takes::option, tr_later("the image's format")},
                                    {"cache", Takes::option, tr_later("the cache mode")},
                                    {"type", Takes::option, tr_later("disk, cdrom or floppy")},
                                    {"mode", Takes::option, tr_later("readonly or shareable")},
                                    {"sourcetype", Takes::option, tr_later("file or block")},
                                    {"serial", Takes::option, tr_later("its serial number")}};
constexpr Arg detach_disk_args[] = {domain_arg, target, live, config, current, persistent, print_xml};
constexpr Arg attach_if_args[] = {domain_arg,
                                  {"type", Takes::positional, tr_later("user, bridge, ethernet …")},
                                  {"source", Takes::optional_positional, tr_later("the bridge or device")},
                                  live,
                                  config,
                                  current,
                                  persistent,
                                  print_xml,
                                  {"mac", Takes::option, tr_later("its hardware address")},
                                  {"model", Takes::option, tr_later("virtio, e1000 …")},
                                  {"target", Takes::option, tr_later("the host's name of it")}};
constexpr Arg detach_if_args[] = {domain_arg,
                                  {"type", Takes::positional, tr_later("user, bridge, ethernet …")},
                                  {"mac", Takes::option, tr_later("its hardware address")},
                                  live,
                                  config,
                                  current,
                                  persistent};
constexpr Arg media_args[] = {domain_arg,
                              {"path", Takes::positional, tr_later("the drive: sda")},
                              {"source", Takes::optional_positional, tr_later("the new medium")},
                              {"eject", Takes::flag, tr_later("take the medium out")},
                              {"insert", Takes::flag, tr_later("put it in")},
                              {"update", Takes::flag, tr_later("replace it")},
                              live,
                              config,
                              current,
                              force,
                              print_xml,
                              {"block", Takes::flag, tr_later("the medium is a device")}};
constexpr Arg link_args[] = {domain_arg,
                             {"interface", Takes::positional, tr_later("the card's hardware address")},
                             {"state", Takes::positional, tr_later("up or down")},
                             config};
constexpr std::array table{
    Verb{"attach-device", tr_later("plug in a device described by XML"), device_args, attach_device},
    Verb{"detach-device", tr_later("unplug a device described by XML"), device_args, detach_device},
    Verb{"update-device", tr_later("change a device described by XML"), update_args, update_device},
    Verb{"attach-disk", tr_later("plug in a disk"), attach_disk_args, attach_disk},
    Verb{"detach-disk", tr_later("unplug a disk"), detach_disk_args, detach_disk},
    Verb{"attach-interface", tr_later("plug in a network card"), attach_if_args, attach_interface},
    Verb{"detach-interface", tr_later("unplug a network card"), detach_if_args, detach_interface},
    Verb{"change-media", tr_later("change the medium of a CD or floppy drive"), media_args, change_media},
    Verb{"domif-setlink", tr_later("pull or plug a network cable"), link_args, set_link},
};

} // namespace

std::span<const Verb> device_verbs() { return table; }

} // namespace cloister::client
