import { beforeAll, describe, expect, test } from "vitest";
import { type FieldSchema, fillPath, type Operation, operationsOf } from "../../fuzz/operations.ts";
import { addNotification, type Stage, setStage } from "../../fuzz/stage.ts";
import { type Answer, call, newEmail, newIp, newPhone, readCode } from "../../support/client.ts";
import { count, rows } from "../../support/database.ts";
import { file, jpeg } from "../../support/documents.ts";
import { fetchDocument } from "../../support/openapi.ts";
import { findUnfitTexts } from "../../support/stored-texts.ts";

let stage: Stage;
let operations: Operation[];

beforeAll(async () => {
  operations = operationsOf(await fetchDocument());
  stage = await setStage();
  Object.assign(unlimited, stage.env);
});

/** Texts that every field refuses, by error code. */
const unfit: Record<string, string[]> = {
  control_characters: ["a\u0000b", "\u0001", "visible\u007f", "a\u0085b", "\u001b[31m", "a\u009fb"],
  ill_formed: ["a\ud800", "\udfffb", "\udc00\ud800", "\ud83d😀"],
  blank: [
    " ",
    "\t\r\n",
    "\u2028\u2029",
    "\u00a0\u3000",
    "\u200b",
    "\u2060\ufeff",
    "\u3164\u115f",
    "\ufe0f\u{e0101}",
    "\u202e\u2066",
    "\u200d\u200c",
    "\u00ad",
    "\u2800",
    "\u{e0041}",
  ],
};
const cases = Object.entries(unfit).flatMap(([code, texts]) => texts.map((text) => [code, text] as const));

const isText = ({ format, type, anyOf, enum: choices }: FieldSchema) =>
  format !== "binary" && (type === undefined || [type].flat().includes("string") || Boolean(anyOf) || Boolean(choices));

/** Calls the operation with only this text in this field. */
async function ask(operation: Operation, name: string, text: string, format: "json" | "form" | "multipart" | "query") {
  const search = format === "query" ? `?${new URLSearchParams({ [name]: text })}` : "";
  const fields = { [name]: text };
  const body =
    format === "query"
      ? {}
      : format === "multipart"
        ? {
            multipart: {
              ...fields,
              ...Object.fromEntries((operation.body?.files ?? []).map((each) => [each, file(jpeg())])),
            },
          }
        : { [format]: fields };
  const path = fillPath(operation, { id: stage.target.userId }) + search;
  const token = operation.isForStaff ? stage.actors.admin.access : stage.actors.user.access;
  return await call(operation.method, path, { ...body, token, ip: newIp(), env: unlimited });
}

/** Lifts the write limit, because one user sends many calls here. */
const unlimited: Partial<Env> = { USER_RATE_LIMITER: { limit: async () => ({ success: true }) } as RateLimit };

const codesOf = ({ status, body }: Answer, name: string) => [
  status,
  (body.error?.fields?.[name] ?? []).map(({ code }: { code: string }) => code),
];

describe("Every text field of the document", () => {
  test("refuses control characters, ill-formed and invisible text with the name of the field, in JSON", {
    timeout: 120_000,
  }, async () => {
    let checked = 0;
    for (const operation of operations) {
      if (!operation.body?.takesJson) continue;
      for (const [name, schema] of Object.entries(operation.body.fields)) {
        if (!isText(schema)) continue;
        // Each field gets one text of each code; across the fields every text is used.
        for (const code of Object.keys(unfit)) {
          const texts = unfit[code] ?? [];
          const text = texts[Math.floor(checked / Object.keys(unfit).length) % texts.length] ?? "";
          const answer = await ask(operation, name, text, "json");
          expect(codesOf(answer, name), `${operation.name} ${name} ${JSON.stringify(text)}`).toEqual([400, [code]]);
          checked += 1;
        }
      }
    }
    expect(checked).toBeGreaterThan(100);
    expect(await findUnfitTexts()).toEqual([]);
  });

  test("refuses the same texts in forms, multipart bodies and queries", { timeout: 120_000 }, async () => {
    let turn = 0;
    for (const operation of operations) {
      const inBody = Object.entries(operation.body?.fields ?? {}).flatMap(([name, schema]) =>
        operation.body?.takesJson ? [[name, schema, "form"] as const, [name, schema, "multipart"] as const] : [],
      );
      const inQuery = operation.query.map(({ name, schema }) => [name, schema, "query"] as const);
      for (const [name, schema, format] of [...inBody, ...inQuery]) {
        // Pages of the browser flow and signed links parse their own query and store nothing of it.
        const isUnread = ["/api/auth/social/error", "/api/users/kyc/documents/{id}"].includes(operation.path);
        if (!isText(schema) || isUnread) continue;
        // Neither a form nor a query can carry half a pair of surrogates.
        const sendable = cases.filter(([code]) => code !== "ill_formed");
        const [code, text] = sendable[turn++ % sendable.length] ?? ["", ""];
        const answer = await ask(operation, name, text, format);
        expect(codesOf(answer, name), `${operation.name} ${name} ${format} ${JSON.stringify(text)}`).toEqual([
          400,
          [code],
        ]);
      }
    }
    expect(turn).toBeGreaterThan(50);
    expect(await findUnfitTexts()).toEqual([]);
  });
});

