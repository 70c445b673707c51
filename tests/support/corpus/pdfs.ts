import { asText, type Bytes, concat } from "../documents.ts";

interface PdfParts {
  /** Bytes before the header. */
  prefix?: string;
  /** Additional entries of the trailer. */
  trailer?: string;
  /** Additional objects, from number 4 on. */
  objects?: string[];
  /** Bytes after the end marker. */
  behind?: string;
  /** Writes the cross-reference table as an object (PDF 1.5). */
  isStream?: boolean;
  /** Declared position of the table; correct by default. */
  startxref?: number;
  version?: string;
}

/** A PDF with one empty page and a cross-reference table. */
export function document(parts: PdfParts = {}): Bytes {
  const { prefix = "", trailer = "", behind = "\n", version = "1.7" } = parts;
  const objects = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>",
    ...(parts.objects ?? []),
  ];
  let text = `%PDF-${version}\n%\xe2\xe3\xcf\xd3\n`;
  const offsets = objects.map((object, i) => {
    const at = text.length;
    text += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return at;
  });
  const table = text.length;
  const entries = `/Root 1 0 R${trailer}`;
  const line = (offset: number) => `${String(offset).padStart(10, "0")} 00000 n \n`;
  if (parts.isStream) {
    const fields = [0, ...offsets, table].map((at, i) => String.fromCharCode(i ? 1 : 0, at >> 8, at & 255, 0));
    text += `${objects.length + 1} 0 obj\n<</Type/XRef/Size ${objects.length + 2}/W[1 2 1]/Length ${4 * fields.length}${entries}>>
stream\n${fields.join("")}\nendstream\nendobj\n`;
  } else {
    text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.map(line).join("")}`;
    text += `trailer\n<</Size ${objects.length + 1}${entries}>>\n`;
  }
  return concat(`${prefix}${text}startxref\n${parts.startxref ?? table}\n%%EOF${behind}`);
}

/** The document with an appended update, as editors and signatures add one. */
export function updated(base: Bytes, object: string): Bytes {
  const text = asText(base);
  const previous = /startxref\s+(\d+)\s+%%EOF\s*$/.exec(text)?.[1];
  const at = text.length;
  const update = `4 0 obj\n${object}\nendobj\n`;
  const table = at + update.length;
  return concat(
    base,
    update,
    `xref\n4 1\n${String(at).padStart(10, "0")} 00000 n \n`,
    `trailer\n<</Size 5/Root 1 0 R/Prev ${previous}>>\nstartxref\n${table}\n%%EOF\n`,
  );
}

/** A linearised file: a table at its start without positions, and one that is found first. */
export function linearised(): Bytes {
  const head = "%PDF-1.5\n1 0 obj\n<</Linearized 1/L 00000/O 4/E 300/N 1/T 300>>\nendobj\n";
  const first = `xref\n4 1\n0000000000 00000 n \ntrailer\n<</Size 5/Root 2 0 R/Prev 300>>\nstartxref\n0\n%%EOF\n`;
  const rest = "2 0 obj\n<</Type/Catalog/Pages 3 0 R>>\nendobj\n3 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n";
  const main = "xref\n0 4\n0000000000 65535 f \ntrailer\n<</Size 4>>\n";
  const text = `${head}${first}${rest}${main}startxref\n${head.length}\n%%EOF\n`;
  return concat(text.replace("/L 00000", `/L ${String(text.length).padStart(5, "0")}`));
}
