#include "security/kernel/owners.hpp"

#include "conf/base/tr.hpp"
#include "security/kernel/run.hpp"
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
    Owner owner() const { return {found.st_uid, found.st_gid}; }
};

Result<Open> opened(const std::string& path, const FileId& id) {
    Open out{.fd = open_without_links(path)};
    if (!out.fd) {
        if (errno == ELOOP)
            return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", path));
        return failed("open", path, Layer::dac);
    }
    if (::fstat(out.fd.n(), &out.found) < 0) return failed("look at", path, Layer::dac);
    if (!same_file(out.found, id))
        return fail(Code::resource_busy, tr("'{0}' is not the file any more that it was", path));
    out.path = fd_path(out.fd.n());
    return out;
}

/// libvirt changes owner and memory under this lock: one byte of the file itself. Where a file cannot be
/// opened for writing (a socket, a read-only file system) libvirt does without as well.
Result<Fd> locked(const Open& file, const std::string& name) {
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
                return failed("watch", name, Layer::dac);
            continue;
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd wait{closed.n(), POLLIN, 0};
        if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) == 0)
            return fail(Code::resource_busy, tr("the metadata of '{0}' is locked by another process", name));
        std::array<char, 4096> events{};
        if (::read(closed.n(), events.data(), events.size()) < 0 && errno != EAGAIN && errno != EINTR)
            return failed("watch", name, Layer::dac);
    }
    return out;
}

std::optional<std::string> attribute(const Open& file, const char* name) {
    std::array<char, 256> value{};
    const auto size = ::getxattr(file.path.c_str(), name, value.data(), value.size());
    if (size < 0) return std::nullopt;
    std::string out(value.data(), static_cast<std::size_t>(size));
    while (!out.empty() && out.back() == '\0') out.pop_back();
    return out;
}

MemoryText read_memory(const Open& file) {
    return {.owner = attribute(file, remember::owner),
            .count = attribute(file, remember::count),
            .boot = attribute(file, remember::boot)};
}

/// A file system that cannot remember: then our own book is all there is.
bool cannot_remember(int number) {
    return number == EOPNOTSUPP || number == EPERM || number == EROFS || number == ENOSPC || number == EDQUOT;
}

/// All or nothing: half a memory would count as none.
Result<> write_memory(const Open& file, const std::string& name, const MemoryText& text) {
    const auto set = [&](const char* attribute, const std::string& value) {
        return ::setxattr(file.path.c_str(), attribute, value.data(), value.size(), 0) == 0;
    };
    if (set(remember::owner, *text.owner) && set(remember::count, *text.count) &&
        set(remember::boot, *text.boot))
        return {};
    const int number = errno;
    for (const char* attribute : {remember::count, remember::boot, remember::owner})
        (void)::removexattr(file.path.c_str(), attribute); // nothing there is what is wanted
    errno = number;
    return cannot_remember(number) ? Result<>{} : failed("remember the owner of", name, Layer::dac);
}

Result<> forget(const Open& file, const std::string& name) {
    for (const char* attribute : {remember::count, remember::boot, remember::owner})
        if (::removexattr(file.path.c_str(), attribute) < 0 && errno != ENODATA && !cannot_remember(errno))
            return failed("forget the remembered owner of", name, Layer::dac);
    return {};
}

Result<> change_owner(const Open& file, const std::string& name, Owner owner) {
    if (file.owner() == owner) return {};
    if (::fchownat(file.fd.n(), "", owner.uid, owner.gid, AT_EMPTY_PATH) < 0 && !owners_are_fixed(errno))
        return failed("change the owner of", name, Layer::dac);
    return {};
}

std::unexpected<Error> in_use(const std::string& path) {
    auto refusal = fail(Code::operation_invalid,
                        tr("Setting different DAC user or group on {0} which is already in use", path));
    refusal.error().layer = Layer::dac;
    return refusal;
}

} // namespace

OwnerBook::OwnerBook() : boot_time_(boot_time_in(read_file("/proc/stat").value_or(""))) {}
OwnerBook::~OwnerBook() = default;

std::unique_lock<std::mutex> OwnerBook::still() const { return std::unique_lock(mutex_); }

