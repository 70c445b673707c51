import { latin1, startsWith } from "./cleaning.ts";

/** How much of a trailer is read: far more than one needs. */
const DICTIONARY_BYTES = 16 * 1024;

/**
 * Whether the trailer of a PDF's last cross-reference section declares the file encrypted.
 *
 * @param offsets where the section may begin; the first at which there is one counts.
 */
export function findEncryption(bytes: Uint8Array, offsets: readonly number[]): boolean {
  const trailer = findTrailer(bytes, offsets);
  return trailer !== undefined && /\/Encrypt(?![A-Za-z])/.test(trailer);
}

function findTrailer(bytes: Uint8Array, offsets: readonly number[]): string | undefined {
  for (const offset of offsets) {
    const text = latin1(bytes, offset, Math.min(DICTIONARY_BYTES, bytes.length - offset));
    const [stream] = /^\s*\d+\s+\d+\s+obj[\s\S]*?stream/.exec(text) ?? [];
    if (stream !== undefined) return stream;
    if (/^\s*xref\s/.test(text)) return dictionaryAfter(bytes, bytesIndexOf(bytes, "trailer", offset));
  }
  return undefined;
}

function dictionaryAfter(bytes: Uint8Array, at: number): string | undefined {
  if (at === -1) return undefined;
  return latin1(bytes, at, Math.min(DICTIONARY_BYTES, bytes.length - at)).split("startxref")[0];
}

function bytesIndexOf(bytes: Uint8Array, text: string, from: number): number {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first, from); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (startsWith(bytes, at, bytes.length, text)) return at;
  }
  return -1;
}
