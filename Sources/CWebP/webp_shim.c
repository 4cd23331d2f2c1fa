#include "CWebP.h"

#include <stdio.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/encode.h>

static const char *status_text(VP8StatusCode status) {
  switch (status) {
  case VP8_STATUS_OUT_OF_MEMORY: return "out of memory";
  case VP8_STATUS_UNSUPPORTED_FEATURE: return "it has a feature that libwebp does not know";
  case VP8_STATUS_NOT_ENOUGH_DATA: return "the file ends too early";
  default: return "it is damaged";
  }
}

int webp_shim_decode(const uint8_t *data, size_t size, uint32_t most_pixels, webp_picture *out,
                     char message[160]) {
  memset(out, 0, sizeof *out);
  WebPBitstreamFeatures features;
  VP8StatusCode status = WebPGetFeatures(data, size, &features);
  if (status != VP8_STATUS_OK) {
    snprintf(message, 160, "%s", status_text(status));
    return 1;
  }
  if (features.has_animation) {
    snprintf(message, 160, "it is an animation, expected one picture");
    return 1;
  }
  if ((uint64_t)features.width * features.height > most_pixels) {
    snprintf(message, 160, "it has %dx%d pixels, expected at most %u in all", features.width,
             features.height, most_pixels);
    return 1;
  }
  int width = 0, height = 0;
  out->pixels = features.has_alpha ? WebPDecodeRGBA(data, size, &width, &height)
                                   : WebPDecodeRGB(data, size, &width, &height);
  if (!out->pixels) {
    snprintf(message, 160, "it is damaged, or ends too early");
    return 1;
  }
  out->width = width;
  out->height = height;
  out->channels = features.has_alpha ? 4 : 3;
  return 0;
}

int webp_shim_encode(const uint8_t *pixels, uint32_t width, uint32_t height, float quality,
                     uint8_t **bytes, size_t *size, char message[160]) {
  *bytes = NULL;
  *size = 0;
  if (width > WEBP_MAX_DIMENSION || height > WEBP_MAX_DIMENSION) {
    snprintf(message, 160, "it has %ux%u pixels, WebP holds at most %d a side", width, height,
             WEBP_MAX_DIMENSION);
    return 1;
  }
  WebPConfig config;
  WebPPicture picture;
  if (!WebPConfigPreset(&config, WEBP_PRESET_PHOTO, quality) || !WebPPictureInit(&picture)) {
    snprintf(message, 160, "libwebp is of another version than its headers");
    return 1;
  }
  // Colour has half the resolution: this finds the halves that look most like the whole.
  config.use_sharp_yuv = 1;
  picture.width = width;
  picture.height = height;
  WebPMemoryWriter writer;
  WebPMemoryWriterInit(&writer);
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &writer;
  int worked = WebPPictureImportRGB(&picture, pixels, width * 3) && WebPEncode(&config, &picture);
  int code = picture.error_code;
  WebPPictureFree(&picture);
  if (!worked) {
    WebPMemoryWriterClear(&writer);
    snprintf(message, 160, "libwebp gave error %d", code);
    return 1;
  }
  *bytes = writer.mem;
  *size = writer.size;
  return 0;
}

void webp_shim_free(uint8_t *bytes) { WebPFree(bytes); }