const profile = "/api/users/profile";
const save = (json: Record<string, unknown>) =>
  call("PATCH", profile, { json, token: stage.actors.user.access, ip: newIp(), env: unlimited });

describe("A text field of the profile", () => {
  test("refuses every invalid text and stays unchanged", async () => {
    expect((await save({ full_name: "Asha Gurung", address: "Pokhara" })).status).toBe(200);
    for (const [code, text] of cases) {
      for (const name of ["full_name", "address"]) {
        expect(codesOf(await save({ [name]: text }), name), JSON.stringify(text)).toEqual([400, [code]]);
      }
    }
    const { data } = (await call("GET", profile, { token: stage.actors.user.access, env: unlimited })).body;
    expect([data.full_name, data.address]).toEqual(["Asha Gurung", "Pokhara"]);
  });

  test("keeps the joiners of Devanagari and emoji", async () => {
    for (const name of ["श्री\u200dमती क्\u200cष", "र्\u200dयाल 👩\u200d👩\u200d👧", "👍🏽 राम"]) {
      expect((await save({ full_name: name })).body.data?.full_name).toBe(name);
    }
  });

  test("replaces each run of white space with one space", async () => {
    for (const between of ["\n", "\t \r\n", "\u2028", "\u2029\u3000", "\u000b\u000c", "\u00a0"]) {
      const answer = await save({ full_name: ` Asha${between}Gurung${between}` });
      expect(answer.body.data?.full_name, JSON.stringify(between)).toBe("Asha Gurung");
    }
  });

  test("counts as absent if it is the empty string, in JSON and in forms", async () => {
    const token = stage.actors.user.access;
    await save({ full_name: "Asha Gurung" });
    for (const body of [{ json: { full_name: "" } }, { form: { full_name: "" } }, { multipart: { full_name: "" } }]) {
      const answer = await call("PUT", profile, { ...body, token, env: unlimited });
      expect([answer.status, answer.body.data.full_name]).toEqual([200, "Asha Gurung"]);
    }
    const empty = { status: "", reason: "" };
    const staff = stage.actors.admin.access;
    const path = `/api/users/${stage.target.userId}/status`;
    for (const body of [{ json: empty }, { form: empty }]) {
      const { body: refusal } = await call("POST", path, { ...body, token: staff, env: unlimited });
      expect(refusal.error.fields.status).toEqual([{ code: "required" }]);
    }
  });
});

describe("Flags and numbers", () => {
  const isActive = async (value: unknown) => {
    const json = { device_id: "flags", fcm_token: "token-of-flags", device_type: "web", is_active: value };
    const env = unlimited;
    const answer = await call("POST", "/api/auth/device", { json, token: (await device()).access, ip: newIp(), env });
    return answer.status === 200 ? answer.body.data.is_active : codesOf(answer, "is_active");
  };
  // Registrations are limited per user.
  const people = () => Object.values(stage.actors);
  let turn = 0;
  const device = async () => people()[turn++ % 3] as Stage["target"];

  test("a flag accepts every word for true and false that forms and libraries send", async () => {
    for (const value of ["true", "TRUE", "Yes", "on", "t", "1", 1, true, "T"]) expect(await isActive(value)).toBe(true);
    for (const value of ["false", "False", "NO", "off", "F", "0", 0, false]) expect(await isActive(value)).toBe(false);
    for (const value of ["2", 2, "yess", "-1", "01", "null", "truefalse", [], 0.5]) {
      expect(await isActive(value), JSON.stringify(value)).toEqual([400, ["not_boolean"]]);
    }
  });

  test("a whole number accepts only decimal digits", async () => {
    const { access: token } = stage.actors.staff;
    const list = (search: string) => call("GET", `/api/users?${search}`, { token, env: unlimited });
    for (const [given, meant] of [
      ["2", 2],
      ["007", 7],
      ["100", 100],
    ] as const) {
      const { body } = await list(`page_size=${given}`);
      expect(body.data.pagination.page_size).toBe(meant);
    }
    for (const name of ["page", "page_size"]) {
      for (const given of [
        "1e2",
        "0x2",
        "0b1",
        "+1",
        "%2B1",
        "%201%20",
        "1.0",
        "Infinity",
        "NaN",
        "१",
        "1_0",
        "true",
      ]) {
        const answer = await list(`${name}=${given}`);
        expect(codesOf(answer, name), given).toEqual([400, ["not_number"]]);
      }
    }
  });
});

