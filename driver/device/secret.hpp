/// Passwords for QEMU, encrypted under the guest's master key: they stand on the command line, but say
/// nothing to whoever reads it.
#pragma once

#include "conf/part/source.hpp"
#include "driver/facts/reserved.hpp"
#include "security/item.hpp"

#include <array>
#include <span>

namespace cloister {

using AesBlock = std::array<std::uint8_t, 16>;

/// AES-256 of one block. Source: FIPS 197.
AesBlock aes256(std::span<const std::uint8_t, 32> key, const AesBlock& block);

/// CBC with PKCS#7 padding, as QEMU's `secret` object takes it off again.
std::vector<std::uint8_t> aes256_cbc(std::span<const std::uint8_t, 32> key, const AesBlock& iv,
                                     std::string_view text);

std::string base64(std::span<const std::uint8_t> bytes);

/// The value that a <secret> names. `usage_type`: what a `usage` is looked up as: "ceph", "iscsi", "volume",
/// "tls", "vtpm". Errors: Code::no_secret.
Result<std::string> secret_value(const SecretRef& secret, std::string_view usage_type,
                                 const Reserved& reserved);
Result<std::string> secret_value(std::string_view uuid, const Reserved& reserved);

/// -object secret called `id`, holding `value`. The IV is a MAC of both, so planning needs no randomness and
/// two secrets never share one. Errors: Code::internal without a master key.
Result<QemuItem> secret_object(std::string_view id, std::string_view value, const Reserved& reserved,
                               std::string why);

/// The first 32 of Reserved::random: what the master key file holds.
Result<std::array<std::uint8_t, 32>> master_key(const Reserved& reserved);

} // namespace cloister
