/// <sound>: a sound card of the guest.
/// Source: https://libvirt.org/formatdomain.html#sound-devices
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

enum class SoundModel { sb16, es1370, pcspk, ac97, ich6, ich9, usb, ich7 };
template <> inline constexpr auto names<SoundModel> =
    make_names<SoundModel>({"sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7"});
static_assert(names<SoundModel>.covers(SoundModel::ich7));

enum class CodecType { duplex, micro, output };
template <> inline constexpr auto names<CodecType> = make_names<CodecType>({"duplex", "micro", "output"});
static_assert(names<CodecType>.covers(CodecType::output));

struct SoundCodec {
    CodecType type = CodecType::duplex;
    xml::Rest rest{};
    bool operator==(const SoundCodec&) const = default;
};
template <> inline constexpr auto fields<SoundCodec> = xml::table(xml::attr("type", &SoundCodec::type));

/// Which <audio> backend a sound card or a display uses.
struct AudioRef {
    std::uint32_t id = 0;
    xml::Rest rest{};
    bool operator==(const AudioRef&) const = default;
};
template <> inline constexpr auto fields<AudioRef> = xml::table(xml::attr("id", &AudioRef::id));

struct Sound {
    SoundModel model = SoundModel::sb16;
    std::optional<YesNo> multichannel{}; ///< usb
    std::vector<SoundCodec> codecs{};
    std::optional<AudioRef> audio{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Sound&) const = default;
};
template <> inline constexpr auto fields<Sound> = xml::table(
    xml::attr("model", &Sound::model), xml::attr("multichannel", &Sound::multichannel),
    xml::child("codec", &Sound::codecs), xml::child("audio", &Sound::audio), xml::embed(&Sound::info));
template <> inline constexpr const char* element<Sound> = "sound";

} // namespace cloister