test("A query with escapes that are not UTF-8 is refused, and never becomes other text", async () => {
  const { access: token } = stage.actors.staff;
  for (const given of ["%ff", "a%E0%A4", "%c3%28", "%ED%A0%80", "%C0%80"]) {
    for (const [path, name] of [
      ["/api/users", "search"],
      ["/api/users", "cursor"],
      ["/api/auth/google/login", "state"],
    ] as const) {
      const options = { token, ip: newIp(), env: unlimited };
      const answer = await call("GET", `${path}?a=b&${name}=${given}&unknown=%ff`, options);
      expect(codesOf(answer, name), `${path} ${given}`).toEqual([400, ["not_utf8"]]);
      expect(Object.keys(answer.body.error.fields)).toEqual([name]);
    }
  }
  for (const search of ["%E0%A4%86%e0%a4%b6", "100%", "a+b", "%zz", "ram&unknown=%ff"]) {
    expect((await call("GET", `/api/users?search=${search}`, { token, env: unlimited })).status, search).toBe(200);
  }
});

describe("A device", () => {
  const register = (json: Record<string, unknown>, person = stage.target) =>
    call("POST", "/api/auth/device", { json, token: person.access, ip: newIp(), env: unlimited });
  const device = { device_id: "a device", fcm_token: "token-of-a-device", device_type: "ANDROID" };

  test("has text versions, which JSON may also send as numbers", async () => {
    const answer = await register({ ...device, app_version: 14.5, os_version: 17 });
    expect([answer.body.data.app_version, answer.body.data.os_version]).toEqual(["14.5", "17"]);
    for (const version of [-1.5, 1e21, 1e-7, true, [14.5]]) {
      expect(codesOf(await register({ ...device, os_version: version }), "os_version")[0]).toBe(400);
    }
  });

  test.each([
    ["emoji at the limit of length", `${"x".repeat(253)}😀`],
    ["Devanagari with joiners", "आशाको र्\u200dयाम फोन"],
    ["quotes and separators", 'Asha\'s "phone"\u2028\\u0000'],
  ])("registered again with %s in its name is not audited as a change", async (_, device_name) => {
    const counts = async () =>
      (
        await call("GET", `/api/users/${stage.target.userId}/audit-logs?page_size=100`, {
          token: stage.actors.staff.access,
          env: unlimited,
        })
      ).body.data.results.filter((row: { entity_type: string }) => row.entity_type === "device").length;
    const first = await register({ ...device, device_name });
    expect(first.status).toBe(200);
    const before = await counts();
    expect(before).toBeGreaterThan(0);
    for (let time = 0; time < 3; time++) {
      const { body } = await register({ ...device, device_name });
      expect(body.data.device_name).toBe(first.body.data.device_name);
    }
    expect(await counts()).toBe(before);
  });

  test("refuses line breaks and tabs in its texts", async () => {
    for (const name of ["device_id", "fcm_token", "device_name", "app_version", "os_version"]) {
      for (const text of ["token-of\na-device", "token-of\ta-device"]) {
        expect(codesOf(await register({ ...device, [name]: text }), name)).toEqual([400, ["control_characters"]]);
      }
    }
  });
});

describe("A User-Agent", () => {
  test("is stored without control characters, and truncated between characters", async () => {
    const { access: token, userId } = stage.actors.user;
    const agents: [sent: string, stored: string | null][] = [
      [`${"a".repeat(254)}😀`, "a".repeat(254)],
      [`${"b".repeat(253)}😀 tail`, `${"b".repeat(253)}😀`],
      ["App/1\t(Linux)\u0085", "App/1 (Linux)"],
      ["\u200b", null],
    ];
    for (const [i, [sent, stored]] of agents.entries()) {
      const json = { address: `Street ${i}` };
      const headers = { "user-agent": sent };
      const answer = await call("PATCH", profile, { json, token, headers, env: unlimited });
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      const [row] = await rows<{ user_agent: string | null }>(
        "select user_agent from audit_logs where user_id = ? and entity_type = 'profile' order by id desc limit 1",
        userId,
      );
      expect(row?.user_agent, sent).toBe(stored);
    }
    expect(await findUnfitTexts()).toEqual([]);
  });
});

