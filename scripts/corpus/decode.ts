import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

interface Decoder {
  default(bytes: ArrayBuffer): Promise<Pixels>;
  init(module: unknown): Promise<unknown>;
}

/** The types of Workers have no run-time compilation; Node has it. */
const { compile } = WebAssembly as unknown as { compile(bytes: Uint8Array): Promise<unknown> };

/** The image codecs' own decoders, compiled to WebAssembly. */
const decoders: Readonly<Record<string, { module: string; binary: string }>> = {
  "image/jpeg": { module: "@jsquash/jpeg/decode.js", binary: "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm" },
  "image/png": { module: "@jsquash/png/decode.js", binary: "@jsquash/png/codec/pkg/squoosh_png_bg.wasm" },
  "image/webp": { module: "@jsquash/webp/decode.js", binary: "@jsquash/webp/codec/dec/webp_dec.wasm" },
};

/** Stands for the ImageData class of browsers, which Node lacks and the decoders return. */
class PixelBuffer implements Pixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;

  constructor(data: Uint8ClampedArray, width: number, height: number) {
    this.data = data;
    this.width = width;
    this.height = height;
  }
}

const loaded = new Map<string, Promise<Decoder>>();

async function load({ module, binary }: { module: string; binary: string }): Promise<Decoder> {
  Object.assign(globalThis, { ImageData: PixelBuffer });
  const decoder: Decoder = await import(module);
  await decoder.init(await compile(await readFile(fileURLToPath(import.meta.resolve(binary)))));
  return decoder;
}

/** The pixels of an image; undefined if it cannot be decoded. */
export async function decode(bytes: Uint8Array, contentType: string): Promise<Pixels | undefined> {
  const names = decoders[contentType];
  if (!names) return undefined;
  const decoder = loaded.get(contentType) ?? load(names);
  loaded.set(contentType, decoder);
  const { default: run } = await decoder;
  try {
    return await run(bytes.slice().buffer as ArrayBuffer);
  } catch {
    return undefined;
  }
}

export function isSame(a: Pixels, b: Pixels): boolean {
  return a.width === b.width && a.height === b.height && Buffer.compare(Buffer.from(a.data), Buffer.from(b.data)) === 0;
}
