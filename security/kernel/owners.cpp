#include "security/kernel/owners.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"
#include "security/kernel/selinux.hpp"
#include "security/remember.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace cloister {
namespace {

using namespace std::chrono_literals;

/// A file that was opened once, and is acted on by that descriptor only.
struct Open {
    Fd fd{};
    struct stat found{};
    std::string path{}; ///< for calls that take only names: the descriptor's
};

/// What of a file is given, by security model: owner or label.
template <class Value> struct Model;
template <> struct Model<Owner> {
    static constexpr auto layer = Layer::dac;
    static constexpr const MemoryNames& names = remember::dac;
    static Owner of(const Open& file) { return {file.found.st_uid, file.found.st_gid}; }
    static Result<> change(const Open& file, const std::string& name, Owner owner) {
        if (::fchownat(file.fd.n(), "", owner.uid, owner.gid, AT_EMPTY_PATH) < 0 && !owners_are_fixed(errno))
            return failed("change the owner of", name, layer);
        return {};
    }
    static std::string in_use(const std::string& path) {
        return tr("Setting different DAC user or group on {0} which is already in use", path);
    }
    static std::string changed(const std::string& path) {
        return tr("the owner of '{0}' was changed by somebody else", path);
    }
};
template <> struct Model<std::string> {
    static constexpr auto layer = Layer::selinux;
    static constexpr const MemoryNames& names = remember::selinux;
    static std::string of(const Open& file) { return label_of(file.fd).value_or(""); }
    static Result<> change(const Open& file, const std::string& name, const std::string& label) {
        return set_label(file.fd, name, label);
    }
    static std::string in_use(const std::string& path) {
        return tr("Setting different SELinux label on {0} which is already in use", path);
    }
    static std::string changed(const std::string& path) {
        return tr("the SELinux label of '{0}' was changed by somebody else", path);
    }
};

Result<Open> opened(const std::string& path, const FileId& id, Layer layer) {
    Open out{.fd = open_without_links(path)};
    if (!out.fd) {
        if (errno == ELOOP)
            return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", path));
        return failed("open", path, layer);
    }
    if (::fstat(out.fd.n(), &out.found) < 0) return failed("look at", path, layer);
    if (!same_file(out.found, id))
        return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", path));
    out.path = fd_path(out.fd.n());
    return out;
}

/// libvirt changes owner, label and memory under this lock: one byte of the file itself. Where a file cannot
/// be opened for writing (a socket, a read-only file system) libvirt does without as well.
Result<Fd> locked(const Open& file, const std::string& name, Layer layer) {
    if (!S_ISREG(file.found.st_mode)) return Fd{};
    Fd out(::open(file.path.c_str(), O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!out) return Fd{};
    struct flock byte{};
    byte.l_type = F_WRLCK;
    byte.l_whence = SEEK_SET;
    byte.l_start = byte.l_len = 1;
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    Fd closed; // whoever has the lock lets go by closing the file
    while (::fcntl(out.n(), F_OFD_SETLK, &byte) < 0) {
        if (errno != EAGAIN && errno != EACCES) return Fd{}; // a file system without locks
        if (!closed) {                                       // once more after this: it may be free by now
            closed = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
            if (!closed || ::inotify_add_watch(closed.n(), file.path.c_str(), IN_CLOSE) < 0)
                return failed("watch", name, layer);
            continue;
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd wait{closed.n(), POLLIN, 0};
        if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) == 0)
            return fail(Code::resource_busy, tr("the metadata of '{0}' is locked by another process", name));
        std::array<char, 4096> events{};
        if (::read(closed.n(), events.data(), events.size()) < 0 && errno != EAGAIN && errno != EINTR)
            return failed("watch", name, layer);
    }
    return out;
}

std::optional<std::string> attribute(const Open& file, const char* name) {
    std::array<char, 4096> value{};
    const auto size = ::getxattr(file.path.c_str(), name, value.data(), value.size());
    if (size < 0) return std::nullopt;
    std::string out(value.data(), static_cast<std::size_t>(size));
    while (!out.empty() && out.back() == '\0') out.pop_back();
    return out;
}

MemoryText read_memory(const Open& file, const MemoryNames& names) {
    return {.value = attribute(file, names.value),
            .count = attribute(file, names.count),
            .boot = attribute(file, names.boot)};
}

/// A file system that cannot remember: then our own book is all there is.
bool cannot_remember(int number) {
    return number == EOPNOTSUPP || number == EPERM || number == EROFS || number == ENOSPC || number == EDQUOT;
}

/// All or nothing: half a memory would count as none.
Result<> write_memory(const Open& file, const std::string& name, const MemoryNames& names,
                      const MemoryText& text) {
    const auto set = [&](const char* attribute, const std::string& value) {
        return ::setxattr(file.path.c_str(), attribute, value.data(), value.size(), 0) == 0;
    };
    if (set(names.value, *text.value) && set(names.count, *text.count) && set(names.boot, *text.boot))
        return {};
    const int number = errno;
    for (const char* attribute : {names.count, names.boot, names.value})
        (void)::removexattr(file.path.c_str(), attribute); // nothing there is what is wanted
    errno = number;
    return cannot_remember(number) ? Result<>{} : failed("remember the owner of", name, Layer::dac);
}

Result<> forget(const Open& file, const std::string& name, const MemoryNames& names) {
    for (const char* attribute : {names.count, names.boot, names.value})
        if (::removexattr(file.path.c_str(), attribute) < 0 && errno != ENODATA && !cannot_remember(errno))
            return failed("forget the remembered owner of", name, Layer::dac);
    return {};
}

template <class Value> Result<> change(const Open& file, const std::string& name, const Value& value) {
    return Model<Value>::of(file) == value ? Result<>{} : Model<Value>::change(file, name, value);
}

template <class Value> std::unexpected<Error> refused(Code code, std::string sentence) {
    auto refusal = fail(code, std::move(sentence));
    refusal.error().layer = Model<Value>::layer;
    return refusal;
}

const Owner& wanted(const GiveFile& op) { return op.owner; }
const std::string& wanted(const LabelFile& op) { return op.label; }

template <class Value, class Give>
Result<> give_to(HeldFiles<Value>& held, const Give& op, std::uint64_t boot_time) {
    using On = Model<Value>;
    const auto key = std::pair(op.id.dev, op.id.ino);
    const auto known = held.files.find(key);
    if (known != held.files.end()) {
        if (known->second.given != wanted(op))
            return refused<Value>(Code::operation_invalid, On::in_use(op.path));
        if (known->second.holders.contains(op.holder)) return {};
    }
    const auto file = TRY(opened(op.path, op.id, On::layer));
    const auto present = On::of(file);
    if (present != op.was && present != wanted(op)) return fail(Code::resource_busy, On::changed(op.path));
    const bool changes = op.remember || present != wanted(op);
    const auto metadata = changes ? TRY(locked(file, op.path, On::layer)) : Fd{};
    const auto former = known != held.files.end() ? known->second.back : op.back;
    if (op.remember) {
        const auto memory = memory_from<Value>(read_memory(file, On::names), boot_time);
        if (memory && present != wanted(op)) // libvirt's guest has it
            return refused<Value>(Code::operation_invalid, On::in_use(op.path));
        const Memory<Value> next{memory ? memory->value : former, memory ? memory->count + 1 : 1};
        TRY(write_memory(file, op.path, On::names, memory_text(next, boot_time)));
    }
    // From here on it is held, so that taking back undoes whatever of the rest happened.
    auto& entry = held.files[key];
    if (entry.holders.empty()) {
        entry.given = wanted(op);
        entry.back = former;
    }
    entry.holders[op.holder] = op.remember;
    return change<Value>(file, op.path, wanted(op));
}

/// `rest`: who else holds it still.
template <class Value, class Return>
Result<> let_go(const Return& op, const typename HeldFiles<Value>::Held& rest, std::uint64_t boot_time) {
    using On = Model<Value>;
    const auto file = TRY(opened(op.path, op.id, On::layer));
    const auto metadata = TRY(locked(file, op.path, On::layer));
    const auto text = op.remember ? read_memory(file, On::names) : MemoryText{};
    const auto memory = memory_from<Value>(text, boot_time);
    const auto counted = std::ranges::count_if(rest.holders, [](const auto& h) { return h.second; });
    if (memory) {
        // Never below those that we know of: a journal that is replayed may have been counted down already.
        const auto others = static_cast<std::uint32_t>(counted);
        const Memory<Value> next{memory->value, std::max(memory->count - 1, others)};
        if (next.count > 0) {
            TRY(write_memory(file, op.path, On::names, memory_text(next, boot_time)));
            return {}; // the last of them, here or in libvirt, gives it back
        }
    }
    if (!rest.holders.empty()) {
        if (!text.empty() && counted == 0) return forget(file, op.path, On::names);
        return {};
    }
    const auto back = memory ? memory->value : rest.back;
    const auto present = On::of(file);
    const bool ours = present == rest.given || present == back;
    if (ours) TRY(change<Value>(file, op.path, back));
    // The owner first: cut off here, the next replay finds the memory and comes to the same end.
    if (!text.empty()) TRY(forget(file, op.path, On::names));
    if (!ours) return fail(Code::resource_busy, On::changed(op.path));
    return {};
}

template <class Value, class Return>
Result<> take_from(HeldFiles<Value>& held, const Return& op, std::uint64_t boot_time) {
    if (op.id.dev == 0) return let_go<Value>(op, {.given = op.given, .back = op.back}, boot_time);
    const auto known = held.files.find({op.id.dev, op.id.ino});
    if (known == held.files.end() || known->second.holders.erase(op.holder) == 0) return {};
    const auto rest = known->second;
    if (rest.holders.empty()) held.files.erase(known);
    return let_go<Value>(op, rest, boot_time);
}

template <class Return, class Value> void note(HeldFiles<Value>& held, const Op& op) {
    const auto* back = std::get_if<Return>(&op);
    if (back == nullptr || back->id.dev == 0) return;
    const typename HeldFiles<Value>::Held fresh{.given = back->given, .back = back->back};
    auto& file = held.files.try_emplace({back->id.dev, back->id.ino}, fresh).first->second;
    file.holders[back->holder] = back->remember;
}

template <class Value> auto back_of(const HeldFiles<Value>& held, const FileId& id) -> std::optional<Value> {
    const auto found = held.files.find({id.dev, id.ino});
    return found == held.files.end() ? std::nullopt : std::optional(found->second.back);
}

} // namespace

