#include "security/cgroup_bpf.hpp"

#include <array>
#include <cstddef>

namespace cloister {
namespace {

constexpr std::uint32_t any = 0xffffffff;
enum Register : std::uint8_t {
    r0,
    r1,
    r2,
    r3,
    r4,
    r5,
    context = 6,
    type = 7,
    access = 8,
    allowed = 9,
    frame = 10
};

constexpr bpf_insn insn(int code, int to, int from, int offset, std::int32_t immediate) {
    bpf_insn out{};
    out.code = static_cast<__u8>(code);
    out.dst_reg = static_cast<__u8>(to & 15);
    out.src_reg = static_cast<__u8>(from & 15);
    out.off = static_cast<__s16>(offset);
    out.imm = immediate;
    return out;
}
constexpr bpf_insn move(int to, int from) { return insn(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
constexpr bpf_insn set(int to, std::int32_t value) {
    return insn(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}
constexpr bpf_insn load(int to, int from, std::size_t offset) {
    return insn(BPF_LDX | BPF_MEM | BPF_W, to, from, static_cast<int>(offset), 0);
}
constexpr bpf_insn store(int offset, int from) {
    return insn(BPF_STX | BPF_MEM | BPF_W, frame, from, offset, 0);
}
constexpr bpf_insn store_value(int offset, std::int32_t v) {
    return insn(BPF_ST | BPF_MEM | BPF_W, frame, 0, offset, v);
}

constexpr bpf_insn store_long(int to, int offset, int from) {
    return insn(BPF_STX | BPF_MEM | BPF_DW, to, from, offset, 0);
}
constexpr bpf_insn call(int helper) { return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }

constexpr int key_at = -static_cast<int>(sizeof(BpfDeviceKey)); // of the frame pointer

/// r1 = the map, r2 = the key on the stack
void point_at_entry(std::vector<bpf_insn>& out, int map_fd, int key) {
    out.push_back(insn(BPF_LD | BPF_DW | BPF_IMM, r1, BPF_PSEUDO_MAP_FD, 0, map_fd)); // takes two places
    out.push_back(insn(0, 0, 0, 0, 0));
    out.push_back(move(r2, frame));
    out.push_back(insn(BPF_ALU64 | BPF_ADD | BPF_K, r2, 0, 0, key));
}

/// allowed |= map[type, major or any, minor or any]
void look_up(std::vector<bpf_insn>& out, int map_fd, bool any_major, bool any_minor) {
    out.push_back(store(key_at, type));
    if (any_major)
        out.push_back(store_value(key_at + 4, -1));
    else {
        out.push_back(load(r1, context, offsetof(bpf_cgroup_dev_ctx, major)));
        out.push_back(store(key_at + 4, r1));
    }
    if (any_minor)
        out.push_back(store_value(key_at + 8, -1));
    else {
        out.push_back(load(r1, context, offsetof(bpf_cgroup_dev_ctx, minor)));
        out.push_back(store(key_at + 8, r1));
    }
    point_at_entry(out, map_fd, key_at);
    out.push_back(call(BPF_FUNC_map_lookup_elem));
    out.push_back(insn(BPF_JMP | BPF_JEQ | BPF_K, r0, 0, 2, 0)); // no entry: over the next two
    out.push_back(load(r0, r0, 0));
    out.push_back(insn(BPF_ALU64 | BPF_OR | BPF_X, allowed, r0, 0, 0));
}

constexpr int denial_key_at = -static_cast<int>(sizeof(BpfDenialKey));
constexpr int denial_at = denial_key_at - static_cast<int>(sizeof(BpfDenial));
constexpr int member(std::size_t offset) { return static_cast<int>(offset); }

/// denied[type, major, minor, what `allowed` holds] counts one more. Two processors that refuse the same
/// thing for the first time at once: one of them makes the entry, both add to it.
std::vector<bpf_insn> count_denial(int denied_fd) {
    std::vector<bpf_insn> out{
        store(denial_key_at + member(offsetof(BpfDenialKey, type)), type),
        load(r1, context, offsetof(bpf_cgroup_dev_ctx, major)),
        store(denial_key_at + member(offsetof(BpfDenialKey, major)), r1),
        load(r1, context, offsetof(bpf_cgroup_dev_ctx, minor)),
        store(denial_key_at + member(offsetof(BpfDenialKey, minor)), r1),
        store(denial_key_at + member(offsetof(BpfDenialKey, access)), allowed),
    };
    point_at_entry(out, denied_fd, denial_key_at);
    out.push_back(call(BPF_FUNC_map_lookup_elem));

    std::vector<bpf_insn> make{
        call(BPF_FUNC_ktime_get_boot_ns),
        store_long(frame, denial_at + member(offsetof(BpfDenial, first_ns)), r0),
        store_long(frame, denial_at + member(offsetof(BpfDenial, last_ns)), r0),
        set(r0, 0),
        store_long(frame, denial_at + member(offsetof(BpfDenial, times)), r0),
    };
    point_at_entry(make, denied_fd, denial_key_at);
    make.push_back(move(r3, frame));
    make.push_back(insn(BPF_ALU64 | BPF_ADD | BPF_K, r3, 0, 0, denial_at));
    make.push_back(set(r4, BPF_NOEXIST));
    make.push_back(call(BPF_FUNC_map_update_elem)); // fails when another was faster: then it is there
    point_at_entry(make, denied_fd, denial_key_at);
    make.push_back(call(BPF_FUNC_map_lookup_elem));

    const std::vector<bpf_insn> count{
        move(allowed, r0), // a register that calls keep
        call(BPF_FUNC_ktime_get_boot_ns),
        store_long(allowed, member(offsetof(BpfDenial, last_ns)), r0),
        set(r1, 1),
        insn(BPF_STX | BPF_ATOMIC | BPF_DW, allowed, r1, member(offsetof(BpfDenial, times)), BPF_ADD),
    };
    const auto length = [](const std::vector<bpf_insn>& part) { return static_cast<int>(part.size()); };
    out.push_back(insn(BPF_JMP | BPF_JNE | BPF_K, r0, 0, length(make) + 1, 0)); // known: only counted
    out.insert(out.end(), make.begin(), make.end());
    out.push_back(insn(BPF_JMP | BPF_JEQ | BPF_K, r0, 0, length(count), 0)); // no room: not counted
    out.insert(out.end(), count.begin(), count.end());
    return out;
}

} // namespace

BpfDeviceEntry bpf_entry(const DeviceRule& rule) {
    return {.key = {.type = rule.type == NodeType::block_device ? std::uint32_t{BPF_DEVCG_DEV_BLOCK}
                                                                : std::uint32_t{BPF_DEVCG_DEV_CHAR},
                    .major = rule.major.value_or(any),
                    .minor = rule.minor.value_or(any)},
            .access = (rule.read ? std::uint32_t{BPF_DEVCG_ACC_READ} : 0U) |
                      (rule.write ? std::uint32_t{BPF_DEVCG_ACC_WRITE} : 0U) |
                      (rule.make_node ? std::uint32_t{BPF_DEVCG_ACC_MKNOD} : 0U)};
}

std::optional<DeviceRule> device_rule(const BpfDeviceEntry& entry) {
    if (entry.key.type != BPF_DEVCG_DEV_BLOCK && entry.key.type != BPF_DEVCG_DEV_CHAR) return std::nullopt;
    const auto number = [](std::uint32_t n) { return n == any ? std::nullopt : std::optional(n); };
    return DeviceRule{entry.key.type == BPF_DEVCG_DEV_BLOCK ? NodeType::block_device : NodeType::char_device,
                      number(entry.key.major),
                      number(entry.key.minor),
                      (entry.access & BPF_DEVCG_ACC_READ) != 0,
                      (entry.access & BPF_DEVCG_ACC_WRITE) != 0,
                      (entry.access & BPF_DEVCG_ACC_MKNOD) != 0};
}

std::optional<DeviceRule> device_rule(const BpfDenialKey& key) {
    return device_rule(BpfDeviceEntry{{key.type, key.major, key.minor}, key.access});
}

std::vector<bpf_insn> device_program(int map_fd, int denied_fd) {
    std::vector<bpf_insn> out{
        move(context, r1),
        load(type, context, offsetof(bpf_cgroup_dev_ctx, access_type)), // access << 16 | type
        move(access, type),
        insn(BPF_ALU64 | BPF_RSH | BPF_K, access, 0, 0, 16),
        insn(BPF_ALU64 | BPF_AND | BPF_K, type, 0, 0, 0xffff),
        set(allowed, 0),
    };
    for (const bool any_major : {false, true})
        for (const bool any_minor : {true, false}) look_up(out, map_fd, any_major, any_minor);
    out.push_back(insn(BPF_ALU64 | BPF_XOR | BPF_K, allowed, 0, 0, -1)); // what is not allowed
    out.push_back(insn(BPF_ALU64 | BPF_AND | BPF_X, allowed, access, 0, 0));
    const auto denial = count_denial(denied_fd);
    out.push_back(set(r0, 1));
    out.push_back(insn(BPF_JMP | BPF_JEQ | BPF_K, allowed, 0, static_cast<int>(denial.size()) + 1, 0));
    out.insert(out.end(), denial.begin(), denial.end());
    out.push_back(set(r0, 0));
    out.push_back(insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    return out;
}

} // namespace cloister
