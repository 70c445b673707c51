import { describe, expect, test } from "vitest";
import { call, newIp, type SignedIn, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { ascii, type Bytes, chunk, concat, file, jpeg, png, segment } from "../../support/documents.ts";
import {
  amend,
  codeOf,
  decide,
  KYC,
  keysOf,
  look,
  newNumber,
  newStaff,
  newUser,
  submit,
  whole,
} from "../../support/kyc.ts";
import { costOf } from "../../support/simulator/budget.ts";
import type { BindingCall } from "../../support/simulator/scheduler.ts";
import { Simulation } from "../../support/simulator/simulation.ts";

const clock = useClock();

const DAY = 24 * 60 * 60 * 1000;
const MB = 1024 * 1024;
const BOUNDARY = "b";
const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
const heading = (name: string) =>
  ascii(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="x.jpg"\r\n\r\n`);

const TOO_MANY = [429, "rate_limit_exceeded"];
const INVALID = [400, "validation_error"];
const notAPicture = () => whole({ document_front: file(ascii("not a picture")) });

/** Inserts this number of uploads by the user, a minute ago. */
async function haveUploaded({ userId }: SignedIn, count: number, counts: 0 | 1 = 1): Promise<void> {
  for (let i = 0; i < count; i++) {
    await run("insert into kyc_uploads values (?, ?, ?, ?)", crypto.randomUUID(), userId, counts, Date.now() - 60_000);
  }
}

/** A body of `first` and `blocks` times 64 KB that counts the bytes read from it. */
function longBody(first: Bytes, blocks: number, last: Bytes) {
  const read = { bytes: 0 };
  let sent = -1;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = sent < 0 ? first : sent < blocks ? new Uint8Array(MB / 16).fill(0x41) : last;
        read.bytes += piece.length;
        controller.enqueue(piece);
        if (sent++ === blocks) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return { read, stream };
}

const post = ({ access }: SignedIn, raw: ReadableStream | Bytes, more: Record<string, string> = {}) =>
  call("POST", KYC, { token: access, raw, headers: { ...headers, ...more } });

describe("daily limit of KYC uploads", () => {
  test("accepts ten uploads and refuses the eleventh until the first is a day old", async () => {
    const user = await newUser();
    for (let upload = 1; upload <= 10; upload++) {
      const parts = whole({ document_back: file(png()) });
      const answer =
        upload % 2 ? await submit(user, parts) : await amend(user, { multipart: { document_back: file(png()) } });
      expect(answer.headers.get("ratelimit")).toMatch(new RegExp(`^"kyc-uploads";r=${10 - upload};t=\\d+$`));
      clock.advance(60_000);
    }
    const refused = await submit(user);
    expect(codeOf(refused)).toEqual(TOO_MANY);
    expect(Number(refused.headers.get("retry-after"))).toBe(86_400 - 600);
    expect(refused.headers.get("ratelimit")).toBe(`"kyc-uploads";r=0;t=${86_400 - 600}`);
    expect(codeOf(await amend(user, { multipart: { document_front: file(png()) } }))).toEqual(TOO_MANY);
    for (const body of [{ json: { document_number: newNumber() } }, { multipart: { document_number: newNumber() } }]) {
      const { status, headers } = await amend(user, body);
      expect([status, headers.has("ratelimit")], `${Object.keys(body)} without files is no upload`).toEqual([
        200,
        false,
      ]);
    }
    expect((await submit(await newUser())).status, "another user").toBe(201);
    clock.advance(DAY - 10 * 60_000);
    const late = (await call("POST", "/api/auth/refresh", { json: { refresh_token: user.refresh } })).body.access;
    expect((await submit({ ...user, access: late })).status).toBe(201);
  });

  test("counts refused files, whatever the reason", async () => {
    const user = await newUser();
    const big = file(new Uint8Array(8 * MB + 1));
    const refused: [Record<string, string | File>, number][] = [
      [notAPicture(), 400],
      [whole({ document_back: file(ascii("%PDF-1.7 cut off")) }), 400],
      [whole({ document_front: file(png({ width: 60_000, height: 60_000 })) }), 400],
      [whole({ document_number: "1" }), 400],
      [{ document_front: file(jpeg()) }, 400],
      [whole({ document_front: file(new Uint8Array(3 * MB)) }), 400],
      [whole({ document_front: big }), 413],
      [{ document_number: newNumber(), document_back: big }, 413],
      [{ document_back: file(jpeg()) }, 400],
    ];
    for (const [parts, status] of refused) expect((await submit(user, parts)).status).toBe(status);
    expect((await submit(user)).status, "the tenth").toBe(201);
    expect(codeOf(await submit(user))).toEqual(TOO_MANY);
    expect(await rows("select 1 from kyc_uploads where user_id = ? and counts", user.userId)).toHaveLength(10);
  });

  test("applies to concurrent uploads", async () => {
    const user = await newUser();
    await haveUploaded(user, 7);
    const answers = await Promise.all(Array.from({ length: 12 }, () => submit(user, notAPicture())));
    const codes = answers.map((answer) => codeOf(answer).join(" "));
    expect(codes.filter((code) => code === INVALID.join(" "))).toHaveLength(3);
    expect(codes.filter((code) => code === TOO_MANY.join(" "))).toHaveLength(9);
  });

  test("is checked before the body is read, and a refusal costs one statement", async () => {
    const user = await newUser();
    await haveUploaded(user, 10);
    const declared = longBody(heading("document_front"), 100, ascii(`\r\n--${BOUNDARY}--`));
    expect(codeOf(await post(user, declared.stream, { "content-length": String(7 * MB) }))).toEqual(TOO_MANY);
    expect(declared.read.bytes).toBe(0);
    const chunked = longBody(heading("document_front"), 100, ascii(`\r\n--${BOUNDARY}--`));
    expect(codeOf(await post(user, chunked.stream))).toEqual(TOO_MANY);
    expect(chunked.read.bytes).toBeLessThan(0.25 * MB);
    const simulation = new Simulation(1);
    const answer = await simulation.call("POST", KYC, { token: user.access, ip: newIp(), multipart: whole() });
    if (answer === "died") throw new Error("the call died");
    expect(codeOf(answer)).toEqual(TOO_MANY);
    expect(costOf(simulation.log)).toMatchObject({ d1: 1, kv: 0, r2: 0, queue: 0 });
  });

  test("does not count interrupted or malformed bodies, but allows only thirty started uploads", async () => {
    const user = await newUser();
    const cut = () => longBody(heading("document_front"), 3, ascii("the end of nothing")).stream;
    expect(codeOf(await post(user, cut()))).toEqual(INVALID);
    expect(await rows("select counts from kyc_uploads where user_id = ?", user.userId)).toEqual([{ counts: 0 }]);
    await haveUploaded(user, 28, 0);
    expect(codeOf(await post(user, cut())), "the thirtieth").toEqual(INVALID);
    const refused = await submit(user);
    expect(codeOf(refused)).toEqual(TOO_MANY);
    expect(Number(refused.headers.get("retry-after"))).toBe(86_400 - 60);
    expect((await submit(await newUser())).status, "another user").toBe(201);
  });

  test("does not count an upload that failed because of R2", async () => {
    const user = await newUser();
    const simulation = new Simulation(1);
    const answer = await simulation.call(
      "POST",
      KYC,
      { token: user.access, ip: newIp(), multipart: whole() },
      { faults: ({ binding }) => (binding === "R2" ? "throw-before" : undefined) },
    );
    if (answer === "died") throw new Error("the call died");
    expect(answer.status).toBe(503);
    expect(await rows("select counts from kyc_uploads where user_id = ?", user.userId)).toEqual([{ counts: 0 }]);
  });

  test("does not count an upload whose claim got no answer from the database", async () => {
    const user = await newUser();
    const simulation = new Simulation(1);
    const seen: string[] = [];
    const faults = ({ binding, detail }: BindingCall) => {
      if (binding !== "D1") return undefined;
      seen.push(detail.join());
      const claims = seen.findIndex((statements) => statements.includes('insert into "kyc_uploads"'));
      return ([undefined, "throw-after", "throw-before"] as const)[claims < 0 ? 0 : seen.length - claims];
    };
    const options = { token: user.access, ip: newIp(), multipart: whole() };
    expect(await simulation.call("POST", KYC, options, { faults })).toMatchObject({ status: 503 });
    expect(await rows("select counts from kyc_uploads where user_id = ?", user.userId)).toEqual([{ counts: 0 }]);
  });

  test("neither blocks nor counts a repetition with the same idempotency key", async () => {
    const user = await newUser();
    const key = { headers: { "idempotency-key": "upload-of-the-day-1" } };
    const parts = whole();
    expect((await submit(user, parts, key)).status).toBe(201);
    await haveUploaded(user, 9);
    const again = await submit(user, parts, key);
    expect(again.status).toBe(201);
    expect(codeOf(await submit(user, { ...parts, document_front: file(ascii("x")) }, key))).toEqual([
      409,
      "idempotency_key_reused",
    ]);
    expect(await rows("select 1 from kyc_uploads where user_id = ? and counts", user.userId)).toHaveLength(10);
    expect(codeOf(await submit(user, parts))).toEqual(TOO_MANY);
  });

  test("does not count a call if another one with its idempotency key completes while its files arrive", async () => {
    const user = await newUser();
    const picture = concat(jpeg(), new Uint8Array(2 * 64 * 1024));
    const number = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="document_number"\r\n\r\n${newNumber()}`;
    const body = concat(heading("document_front"), picture, `\r\n${number}\r\n--${BOUNDARY}--`);
    const key = { "idempotency-key": "upload-of-the-day-2" };
    let pulls = 0;
    const slow = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          pulls += 1;
          if (pulls === 1) return controller.enqueue(body.slice(0, picture.length));
          expect((await post(user, body, key)).status).toBe(201);
          controller.enqueue(body.slice(picture.length));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    expect((await post(user, slow, key)).status).toBe(201);
    expect(await rows("select counts from kyc_uploads where user_id = ? order by counts", user.userId)).toEqual([
      { counts: 0 },
      { counts: 1 },
    ]);
  });

  test("does not count a call if another one with its idempotency key completes while its files are stored", async () => {
    const user = await newUser();
    const parts = whole();
    const key = { headers: { "idempotency-key": "upload-of-the-day-3" } };
    const put = async (...given: Parameters<R2Bucket["put"]>) => {
      expect((await submit(user, parts, key)).status).toBe(201);
      return testEnv.KYC_BUCKET.put(...given);
    };
    const KYC_BUCKET = { put, delete: testEnv.KYC_BUCKET.delete.bind(testEnv.KYC_BUCKET) } as unknown as R2Bucket;
    expect((await submit(user, parts, { ...key, env: { KYC_BUCKET } })).status).toBe(201);
    expect(await rows("select counts from kyc_uploads where user_id = ? order by counts", user.userId)).toEqual([
      { counts: 0 },
      { counts: 1 },
    ]);
  });

  test("does not count a call that may not change the KYC, whose body is not read", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    const early = longBody(heading("document_front"), 100, ascii(`\r\n--${BOUNDARY}--`));
    const patch = await call("PATCH", KYC, {
      token: user.access,
      raw: early.stream,
      headers: { ...headers, "content-length": String(7 * MB) },
    });
    expect(codeOf(patch)).toEqual([404, "not_found"]);
    await submit(user);
    await look(staff, user);
    await decide(staff, user, { status: "APPROVED" });
    const late = longBody(heading("document_front"), 100, ascii(`\r\n--${BOUNDARY}--`));
    expect(codeOf(await post(user, late.stream, { "content-length": String(7 * MB) }))).toEqual([
      409,
      "kyc_already_approved",
    ]);
    expect([early.read.bytes, late.read.bytes]).toEqual([0, 0]);
    expect(await rows("select 1 from kyc_uploads where user_id = ?", user.userId)).toHaveLength(1);
  });
});

