import { crc32, deflateSync } from "node:zlib";

type Color = readonly [red: number, green: number, blue: number];

/** A rectangle of one color: left, top, right and bottom in pixels. */
interface Block {
  box: readonly [number, number, number, number];
  color: Color;
}

/** A PNG image of blocks on one color, each drawn over the one before. */
export function drawPng(width: number, height: number, background: Color, blocks: readonly Block[] = []): Buffer {
  const rows = Array.from({ length: height }, (_, y) => {
    const row = Array.from({ length: width }, (_, x) => {
      const block = blocks.findLast(({ box: [left, top, right, bottom] }) => {
        return x >= left && x < right && y >= top && y < bottom;
      });
      return block?.color ?? background;
    });
    return Buffer.from([0, ...row.flat()]);
  });
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return Buffer.concat([signature, ...parts]);
}

function chunk(type: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type), content]);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(content.length, 0);
  numbers.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([numbers.subarray(0, 4), named, numbers.subarray(4)]);
}

/** A picture that looks like an identity card from afar: a portrait and lines of text, in colors by the seed. */
export function drawCard(seed: number): Buffer {
  const tone = (shift: number, least: number, range: number) => least + ((seed * 37 + shift * 101) % range);
  const ink: Color = [60, 60, 70];
  const lines = [40, 58, 76, 104, 122].map((top, i): Block => {
    return { box: [110, top, 180 + tone(i, 0, 100), top + 8], color: ink };
  });
  return drawPng(
    320,
    200,
    [tone(1, 190, 60), tone(2, 190, 60), tone(3, 200, 50)],
    [
      { box: [0, 0, 320, 24], color: [tone(4, 20, 120), tone(5, 20, 80), tone(6, 60, 120)] },
      { box: [20, 40, 92, 140], color: [245, 245, 245] },
      { box: [40, 55, 72, 90], color: [tone(7, 150, 80), tone(8, 110, 60), 95] },
      { box: [30, 95, 82, 140], color: [tone(9, 40, 160), 70, tone(10, 60, 150)] },
      ...lines,
    ],
  );
}
