import { base64url } from "jose";
import { type MovedTable, movedTables } from "./moved-tables.ts";

/** Rows per statement that deletes, so that no statement is long. */
const CHUNK = 100;

/** The parameters of `MovedTable.which`. Without a user, only rows of identifiers are meant. */
export interface Owner {
  userId?: string;
  identifiers: readonly string[];
}

type Row = Record<string, unknown>;

const isOf = (owner: Owner, { which }: MovedTable) => owner.userId !== undefined || which.includes("?2");
const tablesOf = (owner: Owner) => movedTables.filter((table) => isOf(owner, table));

function select(db: D1Database, { which }: MovedTable, { userId = "", identifiers }: Owner, from: string, limit = "") {
  const own = userId === "" ? identifiers : [userId, ...identifiers];
  const values = which.includes("?2") ? [userId, JSON.stringify(own)] : [userId];
  return db.prepare(`${from} where ${which} ${limit}`).bind(...values);
}

/** The owner's rows of every table that moves, in a fixed order. */
export async function rowsOf(db: D1Database, owner: Owner): Promise<{ name: string; rows: Row[] }[]> {
  const tables = tablesOf(owner);
  const results = await db.batch<Row>(tables.map((table) => select(db, table, owner, `select * from ${table.name}`)));
  return tables.map(({ name }, i) => ({ name, rows: results[i]?.results ?? [] }));
}

interface Columns {
  all: string[];
  key: string[];
}

let schema: Promise<Map<string, Columns>> | undefined;

/** The columns of every table that moves; all homes have the same. */
async function readColumns(db: D1Database): Promise<Map<string, Columns>> {
  const results = await db.batch<{ name: string; pk: number }>(
    movedTables.map(({ name }) => db.prepare(`select name, pk from pragma_table_info('${name}')`)),
  );
  return new Map(
    movedTables.map(({ name }, i) => {
      const columns = results[i]?.results ?? [];
      const key = columns.filter(({ pk }) => pk > 0).toSorted((a, b) => a.pk - b.pk);
      return [name, { all: columns.map((column) => column.name), key: key.map((column) => column.name) }];
    }),
  );
}

async function columnsOf(db: D1Database, name: string): Promise<Columns> {
  schema ??= readColumns(db);
  return (await schema).get(name) ?? { all: [], key: [] };
}

/** Copies the owner's rows in one transaction. */
export async function copyRows(source: D1Database, target: D1Database, owner: Owner): Promise<void> {
  const inserts: D1PreparedStatement[] = [];
  for (const { name, rows } of await rowsOf(source, owner)) {
    if (rows.length === 0) continue;
    const { all } = await columnsOf(source, name);
    const values = rows.map((row) => all.map((column) => row[column]));
    const fields = all.map((_, at) => `value ->> '$[${at}]'`).join(", ");
    const insert = `insert into ${name} (${all.join(", ")}) select ${fields} from json_each(?)`;
    inserts.push(target.prepare(insert).bind(JSON.stringify(values)));
  }
  if (inserts.length > 0) await target.batch(inserts);
}

async function digestOf(db: D1Database, owner: Owner): Promise<string> {
  const lines = (await rowsOf(db, owner)).map(({ rows }) => rows.map((row) => JSON.stringify(row)).toSorted());
  const text = new TextEncoder().encode(JSON.stringify(lines));
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", text)));
}

/** @throws Error if the copies differ. */
export async function compareRows(source: D1Database, target: D1Database, owner: Owner): Promise<void> {
  const [own, copied] = await Promise.all([digestOf(source, owner), digestOf(target, owner)]);
  if (own !== copied) throw new Error(`the copies of ${owner.userId ?? owner.identifiers} differ`);
}

/** Deletes the owner's rows: all at once if they are few, else a chunk at a time. */
export async function deleteRows(db: D1Database, owner: Owner): Promise<void> {
  const counts = await db.batch<{ n: number }>(
    tablesOf(owner).map((table) => select(db, table, owner, `select count(*) as n from ${table.name}`)),
  );
  const filled = tablesOf(owner)
    .map((table, i) => ({ table, n: counts[i]?.results[0]?.n ?? 0 }))
    .filter(({ n }) => n > 0)
    .toReversed();
  if (filled.length === 0) return;
  const isSmall = filled.reduce((sum, { n }) => sum + n, 0) <= CHUNK;
  if (isSmall) await db.batch(filled.map(({ table }) => select(db, table, owner, `delete from ${table.name}`)));
  else for (const { table } of filled) await deleteInChunks(db, table, owner);
}

async function deleteInChunks(db: D1Database, table: MovedTable, owner: Owner): Promise<void> {
  const key = (await columnsOf(db, table.name)).key.join(", ");
  const chunk = `delete from ${table.name} where (${key}) in (select ${key} from ${table.name}`;
  for (let deleted = CHUNK; deleted >= CHUNK; ) {
    const { meta } = await select(db, table, owner, chunk, `limit ${CHUNK})`).run();
    deleted = meta.changes;
  }
}
