import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Answer, newIp } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { run } from "../support/database.ts";
import { file, jpeg } from "../support/documents.ts";
import { fetchDocument, type OpenApiDocument } from "../support/openapi.ts";
import { differing } from "../support/snapshot.ts";
import { findUnfitTexts } from "../support/stored-texts.ts";
import { bodyOf, type Case, invalidCase, searchOf, validCase } from "./cases.ts";
import { countRequests, findFaults, send } from "./check.ts";
import { elsewhere, fixtures } from "./fixtures.ts";
import { fillPath, type Operation, operationsOf } from "./operations.ts";
import { parameters, setting } from "./setting.ts";
import { type Role, roles, type Stage, setStage, takeSnapshot } from "./stage.ts";

let document: OpenApiDocument;
let stage: Stage;
let operations: Operation[];

beforeAll(async () => {
  // The tokens are valid for the whole run.
  stopClock();
  document = await fetchDocument();
  operations = operationsOf(document);
  stage = await setStage();
});
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  console.log(`fuzz: ${countRequests()} requests, seed ${setting.seed}`);
});

const role = fc.constantFrom<Role>(...roles);

/** Whether the operation's guard lets the role pass. */
const isAllowed = ({ isGuarded, isForStaff }: Operation, who: Role) =>
  !isGuarded || (who !== "anonymous" && (who !== "user" || !isForStaff));

const tokenOf = (who: Role) => (who === "anonymous" ? {} : { token: stage.actors[who].access });

/** The files of an invalid request; the files themselves are valid. */
const someFiles = ({ body }: Operation) => Object.fromEntries((body?.files ?? []).map((name) => [name, file(jpeg())]));

async function ask(operation: Operation, request: Case, who: Role): Promise<{ path: string; answer: Answer }> {
  const segments = { id: stage.target.userId, ...request.segments };
  const path = fillPath(operation, segments) + searchOf(request);
  const body = bodyOf(operation, request, someFiles(operation));
  const answer = await send(operation.method, path, { ...body, ...tokenOf(who), env: stage.env, ip: newIp() });
  return { path, answer };
}

/** The expected refusal if the role may not call the operation or the path does not exist. */
function expectRefusal({ isGuarded }: Operation, who: Role, { status, body }: Answer) {
  const found = `${status} ${body.error?.code}`;
  if (isGuarded && who === "anonymous") expect(["401 authentication_required", "404 not_found"]).toContain(found);
  else expect([400, 403, 404], JSON.stringify(body)).toContain(status);
}

/** Runs every operation with a share of the requests and reports all failures together. */
function forEach(share: number, check: (operation: Operation, runs: number) => Promise<void>) {
  return async () => {
    const failures: string[] = [];
    for (const operation of operations) {
      await check(operation, (setting.requests * share) / operations.length).catch((error) =>
        failures.push(`${operation.name}: ${error}`),
      );
    }
    expect(failures.join("\n\n")).toBe("");
  };
}

describe("ASVS 2.2.1, 15.3.5: every operation of the document", { timeout: 3_600_000 }, () => {
  test(
    "answers a valid request as documented for every role",
    forEach(0.1, async (operation, runs) => {
      const isElsewhere = elsewhere.includes(operation.name);
      await fc.assert(
        fc.asyncProperty(validCase(operation), role, async (generated, who) => {
          const {
            fields,
            segments,
            query,
            files,
            caller,
            alsoAllowed = [],
          } = (await fixtures[operation.name]?.(stage)) ?? {};
          const request = {
            ...generated,
            fields: { ...generated.fields, ...fields },
            query: query ?? generated.query,
            format: fields && generated.format !== "multipart" ? ("json" as const) : generated.format,
          };
          const path = fillPath(operation, segments) + searchOf(request);
          const token = caller && who !== "anonymous" ? { token: caller.access } : tokenOf(who);
          const body = bodyOf(operation, request, files ?? {});
          const options = { ...body, ...token, env: stage.env, ip: newIp() };
          const answer = await send(operation.method, path, options);
          expect(findFaults(document, operation.method, path, answer)).toEqual([]);
          if (!isAllowed(operation, who)) return expectRefusal(operation, who, answer);
          if (isElsewhere) return;
          const right = [...operation.statuses.filter((status) => status < 300), ...alsoAllowed];
          const isTaken = answer.status === 409 && operation.isForStaff;
          const isForAdmin = answer.status === 403 && operation.isForAdmin && who === "staff";
          if (!isTaken && !isForAdmin) expect(right, JSON.stringify(answer.body)).toContain(answer.status);
        }),
        parameters(runs),
      );
    }),
  );

  test(
    "refuses an invalid request in the documented shape and changes nothing",
    forEach(0.9, async (operation, runs) => {
      let before = await takeSnapshot(stage);
      await fc.assert(
        fc.asyncProperty(invalidCase(operation), role, async (request, who) => {
          // Refused uploads count towards the daily limit of ten, after which every upload would get 429.
          if (operation.path === "/api/users/kyc") await run("delete from kyc_uploads");
          const { path, answer } = await ask(operation, request, who);
          expect(findFaults(document, operation.method, path, answer)).toEqual([]);
          const after = await takeSnapshot(stage);
          // Refused uploads count too, so that nobody can send files without limit.
          const changed = differing(before, after).filter(
            (table) => table !== "kyc_uploads" || operation.path !== "/api/users/kyc",
          );
          before = after;
          if (answer.status >= 400 || (operation.method === "GET" && !operation.isForStaff))
            expect(changed).toEqual([]);
          if (!isAllowed(operation, who)) return expectRefusal(operation, who, answer);
          if (request.refuses === undefined) return;
          expect([answer.status, answer.body.error?.code], JSON.stringify(answer.body)).toEqual([
            400,
            "validation_error",
          ]);
          const named = Object.keys(answer.body.error.details ?? {});
          expect(named.map((name) => name.split(".")[0])).toContain(request.refuses);
        }),
        parameters(runs),
      );
    }),
  );

  test("leaves no text in any table that is ill-formed or holds control characters", async () => {
    expect(await findUnfitTexts()).toEqual([]);
  });
});
