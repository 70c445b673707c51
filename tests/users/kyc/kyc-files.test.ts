import { beforeAll, describe, expect, test, vi } from "vitest";
import { call, type SignedIn, testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import {
  ascii,
  asText,
  chunk,
  concat,
  exif,
  extendedWebp,
  file,
  jpeg,
  pdf,
  png,
  segment,
  webp,
} from "../../support/documents.ts";
import {
  codeOf,
  forgetUploads,
  KYC,
  keysOf,
  newUser,
  storedBytes,
  submit,
  whole,
  withoutWriteLimit,
} from "../../support/kyc.ts";

let user: SignedIn;
beforeAll(async () => {
  user = await newUser();
});

async function send(bytes: Uint8Array) {
  await forgetUploads(user);
  return submit(user, whole({ document_front: file(bytes) }), { env: withoutWriteLimit });
}

/** Expects that the file is refused with an error on its field. */
async function expectRefused(name: string, bytes: Uint8Array): Promise<void> {
  const answer = await send(bytes);
  expect(codeOf(answer), name).toEqual([400, "validation_error"]);
  expect(Object.keys(answer.body.error.details), name).toEqual(["document_front"]);
}

/** Submits the file and returns the stored bytes and their type. */
async function keep(bytes: Uint8Array): Promise<{ stored: Uint8Array; type: string | undefined }> {
  const answer = await send(bytes);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  const [key = ""] = await keysOf(user);
  return { stored: await storedBytes(user), type: (await testEnv.KYC_BUCKET.head(key))?.httpMetadata?.contentType };
}

const samples = { jpeg: jpeg(), png: png(), webp: webp(), "extended webp": extendedWebp("place"), pdf: pdf() };
const PLACE = "27.7172N 85.3240E";

describe("the type of a KYC file is detected from its content", () => {
  test.each([
    ["image/jpeg", jpeg()],
    ["image/png", png()],
    ["image/webp", webp()],
    ["application/pdf", pdf()],
  ])("as %s, whatever its name and declared type", async (type, bytes) => {
    for (const [name, declared] of [
      ["id.html", "text/html"],
      ["id", "application/octet-stream"],
    ] as const) {
      await forgetUploads(user);
      const answer = await submit(user, whole({ document_front: file(bytes, name, declared) }));
      expect(answer.status).toBe(201);
      const [key = ""] = await keysOf(user);
      expect((await testEnv.KYC_BUCKET.head(key))?.httpMetadata).toEqual({ contentType: type });
    }
  });

  test.each<[string, Uint8Array]>([
    ["HTML named id.jpg", ascii("<!doctype html><script>alert(1)</script>")],
    ["SVG", ascii('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')],
    ["GIF", ascii("GIF89a\x01\0\x01\0\0\0\0;")],
    ["a ZIP", ascii("PK\x03\x04 archive")],
    ["a Windows program", ascii("MZ\x90\0")],
    ["a shell script", ascii("#!/bin/sh\nrm -rf /")],
    ["HEIC", concat([0, 0, 0, 24], "ftypheic")],
    ["TIFF", ascii("II*\0")],
    ["only the first bytes of a JPEG", new Uint8Array([0xff, 0xd8, 0xff])],
    ["only the signature of a PNG", ascii("\x89PNG\r\n\x1a\n")],
    ["a WAV sound", concat("RIFF", [4, 0, 0, 0], "WAVE")],
    ["zeros", new Uint8Array(5000)],
  ])("so %s is refused", expectRefused);
});

describe("KYC files that contain a second file", () => {
  const foreign: [string, Uint8Array][] = [
    ["HTML", ascii("<html><script>alert(document.domain)</script></html>")],
    ["a ZIP", ascii(`PK\x03\x04${"x".repeat(60)}PK\x05\x06${"\0".repeat(18)}`)],
    ["a script", ascii("#!/bin/sh\necho hello, this is longer than padding")],
    ["a PDF", pdf()],
    ["a PNG", png()],
  ];

  const isPdf = (bytes: Uint8Array) => asText(bytes).startsWith("%PDF");

  test.each(foreign.filter(([name]) => name !== "a PNG"))("are refused with %s in front", async (_name, bytes) => {
    for (const [name, sample] of Object.entries(samples)) {
      // Two PDFs in a row are one PDF with an update.
      if (!isPdf(bytes) || !isPdf(sample)) await expectRefused(name, concat(bytes, sample));
    }
  });

  test.each(foreign)("are reduced to the image if %s follows it", async (_name, bytes) => {
    for (const sample of Object.values(samples)) {
      if (isPdf(sample)) continue;
      const alone = asText((await keep(sample)).stored);
      expect(asText((await keep(concat(sample, bytes))).stored)).toBe(alone);
    }
  });

  test.each(foreign.filter(([, bytes]) => !isPdf(bytes)))("are refused if %s follows a PDF", async (name, bytes) => {
    await expectRefused(name, concat(pdf(), bytes));
  });

  test("padding after the end is removed from an image and kept in a PDF", async () => {
    expect(asText((await keep(png({ trailer: ascii("\n\n") }))).stored)).toBe(asText(png()));
    expect(asText((await keep(concat(webp(), "\0\0"))).stored)).toBe(asText(webp()));
    const padded = pdf(`\r\n  ${"\0".repeat(5000)}\r\n`);
    expect(asText((await keep(padded)).stored)).toBe(asText(padded));
  });
});

describe("a truncated KYC file of any length is refused", () => {
  test.each(Object.entries(samples))("%s", async (name, bytes) => {
    // The last byte of the PDF is the line end after its end marker.
    const shortest = name === "pdf" ? bytes.length - 2 : bytes.length - 1;
    for (let length = 1; length <= shortest; length++) await expectRefused(`${length} bytes`, bytes.slice(0, length));
  });
});

test("a KYC PNG with one changed bit is refused, whichever byte has it", async () => {
  for (const [at, byte] of png().entries()) {
    await expectRefused(`byte ${at}`, png().with(at, byte ^ (1 << (at % 8))));
  }
});

describe("the dimensions in the header of a KYC image are checked", () => {
  test.each<[string, Uint8Array]>([
    ["a PNG of 30,000 × 30,000", png({ width: 30_000, height: 30_000 })],
    ["a PNG of the greatest size", png({ width: 0xffff_ffff, height: 0xffff_ffff })],
    ["a PNG one row over 8192 × 8192", png({ width: 8192, height: 8193 })],
    ["a JPEG one column over 8192 × 8192", jpeg({ width: 8193, height: 8192 })],
    ["a PNG of one row with one pixel more than 8192 × 8192", png({ width: 67_108_865, height: 1 })],
    ["a JPEG of 65,000 × 65,000", jpeg({ width: 65_000, height: 65_000 })],
    ["a WebP of 16,383 × 16,383", extendedWebp("place", { width: 16_383, height: 16_383 })],
    ["a PNG without width", png({ width: 0 })],
    ["a JPEG without height", jpeg({ height: 0 })],
    ["an animated WebP", extendedWebp("place", { flags: 0x02 })],
    ["a PNG with two headers", png({ chunks: [chunk("IHDR", [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])] })],
    ["a PNG with an unknown critical chunk", png({ chunks: [chunk("ABCD", "x")] })],
    ["a PNG without pixels", concat("\x89PNG\r\n\x1a\n", png().slice(8, 33), chunk("IEND"))],
    ["a JPEG with two frames", jpeg({ segments: [segment(0xc0, [8, 0, 8, 0, 8, 1, 1, 0x11, 0])] })],
    ["a lossless JPEG", jpeg({ segments: [segment(0xc3, [8, 0, 8, 0, 8, 1, 1, 0x11, 0])] })],
    ["a WebP without a valid picture", concat(webp().slice(0, 20), new Uint8Array(24))],
  ])("so %s is refused", expectRefused);

  test("8192 × 8192 pixels are allowed in any shape", async () => {
    expect((await keep(png({ width: 8192, height: 8192 }))).type).toBe("image/png");
    expect((await keep(jpeg({ width: 8192, height: 8192 }))).type).toBe("image/jpeg");
    expect((await keep(extendedWebp("place", { width: 8192, height: 8192 }))).type).toBe("image/webp");
    expect((await keep(png({ width: 16_384, height: 4096 }))).type).toBe("image/png");
  });
});

describe("camera metadata is removed from KYC images", () => {
  test("a JPEG loses Exif, XMP, IPTC, comments and thumbnails but keeps its orientation", async () => {
    const icc = segment(0xe2, "ICC_PROFILE\0\x01\x01profile");
    const adobe = segment(0xee, "Adobe\0\x64\0\0\0\0\x01");
    const bytes = jpeg({
      segments: [
        exif(6, PLACE),
        segment(0xe1, `http://ns.adobe.com/xap/1.0/\0<x>${PLACE}</x>`),
        icc,
        segment(0xe2, `MPF\0${PLACE}`),
        segment(0xed, `Photoshop 3.0\0${PLACE}`),
        adobe,
        segment(0xfe, PLACE),
        segment(0xe0, `JFXX\0${PLACE}`),
      ],
    });
    const { stored } = await keep(bytes);
    expect(asText(bytes)).toContain(PLACE);
    expect(asText(stored)).not.toContain(PLACE);
    const orientation = [
      0xff,
      0xe1,
      0,
      34,
      ...ascii("Exif\0\0MM\0*"),
      0,
      0,
      0,
      8,
      0,
      1,
      1,
      18,
      0,
      3,
      0,
      0,
      0,
      1,
      0,
      6,
      0,
      0,
    ];
    const expected = asText(jpeg({ segments: [concat([...orientation, 0, 0, 0, 0]), icc, adobe] }));
    expect(asText(stored)).toBe(expected);
  });

  test("a JPEG without a valid orientation loses all Exif", async () => {
    for (const orientation of [0, 1, 9, 65_535]) {
      const { stored } = await keep(jpeg({ segments: [exif(orientation, PLACE)] }));
      expect(asText(stored)).toBe(asText(jpeg()));
    }
    const nonsense = segment(0xe1, concat("Exif\0\0II*\0", [0xff, 0xff, 0xff, 0xff]));
    expect(asText((await keep(jpeg({ segments: [nonsense] }))).stored)).toBe(asText(jpeg()));
  });

  test("a PNG loses eXIf, texts and times", async () => {
    const texts = ["tEXt", "zTXt", "iTXt", "eXIf", "tIME", "prVt"].map((type) => chunk(type, `Location\0${PLACE}`));
    const colours = chunk("gAMA", [0, 0, 0xb1, 0x8f]);
    const { stored } = await keep(png({ chunks: [...texts, colours] }));
    expect(asText(stored)).toBe(asText(png({ chunks: [colours] })));
  });

  test("a WebP loses Exif and XMP, and its flags and size are updated", async () => {
    const { stored } = await keep(extendedWebp(PLACE));
    expect(asText(stored)).not.toContain(PLACE);
    expect(asText(stored.slice(0, 4))).toBe("RIFF");
    expect(new DataView(stored.buffer).getUint32(4, true)).toBe(stored.length - 8);
    expect(asText(stored.slice(12, 16))).toBe("VP8X");
    expect(stored[20]).toBe(0);
    expect(asText(stored.slice(30))).toBe(asText(webp().slice(12)));
  });

  test("an image without metadata stays byte for byte the same", async () => {
    for (const bytes of [jpeg(), png(), webp(), pdf(""), pdf()]) {
      expect(asText((await keep(bytes)).stored)).toBe(asText(bytes));
    }
  });
});

describe("the body of a KYC upload is read within limits", () => {
  const MB = 1024 * 1024;
  const BOUNDARY = "b";
  const heading = (name: string, more = '; filename="x.jpg"') =>
    ascii(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`);
  const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };

  /** A body that is generated while it is read and counts the bytes taken from it. */
  function endless(parts: Iterator<Uint8Array>) {
    const read = { bytes: 0, wasCancelled: false };
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const { done, value } = parts.next();
          if (done) return controller.close();
          read.bytes += value.length;
          controller.enqueue(value);
        },
        cancel() {
          read.wasCancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    return { read, stream };
  }

  function* megabytes(count: number, first: Uint8Array) {
    yield first;
    for (let i = 0; i < count * 16; i++) yield new Uint8Array(MB / 16).fill(0x41);
  }

  async function post(raw: ReadableStream, more: Record<string, string> = {}) {
    await forgetUploads(user);
    return call("POST", KYC, { token: user.access, raw, headers: { ...headers, ...more }, env: withoutWriteLimit });
  }

  test.each([
    ["a file", heading("document_front"), 8],
    ["an undeclared file", heading("selfie"), 8],
    ["a text", heading("document_number", ""), 8],
    ["a heading", ascii(`--${BOUNDARY}\r\nContent-Disposition: form-data; x="`), 1],
  ])(
    "a body of 200 MB in %s without Content-Length gets 413 after at most a few MB",
    async (_name, first, atMostMegabytes) => {
      const { read, stream } = endless(megabytes(200, first));
      expect(codeOf(await post(stream))).toEqual([413, "payload_too_large"]);
      expect(read.bytes).toBeLessThan((atMostMegabytes + 0.25) * MB);
      expect(read.wasCancelled).toBe(true);
    },
  );

  test("at most 17 MB are read of many files of 7 MB", async () => {
    function* parts() {
      for (let i = 0; i < 40; i++) yield* megabytes(7, concat(i ? "\r\n" : "", heading(`part${i}`)));
    }
    const { read, stream } = endless(parts());
    expect(codeOf(await post(stream))).toEqual([413, "payload_too_large"]);
    expect(read.bytes).toBeLessThan(17.25 * MB);
  });

  test("a body with too many parts or more than 64 KB of text is refused as too large", async () => {
    const many = new FormData();
    for (let i = 0; i < 30; i++) many.append(`part${i}`, "x");
    expect(codeOf(await call("POST", KYC, { token: user.access, raw: many }))).toEqual([413, "payload_too_large"]);
    const long = new FormData();
    for (let i = 0; i < 10; i++) long.append(`part${i}`, "x".repeat(7_000));
    expect(codeOf(await call("POST", KYC, { token: user.access, raw: long }))).toEqual([413, "payload_too_large"]);
  });

  test("a body with two files of 8 MB is accepted", async () => {
    const big = (size: number) => {
      const content = new Uint8Array(size - png().length - 12);
      return new Uint8Array([...png().slice(0, -12), ...chunk("IDAT", content), ...chunk("IEND")]);
    };
    const exact = big(8 * MB);
    expect(exact.length).toBe(8 * MB);
    await forgetUploads(user);
    const answer = await submit(
      user,
      whole({ document_front: new File([exact], "a"), document_back: new File([exact], "b") }),
    );
    expect(answer.status).toBe(201);
    expect(await keysOf(user)).toHaveLength(2);
  });

  test("the error names the file that is too large and the limit", async () => {
    const tooBig = (size: number) => new File([new Uint8Array(size)], "a");
    for (const [parts, name] of [
      [whole({ document_front: tooBig(8 * MB + 1) }), "document_front"],
      [whole({ document_back: tooBig(9 * MB) }), "document_back"],
      [whole({ document_front: tooBig(20 * MB) }), "document_front"],
    ] as const) {
      await forgetUploads(user);
      const answer = await submit(user, parts);
      expect(codeOf(answer)).toEqual([413, "payload_too_large"]);
      expect(answer.body.error.message).toContain("8 MB");
      expect(answer.body.error.details).toEqual({ [name]: ["Must be at most 8 MB."] });
    }
    await forgetUploads(user);
    const unknown = await submit(user, whole({ selfie: tooBig(9 * MB) }));
    expect(codeOf(unknown)).toEqual([413, "payload_too_large"]);
    expect(unknown.body.error.details).toBeUndefined();
  });

  test("the size is counted whatever Content-Length says", async () => {
    const { read, stream } = endless(megabytes(200, heading("document_front")));
    expect(codeOf(await post(stream, { "content-length": String(18 * MB) }))).toEqual([413, "payload_too_large"]);
    expect(read.bytes).toBeLessThan(8.25 * MB);
    const small = endless(megabytes(200, heading("document_front")));
    expect(codeOf(await post(small.stream, { "content-length": "100" }))).toEqual([413, "payload_too_large"]);
    expect(small.read.bytes).toBeLessThan(8.25 * MB);
  });

  test("an interrupted, non-multipart or compressed body is refused", async () => {
    const start = concat(heading("document_front"), jpeg());
    for (const body of [start, concat(start, `\r\n--${BOUNDARY}`), ascii("nothing of the kind"), ascii("")]) {
      expect(codeOf(await call("POST", KYC, { token: user.access, raw: body, headers }))).toEqual([
        400,
        "validation_error",
      ]);
    }
    const broken = new ReadableStream({
      pull(controller) {
        controller.error(new Error("the phone lost its signal"));
      },
    });
    expect(codeOf(await post(broken))).toEqual([400, "validation_error"]);
    const unnamed = { "content-type": "multipart/form-data" };
    expect(codeOf(await call("POST", KYC, { token: user.access, raw: start, headers: unnamed }))).toEqual([
      400,
      "validation_error",
    ]);
    const zipped = { ...headers, "content-encoding": "gzip" };
    expect(codeOf(await call("POST", KYC, { token: user.access, raw: start, headers: zipped }))).toEqual([
      415,
      "unsupported_media_type",
    ]);
  });

  test("a body in one-byte chunks with a preamble and an epilogue is accepted", async () => {
    await forgetUploads(user);
    const body = concat(
      heading("document_front", '; filename="x"'),
      jpeg(),
      "\r\n",
      heading("document_number", ""),
      "12-345",
      `\r\n--${BOUNDARY}--\r\nan epilogue`,
    );
    const bytes = body[Symbol.iterator]();
    function* pieces() {
      for (const byte of bytes) yield Uint8Array.of(byte);
    }
    const answer = await post(endless(pieces()).stream);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(asText(await storedBytes(user))).toBe(asText(jpeg()));
  });

  test("a body that stalls for two minutes is abandoned", async () => {
    stopClock({ timers: true });
    let wasCancelled = false;
    let isWaiting = () => {};
    const waiting = new Promise<void>((resolve) => {
      isWaiting = resolve;
    });
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          controller.enqueue(heading("document_front"));
          isWaiting();
          return new Promise(() => {});
        },
        cancel() {
          wasCancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const answer = post(stream);
    await waiting;
    vi.advanceTimersByTime(120_000);
    vi.useRealTimers();
    expect(codeOf(await answer)).toEqual([400, "validation_error"]);
    expect(wasCancelled).toBe(true);
  });

  test("too many concurrent uploads in an isolate get 503, do not count, and their memory is released", async () => {
    await forgetUploads(user);
    const gates: (() => void)[] = [];
    const held = Array.from({ length: 6 }, () => {
      const gate = new Promise<void>((resolve) => gates.push(resolve));
      let sent = 0;
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (sent === 0) controller.enqueue(heading("selfie"));
          if (sent === 7 * MB) {
            controller.enqueue(concat("\r\n", heading("other")));
          }
          if (sent === 10 * MB) {
            await gate;
            return controller.close();
          }
          sent += MB / 2;
          controller.enqueue(new Uint8Array(MB / 2));
        },
      });
    });
    const answers = held.map((stream) => post(stream));
    const first = await Promise.any(answers.map(async (answer) => ({ answer: await answer })));
    expect(codeOf(first.answer)).toEqual([503, "service_unavailable"]);
    expect(Number(first.answer.headers.get("retry-after"))).toBeGreaterThan(0);
    for (const open of gates) open();
    // The other bodies end without the closing delimiter.
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 400).length).toBeGreaterThanOrEqual(3);
    expect(statuses.filter((status) => status === 400).length).toBeLessThanOrEqual(4);
    expect(await rows("select 1 from kyc_uploads where user_id = ? and counts", user.userId)).toEqual([]);
    expect((await send(jpeg())).status).toBe(201);
    expect(await keysOf(user)).toHaveLength(1);
  });
});
