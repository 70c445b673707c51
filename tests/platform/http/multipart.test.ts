import { beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, newIp, type SignedIn, signUp } from "../../support/client.ts";
import { jpeg } from "../../support/documents.ts";
import { newNumber } from "../../support/kyc.ts";
import { findUnfitTexts } from "../../support/stored-texts.ts";

const unlimited: Partial<Env> = { USER_RATE_LIMITER: { limit: async () => ({ success: true }) } as RateLimit };
const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const utf8 = (text: string) => new TextEncoder().encode(text);
const TYPE = "multipart/form-data; boundary=b";

let user: SignedIn;
beforeAll(async () => {
  user = await signUp(undefined, { ip: newIp() });
});

const codeOf = ({ status, body }: Answer, name?: string) =>
  name === undefined
    ? [status, body.error?.code]
    : [status, (body.error?.fields?.[name] ?? []).map(({ code }: { code: string }) => code)];

/** Both uses of the parser: a route with text fields, which reads the whole body first, and a route with files. */
const routes = [
  {
    route: "a route with text fields",
    field: "full_name",
    send: (raw: BodyInit, headers: Record<string, string>) =>
      call("PATCH", "/api/users/profile", { token: user.access, raw, headers, env: unlimited }),
    kept: async () => (await call("GET", "/api/users/profile", { token: user.access })).body.data.full_name,
  },
  {
    route: "a route with files",
    field: "document_type",
    send: async (raw: BodyInit, headers: Record<string, string>) => {
      const answer = await call("PATCH", "/api/users/kyc", { token: user.access, raw, headers, env: unlimited });
      // 404 means that the body was valid: the user has no submission to change.
      return answer.status === 404 ? { ...answer, status: 200 } : answer;
    },
    kept: undefined,
  },
];

