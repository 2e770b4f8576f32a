#include "driver/device/secret.hpp"

#include "conf/base/tr.hpp"

#include <algorithm>

namespace cloister {

namespace {

using Byte = std::uint8_t;

constexpr Byte doubled(Byte b) { return static_cast<Byte>((b << 1) ^ ((b & 0x80) != 0 ? 0x1b : 0)); }

/// The S-box from its definition: the inverse in GF(2^8), then an affine map.
consteval std::array<Byte, 256> make_sbox() {
    std::array<Byte, 256> box{};
    Byte p = 1, q = 1;
    do {
        p = static_cast<Byte>(p ^ doubled(p)); // times 3
        q = static_cast<Byte>(q ^ (q << 1));   // divided by 3
        q = static_cast<Byte>(q ^ (q << 2));
        q = static_cast<Byte>(q ^ (q << 4));
        if ((q & 0x80) != 0) q ^= 0x09;
        const auto rotated = [&](int n) { return static_cast<Byte>((q << n) | (q >> (8 - n))); };
        box[p] = static_cast<Byte>(q ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63);
    } while (p != 1);
    box[0] = 0x63;
    return box;
}
constexpr auto sbox = make_sbox();

constexpr std::size_t rounds = 14;
using RoundKeys = std::array<AesBlock, rounds + 1>;

RoundKeys expand(std::span<const Byte, 32> key) {
    std::array<Byte, 16 * (rounds + 1)> words{};
    std::ranges::copy(key, words.begin());
    Byte constant = 1;
    for (std::size_t i = 32; i < words.size(); i += 4) {
        std::array<Byte, 4> w{words[i - 4], words[i - 3], words[i - 2], words[i - 1]};
        if (i % 32 == 0) {
            std::ranges::rotate(w, w.begin() + 1);
            for (auto& b : w) b = sbox[b];
            w[0] = static_cast<Byte>(w[0] ^ constant);
            constant = doubled(constant);
        } else if (i % 32 == 16) {
            for (auto& b : w) b = sbox[b];
        }
        for (std::size_t k = 0; k < 4; ++k) words[i + k] = static_cast<Byte>(words[i + k - 32] ^ w[k]);
    }
    RoundKeys out{};
    for (std::size_t r = 0; r < out.size(); ++r)
        std::copy_n(words.begin() + static_cast<long>(16 * r), 16, out[r].begin());
    return out;
}

void mix(AesBlock& s, const AesBlock& with) {
    for (std::size_t i = 0; i < s.size(); ++i) s[i] = static_cast<Byte>(s[i] ^ with[i]);
}

void shift_rows(AesBlock& s) {
    const auto was = s;
    for (std::size_t column = 0; column < 4; ++column)
        for (std::size_t row = 0; row < 4; ++row) s[4 * column + row] = was[4 * ((column + row) % 4) + row];
}

void mix_columns(AesBlock& s) {
    for (std::size_t c = 0; c < 16; c += 4) {
        const std::array<Byte, 4> a{s[c], s[c + 1], s[c + 2], s[c + 3]};
        const auto all = static_cast<Byte>(a[0] ^ a[1] ^ a[2] ^ a[3]);
        for (std::size_t k = 0; k < 4; ++k)
            s[c + k] = static_cast<Byte>(a[k] ^ all ^ doubled(static_cast<Byte>(a[k] ^ a[(k + 1) % 4])));
    }
}

AesBlock encrypt(const RoundKeys& keys, AesBlock s) {
    mix(s, keys[0]);
    for (std::size_t r = 1; r <= rounds; ++r) {
        for (auto& b : s) b = sbox[b];
        shift_rows(s);
        if (r != rounds) mix_columns(s);
        mix(s, keys[r]);
    }
    return s;
}

std::vector<Byte> padded(std::string_view text) {
    std::vector<Byte> out(text.begin(), text.end());
    const auto fill = 16 - out.size() % 16;
    out.insert(out.end(), fill, static_cast<Byte>(fill));
    return out;
}

std::vector<Byte> chained(const RoundKeys& keys, AesBlock state, std::string_view text) {
    auto bytes = padded(text);
    for (std::size_t at = 0; at < bytes.size(); at += 16) {
        AesBlock block{};
        std::copy_n(bytes.begin() + static_cast<long>(at), 16, block.begin());
        mix(state, block);
        state = encrypt(keys, state);
        std::ranges::copy(state, bytes.begin() + static_cast<long>(at));
    }
    return bytes;
}

Result<std::string> found(const std::string& key, const Reserved& reserved) {
    if (const auto at = reserved.secrets.find(key); at != reserved.secrets.end()) return at->second;
    if (reserved.every_secret) return *reserved.every_secret;
    return std::unexpected(Error{.code = Code::no_secret, .message = {}, .domain = ErrorDomain::secret});
}

} // namespace

AesBlock aes256(std::span<const std::uint8_t, 32> key, const AesBlock& block) {
    return encrypt(expand(key), block);
}

std::vector<std::uint8_t> aes256_cbc(std::span<const std::uint8_t, 32> key, const AesBlock& iv,
                                     std::string_view text) {
    return chained(expand(key), iv, text);
}

std::string base64(std::span<const std::uint8_t> bytes) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto have = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t v = 0;
        for (std::size_t k = 0; k < 3; ++k) v = v << 8 | (k < have ? bytes[i + k] : 0u);
        for (std::size_t k = 0; k < 4; ++k) out += k <= have ? digits[(v >> (18 - 6 * k)) & 63] : '=';
    }
    return out;
}

Result<std::string> secret_value(std::string_view uuid, const Reserved& reserved) {
    auto value = found("uuid:" + std::string(uuid), reserved);
    if (!value) value.error().message = tr("no secret with matching uuid '{0}'", uuid);
    return value;
}

Result<std::string> secret_value(const SecretRef& secret, std::string_view usage_type,
                                 const Reserved& reserved) {
    if (secret.uuid) return secret_value(printed(*secret.uuid), reserved);
    const auto usage = secret.usage.value_or("");
    auto value = found("usage:" + std::string(usage_type) + ":" + usage, reserved);
    if (!value) value.error().message = tr("no secret with matching usage '{0}'", usage);
    return value;
}

Result<std::array<std::uint8_t, 32>> master_key(const Reserved& reserved) {
    std::array<std::uint8_t, 32> key{};
    if (reserved.random.size() < key.size())
        return fail(Code::internal, tr("no random bytes were reserved for the master key"));
    std::copy_n(reserved.random.begin(), key.size(), key.begin());
    return key;
}

Result<QemuItem> secret_object(std::string_view id, std::string_view value, const Reserved& reserved,
                               std::string why) {
    const auto key = TRY(master_key(reserved));
    const auto keys = expand(key);
    const auto mac = chained(keys, {}, std::string(id) + '\0' + std::string(value));
    AesBlock iv{};
    std::copy_n(mac.end() - 16, 16, iv.begin());
    return QemuItem{"object",
                    boost::json::object{{"qom-type", "secret"},
                                        {"id", id},
                                        {"data", base64(chained(keys, iv, value))},
                                        {"keyid", "masterKey0"},
                                        {"iv", base64(iv)},
                                        {"format", "base64"}},
                    std::move(why)};
}

} // namespace cloister
