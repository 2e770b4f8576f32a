#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/chardev.hpp"
#include "driver/device/secret.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? std::string() : path.substr(0, slash);
}

struct SwtpmPaths {
    std::string socket{}, state{}, log{};
};
SwtpmPaths swtpm_paths(const LaunchPaths& paths, TpmVersion version) {
    auto state = paths.tpm_state.empty() ? paths.state_dir + "/tpm" : paths.tpm_state;
    state += version == TpmVersion::v2_0 ? "/tpm2" : "/tpm1.2";
    return {.socket = paths.tpm_socket.empty() ? paths.state_dir + "/swtpm/swtpm.sock" : paths.tpm_socket,
            .state = std::move(state),
            .log = paths.tpm_log};
}

std::string pcr_banks(const PcrBanks& banks) {
    std::string out;
    const auto add = [&](bool on, std::string_view name) {
        if (!on) return;
        if (!out.empty()) out += ',';
        out += name;
    };
    add(banks.sha1, "sha1");
    add(banks.sha256, "sha256");
    add(banks.sha384, "sha384");
    add(banks.sha512, "sha512");
    return out;
}

/// swtpm_setup: makes the TPM's memory, its endorsement key and certificates, once.
std::vector<std::string> setup_argv(const TpmEmulator& tpm, const SwtpmPaths& paths,
                                    const PlanContext& context, bool v2, const std::string& password_file) {
    const auto& domain = context.domain;
    const auto uuid = domain.uuid ? printed(*domain.uuid) : std::string();
    std::vector<std::string> out{"/usr/bin/swtpm_setup"};
    if (v2) out.push_back("--tpm2");
    out.insert(out.end(), {"--tpm-state", paths.state, "--vmid", domain.name + ":" + uuid});
    if (!paths.log.empty()) out.insert(out.end(), {"--logfile", paths.log});
    if (!password_file.empty())
        out.insert(out.end(), {"--pwdfile", password_file, "--cipher", "aes-256-cbc"});
    out.insert(out.end(), {"--createek", "--create-ek-cert", "--create-platform-cert", "--lock-nvram",
                           "--not-overwrite"});
    if (v2 && tpm.active_pcr_banks)
        if (const auto banks = pcr_banks(*tpm.active_pcr_banks); !banks.empty())
            out.insert(out.end(), {"--pcr-banks", banks});
    return out;
}

std::vector<std::string> swtpm_argv(const SwtpmPaths& paths, bool v2, const std::string& password_file) {
    std::vector<std::string> out{"/usr/bin/swtpm", "socket",
                                 "--ctrl",         "type=unixio,path=" + paths.socket + ",mode=0660",
                                 "--tpmstate",     "dir=" + paths.state + ",mode=0600",
                                 "--terminate"};
    if (!paths.log.empty()) out.insert(out.end(), {"--log", "file=" + paths.log});
    if (v2) out.push_back("--tpm2");
    if (!password_file.empty())
        out.insert(out.end(), {"--key", "pwdfile=" + password_file + ",mode=aes-256-cbc"});
    return out;
}

/// Who swtpm runs as: its own user, so that the guest can't read the TPM's memory, in the guest's group, so
/// that QEMU can reach the socket.
Result<std::pair<std::uint32_t, std::uint32_t>> swtpm_ids(const PlanContext& context) {
    const auto name = context.conf.swtpm_user + ":" + context.conf.swtpm_group;
    const auto found = context.facts.identities.find(name);
    if (found == context.facts.identities.end())
        return fail(Code::config_unsupported,
                    tr("swtpm's user and group '{0}' are not known on this host", name));
    const auto group = context.facts.emulator_ids ? context.facts.emulator_ids->gid : found->second.gid;
    return std::pair{found->second.uid, group};
}

Result<> plan_emulator(DevicePlan& out, const TpmEmulator& tpm, const std::string& why,
                       const PlanContext& context) {
    const auto version = tpm.version.value_or(TpmVersion::v2_0);
    const bool v2 = version == TpmVersion::v2_0;
    const auto paths = swtpm_paths(context.paths, version);
    const auto [uid, gid] = TRY(swtpm_ids(context));
    HelperProcess helper{.name = "swtpm", .socket = paths.socket, .uid = uid, .gid = gid, .why = why};
    std::string password_file;
    if (tpm.encryption) {
        password_file = folder_of(paths.socket) + "/key";
        helper.files.push_back(
            {.path = password_file,
             .content = TRY(secret_value(printed(tpm.encryption->secret), context.reserved)),
             .mode = 0600});
    }
    helper.directories.push_back({.path = folder_of(paths.socket), .mode = 0710});
    if (!context.paths.tpm_state.empty())
        helper.directories.push_back(
            {.path = folder_of(context.paths.tpm_state), .mode = 0711, .guest_owned = false, .keep = true});
    helper.directories.push_back({.path = folder_of(paths.state), .mode = 0711, .keep = true});
    helper.directories.push_back({.path = paths.state, .mode = 0700, .keep = true});
    helper.argv = swtpm_argv(paths, v2, password_file);
    helper.setup = setup_argv(tpm, paths, context, v2, password_file);
    helper.setup_unless = paths.state + (v2 ? "/tpm2-00.permall" : "/tpm-00.permall");
    out.helpers.push_back(std::move(helper));
    out.items.push_back(
        {"chardev", KeyValues{"socket"}.add("id", "chrtpm").add("path", paths.socket).text(), why});
    return {};
}