test("A client address is stored only if it is a valid IP address", async () => {
  const { access: token, userId } = stage.actors.user;
  const stored = async (ip: string) => {
    const json = { address: `House ${crypto.randomUUID()}` };
    expect((await call("PATCH", profile, { json, token, ip, env: unlimited })).status).toBe(200);
    const [row] = await rows<{ ip: string }>(
      "select ip from audit_logs where user_id = ? and entity_type = 'profile' order by id desc limit 1",
      userId,
    );
    return row?.ip;
  };
  for (const ip of ["198.51.100.7", "2001:db8::1", "::ffff:198.51.100.7", "64:ff9b::c633:6407"]) {
    expect(await stored(ip)).toBe(ip);
  }
  for (const ip of ["<script>", "198.51.100.7, 10.0.0.1", "é", "1:".repeat(100), "localhost", "dead"]) {
    expect(await stored(ip), ip).toBe("unknown");
  }
  expect(await findUnfitTexts()).toEqual([]);
});

describe("A URL", () => {
  test.each([
    ["HTTPS://Example.COM:443/a/../b.png", "https://example.com/b.png"],
    ["https://münchen.de/ä b.png", "https://xn--mnchen-3ya.de/%C3%A4%20b.png"],
    ["https:\\\\example.com\\a.png", "https://example.com/a.png"],
    ["https://192.0.3.1/a.png", "https://192.0.3.1/a.png"],
    ["https://220.1.1.1/a.png", "https://220.1.1.1/a.png"],
    ["https://223.255.255.1/a.png", "https://223.255.255.1/a.png"],
    ["https://[2001:db9::1]/a.png", "https://[2001:db9::1]/a.png"],
    ["https://test.example.com/a.png", "https://test.example.com/a.png"],
    ["https://8.8.8.8/a.png#x", "https://8.8.8.8/a.png#x"],
    ["https://[2606:4700::1111]/a.png", "https://[2606:4700::1111]/a.png"],
    ["https://my_bucket.s3.amazonaws.com:8443/a?b=1", "https://my_bucket.s3.amazonaws.com:8443/a?b=1"],
  ])("%s is stored in its canonical form", async (given, kept) => {
    expect((await save({ avatar_url: given })).body.data?.avatar_url).toBe(kept);
  });

  test.each([
    "http://example.com/a.png",
    "https://user:secret@example.com/a.png",
    "https://user@example.com/a.png",
    "https://localhost/a.png",
    "https://intranet/a.png",
    "https://printer.local/a.png",
    "https://127.0.0.1/a.png",
    "https://0x7f.1/a.png",
    "https://2130706433/a.png",
    "https://192.168.1.1/a.png",
    "https://172.31.0.1/a.png",
    "https://192.0.2.1/a.png",
    "https://198.18.0.1/a.png",
    "https://203.0.113.7/a.png",
    "https://224.0.0.1/a.png",
    "https://239.255.255.250/a.png",
    "https://240.0.0.1/a.png",
    "https://255.255.255.255/a.png",
    "https://[2001:db8::1]/a.png",
    "https://router.home.arpa/a.png",
    "https://img.shop.test/a.png",
    "https://[::1]/a.png",
    "https://[fe80::1]/a.png",
    "https://[::ffff:10.0.0.1]/a.png",
    "https://example..com/a.png",
    "https://.example.com/a.png",
    "https://-example.com/a.png",
    `https://${"a".repeat(64)}.com/a.png`,
    "https://example.c/a.png",
    "https://example.com./a.png",
    "ftp://example.com/a.png",
    "data:image/png;base64,AAAA",
    "//example.com/a.png",
    "https://",
  ])("%s is refused", async (given) => {
    expect(codesOf(await save({ avatar_url: given }), "avatar_url")).toEqual([400, ["not_https_url"]]);
  });

  test("has a maximum length that applies to its canonical form", async () => {
    const base = "https://example.com/";
    // Each ä is six characters of a canonical path.
    const fitting = base + "ä".repeat(338);
    expect((await save({ avatar_url: fitting })).body.data.avatar_url).toHaveLength(base.length + 338 * 6);
    expect(codesOf(await save({ avatar_url: `${fitting}ä` }), "avatar_url")).toEqual([400, ["too_long"]]);
  });
});

