// One small file per trait of real-world files, and its expected outcome.

import { ascii, type Bytes, chunk, concat, JFIF, little, riff, riffChunk, segment } from "../documents.ts";
import { pdfTraits } from "./pdf-traits.ts";
import { drawing, exifSegment, extended, fileType, losslessChunk, photo, tiff } from "./pictures.ts";

export type Verdict =
  /** Stored as exactly these bytes. */
  | { type: "image/jpeg" | "image/png" | "image/webp" | "application/pdf"; kept: Bytes }
  /** Refused with this code and the detected format. */
  | { refused: string; format?: string };

export type Trait = readonly [name: string, bytes: Bytes, verdict: Verdict];

/** Represents the location and personal data that a camera writes. */
export const PLACE = "27.7172N 85.3240E";
const DAMAGED = { refused: "file_damaged" };
const UNKNOWN = { refused: "not_document" };
const NOT_SHOWN = { refused: "unsupported_jpeg" };
const picture = (format: string): Verdict => ({ refused: "picture_format", format });
const otherFile = (format: string): Verdict => ({ refused: "file_format", format });

/** Only the orientation, as big-endian TIFF. */
const orientationAlone = (orientation: number) =>
  concat("MM\0*", [0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
const onlyOrientation = (orientation: number) => segment(0xe1, concat("Exif\0\0", orientationAlone(orientation)));

const jpeg = (kept: Bytes = photo()): Verdict => ({ type: "image/jpeg", kept });
const icc = segment(0xe2, concat("ICC_PROFILE\0\x01\x01", "a profile"));
const adobe = segment(0xee, concat("Adobe\0", [100, 0, 0, 0, 0, 2]));
/** With a thumbnail of this size, three bytes a pixel. */
const jfifWith = (width: number, height: number, pixels: string) =>
  segment(0xe0, concat("JFIF\0", [1, 1, 0, 0, 1, 0, 1, width, height], pixels));
const behind = (trailer: Bytes | string) => photo({ trailer: concat(trailer) });
const film = concat(fileType("mp42", "isom"), "x".repeat(300));

const jpegs: readonly Trait[] = [
  ["jpeg-baseline", photo(), jpeg()],
  ["jpeg-three-components", photo({ components: 3 }), jpeg(photo({ components: 3 }))],
  [
    "jpeg-four-components-of-adobe",
    photo({ components: 4, before: [adobe] }),
    jpeg(photo({ components: 4, before: [adobe] })),
  ],
  [
    "jpeg-progressive-of-many-scans",
    photo({ components: 3, isProgressive: true }),
    jpeg(photo({ components: 3, isProgressive: true })),
  ],
  ["jpeg-with-restart-markers", photo({ restart: 1 }), jpeg(photo({ restart: 1 }))],
  ["jpeg-with-fill-bytes", photo({ fill: 3 }), jpeg()],
  [
    "jpeg-held-upright-big-endian",
    photo({ before: [exifSegment(6, PLACE)] }),
    jpeg(photo({ before: [onlyOrientation(6)] })),
  ],
  [
    "jpeg-held-upright-little-endian",
    photo({ before: [exifSegment(8, PLACE, true)] }),
    jpeg(photo({ before: [onlyOrientation(8)] })),
  ],
  ["jpeg-that-says-it-is-upright", photo({ before: [exifSegment(1, PLACE)] }), jpeg()],
  [
    "jpeg-with-exif-and-no-jfif",
    photo({ first: [exifSegment(3, PLACE)] }),
    jpeg(photo({ first: [onlyOrientation(3)] })),
  ],
  [
    "jpeg-with-exif-before-jfif",
    photo({ first: [exifSegment(3, PLACE), JFIF] }),
    jpeg(photo({ first: [onlyOrientation(3), JFIF] })),
  ],
  [
    "jpeg-whose-second-exif-contradicts-the-first",
    photo({ before: [exifSegment(1, PLACE), exifSegment(6, PLACE)] }),
    jpeg(),
  ],
  [
    "jpeg-with-xmp-iptc-comment-and-maker-blocks",
    photo({
      before: [
        segment(0xe1, `http://ns.adobe.com/xap/1.0/\0<x>${PLACE}</x>`),
        segment(0xed, `Photoshop 3.0\0${PLACE}`),
        segment(0xfe, PLACE),
        segment(0xe5, PLACE),
        segment(0xef, PLACE),
      ],
    }),
    jpeg(),
  ],
  [
    "jpeg-with-a-thumbnail-that-has-its-own-end",
    photo({ before: [segment(0xe1, concat("Exif\0\0II", photo()))] }),
    jpeg(),
  ],
  ["jpeg-with-a-thumbnail-in-its-first-header", photo({ first: [jfifWith(2, 2, "\xffsmall view.")] }), jpeg()],
  [
    "jpeg-with-a-thumbnail-and-exif-in-any-order",
    photo({ first: [exifSegment(8, PLACE), jfifWith(5, 1, PLACE), jfifWith(1, 5, PLACE)] }),
    jpeg(photo({ first: [onlyOrientation(8), JFIF] })),
  ],
  ["jpeg-with-text-in-its-first-header", photo({ first: [jfifWith(0, 0, PLACE)] }), jpeg()],
  ["jpeg-with-a-jfif-extension", photo({ before: [segment(0xe0, concat("JFXX\0\x10", photo()))] }), jpeg()],
  ["jpeg-with-a-colour-profile", photo({ before: [icc, adobe] }), jpeg(photo({ before: [icc, adobe] }))],
  ["jpeg-with-stray-bytes-between-segments", photo({ before: [ascii(`\0\x01 ${PLACE}`)] }), jpeg()],
  ["jpeg-with-stray-bytes-before-its-scan", photo({ between: [ascii("\0\0\0")] }), jpeg()],
  ["jpeg-with-a-stray-stuffed-zero", photo({ before: [new Uint8Array([0xff, 0x00, 0x41])] }), jpeg()],
  ["jpeg-with-a-stray-restart-marker", photo({ before: [new Uint8Array([0xff, 0xd3])] }), jpeg()],
  [
    "jpeg-of-several-pictures",
    photo({ before: [segment(0xe2, `MPF\0${PLACE}`)], trailer: photo({ before: [exifSegment(6, PLACE)] }) }),
    jpeg(),
  ],
  ["jpeg-and-a-film-behind-it", behind(film), jpeg()],
  ["jpeg-and-a-film-with-its-mark", behind(concat(film, "MotionPhoto_Data", film)), jpeg()],
  ["jpeg-and-a-samsung-block", behind(`MotionPhoto_Data${PLACE}SEFH\x01\0\0\0SEFT`), jpeg()],
  ["jpeg-and-a-block-without-any-mark", behind(concat([0x17, 0x2a, 0x00, 0xff, 0x80], PLACE.repeat(20))), jpeg()],
  ["jpeg-and-json-of-its-maker", behind(`{"watermark":"${PLACE}","device":"phone"}0123`), jpeg()],
  ["jpeg-and-zeros", behind("\0".repeat(4096)), jpeg()],
  ["jpeg-and-an-archive", behind(`PK\x03\x04${PLACE}PK\x05\x06${"\0".repeat(18)}`), jpeg()],
  ["jpeg-and-html", behind("<html><script>alert(1)</script></html>"), jpeg()],
  ["jpeg-and-a-line-end", behind("\r\n"), jpeg()],
  ["jpeg-cut-off-in-its-scan", photo().slice(0, -8), DAMAGED],
  ["jpeg-without-its-end", photo().slice(0, -2), DAMAGED],
  ["jpeg-cut-off-in-a-header", photo().slice(0, 40), DAMAGED],
  ["jpeg-whose-scan-is-empty", photo({ hasData: false }), DAMAGED],
  ["jpeg-without-quantization-tables", photo({ hasQuantization: false }), DAMAGED],
  ["jpeg-of-twelve-bits", photo({ precision: 12, frame: 0xc1 }), NOT_SHOWN],
  ["jpeg-progressive-of-twelve-bits", photo({ precision: 12, isProgressive: true }), NOT_SHOWN],
  ["jpeg-of-sixteen-bits", photo({ precision: 16, frame: 0xc1 }), NOT_SHOWN],
  ["jpeg-lossless", photo({ frame: 0xc3 }), NOT_SHOWN],
  ["jpeg-arithmetic", photo({ frame: 0xc9 }), NOT_SHOWN],
  ["jpeg-hierarchical", photo({ before: [segment(0xde, [8, 0, 8, 0, 8, 1, 1, 0x11, 0])] }), NOT_SHOWN],
  ["jpeg-that-is-html", ascii("<!doctype html><img src=x onerror=alert(1)>"), UNKNOWN],
];

/** The bytes with the bits of the one at `at` inverted; a negative `at` counts from the end. */
function flipped(bytes: Bytes, at: number): Bytes {
  const position = at < 0 ? bytes.length + at : at;
  return bytes.map((byte, i) => (i === position ? byte ^ 0xff : byte));
}

const png = (kept: Bytes = drawing()): Verdict => ({ type: "image/png", kept });
/** With these chunks in place of its pixels. */
const pixelsOf = (...chunks: Bytes[]) => concat(drawing().slice(0, 33), ...chunks, chunk("IEND"));
const exifChunk = (orientation: number) => chunk("eXIf", orientationAlone(orientation));

const pngs: readonly Trait[] = [
  ["png-grey", drawing(), png()],
  ["png-of-sixteen-bits", drawing({ depth: 16, line: 16 }), png(drawing({ depth: 16, line: 16 }))],
  ["png-of-one-bit", drawing({ depth: 1, line: 1 }), png(drawing({ depth: 1, line: 1 }))],
  [
    "png-with-a-palette",
    drawing({
      colour: 3,
      depth: 1,
      line: 1,
      before: [chunk("PLTE", [0, 90, 30, 250, 250, 0]), chunk("tRNS", [255, 9])],
    }),
    png(
      drawing({
        colour: 3,
        depth: 1,
        line: 1,
        before: [chunk("PLTE", [0, 90, 30, 250, 250, 0]), chunk("tRNS", [255, 9])],
      }),
    ),
  ],
  ["png-with-transparency", drawing({ colour: 6, line: 32 }), png(drawing({ colour: 6, line: 32 }))],
  ["png-in-many-chunks", drawing({ split: 40 }), png(drawing({ split: 40 }))],
  [
    "png-with-texts-and-times",
    drawing({
      before: [
        chunk("tEXt", `Location\0${PLACE}`),
        chunk("iTXt", `XML:com.adobe.xmp\0\0\0\0\0${PLACE}`),
        chunk("tIME", [7, 234, 11, 30, 1, 2, 3]),
      ],
      after: [chunk("zTXt", PLACE)],
    }),
    png(),
  ],
  ["png-held-upright", drawing({ before: [chunk("eXIf", tiff(6, PLACE))] }), png(drawing({ before: [exifChunk(6)] }))],
  [
    "png-held-upright-little-endian",
    drawing({ before: [chunk("eXIf", tiff(5, PLACE, true))] }),
    png(drawing({ before: [exifChunk(5)] })),
  ],
  [
    "png-whose-exif-follows-the-pixels",
    drawing({ after: [chunk("eXIf", tiff(8, PLACE))] }),
    png(drawing({ after: [exifChunk(8)] })),
  ],
  ["png-that-says-it-is-upright", drawing({ before: [chunk("eXIf", tiff(1, PLACE))] }), png()],
  [
    "png-with-colours",
    drawing({ before: [chunk("gAMA", [0, 0, 0xb1, 0x8f]), chunk("sRGB", [0])] }),
    png(drawing({ before: [chunk("gAMA", [0, 0, 0xb1, 0x8f]), chunk("sRGB", [0])] })),
  ],
  [
    "png-animated",
    drawing({ before: [chunk("acTL", [0, 0, 0, 1, 0, 0, 0, 0])], after: [chunk("fdAT", [0, 0, 0, 1])] }),
    png(),
  ],
  ["png-and-zeros", drawing({ trailer: new Uint8Array(300) }), png()],
  ["png-and-an-archive", drawing({ trailer: ascii(`PK\x03\x04${PLACE}`) }), png()],
  ["png-and-another-png", drawing({ trailer: drawing() }), png()],
  ["png-cut-off", drawing().slice(0, -1), DAMAGED],
  ["png-without-pixels", pixelsOf(), DAMAGED],
  ["png-with-a-critical-chunk-that-nobody-knows", drawing({ before: [chunk("CgBI", [0, 0, 0, 0])] }), DAMAGED],
  ["png-of-an-unknown-depth", drawing({ depth: 3 }), DAMAGED],
  ["png-with-a-wrong-checksum-of-its-header", flipped(drawing(), 32), DAMAGED],
  ["png-with-a-wrong-checksum-of-its-pixels", flipped(drawing(), -13), DAMAGED],
  ["png-with-a-wrong-checksum-of-its-end", flipped(drawing(), -1), DAMAGED],
  ["png-with-a-wrong-pixel", flipped(drawing(), 60), DAMAGED],
  ["png-with-a-wrong-checksum-of-a-text", drawing({ before: [flipped(chunk("tEXt", PLACE), -1)] }), DAMAGED],
  ["png-whose-pixels-are-empty", pixelsOf(chunk("IDAT")), DAMAGED],
  ["png-whose-pixels-are-no-zlib-stream", pixelsOf(chunk("IDAT", "not a stream of pixels")), DAMAGED],
  ["png-whose-zlib-header-has-wrong-check-bits", pixelsOf(chunk("IDAT", [0x78, 0x02, 1, 0, 0])), DAMAGED],
  ["png-whose-zlib-stream-has-a-dictionary", pixelsOf(chunk("IDAT", [0x78, 0x20, 1, 0, 0])), DAMAGED],
  [
    "png-whose-pixels-begin-with-empty-chunks",
    drawing({ before: [chunk("IDAT"), chunk("IDAT")], split: 200 }),
    png(drawing({ before: [chunk("IDAT"), chunk("IDAT")], split: 200 })),
  ],
  ["png-with-a-text-between-its-pixels", drawing({ after: [chunk("tEXt", PLACE), chunk("IDAT", "x")] }), DAMAGED],
  ["png-without-its-palette", drawing({ colour: 3 }), DAMAGED],
  ["png-whose-palette-is-empty", drawing({ colour: 3, before: [chunk("PLTE")] }), DAMAGED],
  ["png-whose-palette-is-cut-off", drawing({ colour: 3, before: [chunk("PLTE", [1, 2, 3, 4])] }), DAMAGED],
  ["png-whose-palette-follows-its-pixels", drawing({ colour: 3, after: [chunk("PLTE", [1, 2, 3])] }), DAMAGED],
  [
    "png-of-two-palettes",
    drawing({ colour: 3, before: [chunk("PLTE", [1, 2, 3]), chunk("PLTE", [1, 2, 3])] }),
    DAMAGED,
  ],
];

const webp = (kept: Bytes): Verdict => ({ type: "image/webp", kept });
const plain = riff(losslessChunk());
/** A lossy picture with eight bytes of data, of which this number belongs to the first partition. */
const lossyOf = (first: number) =>
  riff(riffChunk("VP8 ", [...little((first << 5) | 0x10, 3), 0x9d, 0x01, 0x2a, 1, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8]));
const exifOf = (content: Uint8Array) => riffChunk("EXIF", content);

const webps: readonly Trait[] = [
  ["webp-lossless", plain, webp(plain)],
  ["webp-extended", riff(extended(0), losslessChunk()), webp(riff(extended(0), losslessChunk()))],
  [
    "webp-with-exif-and-xmp",
    riff(extended(0x0c), losslessChunk(), exifOf(ascii(PLACE)), riffChunk("XMP ", PLACE)),
    webp(riff(extended(0), losslessChunk())),
  ],
  [
    "webp-held-upright",
    riff(extended(0x08), losslessChunk(), exifOf(tiff(6, PLACE))),
    webp(riff(extended(0x08), losslessChunk(), exifOf(orientationAlone(6)))),
  ],
  [
    "webp-held-upright-with-the-header-of-jpeg",
    riff(extended(0x0c), losslessChunk(), exifOf(concat("Exif\0\0", tiff(3, PLACE, true)))),
    webp(riff(extended(0x08), losslessChunk(), exifOf(orientationAlone(3)))),
  ],
  [
    "webp-with-an-unknown-chunk",
    riff(extended(0), riffChunk("GPS ", PLACE), losslessChunk()),
    webp(riff(extended(0), losslessChunk())),
  ],
  [
    "webp-of-odd-length-without-padding",
    riff(extended(0x20), losslessChunk(), riffChunk("ICCP", "odd", false)),
    webp(riff(extended(0x20), losslessChunk(), riffChunk("ICCP", "odd"))),
  ],
  ["webp-and-zeros", concat(plain, new Uint8Array(50)), webp(plain)],
  ["webp-and-html", concat(plain, "<html><script>alert(1)</script></html>"), webp(plain)],
  ["webp-that-moves", riff(extended(0x02), losslessChunk()), { refused: "animated_picture" }],
  ["webp-cut-off", plain.slice(0, -1), DAMAGED],
  ["webp-lossless-without-data", riff(riffChunk("VP8L", losslessChunk().slice(8, 13))), DAMAGED],
  ["webp-lossy-without-its-second-partition", lossyOf(8), DAMAGED],
  ["webp-lossy-without-its-first-partition", lossyOf(0), DAMAGED],
  ["webp-of-two-pictures", riff(losslessChunk(), losslessChunk()), DAMAGED],
];

/** Start of an archive with the name of its first file. */
const archive = (name: string) => concat("PK\x03\x04", new Uint8Array(26), name);

const others: readonly Trait[] = [
  ["heic-of-an-iphone", fileType("heic", "mif1", "heic"), picture("HEIC")],
  ["heic-of-ten-bits", fileType("heix", "mif1"), picture("HEIC")],
  ["heic-under-its-general-name", fileType("mif1", "heic"), picture("HEIC")],
  ["heic-of-several-pictures", fileType("hevc", "msf1"), picture("HEIC")],
  ["heif-of-another-codec", fileType("mif1", "miaf"), picture("HEIF")],
  ["avif-still", fileType("avif", "mif1", "miaf"), picture("AVIF")],
  ["avif-sequence", fileType("avis", "msf1"), picture("AVIF")],
  ["avif-under-its-general-name", fileType("mif1", "avif"), picture("AVIF")],
  ["video-mp4", fileType("isom", "mp42"), { refused: "file_is_video" }],
  ["video-quicktime", fileType("qt  "), { refused: "file_is_video" }],
  ["gif", ascii("GIF89a\x01\0\x01\0\0\0\0;"), otherFile("GIF")],
  ["bmp", ascii(`BM${"\0".repeat(60)}`), otherFile("BMP")],
  ["tiff", concat(tiff(1, PLACE, true)), otherFile("TIFF")],
  ["svg", ascii('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'), otherFile("SVG")],
  ["office-document", archive("[Content_Types].xml"), otherFile("Office")],
  ["office-spreadsheet-of-another-program", archive("mimetype"), otherFile("Office")],
  ["archive", archive("passport.jpg"), otherFile("ZIP")],
  ["office-document-of-the-last-century", ascii("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), otherFile("Office")],
  ["zeros", new Uint8Array(500), UNKNOWN],
  ["text", ascii("a photo of my passport"), UNKNOWN],
];

export const traits: readonly Trait[] = [...jpegs, ...pngs, ...webps, ...pdfTraits, ...others];

const EXTENSIONS: Readonly<Record<string, string>> = { jpeg: "jpg", png: "png", webp: "webp", pdf: "pdf" };

/** File name of a trait. */
export function fileNameOf([name]: Trait): string {
  return `${name}.${EXTENSIONS[name.split("-")[0] ?? ""] ?? "bin"}`;
}

/** The outcome as text: the content type, or the error code with the detected format. */
export function verdictOf([, , verdict]: Trait): string {
  if (!("refused" in verdict)) return verdict.type;
  return [verdict.refused, ...(verdict.format ? [verdict.format] : [])].join(" ");
}
