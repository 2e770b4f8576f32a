/// One change of the host, as a value: what a launch does is a list of these, what it must take back another.
/// An Op is complete (numbers, owners, device numbers), so that its inverse is a pure function and can be on
/// disk before the host is touched. See data/docs/adr/0001.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cloister {

struct Owner {
    std::uint32_t uid = 0, gid = 0;
    bool operator==(const Owner&) const = default;
};
/// Which file it was when it was looked at: a name can be given to another file in between. 0:0: any; a
/// device number of 0: of an earlier boot, in which devices may have been numbered otherwise.
struct FileId {
    std::uint64_t dev = 0, ino = 0;
    bool operator==(const FileId&) const = default;
};
/// A process that cannot be mistaken for a later one with the same number.
struct ProcessId {
    std::int32_t pid = 0;
    std::uint64_t start_time = 0; ///< field 22 of /proc/PID/stat: clock ticks since boot
    std::string boot_id{};        ///< /proc/sys/kernel/random/boot_id
    bool operator==(const ProcessId&) const = default;
};
enum class NodeType { char_device, block_device };
/// One line of a device list: "c 10:232 rw". Absent numbers stand for all.
struct DeviceRule {
    NodeType type = NodeType::char_device;
    std::optional<std::uint32_t> major{}, minor{};
    bool read = false, write = false, make_node = false;
    bool operator==(const DeviceRule&) const = default;
};
enum class DeviceBackend { none, v1, bpf };

// ---- files
// -------------------------------------------------------------------------------------------------
/// Makes a directory, and its missing parents with mode 0755 as root. One that exists is taken over.
struct MakeDirectory {
    std::string path{};
    std::uint32_t mode = 0700;
    Owner owner{};
    bool shared = false; ///< not one guest's: left alone when it exists, removed again only when it is empty
    std::string label{}; ///< SELinux's; empty: what the policy gives
    bool operator==(const MakeDirectory&) const = default;
};
/// Removes a directory and everything in it; follows no symlink and crosses no mount.
struct RemoveDirectory {
    std::string path{};
    bool only_empty = false;
    bool operator==(const RemoveDirectory&) const = default;
};
/// Writes a file whole (temporary name, then rename), or copies one.
struct MakeFile {
    std::string path{};
    std::string content{};
    std::optional<std::string> copy_of{};
    std::uint32_t mode = 0600;
    Owner owner{};
    bool keep = false;                 ///< left alone when it exists, and stays when the guest goes
    std::string label{}, label_back{}; ///< SELinux's; of a file that stays: while the guest has it, and then
    bool operator==(const MakeFile&) const = default;
};
/// Removes a file, socket or symlink.
struct RemoveFile {
    std::string path{};
    bool operator==(const RemoveFile&) const = default;
};
/// Gives a file to another owner, by descriptor. Done only when it still is `id` and belongs to `was` (or
/// already to `owner`).
struct Chown {
    std::string path{};
    FileId id{};
    Owner owner{}, was{};
    bool operator==(const Chown&) const = default;
};
/// Holds a file of the host for a guest and gives it to `owner`, unless another holder needs another one.
/// With `owner` as it `was` it only holds: nobody may take the file away. The path has no symlink in it.
struct GiveFile {
    std::string path{};
    FileId id{};
    Owner owner{}, was{};
    Owner back{};          ///< whose it is when the last holder lets go
    std::string holder{};  ///< "NAME: why": each use of a file counts once
    bool remember = false; ///< on the file itself as well, as libvirt does
    bool operator==(const GiveFile&) const = default;
};
/// Lets go of it. An `id` without a device number is of an earlier boot, whose holders are all gone.
struct ReturnFile {
    std::string path{};
    FileId id{};
    Owner given{}, back{};
    std::string holder{};
    bool remember = false;
    bool operator==(const ReturnFile&) const = default;
};
/// The same for the SELinux label of a file: with `label` as it `was` it only holds.
struct LabelFile {
    std::string path{};
    FileId id{};
    std::string label{}, was{};
    std::string back{};    ///< what it gets when the last holder lets go
    std::string holder{};  ///< as in GiveFile
    bool remember = false; ///< on the file itself as well, as libvirt does
    bool operator==(const LabelFile&) const = default;
};
struct ReturnLabel {
    std::string path{};
    FileId id{};
    std::string given{}, back{};
    std::string holder{};
    bool remember = false;
    bool operator==(const ReturnLabel&) const = default;
};
/// Labels a folder of ours and all that is in it; follows no symlink and crosses no mount. With an empty
/// `label` each gets what the policy has for it.
struct LabelTree {
    std::string path{};
    std::string label{};
    bool operator==(const LabelTree&) const = default;
};
struct SetMode {
    std::string path{};
    FileId id{};
    std::uint32_t mode = 0, was = 0;
    bool operator==(const SetMode&) const = default;
};

