#include "driver/plan/firmware.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>

namespace cloister {

namespace {

/// '*' stands for anything, as in the descriptors' machine patterns.
bool matches(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '*') {
        for (std::size_t i = 0; i <= text.size(); ++i)
            if (matches(pattern.substr(1), text.substr(i))) return true;
        return false;
    }
    return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
           matches(pattern.substr(1), text.substr(1));
}

bool has(const std::vector<std::string>& list, std::string_view what) {
    return std::ranges::find(list, what) != list.end();
}

bool fits_target(const Firmware& firmware, const Domain& domain) {
    const auto found = firmware.targets.find(domain.os.type.arch.value_or("x86_64"));
    if (found == firmware.targets.end()) return false;
    return std::ranges::any_of(found->second, [&](const std::string& pattern) {
        const auto& machine = domain.os.type.machine.value_or("");
        return matches(pattern, machine) || (machine == "q35" && pattern.starts_with("pc-q35")) ||
               (machine == "pc" && pattern.starts_with("pc-i440fx"));
    });
}

std::optional<bool> wanted(const Os& os, FirmwareFeatureName name) {
    if (!os.firmware_features) return std::nullopt;
    for (const auto& feature : os.firmware_features->features)
        if (feature.name == name) return feature.enabled == YesNo::yes;
    return std::nullopt;
}

bool fits_features(const Firmware& firmware, const Domain& domain) {
    const auto& os = domain.os;
    const bool secure = has(firmware.features, "secure-boot");
    const bool enrolled = has(firmware.features, "enrolled-keys");
    const bool smm = has(firmware.features, "requires-smm");
    if (const auto w = wanted(os, FirmwareFeatureName::secure_boot); w && *w != secure) return false;
    if (const auto w = wanted(os, FirmwareFeatureName::enrolled_keys); w && *w != enrolled) return false;
    if (os.loader && os.loader->secure == YesNo::yes && !smm) return false;
    // firmware that needs SMM is not for a guest that turned it off
    const auto& features = domain.features;
    if (smm && features && features->smm && features->smm->state == Switch::off) return false;
    return true;
}

bool fits(const Firmware& firmware, const Domain& domain) {
    const auto& os = domain.os;
    const char* interface = os.firmware == OsFirmware::bios ? "bios" : "uefi";
    if (!has(firmware.interfaces, interface) || !fits_target(firmware, domain) ||
        !fits_features(firmware, domain))
        return false;
    if (firmware.mapping == "flash") {
        if (firmware.mode == "stateless" || firmware.mode == "combined") return false;
        if (firmware.executable_format != "raw" && !firmware.executable_format.empty()) return false;
        return !os.loader || os.loader->type.value_or(LoaderType::pflash) == LoaderType::pflash;
    }
    if (firmware.mapping == "memory")
        return !os.loader || os.loader->type.value_or(LoaderType::rom) == LoaderType::rom;
    return false;
}

std::string nvram_path(const Domain& domain, const Folders& folders) {
    return folders.state + "/nvram/" + domain.name + "_VARS.fd";
}

void take(Domain& domain, const Firmware& firmware, const Folders& folders) {
    auto& os = domain.os;
    Loader loader = os.loader.value_or(Loader{});
    if (firmware.mapping == "flash") {
        loader.type = LoaderType::pflash;
        loader.readonly = YesNo::yes;
        loader.path = firmware.executable;
        OsNvram nvram = os.nvram.value_or(OsNvram{});
        if (!nvram.template_path) nvram.template_path = firmware.nvram_template;
        if (!nvram.path && !nvram.source) nvram.path = nvram_path(domain, folders);
        os.nvram = std::move(nvram);
    } else {
        loader.type = LoaderType::rom;
        loader.path = firmware.memory_filename;
    }
    const bool smm = has(firmware.features, "requires-smm");
    if (smm) {
        if (!domain.features) domain.features.emplace();
        domain.features->smm = Smm{.state = Switch::on,
                                   .tseg = domain.features->smm ? domain.features->smm->tseg : std::nullopt};
    }
    if (wanted(os, FirmwareFeatureName::secure_boot) == true && smm) loader.secure = YesNo::yes;
    os.loader = std::move(loader);
    os.firmware.reset();
    os.firmware_features.reset();
}

/// The variables of a loader that the user chose: "CODE:VARS" of qemu.conf or a descriptor tells the
/// template.
void complete_nvram(Domain& domain, const QemuConf& conf, const HostFacts& facts, const Folders& folders) {
    auto& os = domain.os;
    if (!os.loader || os.loader->type != LoaderType::pflash || os.loader->stateless == YesNo::yes) return;
    if (os.nvram && os.nvram->source) return;
    const auto& code = os.loader->path.value_or("");
    std::string variables;
    const std::vector<std::string> none;
    for (const auto& pair : facts.firmware.empty() ? conf.nvram : none) // descriptors replace the setting
        if (const auto colon = pair.find(':'); colon != std::string::npos && pair.substr(0, colon) == code)
            variables = pair.substr(colon + 1);
    for (const auto& firmware : facts.firmware)
        if (variables.empty() && firmware.executable == code) variables = firmware.nvram_template;
    if (os.loader->readonly != YesNo::yes && variables.empty() && !os.nvram) return;
    if (!os.nvram) os.nvram.emplace();
    if (!os.nvram->path) os.nvram->path = nvram_path(domain, folders);
    if (!os.nvram->template_path && !variables.empty()) os.nvram->template_path = variables;
}

} // namespace

Result<> choose_firmware(Domain& domain, const QemuConf& conf, const HostFacts& facts,
                         const Folders& folders) {
    if (!domain.os.firmware) {
        complete_nvram(domain, conf, facts, folders);
        return {};
    }
    for (const auto& firmware : facts.firmware)
        if (fits(firmware, domain)) {
            take(domain, firmware, folders);
            return {};
        }
    return fail(Code::operation_failed, tr("Unable to find any firmware to satisfy '{0}'",
                                           names<OsFirmware>.text(*domain.os.firmware)));
}

} // namespace cloister
