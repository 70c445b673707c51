import { beforeAll, describe, expect, test, vi } from "vitest";
import { call, newIp, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { exif, file, jpeg, pdf, png, webp } from "../../support/documents.ts";
import {
  amend,
  codeOf,
  decide,
  documented,
  documentIdOf,
  KYC,
  keysOf,
  look,
  newNumber,
  newStaff,
  newUser,
  submit,
  whole,
} from "../../support/kyc.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { costOf } from "../../support/simulator/budget.ts";
import { Simulation } from "../../support/simulator/simulation.ts";

beforeAll(keepSentEvents);

const clock = useClock();

describe("KYC submission", () => {
  test("returns the complete KYC with defaults, and GET returns the same", async () => {
    const user = await newUser();
    const { access: token } = user;
    expect(codeOf(await documented("GET", KYC, { token }))).toEqual([404, "not_found"]);
    const none = { status: "NOT_SUBMITTED", submitted_at: null, verified_at: null, rejection_reason: null };
    expect((await documented("GET", `${KYC}/status`, { token })).body.data).toEqual(none);
    const back = file(png(), "back.png", "image/png");
    const posted = await submit(user, whole({ document_number: "  12-34-5 ", document_back: back }), {
      origin: "https://api.example.com",
    });
    expect(posted.status).toBe(201);
    const now = new Date().toISOString();
    const link = expect.stringMatching(
      /^https:\/\/api\.example\.com\/api\/users\/kyc\/documents\/[\w-]+\?exp=\d+&sig=[\w-]+$/,
    );
    expect(posted.body.data).toEqual({
      id: expect.any(String),
      document_type: "CITIZENSHIP",
      document_number: "12-34-5",
      document_front_url: link,
      document_back_url: link,
      status: "PENDING",
      verified_at: null,
      rejection_reason: null,
      created_at: now,
      updated_at: now,
    });
    const found = await documented("GET", KYC, { token });
    expect(found.body.data).toMatchObject({ id: posted.body.data.id, document_number: "12-34-5", status: "PENDING" });
    const standing = { status: "PENDING", submitted_at: now, verified_at: null, rejection_reason: null };
    expect((await documented("GET", `${KYC}/status`, { token })).body.data).toEqual(standing);
    expect((await call("GET", "/api/auth/me", { token })).body.data.kyc_status).toBe("PENDING");
  });

  test("writes one audit row, one event for the projections and a new version of the user", async () => {
    const user = await newUser();
    const number = newNumber();
    await submit(user, whole({ document_number: number, document_type: "PASSPORT" }));
    const audit = await rows("select * from audit_logs where user_id = ? and entity_type = 'kyc'", user.userId);
    expect(audit).toMatchObject([{ action: "CREATE", old_values: null, by_staff: 0, actor_id: user.userId }]);
    expect(JSON.parse(String(audit[0]?.new_values))).toMatchObject({ document_type: "PASSPORT", status: "PENDING" });
    expect(
      await rows("select 1 from recorded_events where user_id = ? and type = 'user.updated'", user.userId),
    ).toHaveLength(1);
    expect(await rows("select version from users where id = ?", user.userId)).toEqual([{ version: 2 }]);
    clock.advance(1000);
    await amend(user, { json: { document_type: "LICENCE" } });
    const [, update] = await rows(
      "select * from audit_logs where user_id = ? and entity_type = 'kyc' order by id",
      user.userId,
    );
    expect(JSON.parse(String(update?.old_values))).toMatchObject({ document_type: "PASSPORT", version: 1 });
    expect(JSON.parse(String(update?.new_values))).toMatchObject({ document_type: "LICENCE", version: 2 });
    expect(JSON.stringify(audit) + JSON.stringify(update)).not.toContain(number);
  });

  test("stores neither the name nor the declared type of a file", async () => {
    for (const name of [
      "../../../etc/passwd",
      "a\r\nContent-Type: text/html\r\n\r\n<script>.jpg",
      `${"n".repeat(10_000)}.jpg`,
      "नागरिकता.jpg",
      'a"b;c.svg',
    ]) {
      const user = await newUser();
      const answer = await submit(user, whole({ document_front: file(jpeg(), name, "text/html") }));
      expect(answer.status, name.slice(0, 30)).toBe(201);
      const [key = ""] = await keysOf(user);
      expect(key).toMatch(new RegExp(`^kyc/${user.userId}/[0-9a-f-]{36}$`));
      const object = await testEnv.KYC_BUCKET.head(key);
      expect(object?.httpMetadata).toEqual({ contentType: "image/jpeg" });
      expect(object?.customMetadata).toEqual({});
    }
  });

  test("every route requires a live session and changes nothing without one", async () => {
    const user = await newUser();
    await submit(user);
    const before = await rows("select * from kyc where user_id = ?", user.userId);
    await call("POST", "/api/auth/logout", { token: user.access, json: { refresh_token: user.refresh } });
    const answers = [
      await submit(user),
      await amend(user, { json: { document_number: newNumber() } }),
      await amend(user, { multipart: { document_front: file(png()) } }),
      await documented("GET", KYC, { token: user.access }),
      await documented("GET", `${KYC}/status`, { token: user.access }),
    ];
    for (const answer of answers) expect(codeOf(answer)).toEqual([401, "token_not_valid"]);
    expect(codeOf(await documented("POST", KYC, { multipart: whole() }))).toEqual([401, "authentication_required"]);
    expect(await rows("select * from kyc where user_id = ?", user.userId)).toEqual(before);
    expect(await keysOf(user)).toHaveLength(1);
  });
});

describe("invalid KYC fields are refused with the name of the field", () => {
  const cases: [string, Record<string, string | File>, string[]][] = [
    ["no file", { document_number: "12345" }, ["document_front"]],
    [
      "text in place of a file",
      { document_number: "12345", document_front: "data:image/jpeg;base64,AAAA" },
      ["document_front"],
    ],
    ["a file in place of text", { document_number: file(jpeg()), document_front: file(jpeg()) }, ["document_number"]],
    ["an empty file", { document_number: "12345", document_front: file(new Uint8Array()) }, ["document_front"]],
    ["an empty back", whole({ document_back: file(new Uint8Array(), "back.jpg") }), ["document_back"]],
    ["a number that is too short", whole({ document_number: " 1234 " }), ["document_number"]],
    ["a number that is too long", whole({ document_number: "1".repeat(101) }), ["document_number"]],
    ["a number without a letter or digit", whole({ document_number: "-----" }), ["document_number"]],
    ["a number of separators and marks", whole({ document_number: "/.−\"'́·|" }), ["document_number"]],
    ["a number with control characters", whole({ document_number: "123\u000045" }), ["document_number"]],
    ["a type that is too long", whole({ document_type: "T".repeat(51) }), ["document_type"]],
    [
      "everything at once",
      { document_number: "1", document_back: file(new Uint8Array([1, 2, 3])) },
      ["document_back", "document_front", "document_number"],
    ],
  ];

  test.each(cases)("%s", async (_name, multipart, fields) => {
    const user = await newUser();
    const answer = await submit(user, multipart);
    expect(codeOf(answer)).toEqual([400, "validation_error"]);
    expect(Object.keys(answer.body.error.details).sort()).toEqual(fields);
    expect(await keysOf(user)).toEqual([]);
    expect(await rows("select 1 from kyc_documents where user_id = ?", user.userId)).toEqual([]);
  });

  test("a part that occurs twice", async () => {
    const user = await newUser();
    for (const name of ["document_front", "document_number"]) {
      const form = new FormData();
      form.append("document_number", "12345");
      form.append("document_front", file(jpeg()));
      form.append(name, name === "document_front" ? file(png()) : "67890");
      const answer = await documented("POST", KYC, { token: user.access, raw: form });
      expect(codeOf(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual([name]);
    }
  });

  test("any format except multipart if a file is required", async () => {
    const { access: token } = await newUser();
    for (const body of [{ json: { document_number: "12345" } }, { form: { document_number: "12345" } }]) {
      const answer = await documented("POST", KYC, { token, ...body });
      expect(codeOf(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["document_front"]);
    }
    const inline = { document_number: "12345", document_front: "https://example.com/id.jpg" };
    const answer = await documented("POST", KYC, { token, json: inline });
    expect(answer.body.error.details).toEqual({ document_front: [expect.stringMatching(/multipart/)] });
    const xml = await documented("POST", KYC, { token, raw: "<a/>", headers: { "content-type": "text/xml" } });
    expect(codeOf(xml)).toEqual([415, "unsupported_media_type"]);
  });
});

test("unknown and read-only fields of a KYC submission are ignored", async () => {
  const user = await newUser();
  const other = await newUser();
  const more = {
    id: "x",
    status: "APPROVED",
    verified_at: "2026-01-01",
    user_id: other.userId,
    version: "7",
  };
  const answer = await submit(user, { ...whole(), ...more, selfie: file(pdf()) });
  expect(answer.body.data).toMatchObject({ status: "PENDING", verified_at: null });
  expect(await rows("select version, status from kyc where user_id = ?", user.userId)).toEqual([
    { version: 1, status: "PENDING" },
  ]);
  expect(await keysOf(user)).toHaveLength(1);
  expect(await rows("select 1 from kyc where user_id = ?", other.userId)).toEqual([]);
});

describe("resubmitting a KYC", () => {
  test("replaces the submission and removes its files", async () => {
    const user = await newUser();
    const first = await submit(user, whole({ document_back: file(png()) }));
    clock.advance(1000);
    const second = await submit(user, whole({ document_type: "PASSPORT" }));
    expect(second.status).toBe(201);
    expect(second.body.data).toMatchObject({
      id: first.body.data.id,
      document_type: "PASSPORT",
      document_back_url: null,
      created_at: first.body.data.created_at,
      updated_at: new Date().toISOString(),
    });
    expect(await keysOf(user)).toEqual([`kyc/${user.userId}/${documentIdOf(second.body.data.document_front_url)}`]);
  });

  test("makes a rejected KYC PENDING again and clears the reason", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    await decide(staff, user, { status: "REJECTED", rejection_reason: "blurred" });
    expect((await documented("GET", KYC, { token: user.access })).body.data.rejection_reason).toBe("blurred");
    const again = await submit(user);
    expect(again.status).toBe(201);
    expect(again.body.data).toMatchObject({ status: "PENDING", rejection_reason: null });
  });

  test("is refused after an approval and changes nothing", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    await look(staff, user);
    expect((await decide(staff, user, { status: "APPROVED" })).status).toBe(200);
    const before = await rows("select * from kyc where user_id = ?", user.userId);
    const keys = await keysOf(user);
    const answers = [
      await submit(user),
      await amend(user, { json: { document_number: newNumber() } }),
      await amend(user, { multipart: { document_back: file(png()) } }),
    ];
    for (const answer of answers) expect(codeOf(answer)).toEqual([409, "kyc_already_approved"]);
    expect(await rows("select * from kyc where user_id = ?", user.userId)).toEqual(before);
    expect(await keysOf(user)).toEqual(keys);
  });
});

describe("PATCH of a KYC", () => {
  test("changes only the fields that are sent, in any body format if there is no file", async () => {
    const user = await newUser();
    const posted = await submit(user, whole({ document_back: file(png()) }));
    const ids = (body: { data: { document_front_url: string; document_back_url: string } }) => [
      documentIdOf(body.data.document_front_url),
      documentIdOf(body.data.document_back_url),
    ];
    for (const body of [
      { json: { document_number: "AB-777" } },
      { form: { document_type: "PASSPORT" } },
      { multipart: { document_number: "AB-778" } },
    ]) {
      const answer = await amend(user, body);
      expect(answer.status).toBe(200);
      expect(ids(answer.body)).toEqual(ids(posted.body));
    }
    const found = await documented("GET", KYC, { token: user.access });
    expect(found.body.data).toMatchObject({ document_number: "AB-778", document_type: "PASSPORT", status: "PENDING" });
    expect(await rows("select version from kyc where user_id = ?", user.userId)).toEqual([{ version: 4 }]);
  });

  test("replaces only the side that is sent", async () => {
    const user = await newUser();
    const posted = await submit(user, whole({ document_back: file(png()) }));
    const [front, back] = [posted.body.data.document_front_url, posted.body.data.document_back_url].map(documentIdOf);
    const changed = await amend(user, { multipart: { document_back: file(webp()) } });
    expect(changed.status).toBe(200);
    expect(documentIdOf(changed.body.data.document_front_url)).toBe(front);
    const newBack = documentIdOf(changed.body.data.document_back_url);
    expect(newBack).not.toBe(back);
    expect((await keysOf(user)).sort()).toEqual([front, newBack].map((id) => `kyc/${user.userId}/${id}`).sort());
  });

  test("requires a field to change and an existing KYC", async () => {
    const user = await newUser();
    for (const body of [{ json: { document_number: "12345" } }, { multipart: { document_front: file(jpeg()) } }]) {
      expect(codeOf(await amend(user, body))).toEqual([404, "not_found"]);
    }
    expect(await keysOf(user)).toEqual([]);
    await submit(user);
    for (const body of [
      { json: {} },
      { json: { status: "APPROVED" } },
      { json: { document_number: null } },
      { multipart: { document_number: "" } },
    ]) {
      expect(codeOf(await amend(user, body))).toEqual([400, "validation_error"]);
    }
  });
});

describe("idempotency key of a KYC submission", () => {
  const headers = { "idempotency-key": "kyc-submission-no-1" };

  test("returns the same response to the same fields and files without a second effect", async () => {
    const user = await newUser();
    const parts = () => ({ document_number: "12-345", document_front: file(jpeg()), document_back: file(png()) });
    const first = await submit(user, parts(), { headers });
    const again = await submit(
      user,
      { ...parts(), document_front: file(jpeg(), "other name.png", "image/png") },
      { headers },
    );
    expect([first.status, again.status]).toEqual([201, 201]);
    const { document_front_url: front, document_back_url: back, ...fields } = first.body.data;
    expect(again.body.data).toMatchObject(fields);
    expect([again.body.data.document_front_url, again.body.data.document_back_url].map(documentIdOf)).toEqual(
      [front, back].map(documentIdOf),
    );
    expect(await rows("select version from kyc where user_id = ?", user.userId)).toEqual([{ version: 1 }]);
    expect(await rows("select 1 from audit_logs where entity_type = 'kyc' and user_id = ?", user.userId)).toHaveLength(
      1,
    );
    expect(await keysOf(user)).toHaveLength(2);
    expect(await rows("select 1 from kyc_documents where user_id = ?", user.userId)).toHaveLength(2);
  });

  test("refuses another body, even if one byte of a file differs", async () => {
    const user = await newUser();
    const parts = { document_number: "12-345", document_front: file(jpeg()) };
    await submit(user, parts, { headers });
    const others = [
      { ...parts, document_number: "12-346" },
      { ...parts, document_type: "PASSPORT" },
      { ...parts, document_front: file(jpeg({ width: 9 })) },
      { ...parts, document_back: file(jpeg()) },
    ];
    for (const other of others) {
      expect(codeOf(await submit(user, other, { headers }))).toEqual([409, "idempotency_key_reused"]);
    }
    expect((await amend(user, { json: { document_number: "12-347" }, headers })).status, "PATCH has its own keys").toBe(
      200,
    );
    expect(codeOf(await amend(user, { json: { document_number: "12-348" }, headers }))).toEqual([
      409,
      "idempotency_key_reused",
    ]);
  });

  test("can be reused after a refusal, and by another user", async () => {
    const user = await newUser();
    expect((await submit(user, { document_number: "12-345" }, { headers })).status).toBe(400);
    expect((await submit(user, whole(), { headers })).status).toBe(201);
    expect((await submit(await newUser(), whole(), { headers })).status).toBe(201);
  });

  test("returns the current KYC if it was decided in the meantime", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    const parts = whole();
    await submit(user, parts, { headers });
    await look(staff, user);
    await decide(staff, user, { status: "APPROVED" });
    const again = await submit(user, parts, { headers });
    expect([again.status, again.body.data.status]).toEqual([201, "APPROVED"]);
  });
});

test("a document number is never stored unencrypted in D1, KV, R2 or the log", async () => {
  const [user, twin, staff] = [await newUser(), await newUser(), await newStaff()];
  const canary = "CANARY-7421-0099";
  const logged: string[] = [];
  for (const level of ["log", "info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...words) => void logged.push(words.map(String).join(" ")));
  }
  const headers = { "idempotency-key": "canary-of-the-mine" };
  const photo = file(jpeg({ segments: [exif(6, "somewhere")] }));
  await submit(user, { document_number: canary, document_front: photo }, { headers });
  await amend(user, { json: { document_number: `${canary} ` } });
  await submit(twin, whole({ document_number: canary.toLowerCase().replaceAll("-", " ") }));
  const seen = await look(staff, user);
  expect(seen).toMatchObject({ document_number: canary, duplicate_of: twin.userId });
  await decide(staff, user, { status: "APPROVED" });
  vi.restoreAllMocks();
  const tables = await rows<{ name: string }>(
    "select name from sqlite_master where type = 'table' and name not glob '_*'",
  );
  const dump: string[] = [];
  for (const { name } of tables) dump.push(JSON.stringify(await rows(`select * from ${name}`)));
  for (const { name } of (await testEnv.KV.list()).keys) dump.push(name, (await testEnv.KV.get(name)) ?? "");
  for (const key of [...(await keysOf(user)), ...(await keysOf(twin))]) {
    dump.push(
      key,
      JSON.stringify(await testEnv.KYC_BUCKET.head(key)),
      (await (await testEnv.KYC_BUCKET.get(key))?.text()) ?? "",
    );
  }
  const text = [...dump, ...logged].join("\n").toUpperCase().replaceAll("-", "").replaceAll(" ", "");
  expect(text).toContain(user.userId.toUpperCase().replaceAll("-", ""));
  expect(text).not.toContain("CANARY74210099");
  expect(text).not.toContain("74210099");
});

test("a document number can be decrypted with every configured data secret, and only for its own user", async () => {
  const user = await newUser();
  await submit(user, whole({ document_number: "ROTATE-1" }));
  const old = JSON.parse(String((testEnv as unknown as Record<string, string>).DATA_SECRETS));
  const fresh = {
    kid: "fresh",
    secret: btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(33))))
      .replaceAll("+", "-")
      .replaceAll("/", "_"),
  };
  const env = (secrets: unknown[]) => ({ DATA_SECRETS: JSON.stringify(secrets) }) as unknown as Partial<Env>;
  const number = async (bindings: Partial<Env>) => {
    const answer = await documented("GET", KYC, { token: user.access, env: bindings });
    return [answer.status, answer.body.data?.document_number];
  };
  expect(await number(env([fresh, ...old]))).toEqual([200, "ROTATE-1"]);
  expect(await number(env([fresh]))).toEqual([200, null]);
  await documented("PATCH", KYC, {
    token: user.access,
    json: { document_number: "ROTATE-2" },
    env: env([fresh, ...old]),
  });
  expect(await rows("select document_number_key_id as kid from kyc where user_id = ?", user.userId)).toEqual([
    { kid: "fresh" },
  ]);
  expect(await number(env([fresh]))).toEqual([200, "ROTATE-2"]);
});

