#include "CJPEG.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// jpeglib.h needs size_t and FILE declared before it.
#include <jerror.h>
#include <jpeglib.h>

// A damaged progressive file can hold thousands of scans that each cost a pass over the picture.
enum { maximum_scans = 500 };

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf back;
  char *message;
} error_manager;

static void leave(j_common_ptr info) {
  error_manager *errors = (error_manager *)info->err;
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  snprintf(errors->message, 256, "%s", text);
  longjmp(errors->back, 1);
}

static void fail(j_common_ptr info, const char *text) {
  error_manager *errors = (error_manager *)info->err;
  snprintf(errors->message, 256, "%s", text);
  longjmp(errors->back, 1);
}

// Missing data is only a warning to libjpeg, which then makes up grey pixels.
static void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  info->err->num_warnings++;
  if (info->err->msg_code == JWRN_JPEG_EOF || info->err->msg_code == JWRN_HIT_MARKER) leave(info);
}

static void on_output(j_common_ptr info) { (void)info; }

static void on_progress(j_common_ptr info) {
  if (info->is_decompressor && ((j_decompress_ptr)info)->input_scan_number > maximum_scans)
    fail(info, "the picture has too many scans");
}

static struct jpeg_error_mgr *start(error_manager *errors, char message[256]) {
  jpeg_std_error(&errors->base);
  errors->base.error_exit = leave;
  errors->base.emit_message = on_message;
  errors->base.output_message = on_output;
  errors->message = message;
  return &errors->base;
}

// c·k/255, rounded.
static unsigned scaled(unsigned c, unsigned k) {
  unsigned t = c * k + 128;
  return (t + (t >> 8)) >> 8;
}

int jpeg_shim_decode(const uint8_t *data, size_t size, uint32_t most_pixels, jpeg_picture *out,
                     char message[256]) {
  memset(out, 0, sizeof *out);
  struct jpeg_decompress_struct info;
  struct jpeg_progress_mgr progress;
  error_manager errors;
  uint8_t *volatile pixels = NULL;
  memset(&info, 0, sizeof info);
  memset(&progress, 0, sizeof progress);
  info.err = start(&errors, message);
  if (setjmp(errors.back)) {
    jpeg_destroy_decompress(&info);
    free(pixels);
    return 1;
  }
  jpeg_create_decompress(&info);
  progress.progress_monitor = on_progress;
  info.progress = &progress;
  jpeg_mem_src(&info, data, size);
  jpeg_read_header(&info, TRUE);
  if ((uint64_t)info.image_width * info.image_height > most_pixels) {
    char text[100];
    snprintf(text, sizeof text, "it has %ux%u pixels, expected at most %u in all", info.image_width,
             info.image_height, most_pixels);
    fail((j_common_ptr)&info, text);
  }
  int is_cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  size_t width = info.output_width, height = info.output_height;
  // Rows of CMYK are turned in place, so a row needs room for four channels.
  pixels = malloc(width * height * 3 + width);
  if (!pixels) fail((j_common_ptr)&info, "out of memory");
  while (info.output_scanline < height) {
    uint8_t *row = pixels + (size_t)info.output_scanline * width * 3;
    jpeg_read_scanlines(&info, &row, 1);
    if (!is_cmyk) continue;
    for (size_t x = 0; x < width; x++) {
      // Adobe writes the complement of the ink.
      unsigned flip = info.saw_Adobe_marker ? 0 : 255;
      unsigned light = row[4 * x + 3] ^ flip;
      for (int c = 0; c < 3; c++) row[3 * x + c] = scaled(row[4 * x + c] ^ flip, light);
    }
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  out->width = width;
  out->height = height;
  out->pixels = pixels;
  return 0;
}

int jpeg_shim_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels, int quality,
                     const jpeg_segment *segments, size_t segment_count, uint8_t **bytes, size_t *size,
                     char message[256]) {
  struct jpeg_compress_struct info;
  error_manager errors;
  unsigned long length = 0;
  *bytes = NULL;
  *size = 0;
  memset(&info, 0, sizeof info);
  info.err = start(&errors, message);
  if (setjmp(errors.back)) {
    jpeg_destroy_compress(&info);
    free(*bytes);
    *bytes = NULL;
    return 1;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, bytes, &length);
  info.image_width = width;
  info.image_height = height;
  info.input_components = (int)channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&info, TRUE);
  for (size_t i = 0; i < segment_count; i++)
    jpeg_write_marker(&info, segments[i].code, segments[i].bytes, segments[i].size);
  while (info.next_scanline < height) {
    JSAMPROW row = (JSAMPROW)(pixels + (size_t)info.next_scanline * width * channels);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  *size = length;
  return 0;
}

void jpeg_shim_free(uint8_t *bytes) { free(bytes); }
