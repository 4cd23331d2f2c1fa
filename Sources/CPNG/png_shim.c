#include "CPNG.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a file may ask for besides its pixels: bytes of a chunk that is kept or unpacked, and how many are.
enum { maximum_chunk = 4 << 20, maximum_chunks = 64 };

static void on_error(png_structp png, png_const_charp text) {
  char *message = png_get_error_ptr(png);
  if (message) snprintf(message, 160, "%s", text);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static int append(png_bytes *bytes, size_t *capacity, const void *data, size_t size) {
  if (bytes->size + size > *capacity) {
    size_t wanted = (bytes->size + size) * 2 + 4096;
    uint8_t *grown = realloc(bytes->data, wanted);
    if (!grown) return 0;
    bytes->data = grown;
    *capacity = wanted;
  }
  memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
  return 1;
}

// Appends a string with its zero as UTF-8; plain text chunks and keywords are Latin-1.
static int append_text(png_bytes *bytes, size_t *capacity, const char *text, int is_utf8) {
  for (const char *at = text ? text : ""; *at; at++) {
    unsigned char byte = (unsigned char)*at;
    unsigned char wide[2] = {0xc0 | byte >> 6, 0x80 | (byte & 0x3f)};
    int plain = is_utf8 || byte < 0x80;
    if (!append(bytes, capacity, plain ? &byte : wide, plain ? 1 : 2)) return 0;
  }
  return append(bytes, capacity, "", 1);
}

typedef struct {
  png_bytes *bytes;
  size_t capacity;
} sink;

static void on_write(png_structp png, png_bytep data, size_t size) {
  sink *target = png_get_io_ptr(png);
  if (!append(target->bytes, &target->capacity, data, size)) png_error(png, "out of memory");
}

static void on_flush(png_structp png) { (void)png; }

static int is_ascii(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text >= 0x80) return 0;
  return 1;
}

int png_shim_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels,
                    const png_text_pair *texts, size_t text_count, png_bytes *out,
                    char message[160]) {
  sink target = {out, 0};
  memset(out, 0, sizeof *out);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  png_text *chunks = calloc(text_count + 1, sizeof *chunks);
  if (!info || !chunks) {
    snprintf(message, 160, "out of memory");
    png_destroy_write_struct(&png, &info);
    free(chunks);
    return 1;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    free(chunks);
    free(out->data);
    memset(out, 0, sizeof *out);
    return 1;
  }
  png_set_write_fn(png, &target, on_write, on_flush);
  int color = channels == 1   ? PNG_COLOR_TYPE_GRAY
              : channels == 3 ? PNG_COLOR_TYPE_RGB
                              : PNG_COLOR_TYPE_RGB_ALPHA;
  png_set_IHDR(png, info, width, height, 8, color, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  for (size_t i = 0; i < text_count; i++) {
    int ascii = is_ascii(texts[i].text);
    chunks[i].compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    chunks[i].key = (char *)texts[i].keyword;
    chunks[i].text = (char *)texts[i].text;
    chunks[i].text_length = ascii ? strlen(texts[i].text) : 0;
    chunks[i].itxt_length = ascii ? 0 : strlen(texts[i].text);
    chunks[i].lang = "";
    chunks[i].lang_key = "";
  }
  png_set_text(png, info, chunks, (int)text_count);
  png_write_info(png, info);
  for (uint32_t row = 0; row < height; row++)
    png_write_row(png, pixels + (size_t)row * width * channels);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  free(chunks);
  return 0;
}

typedef struct {
  const uint8_t *data;
  size_t size, position;
} source;

static void on_read(png_structp png, png_bytep data, size_t size) {
  source *from = png_get_io_ptr(png);
  if (size > from->size - from->position) png_error(png, "the file ends too early");
  memcpy(data, from->data + from->position, size);
  from->position += size;
}

// Whether every chunk up to the last lies inside the file. libpng would allocate and clear as much
// memory as a damaged length asks for, up to 2 GB, before it misses the data.
static int chunks_fit(const uint8_t *data, size_t size) {
  for (size_t position = 8; size - position >= 12;) {
    size_t length = png_get_uint_32(data + position);
    if (length > size - position - 12) return 0;
    if (!memcmp(data + position + 4, "IEND", 4)) return 1;
    position += length + 12;
  }
  return 0;
}

// Unpacks no more than is asked for: a few kilobytes of text or profile can become gigabytes.
static void limit(png_structp png, int with_texts) {
  static const png_byte skipped[] = "iCCP\0sPLT\0eXIf\0hIST\0tEXt\0zTXt\0iTXt";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, skipped, with_texts ? 4 : 7);
  // What is skipped takes no memory, however long it is.
  png_set_chunk_malloc_max(png, with_texts ? maximum_chunk : 0);
  png_set_chunk_cache_max(png, maximum_chunks);
}

int png_shim_decode(const uint8_t *data, size_t size, uint32_t most_pixels, int with_texts,
                    png_picture *out, char message[160]) {
  memset(out, 0, sizeof *out);
  if (size < 8 || png_sig_cmp(data, 0, 8)) {
    snprintf(message, 160, "not a PNG file");
    return 1;
  }
  if (!chunks_fit(data, size)) {
    snprintf(message, 160, "the file ends too early");
    return 1;
  }
  source from = {data, size, 0};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  png_bytepp volatile rows = NULL;
  if (!info) {
    snprintf(message, 160, "out of memory");
    png_destroy_read_struct(&png, &info, NULL);
    return 1;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    free(out->pixels.data);
    free(out->texts.data);
    memset(out, 0, sizeof *out);
    return 1;
  }
  png_set_user_limits(png, most_pixels, most_pixels);
  limit(png, with_texts);
  png_set_read_fn(png, &from, on_read);
  png_read_info(png, info);
  uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if ((uint64_t)width * height > most_pixels) {
    char text[100];
    snprintf(text, sizeof text, "it has %ux%u pixels, expected at most %u in all", width, height,
             most_pixels);
    png_error(png, text);
  }
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  out->width = width;
  out->height = height;
  out->channels = png_get_channels(png, info);
  size_t stride = png_get_rowbytes(png, info);
  out->pixels.size = stride * out->height;
  out->pixels.data = malloc(out->pixels.size);
  rows = malloc(sizeof(png_bytep) * out->height);
  if (!out->pixels.data || !rows) png_error(png, "out of memory");
  for (uint32_t y = 0; y < out->height; y++) rows[y] = out->pixels.data + y * stride;
  png_read_image(png, rows);
  png_read_end(png, info);
  png_textp chunks = NULL;
  int count = 0;
  png_get_text(png, info, &chunks, &count);
  size_t capacity = 0;
  for (int i = 0; i < count; i++) {
    int is_utf8 = chunks[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    if (!append_text(&out->texts, &capacity, chunks[i].key, 0) ||
        !append_text(&out->texts, &capacity, chunks[i].text, is_utf8))
      png_error(png, "out of memory");
  }
  png_destroy_read_struct(&png, &info, NULL);
  free(rows);
  return 0;
}

void png_shim_free(png_bytes bytes) { free(bytes.data); }
