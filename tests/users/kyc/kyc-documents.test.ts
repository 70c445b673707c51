import { describe, expect, test, vi } from "vitest";
import { type Answer, call, logIn, type SignedIn, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { file, jpeg, pdf, png } from "../../support/documents.ts";
import {
  amend,
  codeOf,
  documented,
  documentIdOf,
  KYC,
  newStaff,
  newUser,
  pathOf,
  promote,
  sessionOf,
  submit,
  whole,
} from "../../support/kyc.ts";

const clock = useClock();

const open = (url: string, method = "GET") => call(method, pathOf(url));
const gone = [404, "not_found"];

/** The link to the user's front document in the reviewer's queue. */
async function linkFor(reviewer: SignedIn, { userId }: SignedIn): Promise<string> {
  const { body } = await documented("GET", `${KYC}/submissions?page_size=100`, { token: reviewer.access });
  return body.data.results.find((each: { user: { id: string } }) => each.user.id === userId).document_front_url;
}

const views = (documentId: string) =>
  rows("select viewer_id, viewed_at from kyc_document_views where document_id = ?", documentId);
const audits = (documentId: string) =>
  rows("select * from audit_logs where action = 'VIEW' and entity_type = 'kyc_document' and entity_id = ?", documentId);

/** Keeps the submissions of this test on one page of the queue. */
async function submitted(parts = whole()): Promise<{ user: SignedIn; answer: Answer; url: string; id: string }> {
  await run("update kyc set status = 'REJECTED' where status = 'PENDING'");
  const user = await newUser();
  const answer = await submit(user, parts);
  const url = answer.body.data.document_front_url;
  return { user, answer, url, id: documentIdOf(url) };
}

describe("a link to a KYC document", () => {
  test("returns the file without any request header and with its exact content type", async () => {
    const { url } = await submitted();
    const answer = await open(url);
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "image/jpeg",
      "content-length": String(jpeg().length),
      "content-disposition": "inline",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
      "cache-control": "no-store",
      "cross-origin-resource-policy": "cross-origin",
    });
    expect(answer.headers.has("etag")).toBe(false);
  });

  test("sends a PDF as an attachment", async () => {
    const { url } = await submitted(whole({ document_front: file(pdf()) }));
    const answer = await open(url);
    expect(answer.headers.get("content-type")).toBe("application/pdf");
    expect(answer.headers.get("content-disposition")).toBe('attachment; filename="document.pdf"');
  });

  test("is valid for exactly five minutes", async () => {
    const { url } = await submitted();
    clock.advance(299_000);
    expect((await open(url)).status).toBe(200);
    clock.advance(1_000);
    expect(codeOf(await open(url))).toEqual(gone);
  });

  test("is refused if any part of it was altered", async () => {
    const { url, id } = await submitted();
    const other = await submitted();
    const given = new URL(url);
    const sig = given.searchParams.get("sig") ?? "";
    const exp = given.searchParams.get("exp") ?? "";
    const altered = [
      `${KYC}/documents/${id}`,
      `${KYC}/documents/${id}?exp=${exp}`,
      `${KYC}/documents/${id}?sig=${sig}`,
      `${KYC}/documents/${id}?exp=&sig=`,
      `${KYC}/documents/${id}?exp=${Number(exp) + 1}&sig=${sig}`,
      `${KYC}/documents/${id}?exp=0${exp}&sig=${sig}`,
      `${KYC}/documents/${id}?exp=${exp}.0&sig=${sig}`,
      `${KYC}/documents/${id}?exp=1e99&sig=${sig}`,
      `${KYC}/documents/${other.id}?exp=${exp}&sig=${sig}`,
      `${KYC}/documents/${id.toUpperCase()}?exp=${exp}&sig=${sig}`,
      `${KYC}/documents/${id}?exp=${exp}&sig=${new URL(other.url).searchParams.get("sig")}`,
      `${KYC}/documents/${id}?exp=${exp}&sig=${sig}&sig=${sig}`,
      `${KYC}/documents/${id}?exp=${exp}&sig=${"A".repeat(5000)}`,
      `${KYC}/documents/${id}?exp=${exp}&sig=%00`,
    ];
    for (let at = 0; at < sig.length; at += 7) {
      const flipped = sig.charAt(at) === "A" ? "B" : "A";
      altered.push(`${KYC}/documents/${id}?exp=${exp}&sig=${sig.slice(0, at)}${flipped}${sig.slice(at + 1)}`);
    }
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const last of alphabet.replace(sig.at(-1) ?? "", "")) {
      altered.push(`${KYC}/documents/${id}?exp=${exp}&sig=${sig.slice(0, -1)}${last}`);
    }
    for (const path of altered) expect(codeOf(await documented("GET", path)), path).toEqual(gone);
    expect((await open(url)).status).toBe(200);
    expect(await views(id)).toHaveLength(1);
  });

  test("stops working when the session that requested it ends, but not when another session of the user ends", async () => {
    const { user, url } = await submitted();
    clock.advance(61_000);
    const other = await logIn(user.identifier);
    const fresh = (await documented("GET", KYC, { token: other.access })).body.data.document_front_url;
    await call("POST", "/api/auth/logout", { token: user.access, json: { refresh_token: user.refresh } });
    expect(codeOf(await open(url))).toEqual(gone);
    expect((await open(fresh)).status).toBe(200);
  });

  test("stops working when the user is banned or the file is replaced", async () => {
    const { user, url } = await submitted();
    const changed = await amend(user, { multipart: { document_front: file(png()) } });
    expect(codeOf(await open(url)), "replaced").toEqual(gone);
    const newest = changed.body.data.document_front_url;
    expect((await open(newest)).status).toBe(200);
    await run("update users set status = 'BANNED', status_reason = 'staff' where id = ?", user.userId);
    expect(codeOf(await open(newest))).toEqual(gone);
  });

  test("works for staff until they lose the role, and each view is audited", async () => {
    const { user, id } = await submitted();
    const staff = await newStaff();
    const url = await linkFor(staff, user);
    expect(
      (await call("GET", pathOf(url), { ip: "198.51.100.9", headers: { "user-agent": "a browser" } })).status,
    ).toBe(200);
    expect(await audits(id)).toMatchObject([
      {
        user_id: user.userId,
        actor_id: staff.userId,
        by_staff: 1,
        session_id: sessionOf(staff),
        ip: "198.51.100.9",
        user_agent: "a browser",
      },
    ]);
    await promote(staff, "user");
    expect(codeOf(await open(url))).toEqual(gone);
    expect(await audits(id)).toHaveLength(1);
  });

  test("is refused if the viewer is neither the owner nor staff any more", async () => {
    const { user } = await submitted();
    const [staff, stranger] = [await newStaff(), await newUser()];
    const url = await linkFor(staff, user);
    const own = (await submit(stranger)).body.data.document_front_url;
    await promote(staff, "user");
    expect(codeOf(await open(url))).toEqual(gone);
    expect((await open(own)).status).toBe(200);
  });

  test("records the time of the owner's last view, and no staff view; HEAD records nothing", async () => {
    const { user, url, id } = await submitted();
    const head = await open(url, "HEAD");
    expect([head.status, head.headers.get("content-length"), head.body]).toEqual([200, String(jpeg().length), ""]);
    expect(await views(id)).toEqual([]);
    await open(url);
    clock.advance(1_000);
    await open(url);
    expect(await views(id)).toEqual([{ viewer_id: user.userId, viewed_at: Date.now() }]);
    expect(await audits(id), "the owner's view is not a staff view").toEqual([]);
    expect(codeOf(await open(url.replace("sig=", "sig=x"), "HEAD"))[0]).toBe(404);
  });

  test("never appears in the log", async () => {
    const { url } = await submitted();
    const logged: string[] = [];
    for (const level of ["log", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((...words) => void logged.push(words.map(String).join(" ")));
    }
    await open(url);
    await open(url.replace("sig=", "sig=x"));
    vi.restoreAllMocks();
    expect(logged.join()).toContain("/api/users/kyc/documents/");
    expect(logged.join()).not.toContain("sig=");
    expect(logged.join()).not.toContain(new URL(url).searchParams.get("sig"));
  });

  test("returns 503, not 404, while the bucket or the database is down", async () => {
    const { url } = await submitted();
    const broken = (name: string) => ({
      [name]: new Proxy((testEnv as unknown as Record<string, object>)[name] ?? {}, {
        get: () => () => {
          throw new Error("down");
        },
      }),
    });
    for (const name of ["DB", "KYC_BUCKET"]) {
      expect(codeOf(await call("GET", pathOf(url), { env: broken(name) as Partial<Env> }))).toEqual([
        503,
        "service_unavailable",
      ]);
    }
  });
});
