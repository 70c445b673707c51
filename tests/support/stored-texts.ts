import { testEnv } from "./client.ts";

/** Tables whose texts have line breaks: messages to people, and the marks between the fields of a searched text. */
const WITH_LINE_BREAKS = /^local_outbox$|^search|_search/;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What is wrong with a stored text; undefined where nothing is. */
function faultOf(bytes: Uint8Array, hasLineBreaks: boolean): string | undefined {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return "is not well-formed";
  }
  const plain = hasLineBreaks ? text.replaceAll("\n", "") : text;
  if (/\p{Cc}/u.test(plain)) return "holds a control character";
  // JSON writes them as escapes; an escaped backslash before a u is none.
  const isEscaped = /^[[{]/.test(text) && /(?<!\\)(?:\\\\)*\\(?:u00(?:[01]|7f|[89])|ud[89a-f]|[bfrt])/i.test(text);
  return isEscaped ? "escapes what it may not hold" : undefined;
}

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** Texts in any column of any table of both databases that are not well-formed or hold control characters, by where they are. */
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