describe("A pasted code or identifier", () => {
  const digits = (text: string, zero: number) =>
    text.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));
  const DEVANAGARI = 0x966;
  const MATHEMATICAL = 0x1d7ec;
  const spaced = (text: string, between: string) => [...text].join(between);
  const spellings: [string, (phone: string) => string, (code: string) => string][] = [
    ["in Devanagari", (phone) => digits(phone, DEVANAGARI), (code) => digits(code, DEVANAGARI)],
    ["in Lao and bold digits", (phone) => digits(phone, 0xed0), (code) => digits(code, MATHEMATICAL)],
    [
      "with minus signs and dashes",
      (phone) => `${phone.slice(0, 7)}\u2212${phone.slice(7)}`,
      (code) => spaced(code, "\u2014"),
    ],
    [
      "with non-breaking hyphens",
      (phone) => `${phone.slice(0, 7)}\u2011${phone.slice(7)}`,
      (code) => spaced(code, "\u2011"),
    ],
    [
      "with variation selectors",
      (phone) => spaced(phone, "\ufe0f"),
      (code) => `${spaced(code, "\ufe0f\u20e3")}\ufe0f\u20e3`,
    ],
    ["with invisible fillers", (phone) => spaced(phone, "\u3164"), (code) => spaced(code, "\u2060")],
    ["between direction marks", (phone) => `\u202a${phone}\u202c`, (code) => `\u2068${code}\u2069`],
    ["in full width", (phone) => digits(phone.replace("+", "\uff0b"), 0xff10), (code) => digits(code, 0xff10)],
    [
      "with spaces of every kind",
      (phone) => spaced(phone, "\u00a0"),
      (code) => `${code.slice(0, 3)}\u2009${code.slice(3)}\n`,
    ],
  ];

  test.each(spellings)("typed %s gives the same number and the same code", async (_, spellPhone, spellCode) => {
    const [phone, ip] = [newPhone(), newIp()];
    const asked = await call("POST", "/api/auth/otp/request", { json: { identifier: spellPhone(phone) }, ip });
    expect(asked.status, JSON.stringify(asked.body)).toBe(200);
    const json = { identifier: spellPhone(phone), otp: spellCode(await readCode(phone)) };
    const verified = await call("POST", "/api/auth/otp/verify", { json, ip });
    expect(verified.status, JSON.stringify(verified.body)).toBe(200);
  });

  test("gives the same email address with other hyphens, digits and character widths", async () => {
    const [ip, address] = [newIp(), newEmail().replace("person", "asha-")];
    const [local = ""] = address.split("@");
    const spelled = `${local.replace("-", "\u2010")}\uff20example\uff0ecom\u200b`;
    const asked = await call("POST", "/api/auth/otp/request", {
      json: { identifier: digits(spelled, DEVANAGARI) },
      ip,
    });
    expect(asked.status, JSON.stringify(asked.body)).toBe(200);
    expect(await readCode(address)).toMatch(/^\d{6}$/);
  });
});

test("an id in capital letters is the same id, in a path and in a query (RFC 9562 section 4)", async () => {
  const { env } = stage;
  const { admin, user } = stage.actors;
  const capitals = (id: unknown) => String(id).toUpperCase();
  const asAdmin = { token: admin.access, env };
  const asUser = { token: user.access, env };
  const shown = await call("GET", `/api/users/${capitals(user.userId)}`, asAdmin);
  expect([shown.status, shown.body.data?.id]).toEqual([200, user.userId]);
  const json = { text: "Called back" };
  expect((await call("POST", `/api/users/${capitals(user.userId)}/notes`, { ...asAdmin, json })).status).toBe(201);
  const acts = await call("GET", `/api/staff/audit-logs?actor_id=${capitals(admin.userId)}`, asAdmin);
  expect(acts.body.data.results.length).toBeGreaterThan(0);
  const notification = await addNotification(user);
  const read = await call("POST", `/api/users/notifications/${capitals(notification)}/read`, asUser);
  expect(read.status).toBe(200);
  const [session] = await rows<{ id: string }>("select id from sessions where user_id = ?", user.userId);
  expect((await call("DELETE", `/api/auth/sessions/${capitals(session?.id)}`, asUser)).status).toBe(200);
  expect(await count("from sessions where id = ? and revoked_at is null", session?.id)).toBe(0);
});
