import type { CallOptions } from "../support/client.ts";

/** Ways in which real clients write the head of a form's part; `more` is the parameter with the file name. */
const heads: ((name: string, more: string) => string)[] = [
  (name, more) => `Content-Disposition: form-data; name=${name}${more}`,
  (name, more) => `content-disposition: Form-Data; Name="${name}"${more}`,
  (name, more) => `Content-Disposition: form-data;\r\n\tname="${name}"${more}`,
  (name, more) => `Content-Disposition: form-data${more}; x="; name=other"; name="${name}"`,
  (name, more) => `Content-Length: 3\r\nContent-Disposition: form-data; name="${name}"${more};`,
  (name, more) => `Content-Type: text/plain; charset="UTF-8"\r\nContent-Disposition: form-data; name="${name}"${more}`,
];
const preambles = ["", "\r\n", "This is a form.\r\n\r\n"];
const paddings = ["", " \t"];
const fileNames = ['; filename="a; name=x.jpg"', "; filename=my photo.jpg", "; filename*=UTF-8''a.jpg"];

/** Number of ways to write a form, in addition to that of `FormData`. */
export const SPELLINGS = heads.length * preambles.length * paddings.length;

/** The form as a multipart body, written in one of the ways. */
export function spell(form: Record<string, string | File>, spelling: number): CallOptions {
  const boundary = `b${crypto.randomUUID()}`;
  const pick = <T>(choices: readonly T[], divisor: number) =>
    choices[Math.floor(spelling / divisor) % choices.length] as T;
  const padding = pick(paddings, heads.length * preambles.length);
  const parts = Object.entries(form).flatMap(([name, value]) => {
    const more = value instanceof File ? pick(fileNames, 1) : "";
    return [`--${boundary}${padding}\r\n${pick(heads, 1)(name, more)}\r\n\r\n`, value, "\r\n"];
  });
  const raw = new Blob([pick(preambles, heads.length), ...parts, `--${boundary}--\r\n`]);
  return { raw, headers: { "content-type": `multipart/form-data; boundary=${boundary}` } };
}

/** Header fields of a part whose content, which is not UTF-8, must be refused. */
const refusedHeads = [
  "",
  "Content-Transfer-Encoding: base64\r\n",
  "Content-Transfer-Encoding: Quoted-Printable\r\n",
  "Content-Type: text/plain; charset=utf-16\r\n",
  'Content-Type: text/plain; charset="iso-8859-1"\r\n',
];

/** Number of ways to write a text so that it must be refused. */
export const MISSPELLINGS = refusedHeads.length;

/** The form as a multipart body in which the text of one field must be refused. */
export function misspell(form: Record<string, string | File>, name: string, way: number): CallOptions {
  const boundary = `b${crypto.randomUUID()}`;
  const parts = Object.entries(form).flatMap(([each, value]) => {
    const isRefused = each === name;
    const fileName = value instanceof File ? '; filename="a.jpg"' : "";
    const head = `${isRefused ? refusedHeads[way] : ""}Content-Disposition: form-data; name="${each}"${fileName}`;
    return [`--${boundary}\r\n${head}\r\n\r\n`, isRefused ? Uint8Array.of(0x78, 0xe9, 0xff) : value, "\r\n"];
  });
  const raw = new Blob([...parts, `--${boundary}--\r\n`]);
  return { raw, headers: { "content-type": `multipart/form-data; boundary=${boundary}` } };
}
