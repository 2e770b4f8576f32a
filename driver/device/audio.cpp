#include "driver/device/audio.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"

#include <algorithm>
#include <boost/json/value.hpp>

namespace cloister {

namespace {

std::string_view driver_of(AudioType type) {
    switch (type) {
    case AudioType::none: return "none";
    case AudioType::alsa: return "alsa";
    case AudioType::coreaudio: return "coreaudio";
    case AudioType::jack: return "jack";
    case AudioType::oss: return "oss";
    case AudioType::pulseaudio: return "pa";
    case AudioType::sdl: return "sdl";
    case AudioType::spice: return "spice";
    case AudioType::file: return "wav";
    case AudioType::dbus: return "dbus";
    }
    return {};
}

boost::json::object side_props(const AudioSide& side) {
    boost::json::object out{};
    const auto flag = [&](const char* key, std::optional<YesNo> value) {
        if (value) out[key] = value == YesNo::yes;
    };
    const auto number = [&](const char* key, std::optional<std::uint32_t> value) {
        if (value) out[key] = *value;
    };
    const auto text = [&](const char* key, const std::optional<std::string>& value) {
        if (value) out[key] = *value;
    };
    flag("mixing-engine", side.mixing_engine);
    flag("fixed-settings", side.fixed_settings);
    number("voices", side.voices);
    number("buffer-length", side.buffer_length);
    if (side.settings) {
        number("frequency", side.settings->frequency);
        number("channels", side.settings->channels);
        if (side.settings->format) out["format"] = names<AudioFormat>.text(*side.settings->format);
    }
    text("name", side.name);
    text("stream-name", side.stream_name);
    number("latency", side.latency);
    text("server-name", side.server_name);
    text("client-name", side.client_name);
    text("connect-ports", side.connect_ports);
    flag("exact-name", side.exact_name);
    text("dev", side.dev);
    number("buffer-count", side.buffer_count);
    flag("try-poll", side.try_poll);
    return out;
}

void grant_device(DevicePlan& out, const std::optional<AudioSide>& side, const std::string& why) {
    if (!side || !side->dev || !side->dev->starts_with("/")) return;
    if (std::ranges::any_of(out.grants, [&](const Grant& g) { return g.path == *side->dev; })) return;
    out.grants.push_back({.path = *side->dev,
                          .kind = Kind::char_device,
                          .access = Access::read_write,
                          .sharing = Sharing::shared,
                          .why = why});
}

} // namespace

std::optional<AudioType> audio_type(const Domain& domain, std::uint32_t id) {
    for (const auto* audio : devices_of<Audio>(domain))
        if (audio->id == id) return audio->type;
    return std::nullopt;
}

std::optional<std::string> audio_id(const Domain& domain, const std::optional<AudioRef>& wanted) {
    if (wanted) return "audio" + std::to_string(wanted->id);
    const auto all = devices_of<Audio>(domain);
    if (all.empty()) return std::nullopt;
    return "audio" + std::to_string(all.front()->id.value_or(1));
}

template <> void complete<Audio>(Audio& audio, const CompleteContext& context) {
    if (audio.id) return;
    std::uint32_t id = 1;
    while (audio_type(context.domain, id)) ++id;
    audio.id = id;
}

template <> Result<> check<Audio>(const Audio& audio, const CompleteContext&) {
    if (audio.type == AudioType::coreaudio)
        return fail(Code::config_unsupported, tr("audio type 'coreaudio' needs a macOS host"));
    for (const auto* side : {&audio.input, &audio.output})
        if (*side && (*side)->mixing_engine == YesNo::no && (*side)->settings &&
            (*side)->fixed_settings == YesNo::yes)
            return fail(
                Code::config_unsupported,
                tr("'fixedSettings' needs 'mixingEngine' on audio backend {0}", audio.id.value_or(0)));
    return {};
}

template <> Result<DevicePlan> plan<Audio>(const Audio& audio, const PlanContext& context) {
    DevicePlan out;
    const auto id = "audio" + std::to_string(audio.id.value_or(context.index + 1));
    boost::json::object props{{"id", id}, {"driver", driver_of(audio.type)}};
    if (audio.timer_period) props["timer-period"] = *audio.timer_period;
    if (audio.type == AudioType::file && audio.path) {
        props["path"] = *audio.path;
        if (audio.path->starts_with("/"))
            out.grants.push_back(
                {.path = *audio.path, .kind = Kind::file, .access = Access::read_write, .why = id});
    }
    if (audio.type == AudioType::pulseaudio && audio.server_name) props["server"] = *audio.server_name;
    if (audio.type == AudioType::oss) {
        if (audio.try_mmap) props["try-mmap"] = audio.try_mmap == YesNo::yes;
        if (audio.exclusive) props["exclusive"] = audio.exclusive == YesNo::yes;
        if (audio.dsp_policy) props["dsp-policy"] = *audio.dsp_policy;
    }
    if (audio.input) props["in"] = side_props(*audio.input);
    if (audio.output) props["out"] = side_props(*audio.output);
    if (audio.type == AudioType::oss) {
        grant_device(out, audio.input, id);
        grant_device(out, audio.output, id);
    }
    if (audio.type == AudioType::sdl && audio.driver)
        out.env.push_back({"SDL_AUDIODRIVER", std::string(names<SdlAudioDriver>.text(*audio.driver)), id});
    out.items.push_back({"audiodev", std::move(props), id});
    return out;
}

} // namespace cloister
