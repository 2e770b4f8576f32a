#include "driver/store/journal.hpp"

#include "conf/base/tr.hpp"
#include "driver/store/files.hpp"
#include "security/op_json.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace cloister::store {

namespace json = boost::json;

namespace {

bool outlives_power(const Op& op) {
    return std::holds_alternative<Chown>(op) || std::holds_alternative<ReturnFile>(op) ||
           std::holds_alternative<ReturnLabel>(op) || std::holds_alternative<LabelTree>(op) ||
           std::holds_alternative<SetMode>(op);
}

/// Devices may be numbered otherwise after a boot: there only the inode says which file it was.
void forget_device(Op& op) {
    std::visit(
        [](auto& o) {
            if constexpr (requires { o.id.dev; }) o.id.dev = 0;
        },
        op);
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

std::string head_line(const JournalFile& journal) {
    return json::serialize(json::object{
               {"name", journal.name}, {"uuid", printed(journal.uuid)}, {"boot_id", journal.boot_id}}) +
           "\n";
}
std::string process_line(const ProcessId& process) {
    return json::serialize(json::object{{"process", to_json(process)}}) + "\n";
}
std::string undo_line(const std::vector<Op>& newest) {
    return json::serialize(json::object{{"undo", to_json(newest)}}) + "\n";
}

std::string until_it_runs_line(const std::vector<Op>& newest) {
    return json::serialize(json::object{{"until_it_runs", to_json(newest)}}) + "\n";
}

constexpr const char* runs_line = "{\"runs\":true}\n";

std::string whole(const JournalFile& journal) {
    auto out = head_line(journal);
    if (journal.process.pid > 0) out += process_line(journal.process);
    if (!journal.until_it_runs.empty()) out += until_it_runs_line(journal.until_it_runs);
    if (!journal.undo.empty()) out += undo_line(journal.undo);
    if (journal.runs) out += runs_line;
    return out;
}

bool lasts(const std::vector<Op>& ops) { return std::any_of(ops.begin(), ops.end(), outlives_power); }

Result<> read_head(const json::object& head, JournalFile& out, const std::string& path) {
    const auto text_of = [&](const char* key) -> std::optional<std::string> {
        const auto* member = head.if_contains(key);
        if (!member || !member->is_string()) return std::nullopt;
        return std::string(member->get_string());
    };
    const auto name = text_of("name"), uuid = text_of("uuid"), boot = text_of("boot_id");
    const auto parsed = uuid ? parse_uuid(*uuid) : std::nullopt;
    if (!name || !parsed || !boot) return not_ours(path, "its first line does not say whose it is");
    out.name = *name;
    out.uuid = *parsed;
    out.boot_id = *boot;
    return {};
}

Result<> read_line(const json::object& line, JournalFile& out, const std::string& path) {
    if (const auto* process = line.if_contains("process")) {
        out.process = TRY(process_from_json(*process));
        return {};
    }
    if (line.contains("runs")) {
        out.runs = true;
        return {};
    }
    const auto *undo = line.if_contains("undo"), *until_it_runs = line.if_contains("until_it_runs");
    if (!undo && !until_it_runs) return not_ours(path, "a line is neither process nor undo");
    auto newest = TRY(ops_from_json(undo ? *undo : *until_it_runs));
    auto& list = undo ? out.undo : out.until_it_runs;
    list.insert(list.begin(), std::move_iterator(newest.begin()), std::move_iterator(newest.end()));
    return {};
}

} // namespace

std::string journal_path(const std::string& folder, const std::string& name) {
    return folder + "/" + name + ".json";
}

Result<JournalWriter> JournalWriter::create(const std::string& folder, const JournalFile& start) {
    auto path = journal_path(folder, start.name);
    TRY(save_journal(folder, start)); // never a moment without the one or the other
    return open(std::move(path));
}

Result<JournalWriter> JournalWriter::open(std::string path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return std::unexpected(system_error(errno, tr("cannot open '{0}'", path)));
    return JournalWriter(std::move(path), fd);
}

JournalWriter::~JournalWriter() {
    if (fd_ >= 0) ::close(fd_);
}

Result<> JournalWriter::line(const std::string& text, bool must_last) {
    if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        (must_last && ::fsync(fd_) < 0))
        return std::unexpected(system_error(errno, tr("cannot write '{0}'", path_)));
    if (must_last && !name_lasts_) TRY(sync_folder(path_.substr(0, path_.rfind('/'))));
    name_lasts_ = name_lasts_ || must_last;
    return {};
}

Result<> JournalWriter::add(const std::vector<Op>& newest) {
    return newest.empty() ? Result<>{} : line(undo_line(newest), lasts(newest));
}
Result<> JournalWriter::add(const ProcessId& process) { return line(process_line(process), false); }
Result<> JournalWriter::add_until_it_runs(const std::vector<Op>& newest) {
    return newest.empty() ? Result<>{} : line(until_it_runs_line(newest), false);
}

Result<> JournalWriter::add_runs() { return line(runs_line, true); }

Result<> save_journal(const std::string& folder, const JournalFile& journal) {
    const auto path = journal_path(folder, journal.name);
    return lasts(journal.undo) ? write_file(path, whole(journal)) : write_volatile(path, whole(journal));
}

Result<> note_it_runs(const std::string& folder, const std::string& name) {
    auto writer = TRY(JournalWriter::open(journal_path(folder, name)));
    return writer.add_runs();
}

Result<JournalFile> load_journal(const std::string& path) {
    const auto text = TRY(read_file(path));
    JournalFile out;
    bool first = true;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        if (end == std::string::npos) break; // cut off by a crash, before anything was done
        boost::system::error_code bad;
        const auto value = json::parse(std::string_view(text).substr(at, end - at), bad);
        if (bad || !value.is_object()) return not_ours(path, bad ? bad.message() : "a line is no object");
        TRY(first ? read_head(value.get_object(), out, path) : read_line(value.get_object(), out, path));
        first = false;
        at = end + 1;
    }
    if (first) return not_ours(path, "it is empty");
    return out;
}

Result<> remove_journal(const std::string& folder, const std::string& name) {
    return remove_file(journal_path(folder, name));
}

std::vector<Op> lasting(const std::vector<Op>& undo) {
    std::vector<Op> out;
    std::copy_if(undo.begin(), undo.end(), std::back_inserter(out), outlives_boot);
    std::for_each(out.begin(), out.end(), forget_device);
    return out;
}

std::vector<Op> still_to_undo(const JournalFile& journal, const std::string& boot_id) {
    auto undo = journal.undo;
    if (!journal.runs) undo.insert(undo.end(), journal.until_it_runs.begin(), journal.until_it_runs.end());
    return journal.boot_id == boot_id ? undo : lasting(undo);
}

void sweep_unfinished(const std::string& folder) {
    for (const auto& name : names_in(folder))
        if (name.ends_with(".new"))
            (void)remove_file(folder + "/" + name); // the next write replaces it anyway
}

} // namespace cloister::store
