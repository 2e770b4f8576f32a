#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/device/address_props.hpp"
#include "driver/device/audio.hpp"
#include "driver/device/chardev.hpp"

#include <boost/json/value.hpp>

namespace cloister {

namespace {

std::string_view driver_of(SoundModel model) {
    switch (model) {
    case SoundModel::sb16: return "sb16";
    case SoundModel::es1370: return "ES1370";
    case SoundModel::ac97: return "AC97";
    case SoundModel::ich6: return "intel-hda";
    case SoundModel::ich9: return "ich9-intel-hda";
    case SoundModel::usb: return "usb-audio";
    case SoundModel::pcspk:
    case SoundModel::ich7: break;
    }
    return {};
}
std::string_view codec_driver(CodecType type) {
    switch (type) {
    case CodecType::duplex: return "hda-duplex";
    case CodecType::micro: return "hda-micro";
    case CodecType::output: return "hda-output";
    }
    return {};
}

} // namespace

template <> void complete<Sound>(Sound&, const CompleteContext&) {}

template <> Result<> check<Sound>(const Sound& sound, const CompleteContext& context) {
    if (sound.model == SoundModel::ich7)
        return fail(Code::config_unsupported, tr("sound card model '{0}' is not supported by QEMU",
                                                 names<SoundModel>.text(sound.model)));
    if (!sound.codecs.empty() && sound.model != SoundModel::ich6 && sound.model != SoundModel::ich9)
        return fail(Code::config_unsupported, tr("codecs not supported on sound card model '{0}'",
                                                 names<SoundModel>.text(sound.model)));
    if (sound.audio && !audio_type(context.domain, sound.audio->id))
        return fail(Code::config_unsupported, tr("no audio device with id {0}", sound.audio->id));
    return {};
}

template <> Result<DevicePlan> plan<Sound>(const Sound& sound, const PlanContext& context) {
    DevicePlan out;
    if (sound.model == SoundModel::pcspk) return out; // a property of the machine
    const auto id = id_of(sound.info, "sound", context.index);
    const auto why = "sound " + id;
    const std::string driver(driver_of(sound.model));
    if (driver.empty() || !context.caps.has_type(driver))
        return fail(Code::config_unsupported,
                    tr("sound card model '{0}' is not supported by this QEMU binary",
                       names<SoundModel>.text(sound.model)));
    const auto audio = audio_id(context.domain, sound.audio);
    const bool hda = sound.model == SoundModel::ich6 || sound.model == SoundModel::ich9;
    boost::json::object props{{"driver", driver}, {"id", id}};
    if (sound.multichannel) props["multi"] = sound.multichannel == YesNo::yes;
    if (!hda && audio) props["audiodev"] = *audio;
    TRY(add_address(props, sound.info, context.domain));
    out.items.push_back({"device", std::move(props), why});
    if (!hda) return out;
    const auto codecs = sound.codecs.empty() ? std::vector{SoundCodec{}} : sound.codecs;
    for (std::size_t i = 0; i < codecs.size(); ++i) {
        boost::json::object codec{{"driver", codec_driver(codecs[i].type)},
                                  {"id", id + "-codec" + std::to_string(i)},
                                  {"bus", id + ".0"},
                                  {"cad", i}};
        if (audio) codec["audiodev"] = *audio;
        out.items.push_back({"device", std::move(codec), why});
    }
    return out;
}

} // namespace cloister
