#include "security/op_json.hpp"

#include "conf/base/tr.hpp"

#include <boost/json.hpp>
#include <concepts>
#include <limits>
#include <tuple>

namespace cloister {
namespace {

namespace json = boost::json;

template <class T, class M> struct Member {
    const char* name;
    M T::* at;
};
template <class T, class M> consteval auto member(const char* name, M T::* at) {
    return Member<T, M>{name, at};
}

template <class T> inline constexpr auto members = nullptr;
template <class T>
concept Described = !std::is_same_v<decltype(members<T>), const std::nullptr_t>;

template <> inline constexpr auto members<Owner> =
    std::tuple{member("uid", &Owner::uid), member("gid", &Owner::gid)};
template <> inline constexpr auto members<FileId> =
    std::tuple{member("dev", &FileId::dev), member("ino", &FileId::ino)};
template <> inline constexpr auto members<ProcessId> =
    std::tuple{member("pid", &ProcessId::pid), member("start", &ProcessId::start_time),
               member("boot", &ProcessId::boot_id)};
template <> inline constexpr auto members<DeviceRule> =
    std::tuple{member("type", &DeviceRule::type),   member("major", &DeviceRule::major),
               member("minor", &DeviceRule::minor), member("read", &DeviceRule::read),
               member("write", &DeviceRule::write), member("mknod", &DeviceRule::make_node)};
template <> inline constexpr auto members<MakeDirectory> =
    std::tuple{member("path", &MakeDirectory::path), member("mode", &MakeDirectory::mode),
               member("owner", &MakeDirectory::owner), member("shared", &MakeDirectory::shared),
               member("label", &MakeDirectory::label)};
template <> inline constexpr auto members<RemoveDirectory> =
    std::tuple{member("path", &RemoveDirectory::path), member("only_empty", &RemoveDirectory::only_empty)};
template <> inline constexpr auto members<MakeFile> =
    std::tuple{member("path", &MakeFile::path),       member("content", &MakeFile::content),
               member("copy_of", &MakeFile::copy_of), member("mode", &MakeFile::mode),
               member("owner", &MakeFile::owner),     member("keep", &MakeFile::keep),
               member("label", &MakeFile::label),     member("label_back", &MakeFile::label_back)};
template <> inline constexpr auto members<RemoveFile> = std::tuple{member("path", &RemoveFile::path)};
template <> inline constexpr auto members<Chown> =
    std::tuple{member("path", &Chown::path), member("id", &Chown::id), member("owner", &Chown::owner),
               member("was", &Chown::was)};
template <> inline constexpr auto members<GiveFile> =
    std::tuple{member("path", &GiveFile::path),        member("id", &GiveFile::id),
               member("owner", &GiveFile::owner),      member("was", &GiveFile::was),
               member("back", &GiveFile::back),        member("holder", &GiveFile::holder),
               member("remember", &GiveFile::remember)};
template <> inline constexpr auto members<ReturnFile> =
    std::tuple{member("path", &ReturnFile::path),     member("id", &ReturnFile::id),
               member("given", &ReturnFile::given),   member("back", &ReturnFile::back),
               member("holder", &ReturnFile::holder), member("remember", &ReturnFile::remember)};
template <> inline constexpr auto members<LabelFile> =
    std::tuple{member("path", &LabelFile::path),        member("id", &LabelFile::id),
               member("label", &LabelFile::label),      member("was", &LabelFile::was),
               member("back", &LabelFile::back),        member("holder", &LabelFile::holder),
               member("remember", &LabelFile::remember)};
template <> inline constexpr auto members<ReturnLabel> =
    std::tuple{member("path", &ReturnLabel::path),     member("id", &ReturnLabel::id),
               member("given", &ReturnLabel::given),   member("back", &ReturnLabel::back),
               member("holder", &ReturnLabel::holder), member("remember", &ReturnLabel::remember)};
template <> inline constexpr auto members<LabelTree> =
    std::tuple{member("path", &LabelTree::path), member("label", &LabelTree::label)};
template <> inline constexpr auto members<LoadProfile> = std::tuple{
    member("name", &LoadProfile::name), member("text", &LoadProfile::text), member("was", &LoadProfile::was)};
template <> inline constexpr auto members<RemoveProfile> = std::tuple{member("name", &RemoveProfile::name)};
template <> inline constexpr auto members<MapOwner> =
    std::tuple{member("guest", &MapOwner::guest), member("path", &MapOwner::path),
               member("id", &MapOwner::id), member("from", &MapOwner::from), member("to", &MapOwner::to)};
template <> inline constexpr auto members<UnmapOwner> =
    std::tuple{member("guest", &UnmapOwner::guest), member("path", &UnmapOwner::path)};
template <> inline constexpr auto members<SetMode> =
    std::tuple{member("path", &SetMode::path), member("id", &SetMode::id), member("mode", &SetMode::mode),
               member("was", &SetMode::was)};
template <> inline constexpr auto members<MakeNode> = std::tuple{
    member("guest", &MakeNode::guest), member("path", &MakeNode::path),   member("type", &MakeNode::type),
    member("major", &MakeNode::major), member("minor", &MakeNode::minor), member("mode", &MakeNode::mode),
    member("owner", &MakeNode::owner), member("acl", &MakeNode::acl)};
template <> inline constexpr auto members<MakeLink> = std::tuple{
    member("guest", &MakeLink::guest), member("path", &MakeLink::path), member("target", &MakeLink::target)};
template <> inline constexpr auto members<BindMount> =
    std::tuple{member("guest", &BindMount::guest), member("source", &BindMount::source),
               member("path", &BindMount::path), member("id", &BindMount::id),
               member("directory", &BindMount::directory)};
template <> inline constexpr auto members<RemoveNode> =
    std::tuple{member("guest", &RemoveNode::guest), member("path", &RemoveNode::path),
               member("mount", &RemoveNode::mount)};
template <> inline constexpr auto members<MakeCgroup> =
    std::tuple{member("root", &MakeCgroup::root),
               member("path", &MakeCgroup::path),
               member("controllers", &MakeCgroup::controllers),
               member("cpus", &MakeCgroup::cpus),
               member("mems", &MakeCgroup::mems),
               member("partition", &MakeCgroup::partition)};
template <> inline constexpr auto members<RemoveCgroup> =
    std::tuple{member("root", &RemoveCgroup::root), member("path", &RemoveCgroup::path),
               member("only_empty", &RemoveCgroup::only_empty)};
template <> inline constexpr auto members<SetCgroupValue> =
    std::tuple{member("file", &SetCgroupValue::file), member("value", &SetCgroupValue::value),
               member("was", &SetCgroupValue::was), member("otherwise", &SetCgroupValue::otherwise)};
template <> inline constexpr auto members<MoveToCgroup> =
    std::tuple{member("groups", &MoveToCgroup::groups), member("pid", &MoveToCgroup::pid)};
template <> inline constexpr auto members<DeviceAcl> =
    std::tuple{member("backend", &DeviceAcl::backend), member("group", &DeviceAcl::group),
               member("rules", &DeviceAcl::rules)};
template <> inline constexpr auto members<AddDevices> =
    std::tuple{member("backend", &AddDevices::backend), member("group", &AddDevices::group),
               member("rules", &AddDevices::rules)};
template <> inline constexpr auto members<RemoveDevices> =
    std::tuple{member("backend", &RemoveDevices::backend), member("group", &RemoveDevices::group),
               member("rules", &RemoveDevices::rules)};
template <> inline constexpr auto members<BindSocket> =
    std::tuple{member("symbol", &BindSocket::symbol), member("path", &BindSocket::path),
               member("mode", &BindSocket::mode),     member("owner", &BindSocket::owner),
               member("label", &BindSocket::label),   member("socket_label", &BindSocket::socket_label)};
template <> inline constexpr auto members<MakeTap> = std::tuple{member("symbol", &MakeTap::symbol),
                                                                member("name", &MakeTap::name),
                                                                member("bridge", &MakeTap::bridge),
                                                                member("mac", &MakeTap::mac),
                                                                member("mtu", &MakeTap::mtu),
                                                                member("vnet_header", &MakeTap::vnet_header),
                                                                member("multi_queue", &MakeTap::multi_queue),
                                                                member("existing", &MakeTap::existing)};
template <> inline constexpr auto members<RemoveTap> = std::tuple{member("name", &RemoveTap::name)};
template <> inline constexpr auto members<OpenFile> =
    std::tuple{member("symbol", &OpenFile::symbol),     member("path", &OpenFile::path),
               member("write", &OpenFile::write),       member("append", &OpenFile::append),
               member("create", &OpenFile::create),     member("truncate", &OpenFile::truncate),
               member("optional", &OpenFile::optional), member("label", &OpenFile::label)};
template <> inline constexpr auto members<OpenVsock> =
    std::tuple{member("symbol", &OpenVsock::symbol), member("cid", &OpenVsock::cid)};
template <> inline constexpr auto members<StopProcess> =
    std::tuple{member("process", &StopProcess::process), member("name", &StopProcess::name)};

bool plain(std::string_view text) {
    for (const char c : text)
        if (c < 0x20 || c == 0x7f) return false; // a signed char: bytes above 127 are below 0 here
    return true;
}

// ---- writing ----
json::value write(bool value) { return value; }
/// JSON text is UTF-8, a path is bytes: what is not plain ASCII is written as hexadecimal digits.
json::value write(const std::string& value) {
    if (plain(value)) return json::string(value);
    std::string hex;
    for (const char c : value) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return json::object{{"hex", hex}};
}
template <std::integral T> json::value write(T value) { return value; }
template <class T>
    requires std::is_enum_v<T>
json::value write(T value) {
    return static_cast<int>(value);
}
template <class T> json::value write(const std::vector<T>& values);
template <class T> json::value write(const std::optional<T>& value);
template <Described T> json::value write(const T& value) {
    json::object out;
    std::apply([&](const auto&... m) { ((out[m.name] = write(value.*(m.at))), ...); }, members<T>);
    return out;
}
template <class T> json::value write(const std::vector<T>& values) {
    json::array out;
    for (const auto& value : values) out.push_back(write(value));
    return out;
}
template <class T> json::value write(const std::optional<T>& value) {
    return value ? write(*value) : json::value(nullptr);
}

// ---- reading: false when the shape is wrong ----
bool read(const json::value& from, bool& to) {
    if (!from.is_bool()) return false;
    to = from.get_bool();
    return true;
}
bool read(const json::value& from, std::string& to) {
    if (const auto* text = from.if_string()) {
        to.assign(text->begin(), text->end());
        return true;
    }
    const auto* object = from.if_object();
    const auto* hex = object != nullptr && object->size() == 1 ? object->if_contains("hex") : nullptr;
    if (hex == nullptr || !hex->is_string() || hex->get_string().size() % 2 != 0) return false;
    to.clear();
    const std::string_view digits = hex->get_string();
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        int byte = 0;
        for (const char c : digits.substr(i, 2)) {
            const auto digit = std::string_view("0123456789abcdef").find(c);
            if (digit == std::string_view::npos) return false;
            byte = byte * 16 + static_cast<int>(digit);
        }
        to += static_cast<char>(byte);
    }
    return true;
}
template <std::integral T> bool read(const json::value& from, T& to) {
    boost::system::error_code failed;
    to = from.to_number<T>(failed);
    return !failed && !from.is_double();
}
template <class T>
    requires std::is_enum_v<T>
bool read(const json::value& from, T& to) {
    int number = 0;
    constexpr int last = std::is_same_v<T, NodeType> ? static_cast<int>(NodeType::block_device)
                                                     : static_cast<int>(DeviceBackend::bpf);
    if (!read(from, number) || number < 0 || number > last) return false;
    to = static_cast<T>(number);
    return true;
}
template <class T> bool read(const json::value& from, std::vector<T>& to);
template <class T> bool read(const json::value& from, std::optional<T>& to);
template <Described T> bool read(const json::value& from, T& to) {
    const auto* object = from.if_object();
    if (object == nullptr || object->size() != std::tuple_size_v<decltype(members<T>)>) return false;
    auto one = [&](const auto& m) {
        const auto* value = object->if_contains(m.name);
        return value != nullptr && read(*value, to.*(m.at));
    };
    return std::apply([&](const auto&... m) { return (one(m) && ...); }, members<T>);
}
template <class T> bool read(const json::value& from, std::vector<T>& to) {
    const auto* array = from.if_array();
    if (array == nullptr) return false;
    to.clear();
    for (const auto& value : *array)
        if (!read(value, to.emplace_back())) return false;
    return true;
}
template <class T> bool read(const json::value& from, std::optional<T>& to) {
    to.reset();
    return from.is_null() || read(from, to.emplace());
}

template <std::size_t I = 0> bool read_op(std::size_t index, const json::value& from, Op& to) {
    if constexpr (I < std::variant_size_v<Op>) {
        if (index == I) return read(from, to.emplace<I>());
        return read_op<I + 1>(index, from, to);
    } else
        return false;
}

} // namespace

