import { addMigration, migratedDatabases, writeInitial } from "./migrations/generate.ts";

// `npm run db:generate`: writes the initial migration of each database anew from its schema, until the first release.
// `npm run db:generate -- NAME`: adds a migration with the changes of the schema, from the first release on.

const [name] = process.argv.slice(2);
for (const database of migratedDatabases) {
  if (name === undefined) writeInitial(database);
  else for (const file of addMigration(database, name)) console.log(`wrote ${database.migrations}/${file}`);
}