OwnerBook::OwnerBook() : boot_time_(boot_time_in(read_file("/proc/stat").value_or(""))) {}
OwnerBook::~OwnerBook() = default;

std::unique_lock<std::mutex> OwnerBook::still() const { return std::unique_lock(mutex_); }
std::optional<Owner> OwnerBook::former(const FileId& id) const { return back_of(owners_, id); }
std::optional<std::string> OwnerBook::former_label(const FileId& id) const { return back_of(labels_, id); }

void OwnerBook::know(const std::vector<Op>& undo) {
    const auto lock = still();
    for (const auto& op : undo) {
        note<ReturnFile>(owners_, op);
        note<ReturnLabel>(labels_, op);
    }
}

Result<> OwnerBook::give(const GiveFile& op) {
    const auto lock = still();
    return give_to(owners_, op, boot_time_);
}
Result<> OwnerBook::give(const LabelFile& op) {
    const auto lock = still();
    return give_to(labels_, op, boot_time_);
}
Result<> OwnerBook::take_back(const ReturnFile& op) {
    const auto lock = still();
    return take_from(owners_, op, boot_time_);
}
Result<> OwnerBook::take_back(const ReturnLabel& op) {
    const auto lock = still();
    return take_from(labels_, op, boot_time_);
}

Result<> run(const GiveFile& op, OwnerBook& owners) { return owners.give(op); }
Result<> run(const ReturnFile& op, OwnerBook& owners) { return owners.take_back(op); }
Result<> run(const LabelFile& op, OwnerBook& owners) { return owners.give(op); }
Result<> run(const ReturnLabel& op, OwnerBook& owners) { return owners.take_back(op); }

} // namespace cloister
