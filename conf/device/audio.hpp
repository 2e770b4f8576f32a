/// <audio>: where the guest's sound goes on the host.
/// Source: https://libvirt.org/formatdomain.html#audio-backends
#pragma once

#include "conf/part/device_info.hpp"

namespace cloister {

enum class AudioType { none, alsa, coreaudio, jack, oss, pulseaudio, sdl, spice, file, dbus };
template <> inline constexpr auto names<AudioType> = make_names<AudioType>(
    {"none", "alsa", "coreaudio", "jack", "oss", "pulseaudio", "sdl", "spice", "file", "dbus"});
static_assert(names<AudioType>.covers(AudioType::dbus));

enum class AudioFormat { s8, u8, s16, u16, s32, u32, f32 };
template <> inline constexpr auto names<AudioFormat> =
    make_names<AudioFormat>({"s8", "u8", "s16", "u16", "s32", "u32", "f32"});
static_assert(names<AudioFormat>.covers(AudioFormat::f32));

enum class SdlAudioDriver { esd, alsa, arts, pulseaudio };
template <> inline constexpr auto names<SdlAudioDriver> =
    make_names<SdlAudioDriver>({"esd", "alsa", "arts", "pulseaudio"});
static_assert(names<SdlAudioDriver>.covers(SdlAudioDriver::pulseaudio));

struct AudioSettings {
    std::optional<std::uint32_t> frequency{}, channels{};
    std::optional<AudioFormat> format{};
    xml::Rest rest{};
    bool operator==(const AudioSettings&) const = default;
};
template <> inline constexpr auto fields<AudioSettings> =
    xml::table(xml::attr("frequency", &AudioSettings::frequency),
               xml::attr("channels", &AudioSettings::channels), xml::attr("format", &AudioSettings::format));

/// <input> or <output>: the first five for every type, the rest as the type knows them.
struct AudioSide {
    std::optional<YesNo> mixing_engine{}, fixed_settings{};
    std::optional<std::uint32_t> voices{};
    std::optional<std::uint32_t> buffer_length{}; ///< microseconds
    std::optional<std::string> name{}, stream_name{};
    std::optional<std::uint32_t> latency{}; ///< microseconds
    std::optional<std::string> server_name{}, client_name{}, connect_ports{};
    std::optional<YesNo> exact_name{};
    std::optional<std::string> dev{};
    std::optional<std::uint32_t> buffer_count{};
    std::optional<YesNo> try_poll{};
    std::optional<AudioSettings> settings{};
    xml::Rest rest{};
    bool operator==(const AudioSide&) const = default;
};
template <> inline constexpr auto fields<AudioSide> = xml::table(
    xml::attr("mixingEngine", &AudioSide::mixing_engine),
    xml::attr("fixedSettings", &AudioSide::fixed_settings), xml::attr("voices", &AudioSide::voices),
    xml::attr("bufferLength", &AudioSide::buffer_length), xml::attr("name", &AudioSide::name),
    xml::attr("streamName", &AudioSide::stream_name), xml::attr("latency", &AudioSide::latency),
    xml::attr("serverName", &AudioSide::server_name), xml::attr("clientName", &AudioSide::client_name),
    xml::attr("connectPorts", &AudioSide::connect_ports), xml::attr("exactName", &AudioSide::exact_name),
    xml::attr("dev", &AudioSide::dev), xml::attr("bufferCount", &AudioSide::buffer_count),
    xml::attr("tryPoll", &AudioSide::try_poll), xml::child("settings", &AudioSide::settings));

struct Audio {
    std::optional<std::uint32_t> id{};
    AudioType type = AudioType::none;
    std::optional<std::uint32_t> timer_period{};  ///< microseconds
    std::optional<std::string> path{};            ///< file
    std::optional<std::string> server_name{};     ///< pulseaudio
    std::optional<YesNo> try_mmap{}, exclusive{}; ///< oss
    std::optional<std::int32_t> dsp_policy{};     ///< oss
    std::optional<SdlAudioDriver> driver{};       ///< sdl
    std::optional<AudioSide> input{}, output{};
    xml::Rest rest{};
    bool operator==(const Audio&) const = default;
};
template <> inline constexpr auto fields<Audio> =
    xml::table(xml::attr("id", &Audio::id), xml::attr("type", &Audio::type),
               xml::attr("timerPeriod", &Audio::timer_period), xml::attr("path", &Audio::path),
               xml::attr("serverName", &Audio::server_name), xml::attr("tryMMap", &Audio::try_mmap),
               xml::attr("exclusive", &Audio::exclusive), xml::attr("dspPolicy", &Audio::dsp_policy),
               xml::attr("driver", &Audio::driver), xml::child("input", &Audio::input),
               xml::child("output", &Audio::output));
template <> inline constexpr const char* element<Audio> = "audio";

} // namespace cloister