/// The device and the file that cancels a command: both opened by the daemon, so QEMU needs no access of its
/// own.
void plan_passthrough(DevicePlan& out, const TpmPassthrough& tpm, const std::string& id,
                      const std::string& why, const PlanContext& context, KeyValues& item) {
    const auto device = tpm.device ? tpm.device->path.value_or("/dev/tpm0") : std::string("/dev/tpm0");
    const auto name = device.substr(device.rfind('/') + 1);
    std::string cancel = "/dev/null"; // a TPM 2.0 of the kernel has none
    for (const auto* base : {"/sys/class/tpm/", "/sys/class/misc/"}) {
        const auto path = base + name + "/device/cancel";
        const auto found = context.facts.paths.find(path);
        if (found != context.facts.paths.end() && found->second.kind != PathKind::absent) {
            cancel = path;
            break;
        }
    }
    const auto add = [&](const std::string& role, const std::string& path, Access access) {
        const auto symbol = id + "-" + role;
        KeyValues fdset{};
        fdset.add("set", fd_symbol(symbol)).add("fd", fd_symbol(symbol)).add("opaque", symbol);
        out.items.push_back({"add-fd", fdset.text(), why});
        out.descriptors.push_back({symbol, OpenedFile{.path = path, .access = access}, why});
        return "/dev/fdset/" + fd_symbol(symbol);
    };
    item.add("path", add("tpm", device, Access::read_write));
    item.add("cancel-path", add("cancel", cancel, Access::read_write));
}

} // namespace

template <> void complete<Tpm>(Tpm& tpm, const CompleteContext&) {
    auto* emulator = std::get_if<TpmEmulator>(&tpm.backend);
    if (emulator && !emulator->version) emulator->version = TpmVersion::v2_0;
    if (auto* device = std::get_if<TpmPassthrough>(&tpm.backend); device && !device->device)
        device->device = TpmDevice{.path = "/dev/tpm0"};
    if (!tpm.model) tpm.model = TpmModel::tis;
}

template <> Result<> check<Tpm>(const Tpm& tpm, const CompleteContext&) {
    const auto model = tpm.model.value_or(TpmModel::tis);
    if (model == TpmModel::spapr || model == TpmModel::spapr_proxy)
        return fail(Code::config_unsupported,
                    tr("TPM model '{0}' is only available for PPC64 guests", names<TpmModel>.text(model)));
    if (const auto* emulator = std::get_if<TpmEmulator>(&tpm.backend)) {
        const auto version = emulator->version.value_or(TpmVersion::v2_0);
        if (version == TpmVersion::v1_2) {
            if (model == TpmModel::crb)
                return fail(Code::config_unsupported,
                            tr("Unsupported interface '{0}' for TPM 1.2", names<TpmModel>.text(model)));
            if (emulator->active_pcr_banks)
                return fail(Code::config_unsupported, tr("TPM 1.2 has no PCR banks to choose from"));
        }
    }
    if (const auto* external = std::get_if<TpmExternal>(&tpm.backend)) {
        if (!external->source || external->source->type != "unix")
            return fail(Code::xml, tr("only source type 'unix' is supported for external TPM device"));
        if (!external->source->path)
            return fail(Code::xml, tr("missing socket source for external TPM device"));
    }
    return {};
}

template <> Result<DevicePlan> plan<Tpm>(const Tpm& tpm, const PlanContext& context) {
    DevicePlan out;
    const auto id = id_of(tpm.info, "tpm", context.index);
    const auto why = "tpm " + id;
    const std::string driver(names<TpmModel>.text(tpm.model.value_or(TpmModel::tis)));
    if (!context.caps.has_type(driver) && !context.caps.tpm_models.contains(driver))
        return fail(Code::config_unsupported, tr("The QEMU executable {0} does not support TPM model {1}",
                                                 context.caps.emulator, driver));
    const std::string backend =
        std::holds_alternative<TpmPassthrough>(tpm.backend) ? "passthrough" : "emulator";
    if (!context.caps.tpm_types.empty() && !context.caps.tpm_types.contains(backend))
        return fail(Code::config_unsupported,
                    tr("The QEMU executable {0} does not support TPM backend type {1}", context.caps.emulator,
                       backend));
    KeyValues item{backend};
    item.add("id", "tpm-" + id);
    TRY(std::visit(
        overload{
            [&](const TpmEmulator& emulator) -> Result<> {
                TRY(plan_emulator(out, emulator, why, context));
                item.add("chardev", "chrtpm");
                return {};
            },
            [&](const TpmPassthrough& passthrough) -> Result<> {
                plan_passthrough(out, passthrough, id, why, context, item);
                return {};
            },
            [&](const TpmExternal& external) -> Result<> {
                const auto path = external.source ? external.source->path.value_or("") : "";
                out.items.push_back(
                    {"chardev", KeyValues{"socket"}.add("id", "chrtpm").add("path", path).text(), why});
                out.grants.push_back(
                    {.path = path, .kind = Kind::socket, .access = Access::read_write, .why = why});
                item.add("chardev", "chrtpm");
                return {};
            },
        },
        tpm.backend));
    out.items.push_back({"tpmdev", item.text(), why});
    boost::json::object props{{"driver", driver}, {"tpmdev", "tpm-" + id}, {"id", id}};
    TRY(add_address(props, tpm.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    return out;
}

} // namespace cloister
