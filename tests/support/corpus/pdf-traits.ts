import { asText, type Bytes, concat } from "../documents.ts";
import { document, linearised, updated } from "./pdfs.ts";
import type { Trait, Verdict } from "./traits.ts";

const kept = (bytes: Bytes): Verdict => ({ type: "application/pdf", kept: bytes });
const DAMAGED = { refused: "file_damaged" };
const UNKNOWN = { refused: "not_document" };
const SOMETHING_BEHIND = { refused: "file_trailer" };
const PROTECTED = { refused: "pdf_password" };

/** A file that is accepted and stored byte for byte. */
const asItIs = (name: string, bytes: Bytes): Trait => [name, bytes, kept(bytes)];

const signature = "<</Type/Sig/Filter/Adobe.PPKLite/ByteRange[0 700 800 400]/Contents<00112233>>>";
const encrypted = "<</Filter/Standard/V 2/R 3/Length 128/P -44/O<00>/U<00>>>";

/** In a linearised file, the table at the start has its own end marker. */
const cutAfterFirstPage = (bytes: Bytes) => bytes.slice(0, asText(bytes).indexOf("%%EOF") + "%%EOF\n".length);

export const pdfTraits: readonly Trait[] = [
  asItIs("pdf", document()),
  asItIs("pdf-with-a-line-end-of-windows", document({ behind: "\r\n" })),
  asItIs("pdf-without-a-line-end", document({ behind: "" })),
  asItIs("pdf-of-version-2", document({ version: "2.0" })),
  asItIs("pdf-whose-table-is-a-stream", document({ isStream: true })),
  asItIs("pdf-linearised", linearised()),
  asItIs("pdf-with-an-update", updated(document(), "<</Producer(an editor)>>")),
  asItIs("pdf-with-a-signature", updated(document(), signature)),
  asItIs("pdf-with-two-updates", updated(updated(document(), signature), "<</Note 1>>")),
  asItIs("pdf-and-long-padding", document({ behind: `\n${"\0".repeat(6000)}` })),
  asItIs("pdf-and-blank-lines", document({ behind: "\r\n \t\r\n".repeat(400) })),
  asItIs("pdf-and-a-few-bytes", document({ behind: "\n%done" })),
  asItIs("pdf-with-a-byte-order-mark-before-it", document({ prefix: "\xef\xbb\xbf" })),
  asItIs("pdf-with-headers-of-mail-before-it", document({ prefix: "Content-Type: application/pdf\r\n\r\n" })),
  asItIs(
    "pdf-with-printer-language-before-it",
    document({ prefix: "\x1b%-12345X@PJL SET COPIES=1\r\n@PJL ENTER LANGUAGE=PDF\r\n" }),
  ),
  asItIs("pdf-with-1024-bytes-of-text-before-it", document({ prefix: "x".repeat(1024) })),
  ["pdf-with-1025-bytes-of-text-before-it", document({ prefix: "x".repeat(1025) }), UNKNOWN],
  ["pdf-with-html-before-it", document({ prefix: "<html><script>alert(1)</script>\n" }), UNKNOWN],
  ["pdf-with-a-script-before-it", document({ prefix: "#!/bin/sh\nexit\n" }), UNKNOWN],
  [
    "pdf-with-an-archive-before-it",
    document({ prefix: "PK\x03\x04\x14\0" }),
    { refused: "file_format", format: "ZIP" },
  ],
  ["pdf-and-html", document({ behind: "\n<html><script>alert(1)</script></html>" }), SOMETHING_BEHIND],
  ["pdf-and-an-archive", document({ behind: `\nPK\x03\x04${"x".repeat(40)}` }), SOMETHING_BEHIND],
  [
    "pdf-and-an-archive-and-padding",
    document({ behind: `\nPK\x03\x04${"x".repeat(40)}${"\0".repeat(3000)}` }),
    SOMETHING_BEHIND,
  ],
  ["pdf-whose-table-lies-behind-its-end", document({ startxref: 99_999 }), DAMAGED],
  ["pdf-cut-off-before-its-end", document().slice(0, -8), DAMAGED],
  ["pdf-cut-off-in-the-middle", document().slice(0, 120), DAMAGED],
  ["pdf-linearised-and-cut-off-after-its-first-page", cutAfterFirstPage(linearised()), DAMAGED],
  ["pdf-without-a-table", concat("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n"), DAMAGED],
  ["pdf-that-needs-a-password", document({ objects: [encrypted], trailer: "/Encrypt 4 0 R/ID[<00><00>]" }), PROTECTED],
  [
    "pdf-that-needs-a-password-in-a-stream",
    document({ objects: [encrypted], trailer: "/Encrypt 4 0 R/ID[<00><00>]", isStream: true }),
    PROTECTED,
  ],
  [
    "pdf-that-needs-a-certificate",
    document({ objects: ["<</Filter/Adobe.PubSec/V 4>>"], trailer: "/Encrypt 4 0 R" }),
    PROTECTED,
  ],
  [
    "pdf-that-needs-a-password-behind-text",
    document({ prefix: "Subject: my passport\r\n", objects: [encrypted], trailer: "/Encrypt 4 0 R/ID[<00><00>]" }),
    PROTECTED,
  ],
];
