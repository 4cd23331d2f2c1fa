// JPEG through libjpeg-turbo. libjpeg ends the program on an error unless told otherwise; this shim
// leaves by longjmp, which Swift frames must not see, and returns a message instead.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A decoded picture: rows of RGB bytes that the caller frees with jpeg_shim_free.
typedef struct {
  uint32_t width, height;
  uint8_t *pixels;
} jpeg_picture;

// Decodes a JPEG file of at most so many pixels to 8-bit RGB: grey is repeated, CMYK converted without a profile. Orientation
// tags are not applied. Returns 0, or 1 with a message.
int jpeg_shim_decode(const uint8_t *data, size_t size, uint32_t most_pixels, jpeg_picture *out,
                     char message[256]);

void jpeg_shim_free(uint8_t *bytes);

// A segment of a JPEG file that holds no picture: 0xe1 for APP1 (EXIF), 0xfe for a comment.
typedef struct {
  int code;
  const uint8_t *bytes;
  uint32_t size;
} jpeg_segment;

// Encodes rows of 8-bit pixels of one channel (grey) or three (RGB), colour at full resolution, with segments
// of at most 65533 bytes each. Returns 0 with bytes that the caller frees with jpeg_shim_free, or 1 with a
// message.
int jpeg_shim_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels, int quality,
                     const jpeg_segment *segments, size_t segment_count, uint8_t **bytes, size_t *size,
                     char message[256]);
