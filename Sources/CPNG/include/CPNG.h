// PNG through libpng. libpng reports errors by longjmp, which Swift frames must not see, so these
// few functions keep it inside C and return a message instead.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A text chunk; both strings end in zero. Text is UTF-8.
typedef struct {
  const char *keyword;
  const char *text;
} png_text_pair;

// Bytes that the caller frees with png_shim_free.
typedef struct {
  uint8_t *data;
  size_t size;
} png_bytes;

// A decoded picture: rows of channels bytes a pixel, and its text chunks as keyword, zero, text,
// zero, one after the other.
typedef struct {
  uint32_t width, height, channels;
  png_bytes pixels;
  png_bytes texts;
} png_picture;

// Encodes rows of 8-bit pixels with 1, 3 or 4 channels. Returns 0, or 1 with a message.
int png_shim_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels,
                    const png_text_pair *texts, size_t text_count, png_bytes *out,
                    char message[160]);

// Decodes a PNG of at most so many pixels to 8 bits a channel: grey to RGB, palette expanded, alpha kept
// when there is one; text chunks only when asked for. Returns 0, or 1 with a message.
int png_shim_decode(const uint8_t *data, size_t size, uint32_t most_pixels, int with_texts,
                    png_picture *out, char message[160]);

void png_shim_free(png_bytes bytes);