// ---- the guest's own /dev
// ----------------------------------------------------------------------------------
/// A device node in the guest's private /dev; `path` as the guest sees it. Parents are made.
struct MakeNode {
    ProcessId guest{};
    std::string path{};
    NodeType type = NodeType::char_device;
    std::uint32_t major = 0, minor = 0;
    std::uint32_t mode = 0; ///< permission bits
    Owner owner{};
    std::string acl{}; ///< the bytes of system.posix_acl_access; empty: none
    bool operator==(const MakeNode&) const = default;
};
struct MakeLink {
    ProcessId guest{};
    std::string path{}, target{};
    bool operator==(const MakeLink&) const = default;
};
/// Whatever else stands below /dev (a file, a socket, a folder): the host's own, mounted inside.
struct BindMount {
    ProcessId guest{};
    std::string source{}, path{};
    FileId id{}; ///< of the source
    bool directory = false;
    bool operator==(const BindMount&) const = default;
};
/// Takes a node, link or mount out of the guest's /dev. A guest that is gone took its /dev along.
struct RemoveNode {
    ProcessId guest{};
    std::string path{};
    bool mount = false; ///< unmounted first
    bool operator==(const RemoveNode&) const = default;
};

/// Lets the guest, and nobody else, see `from`'s file as `to`'s: an idmapped mount on the file, in the
/// guest's namespace. The file itself stays as it is. The path has no symlink in it.
struct MapOwner {
    ProcessId guest{};
    std::string path{};
    FileId id{};
    Owner from{}, to{};
    bool operator==(const MapOwner&) const = default;
};
/// Takes that mount away. A guest that is gone took it along.
struct UnmapOwner {
    ProcessId guest{};
    std::string path{};
    bool operator==(const UnmapOwner&) const = default;
};

// ---- control groups
// ----------------------------------------------------------------------------------------
/// Makes a group and its missing parents below `root`, the hierarchy's mount point.
struct MakeCgroup {
    std::string root{}, path{};             ///< "/sys/fs/cgroup/memory", "machine/qemu-1-a.libvirt-qemu"
    std::vector<std::string> controllers{}; ///< v2: to be enabled on the way down
    std::string cpus{}, mems{};             ///< v1 cpuset: what an empty group on the way is given
    bool partition = false;                 ///< shared by guests: removed with the last one
    bool operator==(const MakeCgroup&) const = default;
};
/// Removes a group and the groups in it; waits for its last processes to end. Never kills.
struct RemoveCgroup {
    std::string root{}, path{};
    bool only_empty = false; ///< a partition: stays as long as others are in it
    bool operator==(const RemoveCgroup&) const = default;
};
/// Writes one file of a group.
struct SetCgroupValue {
    std::string file{}; ///< absolute
    std::string value{};
    std::optional<std::string> was{};
    std::string otherwise{}; ///< the file to write where the kernel has none of that name
    bool operator==(const SetCgroupValue&) const = default;
};
/// Moves a whole process: every group's file is written back to back, because only the first one is slow on
/// v1.
struct MoveToCgroup {
    std::vector<std::string> groups{}; ///< absolute folders
    std::int32_t pid = 0;
    bool operator==(const MoveToCgroup&) const = default;
};
/// The exact device list of a new group; it goes with the group.
struct DeviceAcl {
    DeviceBackend backend = DeviceBackend::none;
    std::string group{}; ///< absolute folder
    std::vector<DeviceRule> rules{};
    bool operator==(const DeviceAcl&) const = default;
};
/// More entries for a group that has a list: no moment in which a device of the old list is refused.
struct AddDevices {
    DeviceBackend backend = DeviceBackend::none;
    std::string group{};
    std::vector<DeviceRule> rules{};
    bool operator==(const AddDevices&) const = default;
};
/// Takes exactly these entries out again. A group that is gone took its list along.
struct RemoveDevices {
    DeviceBackend backend = DeviceBackend::none;
    std::string group{};
    std::vector<DeviceRule> rules{};
    bool operator==(const RemoveDevices&) const = default;
};

