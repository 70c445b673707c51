import { testEnv } from "./client.ts";

/** Tables whose texts may have line breaks: messages to people, and search texts, whose fields line breaks separate. */
const WITH_LINE_BREAKS = /^local_outbox$|^search|_search/;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What is wrong with a stored text; undefined if it is valid. */
function faultOf(bytes: Uint8Array, hasLineBreaks: boolean): string | undefined {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return "is not well-formed";
  }
  const plain = hasLineBreaks ? text.replaceAll("\n", "") : text;
  if (/\p{Cc}/u.test(plain)) return "holds a control character";
  // JSON escapes such characters. A `u` after an escaped backslash is not an escape.
  const isEscaped = /^[[{]/.test(text) && /(?<!\\)(?:\\\\)*\\(?:u00(?:[01]|7f|[89])|ud[89a-f]|[bfrt])/i.test(text);
  return isEscaped ? "escapes what it may not hold" : undefined;
}

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** Texts in both databases that are ill-formed or contain control characters, with their table and column. */
export async function findUnfitTexts(): Promise<string[]> {
  const found: string[] = [];
  for (const database of [testEnv.DB, testEnv.SEARCH_DB]) {
    const { results } = await database
      .prepare(
        `select m.name as tableName, c.name as columnName from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table'
          and m.name not glob '_cf_*' and m.name not glob 'd1_*' and m.name not glob 'sqlite_*' and m.sql not like 'create virtual%'`,
      )
      .all<{ tableName: string; columnName: string }>();
    for (const { tableName, columnName } of results) {
      const { results: cells } = await database
        .prepare(
          `select distinct hex("${columnName}") as hex from "${tableName}" where typeof("${columnName}") = 'text'`,
        )
        .all<{ hex: string }>();
      for (const { hex } of cells) {
        const fault = faultOf(bytesOf(hex), WITH_LINE_BREAKS.test(tableName));
        if (fault) found.push(`${tableName}.${columnName} ${fault}: ${hex.slice(0, 200)}`);
      }
    }
  }
  return found;
}
