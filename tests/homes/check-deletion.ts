import { testEnv } from "../support/client.ts";
import { holderOf } from "./fences.ts";
import { isShared } from "./identity-acts.ts";
import { rowsOf } from "./moved-rows.ts";
import type { Person } from "./person.ts";

/** What is left of a person who has deleted the account, in any database; empty if nothing is. */
export async function deletionProblemsOf(person: Person): Promise<string[]> {
  const { service, userId, freed } = person;
  const told = (type: string) => service.messagesOf(userId, "tasks", type).length;
  const [files, recorded, entry] = await Promise.all([
    testEnv.KYC_BUCKET.list({ prefix: `kyc/${userId}/` }),
    testEnv.SEARCH_DB.prepare("select 1 from deleted_accounts where user_id = ?").bind(userId).all(),
    testEnv.SEARCH_DB.prepare("select removed_at, text from search_entries where user_id = ?").bind(userId).first(),
  ]);
  const isFound = entry?.removed_at === null || (entry !== null && entry.text !== "");
  return [
    ...(await findRows(person)),
    ...(await findRowsOfIdentifiers(person)),
    ...(told("user.deleted") === 1 ? [] : [`the deletion was told ${told("user.deleted")} times`]),
    ...(told("account.deleted") === 1 ? [] : [`the erasure was due ${told("account.deleted")} times`]),
    ...(recorded.results.length === 1 ? [] : ["the deletion is not recorded"]),
    ...(isFound ? ["is still found by the search"] : []),
    ...(files.objects.length > 0 ? ["left a file"] : []),
    ...((await service.directory.find({ user: userId })) ? ["is still in the directory"] : []),
    ...(freed.has(person.phone) ? [] : ["still has the number"]),
  ];
}

/** All that may be left is the audit log without values, with one row of the deletion. */
async function findRows({ service, userId }: Person): Promise<string[]> {
  const found = (await Promise.all(service.homes.map((home) => rowsOf(home, { userId, identifiers: [] })))).flat();
  const audit = found.flatMap(({ name, rows }) => (name === "audit_logs" ? rows : []));
  const deletions = audit.filter(({ action, entity_type }) => action === "DELETE" && entity_type === "user");
  const values = audit.filter((row) => row.old_values !== null || row.new_values !== null || row.ip !== null);
  return [
    // Events of other services about somebody unknown are kept.
    ...found.flatMap(({ name, rows }) =>
      rows.length > 0 && name !== "audit_logs" && name !== "dead_letters"
        ? [`${rows.length} rows of ${name} are back`]
        : [],
    ),
    ...(deletions.length === 1 ? [] : [`was deleted ${deletions.length} times`]),
    ...(values.length === 0 ? [] : [`${values.length} audit rows with values`]),
  ];
}

/** Codes and messages of identifiers that went with the account and that nobody else has since. */
async function findRowsOfIdentifiers({ service: { homes }, erased }: Person): Promise<string[]> {
  const own = erased.filter((identifier) => !isShared(identifier));
  const problems = await Promise.all(
    own.map(async (identifier) => {
      const holders = await Promise.all(homes.map((home) => holderOf(home, identifier)));
      if (holders.some((holder) => holder !== undefined)) return [];
      const found = (await Promise.all(homes.map((home) => rowsOf(home, { identifiers: [identifier] })))).flat();
      return found.flatMap(({ name, rows }) => (rows.length > 0 ? [`${name} of ${identifier} is left`] : []));
    }),
  );
  return problems.flat();
}
