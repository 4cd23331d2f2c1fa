// WebP through libwebp: the pixels alone. What is around them in a file is for the caller.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A decoded picture: rows of 3 (RGB) or 4 (RGBA) bytes a pixel, which the caller frees with webp_shim_free.
typedef struct {
  uint32_t width, height, channels;
  uint8_t *pixels;
} webp_picture;

// Decodes a still WebP file of at most so many pixels. Returns 0, or 1 with a message.
int webp_shim_decode(const uint8_t *data, size_t size, uint32_t most_pixels, webp_picture *out,
                     char message[160]);

// Encodes rows of RGB bytes, lossy with a quality of 1…100, as a file without texts. Returns 0 with bytes that
// the caller frees with webp_shim_free, or 1 with a message.
int webp_shim_encode(const uint8_t *pixels, uint32_t width, uint32_t height, float quality,
                     uint8_t **bytes, size_t *size, char message[160]);

void webp_shim_free(uint8_t *bytes);
