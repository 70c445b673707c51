import { readArguments } from "./arguments.ts";
import { addMigration, migratedDatabases, Released, writeInitial } from "./migrations/generate.ts";

const { operands, refuse } = readArguments({
  name: "db:generate",
  about:
    "Writes the initial migration of each database anew from its schema, until the first release. With NAME, adds a migration with the changes of the schema, from the first release on.",
  operands: "[NAME]",
  most: 1,
});
const [name] = operands;
if (name !== undefined && !/^[a-z][a-z0-9_]*$/.test(name))
  refuse("NAME has lower-case letters, digits and underscores.");
if (name === undefined) {
  try {
    writeInitial(...migratedDatabases);
  } catch (error) {
    if (!(error instanceof Released)) throw error;
    refuse(error.message);
  }
} else {
  for (const database of migratedDatabases) {
    for (const file of addMigration(database, name)) console.log(`wrote ${database.migrations}/${file}`);
  }
}