describe.each(routes)("A multipart body at $route", ({ field, send, kept }) => {
  const part = (disposition: string, value = "Asha Gurung") =>
    `--b\r\nContent-Disposition: ${disposition}\r\n\r\n${value}\r\n`;
  const whole = (disposition: string) => `${part(disposition)}--b--\r\n`;

  test.each([
    ["names in quotes", whole(`form-data; name="${field}"`)],
    ["names without quotes, as .NET writes them", whole(`form-data; name=${field}`)],
    ["parameters in another case", whole(`Form-Data; NAME="${field}"`)],
    [
      "header names in another case",
      whole(`form-data; name="${field}"`).replace("Content-Disposition", "CONTENT-DISPOSITION"),
    ],
    ["white space around its parameters", whole(`form-data ;  name = "${field}" ; x=y`)],
    ["a semicolon at the end", whole(`form-data; name="${field}";`)],
    ["escaped characters in a name", whole(`form-data; name="${field.replace("e", "\\e")}"`)],
    ["name= inside another quoted parameter", whole(`form-data; x="; name=other"; name="${field}"`)],
    ["name* in addition to a name", whole(`form-data; name*=UTF-8''other; name="${field}"`)],
    ["a folded header", whole(`form-data;\r\n\tname="${field}"`)],
    ["other headers", whole(`form-data; name="${field}"\r\nX-Any: thing\r\nX-Any: twice\r\nContent-Length: 11`)],
    ["a charset of its own", whole(`form-data; name="${field}"\r\nContent-Type: text/plain; charset=UTF-8`)],
    ["a quoted charset", whole(`form-data; name="${field}"\r\nContent-Type: text/plain; charset="us-ascii"`)],
    [
      "ASCII text under the charset that Java clients declare",
      whole(`form-data; name="${field}"\r\nContent-Type: text/plain; charset=ISO-8859-1`),
    ],
    [
      "ASCII text as windows-1252",
      whole(`form-data; name="${field}"\r\nContent-Type: text/plain; charset="Windows-1252"`),
    ],
    ["a plain transfer encoding", whole(`form-data; name="${field}"\r\nContent-Transfer-Encoding: 8BIT`)],
    ["a binary transfer encoding", whole(`form-data; name="${field}"\r\nContent-Transfer-Encoding: binary`)],
    ["a preamble", `This is a form.\r\n\r\n${whole(`form-data; name="${field}"`)}`],
    ["a line end before it", `\r\n${whole(`form-data; name="${field}"`)}`],
    ["padding after its delimiters", whole(`form-data; name="${field}"`).replaceAll("--b\r\n", "--b \t \r\n")],
    ["an epilogue", `${whole(`form-data; name="${field}"`)}\r\nand more --b\r\n`],
    ["no line end after it", whole(`form-data; name="${field}"`).slice(0, -2)],
  ])("may have %s", async (_, body) => {
    const answer = await send(body, { "content-type": TYPE });
    expect([answer.status, answer.body], JSON.stringify(answer.body)).toEqual([200, expect.anything()]);
    if (kept) expect(await kept()).toBe("Asha Gurung");
  });

  test.each([
    ['multipart/form-data; boundary="b"', "b"],
    ["multipart/form-data; charset=utf-8; BOUNDARY=b", "b"],
    ["Multipart/Form-Data;boundary=----WebKitFormBoundaryAbC", "----WebKitFormBoundaryAbC"],
    ['multipart/form-data; boundary="a b:c/d=e\'f(g)+h?"', "a b:c/d=e'f(g)+h?"],
    [`multipart/form-data; boundary=${"x".repeat(70)}`, "x".repeat(70)],
  ])("is parsed with the boundary of %s", async (type, boundary) => {
    const body = whole(`form-data; name="${field}"`).replaceAll("--b", `--${boundary}`);
    expect((await send(body, { "content-type": type })).status).toBe(200);
  });

  test("keeps content that only begins like a delimiter", async () => {
    for (const value of ["\r\n--bb\r\n", "\r\n--b-\r\n", "\r\n--b x\r\n", "\r\n-\r\n--", "--b\r\n"]) {
      const body = `${part(`form-data; name="${field}"`, `Asha ${value} Gurung`)}--b--`;
      const answer = await send(body, { "content-type": TYPE });
      expect(answer.status, JSON.stringify(value)).toBe(200);
      if (kept) expect(await kept()).toBe(`Asha ${value.trim()} Gurung`.replace(/\s+/g, " "));
    }
  });

  test.each([
    ["lines that end with only LF", whole(`form-data; name="${field}"`).replaceAll("\r\n", "\n")],
    ["headers that end with only LF", `--b\r\nContent-Disposition: form-data; name="${field}"\n\nAsha\r\n--b--\r\n`],
    ["delimiters that end with only LF", whole(`form-data; name="${field}"`).replace("--b\r\n", "--b\n")],
    ["only LF and much text", `--b\nContent-Disposition: form-data; name="${field}"\n\n${"x".repeat(40_000)}\n--b--\n`],
    ["no name", whole("form-data")],
    ["an empty name", whole('form-data; name=""')],
    ["a name only inside a file name", whole(`form-data; filename="; name=${field}"`)],
    ["another disposition", whole(`attachment; name="${field}"`)],
    ["two dispositions", whole(`form-data; name="${field}"\r\nContent-Disposition: form-data; name="other"`)],
    ["two media types", whole(`form-data; name="${field}"\r\nContent-Type: text/plain\r\ncontent-type: image/png`)],
    ["no headers", `--b\r\n\r\nAsha\r\n--b--\r\n`],
    ["a malformed header", whole(`form-data; name="${field}"\r\nnonsense`)],
    ["no end", whole(`form-data; name="${field}"`).slice(0, -6)],
    ["nothing but a preamble", "hello\r\n"],
    ["a preamble without end", `${"x".repeat(20_000)}\r\n${whole(`form-data; name="${field}"`)}`],
    ["padding without end", whole(`form-data; name="${field}"`).replace("--b\r\n", `--b${" ".repeat(300)}\r\n`)],
  ])("is refused with %s", async (_, body) => {
    expect(codeOf(await send(body, { "content-type": TYPE }))).toEqual([400, "validation_error"]);
  });

  test.each([
    ["bytes that are not UTF-8", "", latin1("Asha \xe9\xff"), "not_utf8"],
    ["a truncated sequence", "", latin1("Asha \xe0\xa4"), "not_utf8"],
    ["an encoded surrogate", "", latin1("Asha \xed\xa0\x80"), "not_utf8"],
    ["latin1", "Content-Type: text/plain; charset=iso-8859-1\r\n", latin1("Jos\xe9"), "not_utf8"],
    ["utf-16", "Content-Type: text/plain; charset=utf-16\r\n", latin1("A\0s\0"), "not_utf8"],
    ["windows-1252", 'Content-Type: text/plain; charset="windows-1252"\r\n', latin1("Asha \x80"), "not_utf8"],
    ["UTF-8 under another charset", "Content-Type: text/plain; charset=iso-8859-15\r\n", utf8("आशा"), "not_utf8"],
    ["ASCII as utf-16", "Content-Type: text/plain; charset=utf-16le\r\n", utf8("Asha"), "not_utf8"],
    ["an unknown charset", "Content-Type: text/plain; charset=x-ours\r\n", utf8("Asha"), "not_utf8"],
    ["base64", "Content-Transfer-Encoding: base64\r\n", utf8("QXNoYQ=="), "transfer_encoding"],
    ["quoted-printable", "Content-Transfer-Encoding: Quoted-Printable\r\n", utf8("=41sha"), "transfer_encoding"],
    ["a NUL", "", utf8("Asha\0"), "control_characters"],
    ["invisible text", "", utf8("\u200b\ufeff\u3164"), "blank"],
  ])("is refused by field for %s", async (_, header, value, code) => {
    const before = await kept?.();
    const body = new Blob([
      `--b\r\n${header}Content-Disposition: form-data; name="${field}"\r\n\r\n`,
      value as Uint8Array<ArrayBuffer>,
      "\r\n--b--\r\n",
    ]);
    expect(codeOf(await send(await body.arrayBuffer(), { "content-type": TYPE }), field)).toEqual([400, [code]]);
    expect(await kept?.()).toBe(before);
  });

  test("is parsed the same however it is split into chunks", async () => {
    const body = utf8(`preamble\r\n${whole(`form-data; name="${field}"`).replaceAll("--b\r\n", "--b  \r\n")}`);
    for (const size of [1, 2, 3, 7]) {
      const pieces = Array.from({ length: Math.ceil(body.length / size) }, (_, i) =>
        body.slice(i * size, (i + 1) * size),
      );
      const stream = new ReadableStream({
        pull(controller) {
          const piece = pieces.shift();
          if (piece) controller.enqueue(piece);
          else controller.close();
        },
      });
      expect((await send(stream as unknown as BodyInit, { "content-type": TYPE })).status, String(size)).toBe(200);
    }
  });

  test.each(["utf-8", "UTF-8", "identity", "Identity, utf-8", "utf8", ""])(
    "is accepted with Content-Encoding: %s",
    async (encoding) => {
      const body = whole(`form-data; name="${field}"`);
      expect((await send(body, { "content-type": TYPE, "content-encoding": encoding })).status).toBe(200);
    },
  );

  test.each(["gzip", "br", "deflate", "utf-8, gzip", "zstd", "x-gzip", "base64"])(
    "is refused with 415 for Content-Encoding: %s",
    async (encoding) => {
      const body = whole(`form-data; name="${field}"`);
      const answer = await send(body, { "content-type": TYPE, "content-encoding": encoding });
      expect(codeOf(answer)).toEqual([415, "unsupported_media_type"]);
      expect(answer.body.error.message).toContain("Content-Encoding");
    },
  );
});