test("each KYC route stays within its round trips", async () => {
  const user = await newUser();
  const measure = async (method: string, path: string, options: object) => {
    const simulation = new Simulation(1);
    const answer = await simulation.call(method, path, { token: user.access, ip: newIp(), ...options });
    if (answer === "died") throw new Error("the call died");
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    const { d1, kv, r2, queue } = costOf(simulation.log);
    return { answer, cost: { d1, kv, r2, queue } };
  };
  const both = { multipart: whole({ document_back: file(png()) }) };
  expect((await measure("POST", KYC, both)).cost).toEqual({ d1: 3, kv: 0, r2: 2, queue: 0 });
  expect((await measure("POST", KYC, both)).cost, "over a former one").toEqual({ d1: 3, kv: 0, r2: 2, queue: 0 });
  const text = { json: { document_number: newNumber() } };
  expect((await measure("PATCH", KYC, text)).cost).toEqual({ d1: 1, kv: 0, r2: 0, queue: 0 });
  const own = await measure("GET", KYC, {});
  expect(own.cost).toEqual({ d1: 1, kv: 0, r2: 0, queue: 0 });
  expect((await measure("GET", `${KYC}/status`, {})).cost).toEqual({ d1: 1, kv: 0, r2: 0, queue: 0 });
  const link = new URL(own.answer.body.data.document_front_url);
  const opened = await measure("GET", link.pathname + link.search, {});
  expect(opened.cost).toEqual({ d1: 1, kv: 0, r2: 1, queue: 0 });
});
