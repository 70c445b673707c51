import { beforeAll, expect, test } from "vitest";
import { type SignedIn, testEnv } from "../../support/client.ts";
import { type Trait, traits } from "../../support/corpus/traits.ts";
import { asText, file } from "../../support/documents.ts";
import {
  codeOf,
  forgetUploads,
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

test("the corpus has a file for each of more than sixty traits", () => {
  expect(new Set(traits.map(([name]) => name)).size).toBe(traits.length);
  expect(new Set(traits.map(([, bytes]) => asText(bytes))).size).toBe(traits.length);
  expect(traits.length).toBeGreaterThan(60);
});

test.each(traits as Trait[])("the KYC file %s is stored or refused as expected", async (_name, bytes, verdict) => {
  await forgetUploads(user);
  const answer = await submit(user, whole({ document_front: file(bytes) }), { env: withoutWriteLimit });
  if ("refused" in verdict) {
    expect(codeOf(answer)).toEqual([400, "validation_error"]);
    const { refused: code, format } = verdict;
    expect(answer.body.error.fields.document_front).toEqual([
      expect.objectContaining({ code, ...(format ? { format } : {}) }),
    ]);
    const [sentence] = answer.body.error.details.document_front;
    if (format) expect(sentence).toContain(format);
    if (code === "picture_format") expect(sentence).toContain("Settings › Camera › Formats › Most Compatible");
    return;
  }
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  expect(asText(await storedBytes(user))).toBe(asText(verdict.kept));
  const [key = ""] = await keysOf(user);
  expect((await testEnv.KYC_BUCKET.head(key))?.httpMetadata).toEqual({ contentType: verdict.type });
});