std::optional<Owner> OwnerBook::former(const FileId& id) const {
    const auto found = files_.find({id.dev, id.ino});
    return found == files_.end() ? std::nullopt : std::optional(found->second.back);
}

void OwnerBook::know(const std::vector<Op>& undo) {
    const auto lock = still();
    for (const auto& op : undo)
        if (const auto* held = std::get_if<ReturnFile>(&op); held != nullptr && held->id.dev != 0) {
            auto& file =
                files_.try_emplace({held->id.dev, held->id.ino}, held->given, held->back).first->second;
            file.holders[held->holder] = held->remember;
        }
}

Result<> OwnerBook::give(const GiveFile& op) {
    const auto lock = still();
    const auto known = files_.find({op.id.dev, op.id.ino});
    if (known != files_.end()) {
        if (known->second.given != op.owner) return in_use(op.path);
        if (known->second.holders.contains(op.holder)) return {};
    }
    const auto file = TRY(opened(op.path, op.id));
    if (file.owner() != op.was && file.owner() != op.owner)
        return fail(Code::resource_busy, tr("the owner of '{0}' was changed by somebody else", op.path));
    const bool changes = op.remember || file.owner() != op.owner;
    const auto metadata = changes ? TRY(locked(file, op.path)) : Fd{};
    const auto former = known != files_.end() ? known->second.back : op.back;
    if (op.remember) {
        const auto memory = memory_from(read_memory(file), boot_time_);
        if (memory && file.owner() != op.owner) return in_use(op.path); // libvirt's guest has it
        const Memory next{memory ? memory->owner : former, memory ? memory->count + 1 : 1};
        TRY(write_memory(file, op.path, memory_text(next, boot_time_)));
    }
    // From here on it is held, so that taking back undoes whatever of the rest happened.
    auto& held = files_.try_emplace({op.id.dev, op.id.ino}, op.owner, former).first->second;
    held.holders[op.holder] = op.remember;
    return change_owner(file, op.path, op.owner);
}

Result<> OwnerBook::take_back(const ReturnFile& op) {
    const auto lock = still();
    if (op.id.dev == 0) return let_go(op, Held{.given = op.given, .back = op.back});
    const auto known = files_.find({op.id.dev, op.id.ino});
    if (known == files_.end() || known->second.holders.erase(op.holder) == 0) return {};
    const auto rest = known->second;
    if (rest.holders.empty()) files_.erase(known);
    return let_go(op, rest);
}

/// `rest`: who else holds it still.
Result<> OwnerBook::let_go(const ReturnFile& op, const Held& rest) {
    const auto file = TRY(opened(op.path, op.id));
    const auto metadata = TRY(locked(file, op.path));
    const auto text = op.remember ? read_memory(file) : MemoryText{};
    const auto memory = memory_from(text, boot_time_);
    const auto counted = std::ranges::count_if(rest.holders, [](const auto& h) { return h.second; });
    if (memory) {
        // Never below those that we know of: a journal that is replayed may have been counted down already.
        const auto others = static_cast<std::uint32_t>(counted);
        const Memory next{memory->owner, std::max(memory->count - 1, others)};
        if (next.count > 0) {
            TRY(write_memory(file, op.path, memory_text(next, boot_time_)));
            return {}; // the last of them, here or in libvirt, gives it back
        }
    }
    if (!rest.holders.empty()) {
        if (!text.empty() && counted == 0) return forget(file, op.path);
        return {};
    }
    const auto back = memory ? memory->owner : rest.back;
    const bool ours = file.owner() == rest.given || file.owner() == back;
    if (ours) TRY(change_owner(file, op.path, back));
    // The owner first: cut off here, the next replay finds the memory and comes to the same end.
    if (!text.empty()) TRY(forget(file, op.path));
    if (!ours)
        return fail(Code::resource_busy, tr("the owner of '{0}' was changed by somebody else", op.path));
    return {};
}

Result<> run(const GiveFile& op, OwnerBook& owners) { return owners.give(op); }
Result<> run(const ReturnFile& op, OwnerBook& owners) { return owners.take_back(op); }

} // namespace cloister