describe("A file in a form", () => {
  const submit = async (front: string, content: string | Uint8Array<ArrayBuffer>, more = "", person?: SignedIn) => {
    const { access: token } = person ?? (await signUp(undefined, { ip: newIp() }));
    const number = `--b\r\nContent-Disposition: form-data; name=document_number\r\n\r\n${newNumber()}\r\n`;
    const body = new Blob([`${number}--b\r\n${front}\r\n\r\n`, content, `\r\n${more}--b--\r\n`]);
    const raw = await body.arrayBuffer();
    return call("POST", "/api/users/kyc", { token, raw, headers: { "content-type": TYPE }, env: unlimited });
  };
  const photo = jpeg();
  const named = (more: string) => `Content-Disposition: form-data; name="document_front"${more}`;

  test.each([
    ["its file name in quotes", named('; filename="a.jpg"')],
    ["its file name without quotes", named("; filename=my photo.jpg")],
    ["its file name before the field name", 'Content-Disposition: form-data; filename="a.jpg"; name="document_front"'],
    [
      "a field's name inside its own",
      'Content-Disposition: form-data; filename="a; name=x; .jpg"; name=document_front',
    ],
    ["a quote in its file name", named('; filename="a\\"; name=\\"x.jpg"')],
    ["a path with backslashes", named('; filename="C:\\photos\\"')],
    ["only an extended file name", named("; filename*=UTF-8''%E0%A4%86.jpg")],
    ["a file name in another encoding", named('; filename="\u00e9.jpg"')],
    ["a media type and no file name", `${named("")}\r\nContent-Type: image/jpeg`],
    ["neither a file name nor a media type", named("")],
    ["a wrong media type", `${named('; filename="a"')}\r\nContent-Type: text/plain; charset=utf-16`],
  ])("may have %s", async (_, front) => {
    const answer = await submit(front, photo);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  });

  test.each(["base64", "quoted-printable", "x-unknown"])(
    "with the transfer encoding %s is refused with an error on its field",
    async (encoding) => {
      const front = `${named('; filename="a.jpg"')}\r\nContent-Transfer-Encoding: ${encoding}`;
      expect(codeOf(await submit(front, btoa("anything")), "document_front")).toEqual([400, ["transfer_encoding"]]);
    },
  );

  test.each(["null", "undefined", "NULL", " undefined "])("counts as absent if it is the text %s", async (word) => {
    const back = `--b\r\nContent-Disposition: form-data; name="document_back"\r\n\r\n${word}\r\n`;
    const answer = await submit(named('; filename="a.jpg"'), photo, back);
    expect([answer.status, answer.body.data?.document_back_url], JSON.stringify(answer.body)).toEqual([201, null]);
    expect(codeOf(await submit(named(""), word), "document_front")).toEqual([400, ["file_required"]]);
  });

  test.each(["nothing", "null.jpg", "0"])("is refused as text if it is the text %s", async (word) => {
    expect(codeOf(await submit(named(""), word), "document_front")).toEqual([400, ["not_file"]]);
  });

  test("sent for a text field is refused with an error on that field", async () => {
    for (const more of ['; filename="a.txt"', "; filename*=UTF-8''a.txt", "; FileName=a.txt"]) {
      const type = `--b\r\nContent-Disposition: form-data; name="document_type"${more}\r\n\r\nPASSPORT\r\n`;
      const answer = await submit(named('; filename="a.jpg"'), photo, type);
      expect(codeOf(answer, "document_type")).toEqual([400, ["not_text"]]);
      const raw = `${type.replace("document_type", "full_name")}--b--\r\n`;
      const profile = await routes[0]?.send(raw, { "content-type": TYPE });
      expect(profile && codeOf(profile, "full_name")).toEqual([400, ["not_text"]]);
    }
  });

  test("is refused in one response with the errors of the other fields", async () => {
    const { access: token } = await signUp(undefined, { ip: newIp() });
    const multipart = { document_number: "a\u0000b", document_type: "\u200b", document_front: "no file" };
    const { body } = await call("POST", "/api/users/kyc", { token, multipart, env: unlimited });
    expect(Object.keys(body.error.fields).sort()).toEqual(["document_front", "document_number", "document_type"]);
  });
});

test("no ill-formed text was stored by the requests of this file", async () => {
  expect(await findUnfitTexts()).toEqual([]);
});
