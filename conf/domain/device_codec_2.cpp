#include "conf/domain/device_codec_slice.hpp"

template std::span<const cloister::DeviceCodec> cloister::device_codecs<2>();
