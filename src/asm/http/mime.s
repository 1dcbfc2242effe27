// mime.s - the media type of a file, from its extension
//
// Gives    mime_find
// Needs    text_word
// Memory   none of its own
// Spec     RFC 9110 8.3; IANA media types
// Tests    tests/asm/test_mime.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ MIME_ROW_SIZE,         16
.equ MIME_ROW_TYPE,         8       // 4 bytes: distance of the type
.equ MIME_ROW_TYPE_LEN,     12      // 4 bytes
.equ EXTENSION_MAX,         8

// mime_find - the media type for a path
//
// An extension is at most eight letters, so it fits a register, lower case and
// padded with blanks: both come from the same bit. Its first letter says which
// rows to look at.
//
//   In     x0 path, eight more bytes can be read behind it   x1 length in bytes
//   Out    x0 type   x1 its length
//   Clob   x2-x6
//   Frame  16: x29 x30
//
//   x0 extension as a word, later the type
//   x1 its length, later that of the type
//   x2 first letter from 1, 0 for any other   x3 mime_rows   x4 row
//   x5 end of the rows for that letter   x6 extension of the row
func mime_find
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    addr    x3, mime_rows

    bl      extension_find
    cbz     x1, Lmime_find_unknown
    bl      text_word
    orr     x0, x0, #0x2020202020202020
    and     x2, x0, #0xff
    sub     x2, x2, #'a' - 1
    cmp     x2, #26
    csel    x2, x2, xzr, ls
    addr    x4, mime_letters
    add     x4, x4, x2
    ldrb    w5, [x4, #1]
    ldrb    w4, [x4]
    add     x5, x3, x5, lsl #4
    add     x4, x3, x4, lsl #4
Lmime_find_row:
    cmp     x4, x5
    b.eq    Lmime_find_unknown
    ldr     x6, [x4], #MIME_ROW_SIZE
    cmp     x6, x0
    b.ne    Lmime_find_row

    ldrsw   x0, [x4, #MIME_ROW_TYPE - MIME_ROW_SIZE]
    ldr     w1, [x4, #MIME_ROW_TYPE_LEN - MIME_ROW_SIZE]
    add     x0, x3, x0
Lmime_find_return:
    ldp     x29, x30, [sp], #16
    ret

Lmime_find_unknown:
    addr    x0, mime_app_octet_stream
    mov     x1, #mime_app_octet_stream_len
    b       Lmime_find_return

// extension_find - the extension of the last name in a path
//
// A name that begins with its only dot has none, and one of more than eight
// letters is not worth looking for.
//
//   In     x0 path   x1 length in bytes
//   Out    x0 extension   x1 its length, 0 for none
//   Clob   x2 x4-x5
//   Frame  none (leaf)
//
//   x0 path, later the extension   x1 end, later the length   x2 cursor
//   x4 byte   x5 its distance from the dot
func extension_find
    add     x1, x0, x1
    mov     x2, x1
Lextension_find_byte:
    cmp     x2, x0
    b.eq    Lextension_find_none
    ldrb    w4, [x2, #-1]!
    sub     w5, w4, #'.'            // a dot, or the slash that is next to it?
    cmp     w5, #1
    b.hi    Lextension_find_byte
    b.eq    Lextension_find_none

    cmp     x2, x0                  // is there a name in front of the dot?
    b.eq    Lextension_find_none
    ldrb    w4, [x2, #-1]
    cmp     w4, #'/'
    b.eq    Lextension_find_none
    add     x0, x2, #1
    sub     x1, x1, x0
    cmp     x1, #EXTENSION_MAX
    b.hi    Lextension_find_none
    ret
Lextension_find_none:
    mov     x1, #0
    ret

rodata
string mime_text_html, "text/html; charset=utf-8"
string mime_text_css, "text/css; charset=utf-8"
string mime_text_javascript, "text/javascript; charset=utf-8"
string mime_app_json, "application/json"
string mime_app_ld_json, "application/ld+json"
string mime_text_plain, "text/plain; charset=utf-8"
string mime_text_markdown, "text/markdown; charset=utf-8"
string mime_text_csv, "text/csv; charset=utf-8"
string mime_text_tsv, "text/tab-separated-values; charset=utf-8"
string mime_text_calendar, "text/calendar; charset=utf-8"
string mime_text_vcard, "text/vcard; charset=utf-8"
string mime_text_vtt, "text/vtt; charset=utf-8"
string mime_text_yaml, "text/yaml; charset=utf-8"
string mime_app_xml, "application/xml"
string mime_app_xhtml_xml, "application/xhtml+xml"
string mime_app_rss_xml, "application/rss+xml"
string mime_app_atom_xml, "application/atom+xml"
string mime_app_wasm, "application/wasm"
string mime_app_pdf, "application/pdf"
string mime_app_rtf, "application/rtf"
string mime_app_epub_zip, "application/epub+zip"
string mime_app_zip, "application/zip"
string mime_app_gzip, "application/gzip"
string mime_app_x_bzip2, "application/x-bzip2"
string mime_app_x_xz, "application/x-xz"
string mime_app_zstd, "application/zstd"
string mime_app_7z, "application/x-7z-compressed"
string mime_app_vnd_rar, "application/vnd.rar"
string mime_app_x_tar, "application/x-tar"
string mime_app_java_archive, "application/java-archive"
string mime_app_dmg, "application/x-apple-diskimage"
string mime_app_msword, "application/msword"
mime_app_docx:
    .ascii  "application/vnd.openxmlformats-officedocument."
    .ascii  "wordprocessingml.document"
.equ mime_app_docx_len, . - mime_app_docx
string mime_app_xls, "application/vnd.ms-excel"
mime_app_xlsx:
    .ascii  "application/vnd.openxmlformats-officedocument."
    .ascii  "spreadsheetml.sheet"
.equ mime_app_xlsx_len, . - mime_app_xlsx
string mime_app_ppt, "application/vnd.ms-powerpoint"
mime_app_pptx:
    .ascii  "application/vnd.openxmlformats-officedocument."
    .ascii  "presentationml.presentation"
.equ mime_app_pptx_len, . - mime_app_pptx
string mime_app_odt, "application/vnd.oasis.opendocument.text"
string mime_app_ods, "application/vnd.oasis.opendocument.spreadsheet"
string mime_app_octet_stream, "application/octet-stream"
string mime_app_x_ipynb_json, "application/x-ipynb+json"
string mime_image_png, "image/png"
string mime_image_apng, "image/apng"
string mime_image_jpeg, "image/jpeg"
string mime_image_gif, "image/gif"
string mime_image_webp, "image/webp"
string mime_image_avif, "image/avif"
string mime_image_svg_xml, "image/svg+xml"
string mime_image_x_icon, "image/x-icon"
string mime_image_bmp, "image/bmp"
string mime_image_tiff, "image/tiff"
string mime_image_heic, "image/heic"
string mime_image_jxl, "image/jxl"
string mime_font_woff, "font/woff"
string mime_font_woff2, "font/woff2"
string mime_font_ttf, "font/ttf"
string mime_font_otf, "font/otf"
string mime_font_collection, "font/collection"
string mime_app_eot, "application/vnd.ms-fontobject"
string mime_audio_mpeg, "audio/mpeg"
string mime_audio_mp4, "audio/mp4"
string mime_audio_aac, "audio/aac"
string mime_audio_ogg, "audio/ogg"
string mime_audio_flac, "audio/flac"
string mime_audio_wav, "audio/wav"
string mime_audio_midi, "audio/midi"
string mime_audio_webm, "audio/webm"
string mime_video_mp4, "video/mp4"
string mime_video_webm, "video/webm"
string mime_video_ogg, "video/ogg"
string mime_video_quicktime, "video/quicktime"
string mime_video_mpeg, "video/mpeg"
string mime_video_x_msvideo, "video/x-msvideo"
string mime_video_x_matroska, "video/x-matroska"
string mime_video_mp2t, "video/mp2t"
string mime_app_m3u8, "application/vnd.apple.mpegurl"

// extension, distance of its type from the table, length of the type; for each
// letter the usual ones first
.p2align 3
mime_rows:
Lmime_rows:
    .ascii  "7z      "
    .long   mime_app_7z - mime_rows, mime_app_7z_len
Lmime_a:
    .ascii  "aac     "
    .long   mime_audio_aac - mime_rows, mime_audio_aac_len
    .ascii  "apng    "
    .long   mime_image_apng - mime_rows, mime_image_apng_len
    .ascii  "atom    "
    .long   mime_app_atom_xml - mime_rows, mime_app_atom_xml_len
    .ascii  "avi     "
    .long   mime_video_x_msvideo - mime_rows, mime_video_x_msvideo_len
    .ascii  "avif    "
    .long   mime_image_avif - mime_rows, mime_image_avif_len
Lmime_b:
    .ascii  "bin     "
    .long   mime_app_octet_stream - mime_rows, mime_app_octet_stream_len
    .ascii  "bmp     "
    .long   mime_image_bmp - mime_rows, mime_image_bmp_len
    .ascii  "bz2     "
    .long   mime_app_x_bzip2 - mime_rows, mime_app_x_bzip2_len
Lmime_c:
    .ascii  "css     "
    .long   mime_text_css - mime_rows, mime_text_css_len
    .ascii  "c       "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "conf    "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "csv     "
    .long   mime_text_csv - mime_rows, mime_text_csv_len
Lmime_d:
    .ascii  "dmg     "
    .long   mime_app_dmg - mime_rows, mime_app_dmg_len
    .ascii  "doc     "
    .long   mime_app_msword - mime_rows, mime_app_msword_len
    .ascii  "docx    "
    .long   mime_app_docx - mime_rows, mime_app_docx_len
Lmime_e:
    .ascii  "eot     "
    .long   mime_app_eot - mime_rows, mime_app_eot_len
    .ascii  "epub    "
    .long   mime_app_epub_zip - mime_rows, mime_app_epub_zip_len
    .ascii  "exe     "
    .long   mime_app_octet_stream - mime_rows, mime_app_octet_stream_len
Lmime_f:
    .ascii  "flac    "
    .long   mime_audio_flac - mime_rows, mime_audio_flac_len
Lmime_g:
    .ascii  "gif     "
    .long   mime_image_gif - mime_rows, mime_image_gif_len
    .ascii  "gz      "
    .long   mime_app_gzip - mime_rows, mime_app_gzip_len
Lmime_h:
    .ascii  "html    "
    .long   mime_text_html - mime_rows, mime_text_html_len
    .ascii  "h       "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "heic    "
    .long   mime_image_heic - mime_rows, mime_image_heic_len
    .ascii  "htm     "
    .long   mime_text_html - mime_rows, mime_text_html_len
Lmime_i:
    .ascii  "ico     "
    .long   mime_image_x_icon - mime_rows, mime_image_x_icon_len
    .ascii  "ics     "
    .long   mime_text_calendar - mime_rows, mime_text_calendar_len
    .ascii  "inc     "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "ini     "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "ipynb   "
    .long   mime_app_x_ipynb_json - mime_rows, mime_app_x_ipynb_json_len
    .ascii  "iso     "
    .long   mime_app_octet_stream - mime_rows, mime_app_octet_stream_len
Lmime_j:
    .ascii  "js      "
    .long   mime_text_javascript - mime_rows, mime_text_javascript_len
    .ascii  "json    "
    .long   mime_app_json - mime_rows, mime_app_json_len
    .ascii  "jpg     "
    .long   mime_image_jpeg - mime_rows, mime_image_jpeg_len
    .ascii  "jar     "
    .long   mime_app_java_archive - mime_rows, mime_app_java_archive_len
    .ascii  "jpeg    "
    .long   mime_image_jpeg - mime_rows, mime_image_jpeg_len
    .ascii  "jsonld  "
    .long   mime_app_ld_json - mime_rows, mime_app_ld_json_len
    .ascii  "jxl     "
    .long   mime_image_jxl - mime_rows, mime_image_jxl_len
Lmime_k:
Lmime_l:
    .ascii  "log     "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
Lmime_m:
    .ascii  "mp4     "
    .long   mime_video_mp4 - mime_rows, mime_video_mp4_len
    .ascii  "md      "
    .long   mime_text_markdown - mime_rows, mime_text_markdown_len
    .ascii  "mp3     "
    .long   mime_audio_mpeg - mime_rows, mime_audio_mpeg_len
    .ascii  "m3u8    "
    .long   mime_app_m3u8 - mime_rows, mime_app_m3u8_len
    .ascii  "m4a     "
    .long   mime_audio_mp4 - mime_rows, mime_audio_mp4_len
    .ascii  "m4v     "
    .long   mime_video_mp4 - mime_rows, mime_video_mp4_len
    .ascii  "map     "
    .long   mime_app_json - mime_rows, mime_app_json_len
    .ascii  "mid     "
    .long   mime_audio_midi - mime_rows, mime_audio_midi_len
    .ascii  "midi    "
    .long   mime_audio_midi - mime_rows, mime_audio_midi_len
    .ascii  "mjs     "
    .long   mime_text_javascript - mime_rows, mime_text_javascript_len
    .ascii  "mkv     "
    .long   mime_video_x_matroska - mime_rows, mime_video_x_matroska_len
    .ascii  "mov     "
    .long   mime_video_quicktime - mime_rows, mime_video_quicktime_len
    .ascii  "mpeg    "
    .long   mime_video_mpeg - mime_rows, mime_video_mpeg_len
    .ascii  "mpg     "
    .long   mime_video_mpeg - mime_rows, mime_video_mpeg_len
Lmime_n:
Lmime_o:
    .ascii  "o       "
    .long   mime_app_octet_stream - mime_rows, mime_app_octet_stream_len
    .ascii  "ods     "
    .long   mime_app_ods - mime_rows, mime_app_ods_len
    .ascii  "odt     "
    .long   mime_app_odt - mime_rows, mime_app_odt_len
    .ascii  "oga     "
    .long   mime_audio_ogg - mime_rows, mime_audio_ogg_len
    .ascii  "ogg     "
    .long   mime_audio_ogg - mime_rows, mime_audio_ogg_len
    .ascii  "ogv     "
    .long   mime_video_ogg - mime_rows, mime_video_ogg_len
    .ascii  "opus    "
    .long   mime_audio_ogg - mime_rows, mime_audio_ogg_len
    .ascii  "otf     "
    .long   mime_font_otf - mime_rows, mime_font_otf_len
Lmime_p:
    .ascii  "png     "
    .long   mime_image_png - mime_rows, mime_image_png_len
    .ascii  "pdf     "
    .long   mime_app_pdf - mime_rows, mime_app_pdf_len
    .ascii  "ppt     "
    .long   mime_app_ppt - mime_rows, mime_app_ppt_len
    .ascii  "pptx    "
    .long   mime_app_pptx - mime_rows, mime_app_pptx_len
    .ascii  "py      "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
Lmime_q:
Lmime_r:
    .ascii  "rar     "
    .long   mime_app_vnd_rar - mime_rows, mime_app_vnd_rar_len
    .ascii  "rss     "
    .long   mime_app_rss_xml - mime_rows, mime_app_rss_xml_len
    .ascii  "rtf     "
    .long   mime_app_rtf - mime_rows, mime_app_rtf_len
Lmime_s:
    .ascii  "svg     "
    .long   mime_image_svg_xml - mime_rows, mime_image_svg_xml_len
    .ascii  "s       "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "sh      "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
Lmime_t:
    .ascii  "txt     "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "tar     "
    .long   mime_app_x_tar - mime_rows, mime_app_x_tar_len
    .ascii  "text    "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "tgz     "
    .long   mime_app_gzip - mime_rows, mime_app_gzip_len
    .ascii  "tif     "
    .long   mime_image_tiff - mime_rows, mime_image_tiff_len
    .ascii  "tiff    "
    .long   mime_image_tiff - mime_rows, mime_image_tiff_len
    .ascii  "toml    "
    .long   mime_text_plain - mime_rows, mime_text_plain_len
    .ascii  "ts      "
    .long   mime_video_mp2t - mime_rows, mime_video_mp2t_len
    .ascii  "tsv     "
    .long   mime_text_tsv - mime_rows, mime_text_tsv_len
    .ascii  "ttc     "
    .long   mime_font_collection - mime_rows, mime_font_collection_len
    .ascii  "ttf     "
    .long   mime_font_ttf - mime_rows, mime_font_ttf_len
Lmime_u:
Lmime_v:
    .ascii  "vcf     "
    .long   mime_text_vcard - mime_rows, mime_text_vcard_len
    .ascii  "vtt     "
    .long   mime_text_vtt - mime_rows, mime_text_vtt_len
Lmime_w:
    .ascii  "webp    "
    .long   mime_image_webp - mime_rows, mime_image_webp_len
    .ascii  "woff2   "
    .long   mime_font_woff2 - mime_rows, mime_font_woff2_len
    .ascii  "wasm    "
    .long   mime_app_wasm - mime_rows, mime_app_wasm_len
    .ascii  "wav     "
    .long   mime_audio_wav - mime_rows, mime_audio_wav_len
    .ascii  "weba    "
    .long   mime_audio_webm - mime_rows, mime_audio_webm_len
    .ascii  "webm    "
    .long   mime_video_webm - mime_rows, mime_video_webm_len
    .ascii  "woff    "
    .long   mime_font_woff - mime_rows, mime_font_woff_len
Lmime_x:
    .ascii  "xml     "
    .long   mime_app_xml - mime_rows, mime_app_xml_len
    .ascii  "xhtml   "
    .long   mime_app_xhtml_xml - mime_rows, mime_app_xhtml_xml_len
    .ascii  "xls     "
    .long   mime_app_xls - mime_rows, mime_app_xls_len
    .ascii  "xlsx    "
    .long   mime_app_xlsx - mime_rows, mime_app_xlsx_len
    .ascii  "xsd     "
    .long   mime_app_xml - mime_rows, mime_app_xml_len
    .ascii  "xsl     "
    .long   mime_app_xml - mime_rows, mime_app_xml_len
    .ascii  "xz      "
    .long   mime_app_x_xz - mime_rows, mime_app_x_xz_len
Lmime_y:
    .ascii  "yaml    "
    .long   mime_text_yaml - mime_rows, mime_text_yaml_len
    .ascii  "yml     "
    .long   mime_text_yaml - mime_rows, mime_text_yaml_len
Lmime_z:
    .ascii  "zip     "
    .long   mime_app_zip - mime_rows, mime_app_zip_len
    .ascii  "zst     "
    .long   mime_app_zstd - mime_rows, mime_app_zstd_len
Lmime_end:

// for each letter, the number of its first row; what does not begin with a
// letter comes before them
mime_letters:
    .byte   0
    .byte   (Lmime_a - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_b - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_c - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_d - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_e - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_f - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_g - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_h - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_i - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_j - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_k - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_l - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_m - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_n - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_o - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_p - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_q - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_r - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_s - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_t - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_u - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_v - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_w - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_x - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_y - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_z - Lmime_rows) / MIME_ROW_SIZE
    .byte   (Lmime_end - Lmime_rows) / MIME_ROW_SIZE
