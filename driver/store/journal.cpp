#include "driver/store/journal.hpp"

#include "conf/base/tr.hpp"
#include "driver/store/files.hpp"
#include "security/op_json.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace cloister::store {

namespace json = boost::json;

namespace {

bool outlives_power(const Op& op) {
    return std::holds_alternative<Chown>(op) || std::holds_alternative<SetMode>(op);
}

bool outlives_boot(const Op& op) {
    const auto on_disk = [](const std::string& path) { return !path.starts_with("/run/"); };
    if (const auto* file = std::get_if<RemoveFile>(&op)) return on_disk(file->path);
    if (const auto* folder = std::get_if<RemoveDirectory>(&op)) return on_disk(folder->path);
    return outlives_power(op);
}

std::unexpected<Error> not_ours(const std::string& path, std::string_view why) {
    return fail(Code::internal, tr("'{0}' is no undo journal: {1}", path, why));
}

} // namespace

std::string journal_path(const std::string& folder, const std::string& name) {
    return folder + "/" + name + ".json";
}

Result<> save_journal(const std::string& folder, const JournalFile& journal) {
    json::object out{{"name", journal.name},
                     {"uuid", printed(journal.uuid)},
                     {"boot_id", journal.boot_id},
                     {"process", to_json(journal.process)},
                     {"undo", to_json(journal.undo)}};
    const auto path = journal_path(folder, journal.name);
    const auto text = json::serialize(out) + "\n";
    const bool lasts = std::any_of(journal.undo.begin(), journal.undo.end(), outlives_power);
    return lasts ? write_file(path, text) : write_volatile(path, text);
}

Result<JournalFile> load_journal(const std::string& path) {
    const auto text = TRY(read_file(path));
    boost::system::error_code bad;
    const auto value = json::parse(text, bad);
    if (bad) return not_ours(path, bad.message());
    const auto* members = value.if_object();
    if (!members) return not_ours(path, "no object");
    const auto text_of = [&](const char* key) -> std::optional<std::string> {
        const auto* member = members->if_contains(key);
        if (!member || !member->is_string()) return std::nullopt;
        return std::string(member->get_string());
    };
    const auto name = text_of("name"), uuid = text_of("uuid"), boot = text_of("boot_id");
    const auto parsed = uuid ? parse_uuid(*uuid) : std::nullopt;
    const auto *process = members->if_contains("process"), *undo = members->if_contains("undo");
    if (!name || !parsed || !boot || !process || !undo) return not_ours(path, "a member is missing");
    return JournalFile{.name = *name,
                       .uuid = *parsed,
                       .boot_id = *boot,
                       .process = TRY(process_from_json(*process)),
                       .undo = TRY(ops_from_json(*undo))};
}

Result<> remove_journal(const std::string& folder, const std::string& name) {
    return remove_file(journal_path(folder, name));
}

std::vector<Op> lasting(const std::vector<Op>& undo) {
    std::vector<Op> out;
    std::copy_if(undo.begin(), undo.end(), std::back_inserter(out), outlives_boot);
    return out;
}

} // namespace cloister::store
