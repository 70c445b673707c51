import { newEmail, newIp, type SignedIn, signUp, testEnv } from "../support/client.ts";
import { run } from "../support/database.ts";
import { file, jpeg } from "../support/documents.ts";
import { newId } from "../support/ids.ts";
import { newNumber, promote } from "../support/kyc.ts";
import { fakeProviders } from "../support/openid.ts";
import { send } from "./check.ts";

export const roles = ["anonymous", "user", "staff", "admin"] as const;
export type Role = (typeof roles)[number];

/** The callers, and the user that staff act on. */
export interface Stage {
  env: Partial<Env>;
  providers: ReturnType<typeof fakeProviders>;
  actors: Record<Exclude<Role, "anonymous">, SignedIn>;
  /** A user on whom staff may perform any action. */
  target: SignedIn;
}

/** A new user with an account. */
export const newPerson = ({ env }: Pick<Stage, "env">) => signUp(newEmail(), { ip: newIp(), env });

/** Creates four users who have a submission and a notification each; their sign-in is too old to delete an account. */
export async function setStage(): Promise<Stage> {
  const providers = fakeProviders();
  // The clock stands still, so that all views lie within an hour.
  const env = { ...providers.env, STAFF_VIEWS_PER_HOUR: "10000" } as Partial<Env>;
  const [user, staff, admin, target] = [
    await newPerson({ env }),
    await newPerson({ env }),
    await newPerson({ env }),
    await newPerson({ env }),
  ];
  await promote(staff, "staff");
  await promote(admin, "admin");
  for (const person of [user, staff, admin, target]) {
    await run("update sessions set created_at = created_at - 3600000 where user_id = ?", person.userId);
    await addNotification(person);
    const multipart = { document_number: newNumber(), document_front: file(jpeg()) };
    const { status } = await send("POST", "/api/users/kyc", { token: person.access, env, ip: newIp(), multipart });
    if (status !== 201) throw new Error(`kyc: ${status}`);
  }
  return { env, providers, actors: { user, staff, admin }, target };
}

/** Inserts an unread notification of the user and returns its id. */
export async function addNotification({ userId }: SignedIn): Promise<string> {
  const id = newId();
  await run(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'WELCOME', 'a', 'b', ?)",
    id,
    userId,
    Date.now(),
  );
  return id;
}

let columns: Promise<{ name: string; list: string }[]> | undefined;

/** Tables with user data and the columns to compare. */
function findColumns() {
  columns ??= testEnv.DB.prepare(
    `select m.name, (select group_concat('"' || c.name || '"', ', ') from pragma_table_info(m.name) c) as list
      from sqlite_master m where m.type = 'table' and m.name not glob '_cf_*' and m.name not glob 'd1_*' and m.name not glob 'sqlite_*'
        and exists (select 1 from pragma_table_info(m.name) where name = 'user_id')`,
  )
    .all<{ name: string; list: string }>()
    .then(({ results }) => results);
  return columns;
}

/** Tables that only grow, for which the number of rows suffices. */
const LEDGERS = ["audit_logs", "outbox", "point_transactions"];

/** All data about these users, table by table. */
export async function takeSnapshot({ actors, target }: Stage): Promise<Record<string, string>> {
  const tables = await findColumns();
  const ids = JSON.stringify([...Object.values(actors), target].map(({ userId }) => userId));
  const about = (table: string, column: string, list: string) =>
    `'${table}', (select ${LEDGERS.includes(table) ? "count(*)" : `json_group_array(json_array(${list}))`}
      from (select * from "${table}" where "${column}" in (select value from json_each(?1)) order by 1, 2))`;
  const user = "id, username, email, phone_number, status, role, email_verified, phone_verified, version, updated_at";
  const parts = [about("users", "id", user), ...tables.map(({ name, list }) => about(name, "user_id", list))];
  const row = await testEnv.DB.prepare(`select json_object(${parts.join(", ")}) as found`)
    .bind(ids)
    .first<string>("found");
  return Object.fromEntries(
    Object.entries(JSON.parse(row ?? "{}")).map(([name, rows]) => [name, JSON.stringify(rows)]),
  );
}
