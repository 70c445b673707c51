/// <reference types="vite/client" />
import { afterEach, describe, expect, it, vi } from "vitest";
import { type AlertName, alerts, raiseAlert } from "../../src/platform/alerts.ts";
import { jsonLog } from "../../src/platform/log.ts";
import { recordLog } from "../support/production.ts";

afterEach(() => vi.restoreAllMocks());

const sources = import.meta.glob<string>("../../src/**/*.ts", { query: "?raw", import: "default", eager: true });
const source = Object.entries(sources)
  .filter(([path]) => !/\/platform\/(alerts|log)\.ts$/.test(path))
  .map(([, text]) => text)
  .join("\n");

describe("Alerts", () => {
  it("are all raised somewhere in the source", () => {
    const unraised = Object.keys(alerts).filter((name) => !source.includes(`"${name}"`));
    expect(unraised).toEqual([]);
  });

  it("are the only log lines of level error, so no failure is logged without an alert", () => {
    expect([...source.matchAll(/\blog\.error\(|\blog\[[^\]]*error/g)].map(([text]) => text)).toEqual([]);
  });

  it("are logged with their name as event, their level and alert: true", () => {
    const lines = recordLog();
    const log = jsonLog(() => 0, { request_id: "r" });
    for (const name of Object.keys(alerts) as AlertName[]) raiseAlert({ log }, name, { reason: "why" });
    expect(lines).toEqual(
      Object.entries(alerts).map(([event, level]) => ({
        time: "1970-01-01T00:00:00.000Z",
        level,
        event,
        request_id: "r",
        alert: true,
        reason: "why",
      })),
    );
  });
});
