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
