import { AppError } from "./errors.ts";
import type { Text } from "./locale.ts";

/** The header fields of a part (RFC 7578 section 4). */
export interface PartHead {
  name: string;
  /** Whether there is a file name, and whether it is more than the empty string. */
  fileName: "absent" | "empty" | "given";
  /** Media type in lower case, without parameters; undefined if the part has none. */
  mediaType: string | undefined;
  /** In lower case; UTF-8 by default. */
  charset: string;
  /** Content-Transfer-Encoding in lower case; `binary` by default. */
  transferEncoding: string;
}

/** Builds a `validation_error` for an unreadable multipart body. */
export function malformed(
  message: Text = {
    en: "The multipart body is malformed or incomplete. Send it again.",
    ne: "multipart अनुरोध बिग्रिएको वा अपूरो छ। फेरि पठाउनुहोस्।",
  },
): AppError {
  return new AppError("validation_error", { message });
}

/** Names are ASCII. File names are not used and may be in any encoding. */
const decoder = new TextDecoder("latin1");

/**
 * Parses the header fields of a part; folded lines count as one (RFC 5322 section 2.2.3).
 *
 * @throws AppError `validation_error` if they do not describe a named form field, or a `Content-*` field occurs twice.
 */
export function readPartHead(bytes: Uint8Array): PartHead {
  const fields = new Map<string, string>();
  for (const line of decoder
    .decode(bytes)
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n")) {
    const [, field, value] = /^([!#$%&'*+.^_`|~\w-]+)[ \t]*:([\s\S]*)$/.exec(line) ?? [];
    if (field === undefined || value === undefined) throw malformed();
    const name = field.toLowerCase();
    // Parsers disagree about which of two duplicates counts.
    if (name.startsWith("content-") && fields.has(name)) throw malformed();
    fields.set(name, value.trim());
  }
  const disposition = readParameters(fields.get("content-disposition") ?? "");
  const name = disposition.parameters.get("name");
  if (disposition.value !== "form-data" || name === undefined || name === "") throw malformed();
  const given = disposition.parameters.get("filename") ?? disposition.parameters.get("filename*");
  const type = readParameters(fields.get("content-type") ?? "");
  return {
    name,
    fileName: given === undefined ? "absent" : given === "" ? "empty" : "given",
    mediaType: type.value || undefined,
    charset: type.parameters.get("charset")?.toLowerCase() || "utf-8",
    transferEncoding: fields.get("content-transfer-encoding")?.toLowerCase() || "binary",
  };
}

/**
 * A parameter: its name and its value. The value is a quoted string with escapes, a quoted string without escapes (old
 * browsers send paths with backslashes), or unquoted text up to the next semicolon.
 */
const PARAMETER =
  /[ \t]*;[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[\s\S])*)"(?=[ \t]*(?:;|$))|"([^"]*)"(?=[ \t]*(?:;|$))|([^;"]*))/y;

/** The value of a header field in lower case, and its parameters by lower-case name; of duplicates the first counts. */
export function readParameters(field: string): { value: string; parameters: Map<string, string> } {
  const end = field.indexOf(";");
  const value = (end === -1 ? field : field.slice(0, end)).trim().toLowerCase();
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = end === -1 ? field.length : end;
  // Anything that is not a parameter, such as a trailing semicolon, ends the list.
  for (let match = PARAMETER.exec(field); match; match = PARAMETER.exec(field)) {
    const [, name = "", quoted, plain, bare = ""] = match;
    const text = quoted?.replace(/\\([\s\S])/g, "$1") ?? plain ?? bare.trim();
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), text);
  }
  return { value, parameters };
}