// ---- descriptors: each leaves an open one under its symbol
// --------------------------------------------------
/// A UNIX stream socket, bound and listening; a stale one at the path is replaced.
struct BindSocket {
    std::string symbol{}, path{};
    std::uint32_t mode = 0700;
    Owner owner{};
    std::string label{};        ///< SELinux's, of the file
    std::string socket_label{}; ///< and of the socket: whoever accepts from it or connects to it has to match
    bool operator==(const BindSocket&) const = default;
};
struct MakeTap {
    std::string symbol{}, name{};
    std::optional<std::string> bridge{}, mac{};
    std::optional<std::uint32_t> mtu{};
    bool vnet_header = false, multi_queue = false;
    bool existing = false; ///< the administrator's: only opened, never removed
    bool operator==(const MakeTap&) const = default;
};
struct RemoveTap {
    std::string name{};
    bool operator==(const RemoveTap&) const = default;
};
struct OpenFile {
    std::string symbol{}, path{};
    bool write = false, append = false, create = false, truncate = false, optional = false;
    std::string label{}; ///< SELinux's, of a file that this makes
    bool operator==(const OpenFile&) const = default;
};
struct OpenVsock {
    std::string symbol{};
    std::uint32_t cid = 0; ///< 0: a launch takes the first free one, starting at 3
    bool operator==(const OpenVsock&) const = default;
};

// ---- processes
// ---------------------------------------------------------------------------------------------
/// Ends a helper process: SIGTERM, then SIGKILL at the deadline; waits by pidfd.
struct StopProcess {
    ProcessId process{};
    std::string name{};
    bool operator==(const StopProcess&) const = default;
};

// ---- AppArmor
// ----------------------------------------------------------------------------------------------
/// Loads a profile, or puts another text in the place of one that is loaded.
struct LoadProfile {
    std::string name{}, text{};
    std::string was{}; ///< the text before; empty: none was loaded
    bool operator==(const LoadProfile&) const = default;
};
/// Takes it out of the kernel again.
struct RemoveProfile {
    std::string name{};
    bool operator==(const RemoveProfile&) const = default;
};

using Op = std::variant<MakeDirectory, RemoveDirectory, MakeFile, RemoveFile, Chown, GiveFile, ReturnFile,
                        LabelFile, ReturnLabel, LabelTree, LoadProfile, RemoveProfile, SetMode, MakeNode,
                        MakeLink, BindMount, RemoveNode, MapOwner, UnmapOwner, MakeCgroup, RemoveCgroup,
                        SetCgroupValue, MoveToCgroup, DeviceAcl, AddDevices, RemoveDevices, BindSocket,
                        MakeTap, RemoveTap, OpenFile, OpenVsock, StopProcess>;

/// What takes `op` back. Absent where there is nothing to take back: what was only opened, what is kept, what
/// ends with the process or the group, and the removals themselves.
std::optional<Op> inverse(const Op& op);
/// The inverses of `ops`, newest first: in the order to apply them.
std::vector<Op> inverses(const std::vector<Op>& ops);

/// One line for people: "chown +64055:+64055 '/a.qcow2' (was +0:+0)".
std::string printed(const Op& op);
/// "c 10:232 rw", as the kernel's v1 device list writes it.
std::string printed(const DeviceRule& rule);

} // namespace cloister