describe("a file with millions of segments", () => {
  /** `start`, the number of `part` that fits into 8 MB, and `end`. */
  function filled(start: Bytes, part: Bytes, end: Bytes): Bytes {
    const bytes = new Uint8Array(8 * MB);
    bytes.set(start);
    let at = start.length;
    for (; at + part.length + end.length <= bytes.length; at += part.length) bytes.set(part, at);
    bytes.set(end, at);
    return bytes.slice(0, at + end.length);
  }
  const pictures: [string, Bytes, Bytes, Bytes][] = [
    ["a JPEG", jpeg().slice(0, 20), concat(segment(0xc4, []), segment(0xe5, [])), jpeg().slice(20)],
    ["a PNG", png().slice(0, 33), concat(chunk("tEXt"), chunk("tRNS")), png().slice(33)],
  ];

  test.each(pictures)("is cleaned like any other: %s", async (_name, start, part, end) => {
    const user = await newUser();
    const answer = await submit(user, whole({ document_front: file(filled(start, part, end)) }));
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(await keysOf(user)).toHaveLength(1);
  });

  test("is searched to its end: a PDF whose trailer comes after millions of letters is known to be encrypted", async () => {
    const start = ascii("%PDF-1.4\nxref\n");
    const end = ascii("trailer<</Root 1 0 R/Encrypt 2 0 R>>\nstartxref\n9\n%%EOF");
    const answer = await submit(await newUser(), whole({ document_front: file(filled(start, ascii("t"), end)) }));
    expect(codeOf(answer)).toEqual(INVALID);
    expect(answer.body.error.fields).toEqual({ document_front: [{ code: "pdf_password" }] });
  });

  test("is refused if it is a JPEG with more than 100 scans", async () => {
    const user = await newUser();
    const scan = concat(segment(0xda, [1, 1, 0x00, 0, 63, 0]), [0x3f]);
    const scans = (count: number) => {
      const start = jpeg().slice(0, -16);
      return concat(start, ...new Array<Bytes>(count - 1).fill(scan), jpeg().slice(-16));
    };
    expect((await submit(user, whole({ document_front: file(scans(100)) }))).status).toBe(201);
    expect(codeOf(await submit(user, whole({ document_front: file(scans(101)) })))).toEqual(INVALID);
  });
});
