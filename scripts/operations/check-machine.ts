import { compatibilityDate as workerdDate } from "workerd";
import type { WranglerConfig } from "./configuration.ts";
import { error, type Finding } from "./finding.ts";
import { localDatabases, pendingMigrations } from "./local-database.ts";

/** Whether this machine's Node and workerd can run the project as it is configured. */
export function checkMachine({ compatibility_date }: WranglerConfig): Finding[] {
  return [
    ...(process.features.typescript
      ? []
      : [error("Node", `${process.version} does not run TypeScript`, "Use Node 22.18 or newer")]),
    ...(compatibility_date && compatibility_date > workerdDate
      ? [
          error(
            "compatibility_date",
            `${compatibility_date} is later than workerd supports (${workerdDate}), so local runs would behave differently`,
            "Update wrangler, or set an earlier date",
          ),
        ]
      : []),
  ];
}

/** Lists local databases that have pending migrations. */
export function checkLocalDatabases(state: string): Finding[] {
  return localDatabases.flatMap((database) => {
    const pending = pendingMigrations(state, database);
    if (pending.length === 0) return [];
    const apply = `Run npm run dev, or npx wrangler d1 migrations apply ${database.binding} --local`;
    return [error(`local ${database.binding}`, `has ${pending.length} pending migrations, from ${pending[0]}`, apply)];
  });
}