json::value to_json(const Op& op) {
    return json::object{{op_names[op.index()], std::visit([](const auto& o) { return write(o); }, op)}};
}
json::value to_json(const std::vector<Op>& ops) {
    json::array out;
    for (const auto& op : ops) out.push_back(to_json(op));
    return out;
}
json::value to_json(const ProcessId& process) { return write(process); }

Result<Op> op_from_json(const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr || object->size() != 1)
        return fail(Code::internal, tr("a journal entry is not one operation"));
    const std::string_view name = object->begin()->key();
    for (std::size_t i = 0; i < op_names.size(); ++i)
        if (name == op_names[i]) {
            Op op;
            if (read_op(i, object->begin()->value(), op)) return op;
            return fail(Code::internal,
                        tr("the journal's operation '{0}' has a missing, unknown or wrong member", name));
        }
    return fail(Code::internal, tr("the journal has an unknown operation '{0}'", name));
}
Result<std::vector<Op>> ops_from_json(const json::value& value) {
    const auto* array = value.if_array();
    if (array == nullptr) return fail(Code::internal, tr("the journal is not a list of operations"));
    std::vector<Op> out;
    for (const auto& entry : *array) out.push_back(TRY(op_from_json(entry)));
    return out;
}
Result<ProcessId> process_from_json(const json::value& value) {
    ProcessId process;
    if (!read(value, process)) return fail(Code::internal, tr("the journal names no process"));
    return process;
}

} // namespace cloister
